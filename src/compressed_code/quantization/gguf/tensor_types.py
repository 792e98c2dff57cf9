"""Which block type each tensor of a model gets in llama.cpp's mixtures (`Q4_K_M` is mostly Q4_K, but not only).

The rules for dense models of the Llama and Qwen families, without an importance matrix.
Source: llama.cpp v0.5.0, src/llama-quant.cpp, `llama_tensor_get_type_impl` and `tensor_type_fallback`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from compressed_code.core.errors import InputError
from compressed_code.quantization.gguf.rows import block_elements

# Mixture → the type of most tensors.
MIXTURES: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q6_K")},
        **dict.fromkeys(("Q3_K_S", "Q3_K_M", "Q3_K_L"), "Q3_K"),
        **dict.fromkeys(("Q4_K_S", "Q4_K_M"), "Q4_K"),
        **dict.fromkeys(("Q5_K_S", "Q5_K_M"), "Q5_K"),
    }
)
# For rows that do not divide into blocks of 256 (older versions took IQ4_NL in place of Q4_0). Rows that do not divide
# into blocks of 32 either are stored as F16.
FALLBACKS = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


@dataclass(frozen=True)
class MixedModel:
    """What the rules want to know about a model.

    Attributes:
        architecture: llama.cpp's name: "llama", "qwen2", "qwen3".
        layers: number of layers.
        heads, num_key_value_heads: attention heads, and distinct values among them.
        tied: the embedding is the output matrix too.
    """

    architecture: str
    layers: int
    heads: int
    num_key_value_heads: int
    tied: bool


def tensor_type(name: str, shape: Sequence[int], model: MixedModel, mixture: str) -> str:
    """The type one tensor is stored in.

    Args:
        name: as GGUF files spell it: "blk.3.attn_v.weight", "token_embd.weight".
        shape: outermost dimension first.
        model: the model it belongs to.
        mixture: "Q4_K_M", "Q8_0", … one of `MIXTURES`.

    Returns:
        "Q6_K", "F32", …

    Raises:
        InputError: the mixture is unknown.
    """
    if mixture not in MIXTURES:
        raise InputError(f"GGUF type {mixture!r} is not known; {', '.join(MIXTURES)} are")
    if len(shape) < 2 or name.endswith(("_norm.weight", ".bias")):
        return "F32"
    base, columns = MIXTURES[mixture], shape[-1]
    if base in ("F32", "F16", "BF16"):
        return base
    parts = name.split(".")
    if parts[0] == "output" or (parts[0] == "token_embd" and model.tied):
        wanted = "Q8_0" if columns % block_elements(base) or base == "Q8_0" else "Q6_K"
    else:
        layer = int(parts[1]) if parts[0] == "blk" else 0
        wanted = _with_more_bits(parts[-2], layer, model, mixture) or base
    return _that_fits(wanted, columns)


def _with_more_bits(module: str, layer: int, model: MixedModel, mixture: str) -> str | None:
    """The type of a tensor that the mixture gives more bits; `None` for the others."""
    match module:
        case "attn_v":
            return _value_type(layer, model, mixture)
        case "ffn_down":
            return _feed_forward_type(layer, model.layers, mixture)
        case "attn_output":
            return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"}.get(mixture)
    return None


def _value_type(layer: int, model: MixedModel, mixture: str) -> str | None:
    wanted = None
    if mixture == "Q2_K":
        wanted = "Q4_K" if model.heads // model.num_key_value_heads >= 4 else "Q3_K"
    elif mixture == "Q3_K_M":
        wanted = "Q5_K" if layer < 2 else "Q4_K"
    elif mixture == "Q3_K_L" or (mixture == "Q4_K_S" and layer < 4):
        wanted = "Q5_K"
    elif mixture in ("Q4_K_M", "Q5_K_M") and _in_need(layer, model.layers):
        wanted = "Q6_K"
    if _counts_as_70b(model) and (wanted or MIXTURES[mixture]) in ("Q3_K", "Q4_K"):
        return "Q5_K"
    return wanted


def _feed_forward_type(layer: int, layers: int, mixture: str) -> str | None:
    if mixture == "Q2_K":
        return "Q3_K"
    if mixture == "Q3_K_M":
        return "Q5_K" if layer < layers // 16 else "Q4_K"
    if mixture == "Q3_K_L" or (mixture == "Q4_K_S" and layer < layers // 8):
        return "Q5_K"
    if mixture in ("Q4_K_M", "Q5_K_M") and _in_need(layer, layers):
        return "Q6_K"
    return None


def _in_need(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and every third between them."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _counts_as_70b(model: MixedModel) -> bool:
    """llama.cpp knows the models with 80 layers by that number; their few value heads are cheap to store well."""
    grouped = model.architecture == "llama" and model.heads != model.num_key_value_heads
    return model.layers == 80 and (grouped or model.architecture == "qwen2")


def _that_fits(wanted: str, columns: int) -> str:
    if columns % block_elements(wanted):
        wanted = FALLBACKS.get(wanted, "F16")
    return "F16" if columns % block_elements(wanted) else wanted
