"""Intervals over few clusters: Student's t on what each cluster adds, in place of a bootstrap that is too narrow.

The percentile bootstrap of a mean covers 80 % at 4 clusters and 92 % at 17, where 95 % are meant.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats


def cluster_ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, level: float = 0.95
) -> tuple[float, float, float]:
    """Ratio of sums Σ numerators / Σ denominators over clusters, with Student's interval.

    The ratio is linearised: cluster i departs from it by (yᵢ − r·xᵢ) / x̄, and the standard error is that of the mean of
    these departures (Cochran, Sampling Techniques, 1977, eq. 6.13), with one degree of freedom less than clusters.
    Where all denominators are equal this is the ordinary t interval of a mean.

    Args:
        numerators, denominators: one number per cluster, [clusters], at least two.
        level: coverage of the interval.

    Returns:
        value, low, high.

    Raises:
        ValueError: fewer than two clusters, unequal lengths, or denominators that add to zero.
    """
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if above.size < 2 or above.shape != below.shape:
        raise ValueError(f"need as many numerators as denominators, at least two; got {above.shape} and {below.shape}")
    if below.sum() == 0:
        raise ValueError("the denominators add to zero")
    value = above.sum() / below.sum()
    departures = (above - value * below) / below.mean()
    half = stats.t.ppf((1 + level) / 2, above.size - 1) * departures.std(ddof=1) / above.size**0.5
    return float(value), float(value - half), float(value + half)


def cluster_intervals(
    sums: pd.DataFrame, statistics: Callable[[pd.DataFrame], Mapping[str, ArrayLike]], level: float = 0.95
) -> pd.DataFrame:
    """Student's intervals of any smooth functions of sums over clusters, by the jackknife.

    Each cluster is left out in turn; the variance of a statistic is (n − 1)/n Σ (θ₍ᵢ₎ − θ̄)² (Efron and Stein 1981, The
    jackknife estimate of variance, Annals of Statistics 9), its interval that of Student with n − 1 degrees of freedom.
    It draws nothing, so that the same table gives the same interval.

    Args:
        sums: [clusters, columns], what each cluster adds.
        statistics: from totals, a row for each set of clusters, to named numbers, one per row.
        level: coverage of the intervals.

    Returns:
        Columns `low`, `high`, indexed by the names of the statistics; empty for fewer than two clusters, missing where
        a statistic has no value without some cluster.
    """
    count = len(sums)
    if count < 2:
        return pd.DataFrame(columns=["low", "high"], dtype=float)
    total = sums.sum()
    without = pd.DataFrame(total.to_numpy() - sums.to_numpy(), columns=sums.columns)
    whole, parts = statistics(total.to_frame().T), pd.DataFrame(statistics(without))
    value = pd.Series({name: float(np.ravel(number)[0]) for name, number in whole.items()})
    spread = ((parts - parts.mean()) ** 2).sum(skipna=False) * (count - 1) / count
    half = stats.t.ppf((1 + level) / 2, count - 1) * np.sqrt(spread)
    return pd.DataFrame({"low": value - half, "high": value + half})
