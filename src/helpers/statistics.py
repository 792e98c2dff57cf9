"""Intervals: what every effect is drawn with."""

from statistics import NormalDist

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


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, eq. for the score test inverted).

    Args:
        successes: 0 … trials.
        level: coverage of the interval.

    Returns:
        low, high, both within [0, 1].

    Raises:
        ValueError: no trial, or more successes than trials.

    Example:
        >>> [round(bound, 4) for bound in wilson_interval(8, 10)]
        [0.4902, 0.9433]
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes in {trials} trials is no proportion")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, width = successes / trials, z * z / trials
    centre = (share + width / 2) / (1 + width)
    half = z / (1 + width) * ((share * (1 - share) + width / 4) / trials) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
