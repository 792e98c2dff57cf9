"""Bytes of a checkpoint that is not here: on disk, and those that a cold start fetches of it."""

from collections.abc import Callable, Mapping
from typing import Any

from compressed_code.checkpoints.architectures import understand
from compressed_code.planning.layouts import Layout, Tensor
from compressed_code.quantization.gguf.metadata import gguf_architecture
from compressed_code.quantization.gguf.tensor_types import MIXTURES, MixedModel, tensor_type

FLOAT8_BLOCK = 128  # rows and columns of a block of DeepSeek-V3, which share one float32 scale
# Of one input token queries and keys are not read (`checkpoints.architectures`).
_UNREAD = tuple(f"self_attn.{part}." for part in ("q_proj", "k_proj", "q_a_proj", "q_a_layernorm", "q_b_proj"))
_EMBEDDING = "model.embed_tokens.weight"
_NOT_FLOAT8 = frozenset(
    {
        *(_EMBEDDING, "lm_head.weight", "mlp.gate.weight"),
        *("eh_proj.weight", "embed_tokens.weight", "shared_head.head.weight"),
    }
)

# Bytes of a tensor's numbers, and of the scales beside them, which are read whole.
Sizes = Callable[[Tensor], tuple[int, int]]


def stored_bytes(layout: Layout, stored_as: str) -> int:
    """Bytes of all tensors as they are stored, without the headers of the files.

    Args:
        stored_as: "bfloat16", "float8" or a mixture of GGUF ("Q4_K_M").

    Example:
        >>> from compressed_code.planning.layouts import load_layouts
        >>> stored_bytes(load_layouts()["qwen2.5-7b"], "bfloat16")  # total_size of the published index
        15231233024
    """
    sizes = _sizes(layout, stored_as)
    return sum(sum(sizes(tensor)) for tensor in layout.tensors())


def cold_start_bytes(layout: Layout, stored_as: str) -> int:
    """Bytes that the layer-by-layer engine reads for the answer to one input token, headers not counted.

    Only the experts that one token is sent to are read, of the embedding one row, of attention the values.
    """
    sizes, read = _sizes(layout, stored_as), 0
    for tensor in layout.tensors():
        share = _share_read(tensor, layout)
        if share:
            numbers, scales = sizes(tensor)
            read += round(numbers * share) + scales
    return read


def active_parameters(layout: Layout) -> int:
    """Weights that one token is multiplied by: of routed experts the chosen ones, the embedding only as output."""
    return sum(tensor.count for tensor in layout.tensors() if _is_active(tensor, layout))


def _sizes(layout: Layout, stored_as: str) -> Sizes:
    if stored_as in MIXTURES:
        return _gguf_sizes(layout, stored_as)
    return _float8_sizes if stored_as == "float8" else _bfloat16_sizes


def _bfloat16_sizes(tensor: Tensor) -> tuple[int, int]:
    return tensor.count * (4 if tensor.role == "mlp.gate.e_score_correction_bias" else 2), 0


def _float8_sizes(tensor: Tensor) -> tuple[int, int]:
    if len(tensor.shape) < 2 or tensor.role in _NOT_FLOAT8:
        return _bfloat16_sizes(tensor)
    rows, columns = (-(-length // FLOAT8_BLOCK) for length in tensor.shape)
    return tensor.count, 4 * rows * columns


def _gguf_sizes(layout: Layout, mixture: str) -> Sizes:
    from gguf import GGML_QUANT_SIZES, MODEL_ARCH_NAMES, GGMLQuantizationType, get_tensor_name_map

    architecture = understand(layout.config)
    name = gguf_architecture(layout.config["model_type"])
    heads = architecture.heads, architecture.num_key_value_heads
    model = MixedModel(name, architecture.layers, *heads, architecture.tied)
    number = next(key for key, known in MODEL_ARCH_NAMES.items() if known == name)
    spellings = get_tensor_name_map(number, architecture.layers)

    def sizes(tensor: Tensor) -> tuple[int, int]:
        kind = tensor_type(spellings.get_name(tensor.name, (".weight", ".bias")), tensor.shape, model, mixture)
        elements, length = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
        return tensor.count // elements * length, 0

    return sizes


def _share_read(tensor: Tensor, layout: Layout) -> float:
    config, role = layout.config, tensor.role
    if not layout.holds(tensor) or role.startswith(_UNREAD) or _is_idle_expert(role, config):
        return 0.0
    if role == _EMBEDDING:
        return (1 if config["tie_word_embeddings"] else 0) + 1 / config["vocab_size"]
    if role == "self_attn.kv_a_proj_with_mqa.weight":
        return config["kv_lora_rank"] / (config["kv_lora_rank"] + config["qk_rope_head_dim"])
    if role == "self_attn.kv_b_proj.weight":
        return config["v_head_dim"] / (config["v_head_dim"] + config["qk_nope_head_dim"])
    return 1.0


def _is_active(tensor: Tensor, layout: Layout) -> bool:
    if not layout.holds(tensor) or _is_idle_expert(tensor.role, layout.config):
        return False
    return tensor.role != _EMBEDDING or layout.config["tie_word_embeddings"]


def _is_idle_expert(role: str, config: Mapping[str, Any]) -> bool:
    """Whether a tensor belongs to a routed expert that a token is not sent to; which ones they are does not matter."""
    _, _, rest = role.partition(".experts.")
    return bool(rest) and int(rest.partition(".")[0]) >= config["num_experts_per_tok"]
