"""Which classes of token change more than the base model's own uncertainty explains.

Where a model is unsure, a small error turns its most probable token; strings and names are what it is unsure of. So
classes are compared at equal uncertainty: with the share of changed tokens among all tokens of about the same entropy.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compressed_code.statistics.cluster_intervals import cluster_ratio_interval

COLUMNS = ("group", "value", "low", "high", "observed", "expected", "tokens", "clusters")


def changes_at_equal_uncertainty(
    tokens: pd.DataFrame, by: str = "token_class", *, bins: int = 20, comparisons: int = 1
) -> pd.DataFrame:
    """Changed most probable tokens of each group, over as many as its uncertainty lets expect.

    Tokens are put into bins of equal size by the entropy of the base model's prediction. A token is expected to change
    with the share of changed tokens in its bin, whatever their group (indirect standardisation, as in epidemiology's
    standardised mortality ratio).

    Args:
        tokens: `pair.token_fidelity`, of one pair.
        by: column that names the group.
        bins: of entropy; fewer where entropies coincide.
        comparisons: how many groups and pairs are looked at; intervals are corrected for them (Bonferroni).

    Returns:
        Columns `COLUMNS`, a row per group: `value` is observed / expected with its interval over clusters (95 %,
        bins held fixed; `cluster_ratio_interval`); missing where nothing is expected, the interval also where too few
        clusters have the group.
    """
    entropy = tokens["entropy_base_nats"].to_numpy(float)
    edges = np.unique(np.quantile(entropy, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, entropy, side="right")
    changed = 1.0 - tokens["same_top"].to_numpy(float)
    rates = np.bincount(place, changed, len(edges) + 1) / np.maximum(np.bincount(place, minlength=len(edges) + 1), 1)
    counted = pd.DataFrame({"group": tokens[by].to_numpy(), "cluster": tokens["cluster"].to_numpy()})
    counted = counted.assign(observed=changed, expected=rates[place], tokens=1)
    sums = counted.groupby(["group", "cluster"], observed=True)[["observed", "expected", "tokens"]].sum()
    level = 1 - 0.05 / comparisons
    rows = [
        (group, *_ratio(own["observed"], own["expected"], level), *own.sum(), len(own))
        for group, own in sums.groupby("group", sort=False)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"tokens": int})


def _ratio(observed: Sequence[float], expected: Sequence[float], level: float) -> tuple[float, float, float]:
    if not np.sum(expected):
        return (np.nan, np.nan, np.nan)
    return cluster_ratio_interval(observed, expected, level)
