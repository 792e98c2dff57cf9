"""Tensors stored as other programs store them, in the plainest way, each beside the numbers it stands for."""

import json
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


def _rounded(weight: torch.Tensor, bits: int, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes [out, in], zero points and scales [out, groups], and the numbers they stand for, rounded to the nearest."""
    values, highest = weight.float().numpy(), (1 << bits) - 1
    by_group = values.reshape(len(values), -1, group)
    low, high = np.minimum(by_group.min(-1), 0), np.maximum(by_group.max(-1), 0)
    scales = np.maximum((high - low) / highest, 1e-6).astype(np.float16)
    steps = scales.astype(np.float32)
    zeros = np.clip(np.rint(-low / steps), 0, highest).astype(int)
    codes = np.clip(np.rint(by_group / steps[..., None]) + zeros[..., None], 0, highest).astype(int)
    restored = ((codes - zeros[..., None]) * steps[..., None]).astype(np.float32).reshape(values.shape)
    return codes.reshape(values.shape), zeros, scales, restored


def _words(codes: np.ndarray, bits: int = 4) -> torch.Tensor:
    """Codes of each row as one stream of bits in 32-bit words, lowest first, through Python's own integers."""
    rows = []
    for row in codes:
        stream = sum(int(code) << (bits * place) for place, code in enumerate(row))
        size = -(-len(row) * bits // 32) * 4
        rows.append(np.frombuffer(stream.to_bytes(size, "little"), np.int32))
    return torch.from_numpy(np.stack(rows))


def to_awq(weight: torch.Tensor, layout: str = "gemm", group: int = 32) -> Stored:
    """A layer in AWQ's packing; gemm interleaves the codes of a word, gemv fills its rows of zero points up."""
    codes, zeros, scales, restored = _rounded(weight, 4, group)
    if layout == "gemm":
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        interleaved = [part.T.reshape(part.shape[1], -1, 8)[:, :, order] for part in (codes, zeros)]
        packed = [_words(part.reshape(len(part), -1)) for part in interleaved]
        scale = torch.from_numpy(scales.T.copy())
    else:
        width = -(-zeros.shape[1] // 8) * 8 + 8
        fill = ((0, 0), (0, width - zeros.shape[1]))
        packed = [_words(codes), _words(np.pad(zeros, fill))]
        scale = torch.from_numpy(np.pad(scales, fill))
    return {"qweight": packed[0], "qzeros": packed[1], "scales": scale}, torch.from_numpy(restored)


def to_gptq_v2(weight: torch.Tensor, bits: int = 4, group: int = 32) -> Stored:
    """A layer in GPTQ's version 2, which keeps zero points as they are."""
    codes, zeros, scales, restored = _rounded(weight, bits, group)
    groups = torch.arange(codes.shape[1], dtype=torch.int32) // group
    parts = {"qweight": _words(codes, bits).T.contiguous(), "qzeros": _words(zeros.T, bits), "g_idx": groups}
    return parts | {"scales": torch.from_numpy(scales.T.copy())}, torch.from_numpy(restored)


def to_packed(weight: torch.Tensor, bits: int = 4, group: int = 32, *, zero_points: bool = False) -> Stored:
    """A layer as compressed-tensors packs it: codes from 0 up, in rows."""
    codes, zeros, scales, restored = _rounded(weight, bits, group)
    parts = {
        "weight_packed": _words(codes, bits),
        "weight_scale": torch.from_numpy(scales),
        "weight_shape": torch.tensor(weight.shape),
    }
    if zero_points:
        return parts | {"weight_zero_point": _words(zeros.T, bits).T.contiguous()}, torch.from_numpy(restored)
    middle = np.repeat(zeros - (1 << (bits - 1)), group, axis=1) * np.repeat(scales.astype(np.float32), group, axis=1)
    return parts, torch.from_numpy((restored + middle).astype(np.float32))


def to_int8(weight: torch.Tensor, name: str = "weight_scale") -> Stored:
    """Whole numbers with a scale a row, as compressed-tensors (weight_scale) and LLM.int8 (SCB: 127 times it) do."""
    scales = weight.float().abs().amax(1, keepdim=True) / 127
    codes = (weight.float() / scales).round().to(torch.int8)
    stored = scales if name == "weight_scale" else (scales * 127)[:, 0]
    return {"weight": codes, name: stored}, codes.float() * (
        scales if name == "weight_scale" else stored[:, None] / 127
    )


def to_static_float8(weight: torch.Tensor, name: str = "weight_scale", *, by_row: bool = False) -> Stored:
    """Float8 with one scale for the matrix or for a row, and a scale of activations that is not the weight's."""
    largest = weight.float().abs().amax(1, keepdim=True) if by_row else weight.float().abs().max()
    scale = largest / 448
    codes = (weight.float() / scale).to(torch.float8_e4m3fn)
    return {"weight": codes, name: scale, "input_scale": torch.tensor(3.0)}, codes.float() * scale


FLOAT4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def to_float4(weight: torch.Tensor, group: int = 32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Bytes of two codes, powers of two as their exponents' codes, and the numbers they stand for."""
    by_group = weight.float().reshape(*weight.shape[:-1], -1, group)
    exponents = torch.ceil(torch.log2(by_group.abs().amax(-1) / 6)).clamp(-120, 120)
    codes = ((by_group / torch.exp2(exponents)[..., None])[..., None] - FLOAT4).abs().argmin(-1)
    restored = FLOAT4[codes] * torch.exp2(exponents)[..., None]
    pairs = codes.reshape(*codes.shape[:-1], group // 2, 2)
    packed = (pairs[..., 0] | pairs[..., 1] << 4).to(torch.uint8)
    return packed, (exponents + 127).to(torch.uint8), restored.reshape(weight.shape)


def to_hqq(weight: torch.Tensor, bits: int = 4, group: int = 32, axis: int = 1) -> Stored:
    """A layer as HQQ packs it: a table of groups, its slabs of rows in one byte, or ten in a word of 32 bits."""
    values, highest = weight.float().numpy(), (1 << bits) - 1
    table = values.reshape(-1, group) if axis == 1 else values.reshape(group, -1)
    low, high = (part(axis=axis, keepdims=True) for part in (table.min, table.max))
    scales = np.maximum((high - low) / highest, 1e-6).astype(np.float16).astype(np.float32)
    zeros = (-low / scales).astype(np.float16).astype(np.float32)
    codes = np.clip(np.rint(table / scales + zeros), 0, highest).astype(int)
    in_one = 10 if bits == 3 else 8 // bits
    slabs = np.zeros((in_one, -(-len(codes) // in_one), codes.shape[1]), int)
    slabs.reshape(-1, codes.shape[1])[: len(codes)] = codes
    packed = sum(slab << (bits * (in_one - 1 - place)) for place, slab in enumerate(slabs))
    name = "3bit_32" if bits == 3 else f"{bits}bit_u8"
    settings = {"nbits": bits, "group_size": group, "axis": axis}
    parts = {key: torch.tensor(value, dtype=torch.int32) for key, value in settings.items()}
    parts |= {"shape": torch.tensor(weight.shape), "packing": torch.tensor(list(name.encode()), dtype=torch.uint8)}
    parts |= {"W_q": torch.from_numpy(packed).to(torch.int32 if bits == 3 else torch.uint8)}
    parts |= {"scale": torch.from_numpy(scales).half(), "zero": torch.from_numpy(zeros).half()}
    return parts, torch.from_numpy(((codes - zeros) * scales).reshape(values.shape))


def to_torchao(weight: torch.Tensor, kind: str = "int4", group: int = 32) -> tuple[dict, torch.Tensor, str]:
    """A layer in one of torchao's plain layouts, and what the header says of it.

    Args:
        kind: "int8" and "float8" with a scale a row, "intx" of 4 bits with zero points, or "int4", two numbers a byte
            with offsets that are weights, its groups first.
    """
    values, (rows, columns) = weight.float(), weight.shape
    by_group = values.reshape(rows, -1, group)
    low, high = by_group.amin(-1, keepdim=True), by_group.amax(-1, keepdim=True)
    scales = ((high - low) / 15).clamp(min=1e-6)
    if kind == "int8":
        parts, restored = to_int8(weight)
        found, name, block = {"qdata": parts["weight"], "scale": parts["weight_scale"]}, "Int8Tensor", [1, columns]
    elif kind == "float8":
        parts, restored = to_static_float8(weight, by_row=True)
        found, name, block = {"qdata": parts["weight"], "scale": parts["weight_scale"]}, "Float8Tensor", [1, columns]
    elif kind == "intx":
        zeros = (-8 - low / scales).round().clamp(-8, 7)
        numbers = (by_group / scales + zeros).round().clamp(-8, 7)
        restored = ((numbers - zeros) * scales).reshape(rows, columns)
        found = {"qdata": numbers.reshape(rows, columns).to(torch.int8), "scale": scales[..., 0]}
        found |= {"zero_point": zeros[..., 0].to(torch.int8)}
        name, block = "IntxUnpackedToInt8Tensor", [1, group]
    else:
        numbers, offsets = ((by_group - low) / scales).round().clamp(0, 15).int() - 8, low + 8 * scales
        restored = (numbers * scales + offsets).reshape(rows, columns)
        flat = numbers.reshape(rows, columns)
        packed = ((flat[:, 0::2] & 15) | (flat[:, 1::2] & 15) << 4).to(torch.uint8).view(torch.int8)
        found = {"qdata": packed, "scale": scales[..., 0].T, "zero_point": offsets[..., 0].T}
        name, block = "Int4Tensor", [1, group]
    note = json.dumps({"_type": name, "_data": {"block_size": block}})
    return {f"_weight_{part}": value.contiguous() for part, value in found.items()}, restored, note


def to_bitsandbytes(weight: torch.Tensor, block: int = 64, *, nested: bool = False) -> Stored:
    """A layer in bitsandbytes' 4 bits: blocks along the rows, the first of two codes in the upper half of a byte."""
    table = torch.linspace(-1, 1, 16).sign() * torch.linspace(-1, 1, 16).abs() ** 1.5
    blocks = weight.float().reshape(-1, block)
    largest = blocks.abs().amax(1)
    parts = {"weight.quant_map": table}
    state = {"quant_type": "nf4", "blocksize": block, "shape": list(weight.shape), "dtype": "float32"}
    if nested:
        levels, offset, size = torch.linspace(-1, 1, 256), largest.mean(), 16
        padded = torch.nn.functional.pad(largest - offset, (0, -len(largest) % size)).reshape(-1, size)
        over = padded.abs().amax(1)
        codes = ((padded / over[:, None])[..., None] - levels).abs().argmin(-1).reshape(-1)[: len(largest)]
        largest = levels[codes] * over.repeat_interleave(size)[: len(largest)] + offset
        parts |= {"weight.absmax": codes.to(torch.uint8), "weight.nested_absmax": over}
        parts |= {"weight.nested_quant_map": levels}
        state |= {"nested_blocksize": size, "nested_offset": float(offset)}
    else:
        parts |= {"weight.absmax": largest}
    codes = ((blocks / largest[:, None])[..., None] - table).abs().argmin(-1)
    restored = (table[codes] * largest[:, None]).reshape(weight.shape)
    pairs = codes.reshape(-1, 2)
    parts |= {"weight": (pairs[:, :1] << 4 | pairs[:, 1:]).to(torch.uint8)}
    described = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    return parts | {"weight.quant_state.bitsandbytes__nf4": described}, restored
