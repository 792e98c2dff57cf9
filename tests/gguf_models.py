"""Tiny models written as GGUF files the way llama.cpp's converters write them, architecture by architecture.

Names come from the gguf package's own table; what converters do to numbers and which metadata they write is said here
once more, independently of the reader (llama.cpp, conversion/*.py).
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import torch

from storage_formats import finish
from tiny_models import contents, save_tiny

Encoder = Callable[[np.ndarray], tuple[np.ndarray, "gguf.GGMLQuantizationType | None"]]
SIZES = {
    **{"vocab_size": 96, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64},
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LATENT = {
    **{"num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16},
    **{"v_head_dim": 12, "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 32},
    **{"first_k_dense_replace": 1, "routed_scaling_factor": 1.7},
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
SHORT, LONG = [1 + place / 10 for place in range(8)], [2 + place / 10 for place in range(8)]
LONG_ROPE = {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": SHORT, "long_factor": LONG}

# Name of a case → architecture in the file, model_type, fields of the config beyond `SIZES`.
CASES: dict[str, tuple[str, str, dict]] = {
    "llama": ("llama", "llama", {}),
    "llama, biases, tied": (
        "llama",
        "llama",
        {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    ),
    "llama, linear": (
        "llama",
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    ),
    "llama, YaRN": ("llama", "llama", {"rope_parameters": YARN}),
    "llama, YaRN, attention": ("llama", "llama", {"rope_parameters": YARN | {"attention_factor": 1.7}}),
    "llama 3.1": ("llama", "llama", {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 32}}),
    "mistral": ("llama", "mistral", {"sliding_window": None}),
    "mixtral": ("llama", "mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}),
    "smollm3": ("smollm3", "smollm3", {"num_hidden_layers": 5, "pad_token_id": 0}),
    "granite": (
        "granite",
        "granite",
        {
            **{"attention_multiplier": 0.3, "logits_scaling": 2.0},
            **{"residual_multiplier": 0.7, "embedding_multiplier": 3.0},
        },
    ),
    "granite mixture": (
        "granitemoe",
        "granitemoe",
        {
            **{"num_local_experts": 4, "num_experts_per_tok": 2, "attention_multiplier": 0.3, "logits_scaling": 2.0},
            **{"residual_multiplier": 0.7, "embedding_multiplier": 3.0},
        },
    ),
    "mistral 3": (
        "mistral3",
        "ministral3",
        {
            **{"head_dim": 32, "pad_token_id": 0},
            "rope_parameters": YARN
            | {
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
                "llama_4_scaling_beta": 0.1,
                "original_max_position_embeddings": 4,
            },
        },
    ),
    "qwen2": ("qwen2", "qwen2", {}),
    "qwen2, YaRN": ("qwen2", "qwen2", {"rope_parameters": YARN}),
    "qwen3": ("qwen3", "qwen3", {"head_dim": 32}),
    "qwen2 mixture": ("qwen2moe", "qwen2_moe", EXPERTS | {"shared_expert_intermediate_size": 48}),
    "qwen3 mixture": ("qwen3moe", "qwen3_moe", EXPERTS | {"head_dim": 32, "norm_topk_prob": True}),
    "olmoe": ("olmoe", "olmoe", {"num_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 4}),
    "deepseek v2": (
        "deepseek2",
        "deepseek_v2",
        LATENT | {"n_shared_experts": 2, "topk_method": "greedy", "n_group": None, "topk_group": None},
    ),
    "deepseek v3, YaRN": (
        "deepseek2",
        "deepseek_v3",
        {
            **LATENT,
            **{"n_shared_experts": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": True},
            "rope_parameters": YARN | {"mscale": 1.0, "mscale_all_dim": 1.0},
        },
    ),
    "gpt-oss": (
        "gpt-oss",
        "gpt_oss",
        {
            **{"head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 4},
            "rope_parameters": YARN | {"beta_fast": 32.0, "beta_slow": 1.0, "truncate": False},
        },
    ),
    "gemma": ("gemma", "gemma", {"head_dim": 32}),
    "gemma 2": ("gemma2", "gemma2", {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 4}),
    "gemma 3": (
        "gemma3",
        "gemma3_text",
        {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 4, "num_hidden_layers": 7},
    ),
    "gemma 3, linear": (
        "gemma3",
        "gemma3_text",
        {
            **{"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 4, "num_hidden_layers": 7},
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
    ),
    "phi": ("phi2", "phi", {"num_key_value_heads": 4, "partial_rotary_factor": 0.5}),
    "phi 3": ("phi3", "phi3", {"sliding_window": 4, "original_max_position_embeddings": 64, "pad_token_id": 0}),
    "phi 3, long": (
        "phi3",
        "phi3",
        {
            **{"sliding_window": None, "pad_token_id": 0, "original_max_position_embeddings": 16},
            "rope_parameters": LONG_ROPE | {"original_max_position_embeddings": 16},
        },
    ),
    "starcoder": (
        "starcoder",
        "gpt_bigcode",
        {"n_embd": 64, "n_head": 4, "n_layer": 3, "n_positions": 64, "n_inner": 256},
    ),
    "starcoder2": (
        "starcoder2",
        "starcoder2",
        {"sliding_window": None, "rope_parameters": {"rope_type": "default", "rope_theta": 999999.0}},
    ),
    "starcoder2, window": ("starcoder2", "starcoder2", {"sliding_window": 4}),
    "gpt2": ("gpt2", "gpt2", {"n_embd": 64, "n_head": 4, "n_layer": 3, "n_positions": 64}),
    "gpt-neox": ("gptneox", "gpt_neox", {"rotary_pct": 0.25}),
    "gpt-neox, one after the other": ("gptneox", "gpt_neox", {"rotary_pct": 0.5, "use_parallel_residual": False}),
    "stablelm": ("stablelm", "stablelm", {"partial_rotary_factor": 0.25, "use_qkv_bias": True}),
    "stablelm, parallel": ("stablelm", "stablelm", {"partial_rotary_factor": 0.5, "use_parallel_residual": True}),
    "olmo": ("olmo", "olmo", {"clip_qkv": 0.5}),
    "olmo 2": ("olmo2", "olmo2", {}),
    "olmo 3": ("olmo2", "olmo3", {"sliding_window": 4, "num_hidden_layers": 5}),
    "glm 4": ("glm4", "glm4", {"head_dim": 32, "attention_bias": True, "pad_token_id": 0}),
    "glm 4 mixture": (
        "glm4moe",
        "glm4_moe",
        {
            **{"head_dim": 16, "attention_bias": True, "pad_token_id": 0, "n_routed_experts": 4, "n_shared_experts": 1},
            **{"num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1},
            **{"routed_scaling_factor": 1.7, "norm_topk_prob": True, "use_qk_norm": True},
        },
    ),
    "glm": ("chatglm", "glm", {"head_dim": 16, "attention_bias": True, "pad_token_id": 0}),
}

_PERMUTED = ("llama", "granite", "granitemoe", "mistral3", "smollm3", "olmo")
# Parts of names that the package's table does not know in transformers' newer spelling.
_SPELLINGS = {
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "block_sparse_moe.experts.w1": "ffn_gate_exps",
    "block_sparse_moe.experts.w3": "ffn_up_exps",
    "block_sparse_moe.experts.w2": "ffn_down_exps",
    "self_attn.sinks": "attn_sinks",
    "mlp.gate.e_score_correction_bias": "exp_probs_b",
    "self_attn.k_b_proj": "attn_k_b",
    "self_attn.v_b_proj": "attn_v_b",
}


def write_case(folder: Path, name: str, *, dtype: torch.dtype = torch.float32, parts: int = 1) -> tuple[Path, Path]:
    """A tiny model of a case, as a Hugging Face folder and as a GGUF file.

    Args:
        parts: into how many files it is cut.
    """
    architecture, family, fields = CASES[name]
    plain = save_tiny(folder / "plain", family, gain=1.6, dtype=dtype, **SIZES | fields)
    path = folder / "m.gguf"
    write(path, architecture, plain, parts=parts)
    return plain, path


def write(path: Path, architecture: str, plain: Path, *, parts: int = 1, encode: "Encoder | None" = None) -> None:
    """A folder as a GGUF file.

    Args:
        parts: into how many files it is cut.
        encode: a matrix as the bytes and type it is stored in; by default F32, as vectors are.
    """
    tensors, config = contents(plain)
    options = {"split_max_tensors": -(-len(tensors) // parts)} if parts > 1 else {}
    writer = gguf.GGUFWriter(path, architecture, **options)
    writer.add_tokenizer_model("none")
    for key, value in _metadata(architecture, config).items():
        _add(writer, f"{architecture}.{key}", value)
    number = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(number, config.get("num_hidden_layers", config.get("n_layer")))
    for name, values in _factors(config):
        writer.add_tensor(name, values)
    for name, tensor in _converted(architecture, tensors, config):
        values = np.ascontiguousarray(tensor.float().numpy())
        data, kind = encode(values) if encode and tensor.ndim > 1 else (values, None)
        writer.add_tensor(_spelt(names, name), data, raw_dtype=kind)
    finish(writer)


def _add(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    else:
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add[type(value)](key, value)


def _spelt(names: gguf.TensorNameMap, name: str) -> str:
    """The name in the file; `names` knows most of transformers' own."""
    stem, _, part = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "weight")
    for known, spelling in _SPELLINGS.items():
        if stem.endswith(known):
            part = "bias" if spelling == "exp_probs_b" else part
            return f"blk.{stem.split('.')[2]}.{spelling}.{part}"
    found = names.get_name(stem)
    assert found, f"gguf has no name for {name}"
    return f"{found}.{part}"


