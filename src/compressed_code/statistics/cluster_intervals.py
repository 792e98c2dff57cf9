"""Intervals over few clusters: Student's t on what each cluster adds, widened where the clusters themselves ask for it.

The percentile bootstrap of a mean covers 80 % at 4 clusters and 92 % at 17, where 95 % are meant. Student's interval
covers normal clusters at any number, and 90 % of skewed ones at 17 (divergences of numbers and strings, of which a few
programs hold most). So the clusters are drawn again with replacement, and the interval is widened until it holds 95 %
of its own draws: the symmetric bootstrap-t (Hall 1988, On symmetric bootstrap confidence intervals, Journal of the
Royal Statistical Society B 50, 35–45), at least Student's. tests/statistics/test_coverage.py measures what that covers.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from compressed_code.statistics.intervals_and_tests import draws_with_replacement

LEAST_CLUSTERS = 7  # of fewer, Student's interval covers too little where clusters are skewed, the bootstrap-t too much
_RESAMPLES = 999
_CALIBRATED_AT = 0.95
_NO_SPREAD = 1e-9  # of a resample, beside its size: what rounding leaves where all its clusters agree


def cluster_ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, level: float = 0.95
) -> tuple[float, float, float]:
    """Ratio of sums Σ numerators / Σ denominators over clusters, with its interval.

    The ratio is linearised: cluster i departs from it by (yᵢ − r·xᵢ) / x̄, and the standard error is that of the mean of
    these departures (Cochran, Sampling Techniques, 1977, eq. 6.13). The interval is Student's with one degree of
    freedom less than clusters, widened as the module says; it draws the same resamples each time.

    Args:
        numerators, denominators: one number per cluster, [clusters].
        level: coverage of the interval.

    Returns:
        value, low, high; low and high missing for fewer than `LEAST_CLUSTERS`, and where so few clusters differ that
        the resamples give no interval.

    Raises:
        ValueError: no cluster, unequal lengths, or denominators that add to zero.
    """
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    count = above.size
    if count < 1 or above.shape != below.shape:
        raise ValueError(f"need as many numerators as denominators, at least one; got {above.shape} and {below.shape}")
    if below.sum() == 0:
        raise ValueError("the denominators add to zero")
    value = above.sum() / below.sum()
    if count < LEAST_CLUSTERS:
        return float(value), np.nan, np.nan
    departures = (above - value * below) / below.mean()
    # Each resample is linearised about its own ratio.
    times = _times_drawn(count)
    drawn_above, drawn_below = times @ above, times @ below
    ratios = np.divide(drawn_above, drawn_below, out=np.full(len(times), np.nan), where=drawn_below != 0)
    squares = times @ above**2 - 2 * ratios * (times @ (above * below)) + ratios**2 * (times @ below**2)
    squares = np.where(squares > _NO_SPREAD * (times @ above**2), squares, 0.0)
    errors = np.sqrt(squares / (count - 1) * count) / drawn_below
    half = _errors_reached(ratios - value, errors, value, count, level) * departures.std(ddof=1) / count**0.5
    return float(value), float(value - half), float(value + half)


def cluster_intervals(
    sums: pd.DataFrame, statistics: Callable[[pd.DataFrame], Mapping[str, ArrayLike]], level: float = 0.95
) -> pd.DataFrame:
    """Intervals of any smooth functions of sums over clusters, by the jackknife.

    Each cluster is left out in turn; the variance of a statistic is (n − 1)/n Σ (θ₍ᵢ₎ − θ̄)² (Efron and Stein 1981, The
    jackknife estimate of variance, Annals of Statistics 9), its interval that of Student with n − 1 degrees of freedom,
    widened as the module says, every resample with the same jackknife of its own.

    Args:
        sums: [clusters, columns], what each cluster adds.
        statistics: from totals, a row for each set of clusters, to named numbers, one per row.
        level: coverage of the intervals.

    Returns:
        Columns `low`, `high`, indexed by the names of the statistics; empty for fewer than `LEAST_CLUSTERS`, missing
        where a statistic has no value without some cluster.
    """
    count = len(sums)
    if count < LEAST_CLUSTERS:
        return pd.DataFrame(columns=["low", "high"], dtype=float)
    added = sums.to_numpy(float)

    def of(totals: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(statistics(pd.DataFrame(totals, columns=sums.columns)))

    whole, parts = of(added.sum(axis=0, keepdims=True)).iloc[0], of(added.sum(axis=0) - added)
    spread = np.sqrt(((parts - parts.mean()) ** 2).sum(skipna=False) * (count - 1) / count)
    times = _times_drawn(count)
    totals = times @ added
    rows, places = np.nonzero(times)  # a cluster that is drawn is left out once, and counts as often as it is drawn
    without = of(totals[rows] - added[places]).to_numpy()
    weights, starts = times[rows, places][:, None], np.searchsorted(rows, np.arange(len(times)))
    means = np.add.reduceat(weights * without, starts) / count
    squares = np.add.reduceat(weights * (without - means[rows]) ** 2, starts) * (count - 1) / count
    drawn = of(totals).to_numpy()
    sized = np.where(squares > (_NO_SPREAD * drawn) ** 2, squares, 0.0)
    half = _errors_reached(drawn - whole.to_numpy(), np.sqrt(sized), whole.to_numpy(), count, level) * spread
    return pd.DataFrame({"low": whole - half, "high": whole + half})


@cache
def _times_drawn(count: int) -> np.ndarray:
    """How often each resample holds each cluster, [resamples, clusters]."""
    drawn = draws_with_replacement(count, seed=0, resamples=_RESAMPLES)
    return np.stack([np.bincount(places, minlength=count) for places in drawn]).astype(float)


def _errors_reached(departures: np.ndarray, errors: np.ndarray, value: ArrayLike, count: int, level: float) -> Any:
    """How many standard errors the interval reaches: Student's, times what the resamples ask for at 95 %.

    Args:
        departures, errors: of each resample's statistic, [resamples] or [resamples, statistics]; those without a value
            do not count.
        value: of the statistic.

    Returns:
        One number per statistic; missing where more than a twentieth of the resamples have no spread and are off.
    """
    off = np.abs(departures) > _NO_SPREAD * np.abs(value)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a statistic that has no value in any resample
        reached = np.where(off, np.abs(departures) / errors, 0.0 * departures)
        asked = np.nanquantile(reached, _CALIBRATED_AT, axis=0, method="higher")
    freedom = count - 1
    widened = np.maximum(1.0, asked / _student(_CALIBRATED_AT, freedom))
    return np.where(np.isinf(widened), np.nan, widened) * _student(level, freedom)


@cache  # scipy takes as long for it as all the rest of an interval takes
def _student(level: float, freedom: int) -> float:
    """How many standard errors Student's interval reaches."""
    return stats.t.ppf((1 + level) / 2, freedom)
