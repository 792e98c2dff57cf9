"""Checkpoints stored in every form that is read, beside the plain numbers they stand for (`proof_matrix`).

A form is written here in the plainest way, or by the format's own library where it has an encoder for a CPU.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

import gguf_models
from compressed_code.quantization.gguf.rows import K_TYPES, quantize_rows
from storage_formats import (
    FLOAT8,
    Stored,
    to_awq,
    to_bitsandbytes,
    to_float4,
    to_float8,
    to_gptq,
    to_gptq_v2,
    to_hqq,
    to_int8,
    to_packed,
    to_static_float8,
    to_torchao,
)
from tiny_models import contents, save_contents

Description = Mapping[str, object]
_WITHOUT_LINEAR_LAYERS = ("gpt2",)  # its matrices are stored the other way round
_EXPERT = re.compile(r"\.experts\.\d+\..*weight$")


@dataclass(frozen=True)
class Form:
    """A way to store a checkpoint.

    Attributes:
        write: from a plain folder and an empty one to the stored model, and a folder of the numbers it stands for.
        applies: whether it has a meaning for an architecture.
        width: columns that the matrices must have a multiple of.
    """

    write: Callable[[Path, Path], tuple[Path, Path]]
    applies: Callable[[str], bool] = lambda architecture: True
    width: int = 32


def _described(method: str, **more: object) -> Description:
    return {"quantization_config": {"quant_method": method, **more}}


def _compressed(layout: str, **weights: object) -> Description:
    groups = {"g": {"targets": ["Linear"], "weights": weights}}
    return _described("compressed-tensors", format=layout, config_groups=groups)


def linear_names(plain: Path, tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Matrices that quantizers store otherwise: linear layers of the decoder, and each expert's.

    Those whose sides are no multiples of 32 (routers, small projections) are left alone, as quantizers leave them.
    """
    with torch.device("meta"):
        from transformers import AutoConfig

        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(plain))
    head = model.get_output_embeddings()
    modules = {
        f"{path}.weight"
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    names = [name for name in tensors if name in modules or _EXPERT.search(name)]
    return [name for name in names if tensors[name].ndim == 2 and not any(size % 32 for size in tensors[name].shape)]


def _layers(store: Callable[[torch.Tensor], Stored], description: Description) -> Form:
    """All linear layers stored by one function."""

    def write(plain: Path, folder: Path) -> tuple[Path, Path]:
        tensors, config = contents(plain)
        names = linear_names(plain, tensors)
        assert names, "no linear layers of such sides"
        stored, restored, notes = dict(tensors), dict(tensors), {}
        for name in names:
            parts, restored[name], *note = store(stored.pop(name).float())
            stored |= {name.removesuffix("weight") + part: value for part, value in parts.items()}
            if note:
                notes[name] = note[0]
        save_contents(folder / "stored", stored, config | description)
        if notes:
            save_file(stored, folder / "stored" / "model.safetensors", {"format": "pt", **notes})
        return folder / "stored", save_contents(folder / "restored", restored, config)

    return Form(write, lambda architecture: architecture not in _WITHOUT_LINEAR_LAYERS)


def _plain(dtype: torch.dtype, shards: str | None = None) -> Form:
    def write(plain: Path, folder: Path) -> tuple[Path, Path]:
        model = AutoModelForCausalLM.from_pretrained(plain, dtype=dtype)
        model.save_pretrained(folder / "stored", **({"max_shard_size": shards} if shards else {}))
        return folder / "stored", folder / "stored"

    return Form(write)


def _torch_file(plain: Path, folder: Path) -> tuple[Path, Path]:
    tensors, config = contents(plain)
    stored = save_contents(folder / "stored", tensors, config)
    (stored / "model.safetensors").unlink()
    torch.save(tensors, stored / "pytorch_model.bin")
    return stored, plain


def _mxfp4(plain: Path, folder: Path) -> tuple[Path, Path]:
    """gpt-oss as it is published: experts in one tensor, output by input."""
    tensors, config = contents(plain)
    names = [name for name in tensors if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]
    stored, restored = dict(tensors), dict(tensors)
    for name in names:
        blocks, scales, values = to_float4(stored.pop(name).transpose(1, 2))
        stored |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        restored[name] = values.transpose(1, 2)
    save_contents(folder / "stored", stored, config | _described("mxfp4"))
    return folder / "stored", save_contents(folder / "restored", restored, config)


# --- float4 in the layouts of two libraries --------------------------------------------------------------------------


def _nvfp4_modelopt(weight: torch.Tensor) -> Stored:
    codes, exponents, restored = to_float4(weight, 16)
    parts = {"weight": codes.flatten(1), "weight_scale": torch.exp2(exponents.float() - 127).to(torch.float8_e4m3fn)}
    return parts | {"weight_scale_2": torch.tensor(0.5)}, restored * 0.5


def _nvfp4_compressed(weight: torch.Tensor) -> Stored:
    codes, exponents, restored = to_float4(weight, 16)
    scales = torch.exp2(exponents.float() - 127).to(torch.float8_e4m3fn)
    parts = {"weight_packed": codes.flatten(1), "weight_scale": scales, "weight_global_scale": torch.tensor([4.0])}
    return parts, restored / 4


def _mxfp4_compressed(weight: torch.Tensor) -> Stored:
    codes, exponents, restored = to_float4(weight, 32)
    return {"weight_packed": codes.flatten(1), "weight_scale": exponents}, restored


# --- GGUF ------------------------------------------------------------------------------------------------------------

# Converters turn or take apart matrices of these, so that rounding before is not rounding after.
_TURNED = ("gpt2", "deepseek_v2", "deepseek_v3", "gpt_oss")
GGUF_NAMES = {family: name for name, family, _ in gguf_models.CASES.values()}


def _encoded(values: np.ndarray, kind: Kind) -> tuple[np.ndarray, Kind]:
    """A matrix in a type, or in F32 where its rows do not divide into blocks."""
    if values.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        return values, Kind.F32
    if kind.name in K_TYPES:
        rows = quantize_rows(values.reshape(-1, values.shape[-1]), kind.name)
        return rows.reshape(*values.shape[:-1], -1), kind
    return gguf.quants.quantize(values, kind), kind


def _gguf(kind: Kind, parts: int = 1) -> Form:
    block = gguf.GGML_QUANT_SIZES[kind][0]

    def write(plain: Path, folder: Path) -> tuple[Path, Path]:
        tensors, config = contents(plain)
        family = config["model_type"]
        restored = {}
        for name, tensor in tensors.items():
            rounded = tensor.ndim > 1 and not name.endswith("shared_expert_gate.weight")
            restored[name] = tensor
            if rounded:
                data, stored = _encoded(np.ascontiguousarray(tensor.float().numpy()), kind)
                restored[name] = torch.from_numpy(gguf.quants.dequantize(data, stored).reshape(tensor.shape).copy())
        folder.mkdir(exist_ok=True)
        path = folder / "m.gguf"
        gguf_models.write(path, GGUF_NAMES[family], plain, parts=parts, encode=lambda values: _encoded(values, kind))
        found = path if path.is_file() else sorted(folder.glob("m-*.gguf"))[0]
        return found, save_contents(folder / "restored", restored, config)

    def applies(architecture: str) -> bool:
        if block > 32:  # needs wider models
            return architecture in ("llama", "qwen3_moe", "gemma2")
        return architecture in GGUF_NAMES and (block == 1 or architecture not in _TURNED)

    return Form(write, applies, block)


def _hqq(bits: int, axis: int) -> Form:
    return _layers(partial(to_hqq, bits=bits, axis=axis), _described("hqq", quant_config={}, skip_modules=["lm_head"]))


def _torchao(kind: str) -> Form:
    return _layers(partial(to_torchao, kind=kind), _described("torchao"))


_GPTQ, _AWQ = {"bits": 4, "group_size": 32}, {"bits": 4, "group_size": 32}
_GROUPS = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
FORMS: dict[str, Form] = {
    "float32": _plain(torch.float32),
    "float16": _plain(torch.float16),
    "bfloat16": _plain(torch.bfloat16),
    "safetensors in shards": _plain(torch.bfloat16, "20KB"),
    "pytorch_model.bin": Form(_torch_file),
    **{
        f"GPTQ, {bits} bits": _layers(partial(to_gptq, bits=bits), _described("gptq", bits=bits, group_size=32))
        for bits in (2, 3, 4, 8)
    },
    "GPTQ, act-order": _layers(
        partial(to_gptq, bits=4, symmetric=True, shuffled=True), _described("gptq", **_GPTQ, desc_act=True)
    ),
    "GPTQ, version 2": _layers(to_gptq_v2, _described("gptq", **_GPTQ, checkpoint_format="gptq_v2")),
    "AWQ, gemm": _layers(to_awq, _described("awq", **_AWQ, version="gemm")),
    "AWQ, gemv": _layers(partial(to_awq, layout="gemv"), _described("awq", **_AWQ, version="gemv")),
    "AutoRound as GPTQ": _layers(
        partial(to_gptq, bits=4), _described("auto-round", **_GPTQ, packing_format="auto_round:auto_gptq")
    ),
    "AutoRound as AWQ": _layers(to_awq, _described("auto-round", **_AWQ, packing_format="auto_round:auto_awq")),
    "compressed-tensors W4A16": _layers(to_packed, _compressed("pack-quantized", **_GROUPS, symmetric=True)),
    "compressed-tensors W4A16, zero points": _layers(
        partial(to_packed, zero_points=True), _compressed("pack-quantized", **_GROUPS, symmetric=False)
    ),
    "compressed-tensors W8A16": _layers(
        partial(to_packed, bits=8), _compressed("pack-quantized", **_GROUPS | {"num_bits": 8}, symmetric=True)
    ),
    "compressed-tensors W8A8": _layers(to_int8, _compressed("int-quantized", num_bits=8, strategy="channel")),
    "compressed-tensors float8": _layers(
        partial(to_static_float8, by_row=True), _compressed("float-quantized", num_bits=8, strategy="channel")
    ),
    "compressed-tensors NVFP4": _layers(_nvfp4_compressed, _compressed("nvfp4-pack-quantized", num_bits=4)),
    "compressed-tensors MXFP4": _layers(_mxfp4_compressed, _compressed("mxfp4-pack-quantized", num_bits=4)),
    "float8 in blocks": _layers(to_float8, {"quantization_config": FLOAT8}),
    "float8 for a matrix": _layers(
        partial(to_static_float8, name="weight_scale_inv"), _described("fp8", weight_block_size=None)
    ),
    "float8 of FBGEMM": _layers(partial(to_static_float8, by_row=True), _described("fbgemm_fp8")),
    "ModelOpt float8": _layers(to_static_float8, _described("modelopt", quant_algo="FP8")),
    "ModelOpt NVFP4": _layers(_nvfp4_modelopt, _described("modelopt", quant_algo="NVFP4")),
    "MXFP4 of gpt-oss": Form(_mxfp4, lambda architecture: architecture == "gpt_oss"),
    "bitsandbytes int8": _layers(partial(to_int8, name="SCB"), _described("bitsandbytes", load_in_8bit=True)),
    "bitsandbytes nf4": _layers(to_bitsandbytes, _described("bitsandbytes", load_in_4bit=True)),
    "bitsandbytes nf4, nested": _layers(
        partial(to_bitsandbytes, nested=True), _described("bitsandbytes", load_in_4bit=True)
    ),
    **{f"HQQ, {bits} bits": _hqq(bits, 1) for bits in (8, 4, 3, 2, 1)},
    "HQQ, 4 bits, axis 0": _hqq(4, 0),
    **{f"torchao {kind}": _torchao(kind) for kind in ("int8", "float8", "intx", "int4")},
    **{
        f"GGUF {name}": _gguf(Kind[name])
        for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", *K_TYPES)
    },
    "GGUF in parts": _gguf(Kind.F16, parts=3),
}


def write_form(plain: Path, folder: Path, form: str) -> tuple[Path, Path]:
    """A plain folder stored in a form that applies to it, and a folder of the float32 numbers that it stands for."""
    folder.mkdir(parents=True, exist_ok=True)
    return FORMS[form].write(plain, folder)
