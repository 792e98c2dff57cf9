"""Intervals and tests: what every effect is drawn with."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def draws_with_replacement(items: int, *, seed: int, resamples: int) -> np.ndarray:
    """The resamples of a bootstrap: [resamples, items] places of the items that are drawn.

    Two calls with the same number of items and the same seed draw the same, so that paired comparisons stay paired.
    """
    return np.random.default_rng(seed).integers(items, size=(resamples, items))


def percentile_interval(values: ArrayLike, level: float = 0.95) -> tuple[Any, Any]:
    """Bounds of a statistic over the resamples, along the first axis; resamples without a value (NaN) do not count.

    Percentile method: Efron & Tibshirani, An Introduction to the Bootstrap (1993), §13.3.
    """
    values = np.asarray(values, dtype=float)
    quantile = np.nanquantile if np.isnan(values).any() else np.quantile  # the first one is slow
    low, high = quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Ratio of sums Σ numerators / Σ denominators over items, with a percentile bootstrap interval.

    Items (programs, tasks) are resampled whole (`draws_with_replacement`, `percentile_interval`).

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
    drawn = draws_with_replacement(above.size, seed=seed, resamples=resamples)
    ratios = above[drawn].sum(axis=1) / np.maximum(below[drawn].sum(axis=1), np.finfo(float).tiny)
    low, high = percentile_interval(ratios, level)
    return above.sum() / below.sum(), float(low), float(high)


def wilson_interval(successes: float, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, eq. for the score test inverted).

    Args:
        successes: 0 … trials; a fraction is a sum of shares, whose variance is at most that of yes and no.
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
    # At the ends the bound is exact; rounding would put it beyond the value.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return 0.0 if successes == 0 else low, 1.0 if successes == trials else high


def mcnemar_exact(lost: int, gained: int) -> float:
    """Two-sided exact McNemar test of paired yes/no outcomes (McNemar 1947; exact form: a binomial test at 1/2).

    Args:
        lost: pairs that turned from yes to no.
        gained: pairs that turned from no to yes; pairs that kept their outcome do not enter.

    Returns:
        Probability of a split at least this uneven when both turns are equally likely; 1 where nothing turned.

    Example:
        >>> mcnemar_exact(6, 0)
        0.03125
    """
    if min(lost, gained) < 0:
        raise ValueError(f"{lost} and {gained} are no counts")
    turned = lost + gained
    tail = sum(math.comb(turned, count) for count in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / 2**turned)


def holm(probabilities: Sequence[float]) -> list[float]:
    """p-values adjusted for all comparisons made together (Holm 1979, step-down; controls the family-wise error).

    Returns:
        One adjusted p-value per given one, in the same order, at most 1 and nowhere below the given one.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, running = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        running = max(running, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        adjusted[place] = running
    return adjusted


def smallest_detectable_loss(pairs: int, level: float = 0.05, power: float = 0.8) -> float:
    """Smallest one-way change of paired yes/no outcomes that the exact McNemar test finds with the given power.

    Where all of t turned pairs go one way, its p-value is 2 / 2^t (`mcnemar_exact`), so t₀ = ⌈1 + log₂(1 / level)⌉ of
    them are needed; t is binomial over the pairs, and P(t ≥ t₀) = I_δ(t₀, n − t₀ + 1), the regularised incomplete
    beta function, is solved for δ. Where some pairs turn the other way, too, more is needed.

    Args:
        pairs: number n of pairs (tasks).
        level: two-sided error level; that of one comparison divided by their number covers Holm's first step.
        power: probability of finding a true change of this size.

    Returns:
        δ as a share of the pairs; infinity where not even a change of all pairs could be found.

    Example:
        >>> round(smallest_detectable_loss(164), 4)
        0.0478
    """
    from scipy.special import betaincinv

    if pairs < 1 or not 0 < power < 1 or not 0 < level < 1:
        raise ValueError(f"no design: {pairs} pairs, level {level}, power {power}")
    needed = math.ceil(1 - math.log2(level))
    return float(betaincinv(needed, pairs - needed + 1, power)) if needed <= pairs else math.inf


def rank_correlation(
    one: ArrayLike, other: ArrayLike, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Spearman's ρ of two series with a percentile bootstrap interval over pairs; equal values share their mean rank.

    Args:
        one, other: [pairs], at least three.
        level: coverage of the interval.

    Returns:
        value, low, high, each −1 … 1.

    Raises:
        ValueError: fewer than three pairs, or series of different length.
    """
    from scipy.stats import spearmanr

    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if first.shape != second.shape or first.size < 3:
        raise ValueError(f"need two series of equal length, at least three pairs; got {first.shape} and {second.shape}")
    drawn = draws_with_replacement(first.size, seed=seed, resamples=resamples)
    values = [spearmanr(first[pairs], second[pairs]).statistic for pairs in drawn]
    low, high = percentile_interval(values, level)
    return float(spearmanr(first, second).statistic), float(low), float(high)


def correlate(table: pd.DataFrame, one: str, other: str, seed: int) -> pd.DataFrame:
    """`rank_correlation` of two columns as a table of one row: `value`, `low`, `high`, `pairs`."""
    interval = rank_correlation(table[one], table[other], seed=seed)
    return pd.DataFrame([(*interval, len(table))], columns=["value", "low", "high", "pairs"])
