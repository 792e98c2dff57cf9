"""GPTQ of one matrix in float64: a pure function of the matrix and of the second moments of its inputs.

GPTQ (Frantar et al. 2022, arXiv 2210.17323) rounds the columns of a matrix one after the other and moves what each
rounding loses onto the columns that are still to come, weighted by the inputs the layer sees in calibration text.

The steps are those of the authors' code (github.com/IST-DASLab/gptq, gptq.py), which GPTQModel and auto-gptq share:
columns in their order, lazy blocks of 128, the paper's dampening, the grid of a group from the weights as they are when
its block begins, columns without any input set to 0. Two things differ. All numbers are float64: sums that are taken in
another order on another processor, or by another number of threads, then differ by some 1e-16, and no code lies that
close to the middle between two. And codes are rounded on the grid as it is stored, a float16 scale and a zero point
of 1 or more, so that the rounding of the scale is made up for like any other.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from compressed_code.core.errors import InputError
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.methods.round_to_nearest import min_max_grid, weights_per_group

VERSION = 1  # to be raised when the same matrix and text would give other codes
DAMPENING = 0.01  # of the mean diagonal of the Hessian: section 3.3 of the paper
BLOCK = 128  # columns whose errors reach the columns behind them together: section 3.3 of the paper


@dataclass(frozen=True)
class ErrorFeedback:
    """How the error of one column is spread over the columns behind it.

    Attributes:
        factor: float64 [columns, columns], upper triangular; factorᵀ · factor is the inverse of the damped Hessian.
        dead: bool [columns], inputs that are 0 in all of the calibration text.
    """

    factor: np.ndarray
    dead: np.ndarray


def error_feedback(hessian: np.ndarray, dampening: float = DAMPENING) -> ErrorFeedback:
    """Factorize a Hessian; layers that share their input share the result.

    Args:
        hessian: float64 [columns, columns], 2/n · Σ x · xᵀ over the n inputs of the calibration text; of it, the
            upper triangle.
        dampening: share of the mean diagonal that is added to the diagonal.

    Raises:
        InputError: it has no factor, as after inputs of NaN or infinity.
    """
    dead = np.diagonal(hessian) == 0
    damped = np.array(hessian, np.float64)
    damped[dead, dead] = 1
    damped[np.diag_indices_from(damped)] += dampening * np.diagonal(damped).mean()
    # With H = R · Rᵀ and R upper triangular, R⁻¹ is the factor. LAPACK gives such an R of the matrix turned round, and
    # sees the transpose of what numpy holds.
    turned, failed = lapack.dpotrf(np.ascontiguousarray(damped[::-1, ::-1]).T, lower=False, overwrite_a=True)
    if failed or not np.isfinite(turned).all():
        raise InputError("the inputs that calibration text gives it have no usable second moments (NaN or infinity)")
    inverse, _ = lapack.dtrtri(turned, lower=False, overwrite_c=True)
    return ErrorFeedback(np.ascontiguousarray(inverse.T[::-1, ::-1]), dead)


def gptq(
    weight: np.ndarray,
    feedback: ErrorFeedback,
    bits: int,
    group_size: int | None = None,
    *,
    symmetric: bool = False,
) -> QuantizedMatrix:
    """Quantize a matrix.

    Args:
        weight: [rows, columns], finite.
        feedback: of the layer's inputs.
        bits: 2 … 8.
        group_size: weights of a row that share scale and zero point, a divisor of columns; `None` is the whole row.
        symmetric: the zero point is 2^(bits − 1) in every group.

    Raises:
        InputError: bits out of range, a group size that does not divide, or weights too large for a float16 scale.
    """
    rows, columns = weight.shape
    size = weights_per_group(columns, bits, group_size)
    scales = np.empty((columns // size, rows), np.float16)
    zeros = np.empty((columns // size, rows))
    codes = np.empty((columns, rows), np.uint8)
    # Columns of the matrix are rows here, so that each lies in one piece.
    values = np.array(weight.T, np.float64, order="C")
    # Of whole rows the libraries find the grid before they empty dead columns, of groups afterwards.
    if group_size is None:
        scales[0], zeros[0] = min_max_grid(values.T, bits, symmetric)
    values[feedback.dead] = 0
    for first in range(0, columns, BLOCK):
        last = min(first + BLOCK, columns)
        block = values[first:last].copy()
        factor = feedback.factor[first:last, first:last]
        for column in range(last - first):
            current = block[column]
            group, inside = divmod(first + column, size)
            if inside == 0 and group_size is not None:
                scales[group], zeros[group] = min_max_grid(values[group * size : (group + 1) * size].T, bits, symmetric)
            if inside == 0 or column == 0:
                scale, zero = scales[group].astype(np.float64), zeros[group]
            steps = np.clip(np.rint(current / scale) + zero, 0, 2**bits - 1)
            codes[first + column] = steps
            current -= scale * (steps - zero)  # now its error
            current /= factor[column, column]
            block[column + 1 :] -= factor[column, column + 1 :, None] * current
        values[last:] -= feedback.factor[first:last, last:].T @ block
    return QuantizedMatrix(
        np.ascontiguousarray(codes.T),
        np.ascontiguousarray(scales.T),
        np.ascontiguousarray(zeros.T).astype(np.uint8),
        bits,
        symmetric,
    )
