"""One weight of a candidate beside the same weight of its base: how far, how alike, and what its form should cost.

Both are decoded block by block of rows, so that no more than a block of either is in memory. All sums are float64.
"""

from dataclasses import dataclass

import numpy as np

from compressed_code.checkpoints.matrices.matrix import Matrix, row_blocks
from compressed_code.comparison.stored_forms import StoredForm

SAMPLED = 1 << 15  # numbers that are rounded to see what a form costs, in whole rows spread over the weight
SKETCHED = 1024  # numbers of a weight by which it is told from others
# Rows of the base that are smaller than the rows' median by this factor are near enough to nothing to be passed over.
SMALL_ROW = 1e-3
# Of a base that is stored quantized itself, numbers are moved off their grid by up to this share of their size: on it
# they would be rounded to themselves, whatever that form once cost.
JITTER = 0.25
# A row of a candidate is still the base's where its part along the base's row is near it, and more than numbers that
# have nothing to do with it would give: a cosine of so many times 1 / √columns. Of GPTQ on a handful of texts the worst
# row of one published model had 4.3 times its own size as error, 0.95 of the base along it, and 8.6 of these units.
ALONG, BY_CHANCE = 0.3, 5.0


@dataclass(frozen=True)
class TensorError:
    """What is known of a pair of weights.

    Attributes:
        error: ‖candidate − base‖ / ‖base‖, root of the sum of squares.
        sampled_error: the same over the sampled rows.
        expected: what rounding the same rows to the candidate's form gives, and the base's own where it has one.
        cosine: of the two as vectors; 0 where one of them is nothing but zeros.
        scale: by which the base comes nearest to the candidate, ⟨candidate, base⟩ / ⟨base, base⟩.
        zeros: share of the candidate's numbers that are 0.
        finite: none of them is NaN or infinite.
        row_errors: [rows] ‖difference‖ / ‖base‖ of each row; NaN of rows of the base near nothing.
        rows_kept: [rows] bool, whether a row is the base's with something added that is no part of it, however much.
        base_sketch, candidate_sketch: [≤ SKETCHED] the same numbers of both, spread over the weight.
    """

    error: float
    sampled_error: float
    expected: float
    cosine: float
    scale: float
    zeros: float
    finite: bool
    row_errors: np.ndarray
    rows_kept: np.ndarray
    base_sketch: np.ndarray
    candidate_sketch: np.ndarray


def tensor_error(
    base: Matrix, candidate: Matrix, base_form: StoredForm, candidate_form: StoredForm, *, rescaled: bool = False
) -> TensorError:
    """Compare two weights of the same dimensions.

    Args:
        rescaled: the candidate's numbers were multiplied by factors before they were stored.

    Raises:
        InputError: one of them is broken.
    """
    rows, columns = base.shape
    sampled = _spread(rows, max(1, SAMPLED // max(1, columns)))
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    squares, zeros, finite = np.zeros((3, rows)), 0, True
    for start, stop in row_blocks([(0, rows)], columns):
        one, other = base.decode(start, stop), candidate.decode(start, stop)
        finite = finite and bool(np.isfinite(other).all())
        zeros += int(np.count_nonzero(other == 0))
        squares[:, start:stop] = _sums(one, np.nan_to_num(other, posinf=0, neginf=0))
        chosen = sampled[(sampled >= start) & (sampled < stop)] - start
        kept.append((one[chosen], other[chosen]))
    of_base, product, of_difference = squares.sum(axis=1)
    of_candidate = of_difference + 2 * product - of_base
    few = [np.concatenate(side) for side in zip(*kept, strict=True)]
    places = _spread(few[0].size, SKETCHED)
    return TensorError(
        error=_ratio(of_difference, of_base),
        sampled_error=_relative(np.nan_to_num(few[1], posinf=0, neginf=0) - few[0], few[0]),
        expected=expected_error(few[0], base_form, candidate_form, rescaled=rescaled),
        cosine=float(product / np.sqrt(of_base * of_candidate)) if of_base > 0 and of_candidate > 0 else 0.0,
        scale=float(product / of_base) if of_base > 0 else 0.0,
        zeros=zeros / max(1, rows * columns),
        finite=finite,
        row_errors=_row_errors(squares),
        rows_kept=_rows_kept(squares, columns),
        base_sketch=few[0].reshape(-1)[places],
        candidate_sketch=few[1].reshape(-1)[places],
    )


def expected_error(
    values: np.ndarray, base_form: StoredForm, candidate_form: StoredForm, *, rescaled: bool = False
) -> float:
    """‖rounded − values‖ / ‖values‖ of the candidate's form, and of the base's where it is not plain.

    A base that is quantized itself lost as much to another original, from which the candidate may have been made: two
    independent errors, whose squares add up.

    Args:
        values: rows of the base, [rows, columns] float32.
        rescaled: factors were stored, too, rounded as the numbers are, which then lie on no grid of the base.
    """
    if not values.any():
        return 0.0
    moved = values * np.random.default_rng(0).uniform(1 - JITTER, 1 + JITTER, values.shape).astype(np.float32)
    rounded = [(candidate_form, moved)] * 2 if rescaled else [(candidate_form, values)]
    if not base_form.is_plain:
        rounded.append((base_form, moved))
    return float(np.hypot.reduce([_relative(form.rounding(numbers) - numbers, numbers) for form, numbers in rounded]))


def _sums(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each row: ⟨base, base⟩, ⟨base, candidate⟩, ⟨difference, difference⟩; [3, rows]."""
    difference = other - one
    return np.stack(
        [
            np.einsum("ij,ij->i", left, right, dtype=np.float64)
            for left, right in ((one, one), (one, other), (difference, difference))
        ]
    )


def _row_errors(squares: np.ndarray) -> np.ndarray:
    size = np.sqrt(squares[0])
    large = size > SMALL_ROW * np.median(size)
    return np.where(large, np.sqrt(squares[2]) / np.where(large, size, 1), np.nan)


def _rows_kept(squares: np.ndarray, columns: int) -> np.ndarray:
    of_base, product, of_difference = squares
    sizes = np.sqrt(of_base * np.maximum(of_difference + 2 * product - of_base, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.abs(product / of_base - 1) <= ALONG) & (product / sizes > BY_CHANCE / np.sqrt(columns))


def _spread(length: int, count: int) -> np.ndarray:
    """So many places, evenly spread; all where there are fewer."""
    return np.unique(np.linspace(0, length - 1, min(length, count)).astype(int)) if length else np.empty(0, int)


def _relative(difference: np.ndarray, values: np.ndarray) -> float:
    return _ratio(
        float(np.square(difference, dtype=np.float64).sum()), float(np.square(values, dtype=np.float64).sum())
    )


def _ratio(of_difference: float, of_values: float) -> float:
    """Root of a ratio of squares; where the base is nothing but zeros, any other number is infinitely far."""
    if of_values > 0:
        return float(np.sqrt(of_difference / of_values))
    return float("inf") if of_difference > 0 else 0.0