def _converted(architecture: str, tensors: dict, config: dict) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors as the converter of an architecture hands them on."""
    stacked: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        pieces = name.split(".")
        if "experts" in pieces and pieces[pieces.index("experts") + 1].isdigit():
            place = pieces.index("experts") + 1
            key = ".".join([*pieces[:place], *pieces[place + 1 :]])
            stacked.setdefault(key, {})[int(pieces[place])] = tensor
        else:
            yield from _one(architecture, name, tensor, config)
    for name, experts in stacked.items():
        yield name, torch.stack([experts[number] for number in range(len(experts))])


def _one(architecture: str, name: str, tensor: torch.Tensor, config: dict) -> Iterator[tuple[str, torch.Tensor]]:
    heads = config.get("num_attention_heads", config.get("n_head"))
    if architecture in _PERMUTED and name.split(".")[-2] in ("q_proj", "k_proj"):
        count = heads if ".q_proj." in name else config["num_key_value_heads"]
        shape = tensor.shape
        yield name, tensor.reshape(count, 2, shape[0] // count // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    elif architecture.startswith("gemma") and name.endswith("norm.weight"):
        yield name, tensor + 1
    elif architecture == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        yield name, tensor.T
    elif architecture == "gptneox" and "query_key_value" in name:
        yield name, tensor.reshape(heads, 3, -1, *tensor.shape[1:]).swapaxes(0, 1).reshape(tensor.shape)
    elif architecture == "deepseek2" and name.endswith("kv_b_proj.weight"):
        both = tensor.reshape(heads, -1, tensor.shape[-1])
        keys, values = both.split([config["qk_nope_head_dim"], config["v_head_dim"]], dim=1)
        yield name.replace("kv_b_proj", "k_b_proj"), keys.transpose(1, 2)
        yield name.replace("kv_b_proj", "v_b_proj"), values
    elif name.endswith("block_sparse_moe.input_linear.weight"):
        for part, half in zip(("gate", "up"), tensor.chunk(2, dim=1), strict=True):
            yield name.replace("block_sparse_moe.input_linear", f"mlp.experts.{part}_proj"), half
    elif architecture == "gpt-oss" and "experts" in name:
        yield from _gpt_oss_experts(name, tensor)
    elif name.endswith("shared_expert_gate.weight"):
        yield name, tensor[0]
    else:
        yield name, tensor


def _gpt_oss_experts(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    stem, part = (name.removesuffix("_bias"), "bias") if name.endswith("_bias") else (name, "weight")
    turned = tensor if part == "bias" else tensor.transpose(1, 2)
    if stem.endswith("down_proj"):
        yield f"{stem}.{part}", turned
        return
    for first, kind in enumerate(("gate", "up")):
        chosen = turned[:, first::2]
        yield f"{stem.replace('gate_up', kind)}.{part}", chosen


def _factors(config: dict) -> Iterator[tuple[str, np.ndarray]]:
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type") == "longrope":
        yield "rope_factors_short.weight", np.array(rope["short_factor"], np.float32)
        yield "rope_factors_long.weight", np.array(rope["long_factor"], np.float32)
    if rope.get("rope_type") == "llama3":
        yield "rope_freqs.weight", _llama3_factors(rope, config["hidden_size"] // config["num_attention_heads"])


def _llama3_factors(rope: dict, size: int) -> np.ndarray:
    """Long waves are stretched by the factor, short ones not at all, those between by a share (Llama 3.1)."""
    original, low, high = (rope[f] for f in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    factors = []
    for place in range(0, size, 2):
        wave = 2 * np.pi * rope["rope_theta"] ** (place / size)
        if wave < original / high:
            factors.append(1)
        elif wave > original / low:
            factors.append(rope["factor"])
        else:
            smooth = (original / wave - low) / (high - low)
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, np.float32)


def _metadata(architecture: str, config: dict) -> dict[str, object]:
    """What the converters write below the architecture's name."""

    def get(*names: str) -> object:
        return next((config[name] for name in names if config.get(name) is not None), None)

    heads, hidden = get("num_attention_heads", "n_head"), get("hidden_size", "n_embd")
    wanted = {
        "block_count": get("num_hidden_layers", "n_layer"),
        "context_length": get("max_position_embeddings", "n_positions"),
        "embedding_length": hidden,
        "feed_forward_length": 4 * hidden if "n_embd" in config else config["intermediate_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": _value_heads(architecture, config),
        "attention.layer_norm_rms_epsilon": get("rms_norm_eps"),
        "attention.layer_norm_epsilon": get("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
        "expert_count": get("num_local_experts", "num_experts", "n_routed_experts"),
        "expert_used_count": get("num_experts_per_tok"),
        "attention.key_length": get("head_dim"),
        "attention.value_length": get("head_dim"),
        "vocab_size": config["vocab_size"],
        **_rotary(architecture, config, get("head_dim") or hidden // heads),
    }
    special: dict[str, Callable[[], dict]] = {
        "granite": lambda: {
            "attention.scale": config["attention_multiplier"],
            "embedding_scale": config["embedding_multiplier"],
            "residual_scale": config["residual_multiplier"],
            "logit_scale": config["logits_scaling"],
        },
        "granitemoe": lambda: {
            "attention.scale": config["attention_multiplier"],
            "embedding_scale": config["embedding_multiplier"],
            "residual_scale": config["residual_multiplier"],
            "logit_scale": config["logits_scaling"],
        },
        "mistral3": lambda: {"attention.temperature_scale": config["rope_parameters"]["llama_4_scaling_beta"]},
        "glm4moe": lambda: {
            "expert_feed_forward_length": config["moe_intermediate_size"],
            "expert_shared_count": config["n_shared_experts"],
            "leading_dense_block_count": config["first_k_dense_replace"],
            "expert_weights_scale": config["routed_scaling_factor"],
            "expert_weights_norm": config["norm_topk_prob"],
            "expert_gating_func": 2,
        },
        "qwen2moe": lambda: {
            "expert_feed_forward_length": config["moe_intermediate_size"],
            "expert_shared_feed_forward_length": config["shared_expert_intermediate_size"],
        },
        "qwen3moe": lambda: {"expert_feed_forward_length": config["moe_intermediate_size"]},
        "gpt-oss": lambda: {
            "attention.sliding_window": config["sliding_window"],
            "expert_feed_forward_length": config["intermediate_size"],
        },
        "gemma2": lambda: {
            "attn_logit_softcapping": config["attn_logit_softcapping"],
            "final_logit_softcapping": config["final_logit_softcapping"],
            "attention.sliding_window": config["sliding_window"],
        },
        "gemma3": lambda: {"attention.sliding_window": config["sliding_window"]},
        "phi3": lambda: {"attention.sliding_window": config["sliding_window"] or 0},
        "starcoder2": lambda: {"attention.sliding_window": config["sliding_window"]},
        "gptneox": lambda: {"use_parallel_residual": config["use_parallel_residual"]},
        "stablelm": lambda: {"use_parallel_residual": config["use_parallel_residual"]},
        "olmo": lambda: {"attention.clamp_kqv": config["clip_qkv"], "attention.layer_norm_epsilon": 1e-5},
        "olmo2": lambda: {"attention.sliding_window": get("sliding_window")},
        "deepseek2": lambda: _deepseek(config),
    }
    wanted |= special.get(architecture, dict)()
    return {name: value for name, value in wanted.items() if value is not None}


def _value_heads(architecture: str, config: dict) -> int | None:
    if architecture in ("gpt2", "gptneox"):
        return None
    return 1 if architecture in ("starcoder", "deepseek2") else config.get("num_key_value_heads")


def _deepseek(config: dict) -> dict[str, object]:
    rank, rotary, key = (config[name] for name in ("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim"))
    return {
        "leading_dense_block_count": config["first_k_dense_replace"],
        "attention.q_lora_rank": config["q_lora_rank"],
        "attention.kv_lora_rank": rank,
        "attention.key_length": rank + rotary,
        "attention.value_length": rank,
        "attention.key_length_mla": key + rotary,
        "attention.value_length_mla": config["v_head_dim"],
        "rope.dimension_count": rotary,
        "expert_feed_forward_length": config["moe_intermediate_size"],
        "expert_shared_count": config["n_shared_experts"],
        "expert_weights_scale": config["routed_scaling_factor"],
        "expert_weights_norm": config.get("norm_topk_prob") or None,
        "expert_gating_func": 2 if config["model_type"] == "deepseek_v3" else 1,
        "expert_group_count": config.get("n_group"),
        "expert_group_used_count": config.get("topk_group"),
    }


def _rotary(architecture: str, config: dict, size: int) -> dict[str, object]:
    nested = config.get("rope_parameters") or {}
    rope = nested.get("full_attention", nested)
    if architecture in ("gpt2", "starcoder"):
        return {}
    kind = rope.get("rope_type", "default")
    found: dict[str, object] = {
        "rope.freq_base": float(rope["rope_theta"]),
        "rope.dimension_count": int(size * rope.get("partial_rotary_factor", 1)),
        "rope.freq_base_swa": nested.get("sliding_attention", {}).get("rope_theta"),
    }
    if kind in ("linear", "yarn"):
        found |= {"rope.scaling.type": kind, "rope.scaling.factor": float(rope["factor"])}
    if kind == "yarn":
        found |= {"rope.scaling.original_context_length": rope["original_max_position_embeddings"]}
        if "attention_factor" in rope:
            found |= {"rope.scaling.attn_factor": rope["attention_factor"] / (0.1 * math.log(rope["factor"]) + 1)}
        if "mscale_all_dim" in rope:
            share = 0.1 if architecture == "deepseek2" else 1.0
            found |= {"rope.scaling.yarn_log_multiplier": share * rope["mscale_all_dim"]}
    if architecture == "phi3":
        original = rope.get("original_max_position_embeddings") or config["original_max_position_embeddings"]
        found |= {"rope.scaling.original_context_length": original}
    if kind == "longrope":
        scale = config["max_position_embeddings"] / found["rope.scaling.original_context_length"]
        found |= {"rope.scaling.attn_factor": float(np.sqrt(1 + np.log(scale) / np.log(16)))}
    return found
