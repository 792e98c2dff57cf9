"""Tensors stored as other programs store them, in the plainest way, each beside the numbers it stands for."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

FLOAT8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16], "activation_scheme": "dynamic"}

# How a linear layer is stored (last part of the names → tensor), and the matrix that stands for.
Stored = tuple[dict[str, torch.Tensor], torch.Tensor]


def store_layers(tensors: dict, store: Callable[[torch.Tensor], Stored]) -> tuple[dict, dict]:
    """All tensors of a model with its linear layers stored by `store`, and all as they are read again."""
    stored, restored = dict(tensors), dict(tensors)
    for name, tensor in tensors.items():
        if name.endswith(("_proj.weight", "_mqa.weight")):
            parts, restored[name] = store(tensor)
            del stored[name]
            stored |= {name.replace("weight", part): value for part, value in parts.items()}
    return stored, restored


def to_float8(weight: torch.Tensor, block: int = 16) -> Stored:
    """Codes of 8 bits with a scale a block."""
    codes = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
    scales = torch.empty(-(-weight.shape[0] // block), -(-weight.shape[1] // block))
    restored = torch.empty_like(weight)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            part = (slice(i * block, (i + 1) * block), slice(j * block, (j + 1) * block))
            scales[i, j] = weight[part].abs().max() / 448
            codes[part] = (weight[part] / scales[i, j]).to(torch.float8_e4m3fn)
            restored[part] = codes[part].float() * scales[i, j]
    return {"weight": codes, "weight_scale_inv": scales}, restored


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes running down each column as one stream of bits, through Python's own integers."""
    columns = []
    for column in codes.T:
        stream = sum(int(code) << (bits * place) for place, code in enumerate(column))
        columns.append(np.frombuffer(stream.to_bytes(len(column) * bits // 8, "little"), np.int32))
    return np.stack(columns, axis=1)


def to_gptq(
    weight: torch.Tensor, bits: int, group: int = 32, *, symmetric: bool = False, shuffled: bool = False
) -> Stored:
    """A layer rounded to the nearest code, in GPTQ's version 1; `shuffled` columns belong to groups out of order."""
    values, highest = weight.float().numpy().T, (1 << bits) - 1
    groups = np.arange(len(values), dtype=np.int32) // group
    if shuffled:
        np.random.default_rng(0).shuffle(groups)
    members = [values[groups == number] for number in range(groups.max() + 1)]
    low = np.minimum([part.min(axis=0) for part in members], 0)
    high = np.maximum([part.max(axis=0) for part in members], 0)
    if symmetric:
        high = np.maximum(high, -low)
        low = -high
    scales = ((high - low) / highest).astype(np.float16)
    steps = scales.astype(np.float32)
    nearest = np.clip(np.rint(-low / steps), 1, highest).astype(int)
    zeros = np.full_like(nearest, 1 << (bits - 1)) if symmetric else nearest
    codes = np.clip(np.rint(values / steps[groups]) + zeros[groups], 0, highest).astype(int)
    restored = (codes - zeros[groups]).astype(np.float32) * steps[groups]
    parts = {"qweight": pack(codes, bits), "qzeros": pack((zeros - 1).T, bits).T, "scales": scales, "g_idx": groups}
    stored = {name: torch.from_numpy(part.copy()) for name, part in parts.items()}
    return stored, torch.from_numpy(restored.T.copy())


def finish(writer: gguf.GGUFWriter) -> None:
    """Write the file of a writer that was told everything."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_gguf(
    path: Path,
    tensors: dict,
    config: dict,
    kind: Kind,
    *,
    tokens: list[str] | None = None,
    adds_bos: bool | None = None,
    metadata: dict[str, str | float] | None = None,
) -> dict[str, torch.Tensor]:
    """Write a model as converters do and return the tensors it stands for.

    Names are those the gguf package gives; rows of Q and K of a Llama are permuted, so that rotary halves lie side by
    side; rows that do not divide into blocks become float16, vectors stay float32.

    Args:
        tokens: a name for each row of the embedding unless given; an empty list is a file without a tokenizer.
        adds_bos: with ids 1 and 2 for the begin and end of a text, whether the tokenizer adds the first.
        metadata: further entries below the architecture's name.
    """
    family, layers, heads = config["model_type"], config["num_hidden_layers"], config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer = gguf.GGUFWriter(path, family)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_parameters", config)["rope_theta"])
    writer.add_context_length(config["max_position_embeddings"])
    if family == "qwen3":
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    else:
        writer.add_rope_dimension_count(head_size)
    for name, value in (metadata or {}).items():
        (writer.add_string if isinstance(value, str) else writer.add_float32)(f"{family}.{name}", value)
    if tokens == []:
        writer.add_tokenizer_model("none")
        writer.add_vocab_size(config["vocab_size"])
    else:
        writer.add_token_list(tokens or [f"token {i}" for i in range(config["vocab_size"])])
    if adds_bos is not None:
        writer.add_tokenizer_model("gpt2")
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(adds_bos)
    architecture = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == family)
    names, restored = gguf.get_tensor_name_map(architecture, layers), {}
    for name, tensor in tensors.items():
        values, use = tensor.float().numpy(), kind if tensor.ndim == 2 else Kind.F32
        if values.shape[-1] % gguf.GGML_QUANT_SIZES[use][0]:
            use = Kind.F16
        turned = family == "llama" and ("q_proj" in name or "k_proj" in name)
        if turned:
            values = values.reshape(-1, 2, head_size // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        data = gguf.quants.quantize(np.ascontiguousarray(values), use)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")) or name, data, raw_dtype=use)
        values = gguf.quants.dequantize(data, use)
        if turned:
            values = values.reshape(-1, head_size // 2, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        restored[name] = torch.from_numpy(values.copy())
    finish(writer)
    return restored
