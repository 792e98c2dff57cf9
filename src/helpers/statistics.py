"""Intervals: what every effect is drawn with."""

import numpy as np
from numpy.typing import ArrayLike


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Ratio of sums Σ numerators / Σ denominators over items, with a percentile bootstrap interval.

    Items (programs, tasks) are resampled whole. Two calls with the same number of items and the same seed draw the
    same resamples, so paired comparisons stay paired. Percentile method: Efron & Tibshirani, An Introduction to
    the Bootstrap (1993), §13.3.

    Args:
        numerators, denominators: one number per item, [items].
        level: coverage of the interval.

    Returns:
        value, low, high; low equals high equals value where there is one item only.

    Raises:
        ValueError: no item, or the denominators add to zero.
    """
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if above.size == 0 or above.shape != below.shape:
        raise ValueError(f"need as many numerators as denominators, at least one; got {above.shape} and {below.shape}")
    if below.sum() == 0:
        raise ValueError("the denominators add to zero")
    drawn = np.random.default_rng(seed).integers(above.size, size=(resamples, above.size))
    ratios = above[drawn].sum(axis=1) / np.maximum(below[drawn].sum(axis=1), np.finfo(float).tiny)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return above.sum() / below.sum(), float(low), float(high)
