"""torchao checkpoints as transformers saves them: plain tensors, and in the file's header what each weight is.

Source: torchao 0.18, `prototype/safetensors`, and the tensor classes of `quantization/quantize_/workflows`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.checkpoints.matrices.nibbles import NibbleMatrix
from compressed_code.checkpoints.matrices.scaled import ScaledMatrix
from compressed_code.checkpoints.storage_forms.form import (
    Parts,
    StorageForm,
    plain_matrix,
    read_numbers,
    read_scales,
)
from compressed_code.core.errors import InputError

CODES = "_weight_qdata"
SCALED = ("Int8Tensor", "Float8Tensor", "IntxUnpackedToInt8Tensor")
PLAIN_INT4 = "Int4Tensor"
_BESIDE = tuple(
    f"_weight_{part}"
    for part in (
        *("scale", "zero_point", "scale_and_zero", "per_tensor_scale"),
        *("act_quant_scale", "act_quant_zero_point", "act_pre_scale"),
    )
)


def torchao_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """Whole numbers of 1 to 8 bits and float8 in torchao's plain layouts; those of kernels are refused by name."""

    def matrix(parts: Parts) -> Matrix:
        if not parts.codes.name.endswith(CODES):
            return plain_matrix(parts)
        kind, block = _described(parts)
        smoothed = parts.find("_weight_act_pre_scale")
        if smoothed is not None:
            raise InputError(f"{smoothed}: activations scaled beforehand are not supported; use the original model")
        scales, zeros = read_scales(parts.needed("_weight_scale")), parts.find("_weight_zero_point")
        if kind == PLAIN_INT4:
            return NibbleMatrix(parts.codes, scales, read_scales(parts.needed("_weight_zero_point")))
        return ScaledMatrix(parts.codes, scales, block, None if zeros is None else read_numbers(zeros))

    def count(parts: Parts) -> int:
        numbers = math.prod(parts.codes.shape)
        return 2 * numbers if parts.codes.name.endswith(CODES) and _described(parts)[0] == PLAIN_INT4 else numbers

    return StorageForm("torchao", matrix, MappingProxyType({CODES: "weight"}), _BESIDE, count=count)


def _described(parts: Parts) -> tuple[str, tuple[int, int] | None]:
    """The class of a weight, and rows and columns that share a scale, where the header says them.

    Raises:
        InputError: the header says nothing of it, or a class that is not supported.
    """
    written = parts.codes.metadata.get(parts.name)
    if written is None:
        raise InputError(f"{parts.codes}: the header says nothing of {parts.name}; fetch or write the checkpoint again")
    try:
        content = json.loads(written)
        kind, block = str(content["_type"]), content.get("_data", {}).get("block_size")
        sizes = tuple(int(size) for size in block) if block else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{parts.codes}: broken header ({type(error).__name__}: {error}); fetch it again") from None
    if kind not in (*SCALED, PLAIN_INT4):
        raise InputError(
            f"{parts.codes}: torchao's {kind} is laid out for a kernel and not supported; save the model in a plain"
            " layout (int8, float8, intx, int4 PLAIN), or use the model it was made from"
        )
    if sizes is not None and (len(sizes) != 2 or min(sizes) < 1):
        raise InputError(
            f"{parts.codes}: blocks of {list(sizes)} are not supported; [rows, columns] are"
            ": use the model it was made from"
        )
    return kind, sizes
