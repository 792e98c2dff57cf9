"""Round to nearest: every weight goes to the nearest point of its group's grid, without looking at any data.

Scale and zero point follow the min-max rule of the GPTQ authors' quantizer (github.com/IST-DASLab/gptq, quant.py),
which GPTQModel and auto-gptq share: what GPTQ gains over this is the gain of its error compensation alone.
"""

import numpy as np

from compressed_code.core.errors import InputError
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix

SMALLEST_SCALE = np.finfo(np.float16).smallest_subnormal


def round_to_nearest(
    weight: np.ndarray, bits: int, group_size: int | None = None, *, symmetric: bool = False
) -> QuantizedMatrix:
    """Quantize a matrix.

    Codes are rounded on the scale as it is stored (float16), so the error of a weight is at most half a step, beyond
    the rounding of the scale itself. A zero point of 0 is moved to 1 and the step widened to keep all weights inside.
    Of a symmetric group without a negative weight the step is that of its largest one too, where the libraries halve it
    and clip.

    Args:
        weight: [rows, columns] finite float32.
        bits: 2 … 8.
        group_size: weights of a row that share scale and zero point, a divisor of columns; `None` is the whole row.
        symmetric: the zero point is 2^(bits − 1) in every group.

    Raises:
        InputError: bits out of range, a group size that does not divide, or weights too large for a float16 scale.
    """
    rows, columns = weight.shape
    size = weights_per_group(columns, bits, group_size)
    groups = weight.astype(np.float32).reshape(rows, columns // size, size)
    scales, zeros = min_max_grid(groups, bits, symmetric)
    steps = np.rint(groups / scales.astype(np.float32)[:, :, None])
    codes = np.clip(steps + zeros[:, :, None], 0, 2**bits - 1).astype(np.uint8)
    return QuantizedMatrix(codes.reshape(rows, columns), scales, zeros.astype(np.uint8), bits, symmetric)


def weights_per_group(columns: int, bits: int, group_size: int | None) -> int:
    """How many weights of a row share a grid; `None` is the whole row.

    Raises:
        InputError: bits out of 2 … 8, or a group size that does not divide.
    """
    if not 2 <= bits <= 8:
        raise InputError(f"{bits} bits: a grid of codes knows 2 … 8")
    size = group_size or columns
    if columns % size:
        raise InputError(f"{columns} columns are not divisible by group size {size}")
    return size


def min_max_grid(groups: np.ndarray, bits: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scales as float16 and zero points as whole numbers, both [...], of weights [..., size] in float32 or float64.

    Raises:
        InputError: weights too large for a float16 scale.
    """
    highest = np.float32(2**bits - 1)
    low, high = np.minimum(groups.min(axis=-1), 0), np.maximum(groups.max(axis=-1), 0)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    empty = (low == 0) & (high == 0)
    low, high = np.where(empty, np.float32(-1), low), np.where(empty, np.float32(1), high)
    scales = _stored((high - low) / highest)
    if symmetric:
        return scales, np.full(scales.shape, 2 ** (bits - 1), np.float32)
    zeros = np.rint(-low / scales.astype(np.float32))
    scales = np.where(zeros < 1, _stored((high - low) / (highest - 1)), scales)
    return scales, np.clip(zeros, 1, highest)


def _stored(scales: np.ndarray) -> np.ndarray:
    """Scales as float16, never 0."""
    if scales.max(initial=0) > np.finfo(np.float16).max:
        raise InputError(f"weights need a step of {scales.max():.3g}, more than a float16 scale holds")
    return np.maximum(scales.astype(np.float16), SMALLEST_SCALE)
