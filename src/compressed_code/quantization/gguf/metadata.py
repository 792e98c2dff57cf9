"""What a config.json says, as the metadata of a GGUF file.

Source: GGUF specification, "LLM"; llama.cpp v0.5.0, convert_hf_to_gguf.py (`TextModel.set_gguf_parameters`,
`LlamaModel`); scaled rotary angles: transformers, modeling_rope_utils.py.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.checkpoints.architectures import Architecture
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from gguf import GGUFWriter

# model_type of config.json → architecture of GGUF; Mistral's dense models are Llamas there.
_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
ROPE_FACTORS = "rope_freqs.weight"
_ROTARY_FIELDS = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
_DEFAULT_THETA = 10000.0
_MISTRAL_WINDOW = 4096  # where config.json does not say


def gguf_architecture(model_type: str) -> str | None:
    """The GGUF name of an architecture; `None` where it cannot be written."""
    return _ARCHITECTURES.get(model_type)


def add_metadata(
    writer: "GGUFWriter",
    path: Path,
    config: Mapping[str, Any],
    architecture: Architecture,
    rotary: Mapping[str, Any],
    type_name: str,
) -> None:
    """Add sizes, rotary angles and the type of the file.

    Args:
        writer: no file opened yet.
        path: config.json, for messages.
        config: its content.
        architecture: the same, understood.
        rotary: from `read_rotary`.
        type_name: the mixture.

    Raises:
        InputError: the config lacks a field.
    """
    from gguf import GGML_QUANT_VERSION, LlamaFileType, RopeScalingType

    prefix = "ALL" if type_name == "F32" else "MOSTLY"
    writer.add_type("model")
    writer.add_file_type(LlamaFileType[f"{prefix}_{type_name}"])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_vocab_size(architecture.vocabulary)
    writer.add_context_length(_context_length(path, config))
    writer.add_embedding_length(architecture.hidden)
    writer.add_block_count(architecture.layers)
    writer.add_feed_forward_length(architecture.intermediate)
    writer.add_head_count(architecture.heads)
    writer.add_head_count_kv(architecture.num_key_value_heads)
    writer.add_key_length(architecture.value_size)
    writer.add_value_length(architecture.value_size)
    writer.add_layer_norm_rms_eps(architecture.epsilon)
    writer.add_rope_dimension_count(architecture.value_size)
    writer.add_rope_freq_base(rotary["rope_theta"])
    if rotary["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rotary["factor"])


def read_rotary(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the rotary embedding, as older and newer configs spell them.

    Raises:
        InputError: they are of a kind that is not supported, or incomplete.
    """
    given = config.get("rope_scaling") or config.get("rope_parameters") or {}  # transformers' own precedence
    share = config.get("partial_rotary_factor")
    rotary = {
        "rope_theta": config.get("rope_theta") or _DEFAULT_THETA,
        "rope_type": given.get("type", "default"),
        "partial_rotary_factor": 1 if share is None else share,
        **given,
    }
    kind = rotary["rope_type"]
    if kind not in _ROTARY_FIELDS or rotary["partial_rotary_factor"] != 1:
        raise InputError(
            f"{path}: rotary embedding {kind!r} is not supported; {', '.join(_ROTARY_FIELDS)} are, in full"
        )
    for field in ("rope_theta", *_ROTARY_FIELDS[kind]):
        if not isinstance(rotary.get(field), int | float):
            raise InputError(f"{path}: rotary embedding {kind!r} without a number for {field}")
    return rotary


def rope_factors(rotary: Mapping[str, Any], head_size: int) -> np.ndarray | None:
    """What Llama 3 divides the rotary frequencies by, [head_size / 2] float32; `None` for other models.

    Args:
        rotary: from `read_rotary`.
        head_size: width of one attention head.
    """
    if rotary["rope_type"] != "llama3":
        return None
    frequencies = rotary["rope_theta"] ** -(np.arange(0, head_size, 2) / head_size)
    turns = rotary["original_max_position_embeddings"] * frequencies / (2 * math.pi)  # within the original context
    low, high, factor = rotary["low_freq_factor"], rotary["high_freq_factor"], rotary["factor"]
    share_kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / (share_kept + (1 - share_kept) / factor)).astype(np.float32)


def _context_length(path: Path, config: Mapping[str, Any]) -> int:
    """Positions within which llama.cpp, which has no sliding window for these models, computes the same."""
    length = config.get("max_position_embeddings")
    if not isinstance(length, int):
        raise InputError(f"{path}: max_position_embeddings is missing")
    window = config.get("sliding_window", _MISTRAL_WINDOW if config["model_type"] == "mistral" else None)
    if config["model_type"] != "mistral" and not config.get("use_sliding_window"):
        window = None
    return min(length, window or length)
