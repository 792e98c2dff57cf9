"""Intervals over few clusters: Student's t on what each cluster adds, in place of a bootstrap that is too narrow.

The percentile bootstrap of a mean covers 80 % at 4 clusters and 92 % at 17, where 95 % are meant.
"""

import numpy as np
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
