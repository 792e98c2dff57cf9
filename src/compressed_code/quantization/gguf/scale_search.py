"""The three searches for the scale of a small group of weights that llama.cpp's K types are made of.

All of them work on many groups at once: an array [weights in a group, groups] float32, so that a sum over the first
axis adds one weight after the other, as the reference does. Every operation is float32 and stands in the reference's
order: another order would round differently and give other bytes.

Source: llama.cpp v0.5.0, ggml/src/ggml-quants.c, `nearest_int`, `make_qx_quants`, `make_q3_quants`,
`make_qkx2_quants`.
"""

from dataclasses import dataclass

import numpy as np

# Groups whose largest weight is below this count as zero (`GROUP_MAX_EPS`).
NEGLIGIBLE = np.float32(1e-15)
_MAGIC = np.float32(1.5 * 2**23)


@dataclass(frozen=True)
class ScaleSearch:
    """The steps of the search for scale and minimum, which differ between the K types.

    Attributes:
        levels: largest code.
        first, steps: the inverse scales tried are those of levels + first + 0.1·step levels, step 0 … steps.
        absolute: the error of a weight is its absolute value, not its square.
    """

    levels: int
    first: float
    steps: int
    absolute: bool


def nearest_integers(values: np.ndarray) -> np.ndarray:
    """Nearest integers, half to even, int32; where |value| ≥ 2²² the low bits that the reference's trick leaves."""
    return ((values + _MAGIC).view(np.int32) & 0x7FFFFF) - 0x400000


def nearest_codes(values: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Nearest integers within `lowest … highest`, as float32."""
    codes = nearest_integers(values)
    return np.clip(codes, lowest, highest, out=codes).astype(np.float32)


def furthest_from_zero(values: np.ndarray) -> np.ndarray:
    """Of each column the value with the largest absolute value, the first of several; 0 where there is none."""
    furthest = np.zeros(values.shape[1], np.float32)
    for row in values:
        furthest = np.where(np.abs(row) > np.abs(furthest), row, furthest)
    return furthest


def search_scale(values: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and codes of symmetric groups: least squares weighted by the squared weight, over 19 starting scales.

    Args:
        values: [weights, groups] float32.
        half: codes lie in -half … half - 1.

    Returns:
        scale: [groups] float32.
        codes: [weights, groups] float32, half added; 0 in a negligible group.
    """
    furthest = furthest_from_zero(values)
    squares = values * values
    cubes = squares * values

    def attempt(levels: np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        codes = nearest_codes(-levels / furthest * values, -half, half - 1)
        return codes, _sum(cubes * codes), _sum(squares * codes * codes)

    codes, product, norm = attempt(np.float32(half))
    scale = np.where(norm != 0, product / norm, np.float32(0))
    best = scale * product
    for step in (*range(-9, 0), *range(1, 10)):
        tried, product, norm = attempt(np.float32(half) + np.float32(0.1) * np.float32(step))
        better = (norm > 0) & (product * product > best * norm)
        np.copyto(codes, tried, where=better)
        scale = np.where(better, product / norm, scale)
        best = np.where(better, scale * product, best)
    used = np.abs(furthest) >= NEGLIGIBLE
    return np.where(used, scale, np.float32(0)), np.where(used, codes + np.float32(half), np.float32(0))


def search_scale_by_coordinates(values: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and codes of symmetric groups: codes are moved one by one while the weighted fit gets better, five rounds.

    Args and returns as in `search_scale`.
    """
    furthest = furthest_from_zero(values)
    squares = values * values
    cubes = squares * values
    codes = nearest_codes(np.float32(-half) / furthest * values, -half, half - 1)
    product, norm = _sum(cubes * codes), _sum(squares * codes * codes)
    for _ in range(5):
        before = codes.copy()
        for value, square, cube, code in zip(values, squares, cubes, codes, strict=True):
            rest = product - cube * code
            rest_norm = norm - square * code * code
            moved = nearest_codes(value * rest_norm / rest, -half, half - 1)
            with_moved = rest + cube * moved
            norm_moved = rest_norm + square * moved * moved
            better = (rest > 0) & (moved != code) & (norm_moved > 0)
            better &= with_moved * with_moved * norm > product * product * norm_moved
            code[better] = moved[better]
            product = np.where(better, with_moved, product)
            norm = np.where(better, norm_moved, norm)
        if np.array_equal(before, codes):
            break
    used = np.abs(furthest) >= NEGLIGIBLE
    scale = np.where(used & (norm > 0), product / norm, np.float32(0))
    return scale, np.where(used, codes + np.float32(half), np.float32(0))


def search_scale_and_minimum(
    values: np.ndarray, weights: np.ndarray, search: ScaleSearch
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, minimum and codes of asymmetric groups: weighted least squares over several starting scales.

    As in the reference, a better minimum is the one that the following starting scales are laid on.

    Args:
        values: [weights, groups] float32.
        weights: [weights, groups] float32, of the error of each value.
        search: its steps.

    Returns:
        scale: [groups] float32.
        depth: [groups] float32, how far the minimum lies below zero; the values are scale · code - depth.
        codes: [weights, groups] float32, 0 … levels.
    """
    levels = np.float32(search.levels)
    lowest, highest = np.minimum(values.min(axis=0), np.float32(0)), values.max(axis=0)
    flat = lowest == highest
    minimum = lowest
    sum_weights, sum_values = _sum(weights), _sum(weights * values)

    def error(scale: np.ndarray, minimum: np.ndarray, codes: np.ndarray) -> np.ndarray:
        difference = scale * codes + minimum - values
        return _sum(weights * (np.abs(difference) if search.absolute else difference * difference))

    inverse = levels / (highest - minimum)
    scale = np.float32(1) / inverse
    codes = nearest_codes(inverse * (values - minimum), 0, search.levels)
    best = error(scale, minimum, codes)
    for step in range(search.steps + 1):
        stretched = np.float32(search.first) + np.float32(0.1) * np.float32(step) + levels
        tried = nearest_codes(stretched / (highest - minimum) * (values - minimum), 0, search.levels)
        weighted = weights * tried
        sum_codes, sum_squares, sum_products = _sum(weighted), _sum(weighted * tried), _sum(weighted * values)
        determinant = sum_weights * sum_squares - sum_codes * sum_codes
        tried_scale = (sum_weights * sum_products - sum_values * sum_codes) / determinant
        tried_minimum = (sum_squares * sum_values - sum_codes * sum_products) / determinant
        above = tried_minimum > 0
        tried_scale = np.where(above, sum_products / sum_squares, tried_scale)
        tried_minimum = np.where(above, np.float32(0), tried_minimum)
        tried_error = error(tried_scale, tried_minimum, tried)
        better = (determinant > 0) & (tried_error < best)
        np.copyto(codes, tried, where=better)
        best = np.where(better, tried_error, best)
        scale = np.where(better, tried_scale, scale)
        minimum = np.where(better, tried_minimum, minimum)
    zero = np.float32(0)
    return np.where(flat, zero, scale), -np.where(flat, lowest, minimum), np.where(flat, zero, codes)


def _sum(terms: np.ndarray) -> np.ndarray:
    """Sum over the first axis, one row after the other (numpy sums in pairs along the last axis only)."""
    return np.add.reduce(terms, axis=0)
