"""Write a variant: a folder that transformers opens, whole or not at all."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.quantization_config import GPTQ_BITS
from compressed_code.core.errors import InputError
from compressed_code.quantization import gptq_format
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix, QuantizedWeight
from compressed_code.registry.quantizations import Quantization

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "model.safetensors"

# Element types of safetensors files, as torch spells them.
_ELEMENT_TYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"},
}


def write_folder(
    base: BaseCheckpoint, weights: Mapping[str, QuantizedWeight], folder: Path, quantization: Quantization, library: str
) -> str | None:
    """Weights, config and everything else of the base model, as transformers expects them.

    Linear layers are packed in GPTQ's version 1 format where it holds every matrix and plain transformers runs such a
    file. Otherwise, and always for embeddings, the numbers that the codes stand for are stored: as float32 if the
    base is, else as float16, and as bfloat16 where float16 has no such large numbers.

    Args:
        weights: what takes the place of the base model's matrices, by name.
        library: what computed the codes, "NAME:VERSION".

    Returns:
        Why the linear layers are not packed; `None` where they are.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    linear = [weights[name] for name in base.linear if name in weights]
    reason = _reason_to_decode(linear, quantization)
    packed = reason is None
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in sorted({**base.linear, **base.embeddings, **base.others}.items()):
        if name not in weights:
            tensors[name] = _unchanged(tensor)
        elif packed and name in base.linear:
            parts = gptq_format.packed(weights[name])
            tensors |= {f"{name.removesuffix('weight')}{part}": torch.from_numpy(parts[part]) for part in parts}
        else:
            values = torch.from_numpy(weights[name].dequantized().astype(np.float32))
            tensors[name] = values.to(_element(values, tensor.kind))
    try:
        save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    except SafetensorError as error:  # a full disk, for one
        raise OSError(str(error)) from None
    config = {key: value for key, value in base.config.items() if key != "torch_dtype"}
    kinds = {tensor.kind for tensor in base.linear.values()}
    config["dtype"] = "float32" if kinds == {"F32"} else "float16"
    if packed:
        config["quantization_config"] = gptq_format.quantization_config(linear, quantization.group_size, library)
    text = json.dumps(config, indent=1, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    for file in base.companions():
        shutil.copyfile(file, folder / file.name)
    return reason


def _element(values: "torch.Tensor", kind: str) -> "torch.dtype":
    import torch

    if kind == "F32":
        return torch.float32
    return torch.float16 if values.abs().max() <= torch.finfo(torch.float16).max else torch.bfloat16


def _reason_to_decode(linear: Sequence[QuantizedWeight], quantization: Quantization) -> str | None:
    if quantization.modules:
        return "only some modules are quantized"
    if not all(isinstance(weight, QuantizedMatrix) for weight in linear):
        return f"only {quantization.method} itself reads what it packs"
    if not all(gptq_format.fits(weight) for weight in linear):
        widths = ", ".join(map(str, GPTQ_BITS))
        return f"GPTQ's format holds {widths} bits and matrices of multiples of {gptq_format.ALIGNMENT}"
    if not all(np.isfinite(weight.scales.astype(np.float16)).all() for weight in linear):
        return "float16, which GPTQ's format has for scales, does not hold such large ones"
    if not gptq_format.runs(quantization.bits, quantization.group_size):
        groups = quantization.grouping
        return f"transformers and GPTQModel do not run {groups} of {quantization.bits} bits in GPTQ's format"
    return None


def _unchanged(tensor: StoredTensor) -> "torch.Tensor":
    import torch

    if tensor.kind not in _ELEMENT_TYPES:
        raise InputError(f"{tensor}: type {tensor.kind} is not supported")
    content = bytearray(tensor.bytes(0, tensor.length))
    element = getattr(torch, _ELEMENT_TYPES[tensor.kind])
    return torch.frombuffer(content, dtype=element).reshape(tensor.shape) if content else torch.empty(tensor.shape)
