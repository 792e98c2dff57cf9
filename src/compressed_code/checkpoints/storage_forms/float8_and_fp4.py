"""Float8 and float4 checkpoints of DeepSeek, Mistral, FBGEMM, ModelOpt and gpt-oss.

Weights alone are read. Where a kernel would round activations as well (static or dynamic scales), they stay float32.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compressed_code.checkpoints.matrices.arranged import Transposed
from compressed_code.checkpoints.matrices.fp4 import Fp4Matrix
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, Matrix
from compressed_code.checkpoints.matrices.scaled import ScaledMatrix
from compressed_code.checkpoints.storage_forms.form import Parts, StorageForm, plain_matrix, read_scales
from compressed_code.core.errors import InputError

# Beside a module's `weight`; fused experts are parameters without a module of their own, whose names only end so.
_SCALES = ("weight_scale_inv", "weight_scale")
_ACTIVATIONS = ("input_scale", "activation_scale", "input_scale_ub", "output_scale")
_CACHE = ("k_scale", "v_scale", "q_scale", "k_proj.k_scale", "v_proj.v_scale", "k_proj.output_scale")


def float8_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """Float8 e4m3 with a scale for a block, a row or a matrix.

    Raises:
        InputError: another float8, or a block that is none.
    """
    block = described.get("weight_block_size")
    if str(described.get("fmt", "e4m3")).removeprefix("float8_") not in ("e4m3", "e4m3fn"):
        raise InputError(
            f"{source}: float8 {described['fmt']} is not supported; e4m3 is: use the model it was made from"
        )
    if block is not None and not (
        isinstance(block, list) and len(block) == 2 and all(isinstance(n, int) and n > 0 for n in block)
    ):
        raise InputError(
            f"{source}: weight_block_size {block!r} is not supported; [rows, columns] is: fetch config.json again"
        )

    def matrix(parts: Parts) -> Matrix:
        if parts.codes.kind != "F8_E4M3":
            return plain_matrix(parts)
        ending = parts.name.rpartition(".")[2]
        scales = next(filter(None, map(parts.find, (*_SCALES, f"{ending}_scale_inv"))), None)
        if scales is None:
            raise InputError(f"{parts.codes}: no scales beside it (weight_scale_inv); fetch or write it again")
        values = read_scales(scales)
        return ScaledMatrix(parts.codes, values, (block[0], block[1]) if block and values.size > 1 else None)

    experts = tuple(
        f"{name}_{part}" for name in ("gate_up_proj", "down_proj") for part in ("scale_inv", "activation_scale")
    )
    return StorageForm("float8", matrix, beside=(*_SCALES, *_ACTIVATIONS, *_CACHE, *experts))


def modelopt_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """NVIDIA's Model Optimizer: float8 per matrix, or NVFP4.

    Raises:
        InputError: another of its formats.
    """
    algorithm = str(described.get("quant_algo", "")).upper()
    if algorithm not in ("FP8", "NVFP4"):
        raise InputError(
            f"{source}: ModelOpt's {algorithm or 'unnamed format'} is not supported; FP8 and NVFP4 are"
            ": use the model it was made from"
        )

    def matrix(parts: Parts) -> Matrix:
        if parts.codes.kind in FLOAT_KINDS:
            return plain_matrix(parts)
        scales = read_scales(parts.needed("weight_scale"))
        if parts.codes.kind != "U8":
            return ScaledMatrix(parts.codes, scales)
        *before, columns = parts.codes.shape
        return Fp4Matrix(parts.codes, scales * read_scales(parts.needed("weight_scale_2")), (*before, columns * 2))

    per_byte = MappingProxyType({"weight": 2.0} if algorithm == "NVFP4" else {})
    return StorageForm(
        "ModelOpt", matrix, beside=("weight_scale_2", *_SCALES, *_ACTIVATIONS, *_CACHE), weights_per_byte=per_byte
    )


def mxfp4_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """gpt-oss as it is published: experts in MXFP4, [experts, out, groups, 16] bytes, read as [experts, in, out]."""

    def matrix(parts: Parts) -> Matrix:
        if not parts.codes.name.endswith("_blocks"):
            return plain_matrix(parts)
        if len(parts.codes.shape) != 4:
            raise InputError(
                f"{parts.codes}: shape {list(parts.codes.shape)}, but MXFP4 experts have four dimensions"
                "; fetch or write the checkpoint again"
            )
        experts, rows, groups, size = parts.codes.shape
        scales = read_scales(parts.needed(f"{parts.name.rpartition('.')[2]}_scales"))
        return Transposed(Fp4Matrix(parts.codes, scales, (experts, rows, groups * size * 2)))

    names = ("gate_up_proj", "down_proj")
    return StorageForm(
        "MXFP4",
        matrix,
        codes=MappingProxyType({f"{name}_blocks": name for name in names}),
        beside=tuple(f"{name}_scales" for name in names),
        weights_per_byte=MappingProxyType({f"{name}_blocks": 2.0 for name in names}),
    )
