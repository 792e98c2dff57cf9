"""Rotary positions of a GGUF file as the `rope_parameters` of a transformers config.

Sources: GGUF specification, "RoPE"; llama.cpp, src/llama-model.cpp; transformers, modeling_rope_utils.py.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from compressed_code.core.errors import InputError

# What describes the training only, or says what is so anyway.
_IDLE = ("rope.scaling.finetuned", "rope.scaling.original_context_length")


def rotary_fields(
    path: PurePath,
    own: Mapping[str, Any],
    factors: Mapping[str, Sequence[float]],
    *,
    log_multiplier: float | None = None,
) -> tuple[dict[str, Any], set[str]]:
    """The parameters of positions, and which metadata they were drawn from.

    Args:
        own: metadata below the architecture's name.
        factors: what rotary frequencies are divided by, where the file holds them: "freqs" (at any length), or "short"
            and "long".
        log_multiplier: what converters of this architecture multiply `mscale_all_dim` by; `None` where they write none.

    Raises:
        InputError: a kind of scaling, or a part of one, that is not supported.
    """
    kind = own.get("rope.scaling.type", "linear" if "rope.scale_linear" in own else "none")
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": own.get("rope.freq_base", 10000.0)}
    read = {"rope.freq_base", "rope.scaling.type", *_IDLE}
    if kind == "linear":
        rope |= {"rope_type": "linear", "factor": own.get("rope.scaling.factor", own.get("rope.scale_linear"))}
        read |= {"rope.scaling.factor", "rope.scale_linear"}
    elif kind == "yarn":
        rope |= _yarn(path, own, log_multiplier)
        read |= {"rope.scaling.factor", "rope.scaling.yarn_log_multiplier", "rope.scaling.attn_factor"}
        read |= {f"rope.scaling.yarn_{part}" for part in ("ext_factor", "attn_factor", "beta_fast", "beta_slow")}
    elif kind not in ("none", "longrope"):
        raise InputError(f"{path}: rotary scaling {kind!r} is not supported; use the original model")
    if "freqs" in factors and kind == "none":
        # Llama 3's scaling: what frequencies are divided by stands in the file, the same at every length.
        length = own.get("context_length", 1 << 20)
        values = list(factors["freqs"])
        rope |= {"rope_type": "longrope", "short_factor": values, "long_factor": values, "factor": 1.0}
        rope |= {"attention_factor": 1.0, "original_max_position_embeddings": length}
    elif "freqs" in factors:
        raise InputError(f"{path}: rotary factors beside rotary scaling {kind!r} are not supported; use the original")
    if {"short", "long"} <= factors.keys():
        original = own.get("rope.scaling.original_context_length")
        if not original:
            raise InputError(f"{path}: rotary factors without rope.scaling.original_context_length; fetch it again")
        rope |= {"rope_type": "longrope", "original_max_position_embeddings": original}
        rope |= {"factor": own["context_length"] / original if "context_length" in own else 1.0}
        rope |= {f"{part}_factor": list(factors[part]) for part in ("short", "long")}
        if "rope.scaling.attn_factor" in own:
            rope["attention_factor"] = own["rope.scaling.attn_factor"]
        read |= {"rope.scaling.attn_factor", "rope.scaling.factor"}
    elif kind == "longrope":
        raise InputError(f"{path}: rotary scaling 'longrope' without its factors; fetch or convert it again")
    return rope, read & own.keys()


def _yarn(path: PurePath, own: Mapping[str, Any], log_multiplier: float | None) -> dict[str, Any]:
    original = own.get("rope.scaling.original_context_length")
    if not original or "rope.scaling.factor" not in own:
        raise InputError(f"{path}: YaRN without factor or original_context_length; fetch or convert it again")
    for name in ("ext_factor", "attn_factor"):
        if own.get(f"rope.scaling.yarn_{name}", 1.0) != 1.0:
            raise InputError(f"{path}: metadata rope.scaling.yarn_{name} is not supported; use the original model")
    rope = {
        "rope_type": "yarn",
        "factor": own["rope.scaling.factor"],
        "original_max_position_embeddings": original,
        "beta_fast": own.get("rope.scaling.yarn_beta_fast", 32.0),
        "beta_slow": own.get("rope.scaling.yarn_beta_slow", 1.0),
    }
    if "rope.scaling.attn_factor" in own:  # beside YaRN's own factor for attention
        rope["attention_factor"] = own["rope.scaling.attn_factor"] * (0.1 * math.log(max(rope["factor"], 1.0)) + 1)
    if "rope.scaling.yarn_log_multiplier" in own:
        if log_multiplier is None:
            raise InputError(f"{path}: metadata rope.scaling.yarn_log_multiplier is not supported; use the original")
        share = own["rope.scaling.yarn_log_multiplier"] / log_multiplier
        rope |= {"mscale": share, "mscale_all_dim": share}
    return rope
