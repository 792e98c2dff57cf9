"""Did the loss change? Paired over texts, tested, and corrected for many comparisons. Pure functions on tables."""

import numpy as np
import pandas as pd
from scipy import stats

from helpers.statistics import holm, ratio_interval


def document_losses(tokens: pd.DataFrame) -> pd.DataFrame:
    """Loss of parent and child on each text.

    Args:
        tokens: `fidelity.token_fidelity` of one pair.

    Returns:
        Columns `document`, `language`, `tokens`, `parent_nats`, `child_nats` (sums over tokens).
    """
    grouped = tokens.groupby(["document", "language"], sort=False, observed=True)
    table = grouped[["log_probability_parent", "log_probability_child"]].sum().mul(-1)
    table = table.set_axis(["parent_nats", "child_nats"], axis=1)
    table.insert(0, "tokens", grouped.size())
    return table.reset_index()


def loss_changes(losses: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Change of the loss per token for every pair, with its interval and test.

    The interval resamples whole texts (percentile bootstrap). The test is Wilcoxon's signed-rank test on the texts'
    mean changes per token, two-sided; `p_holm` is adjusted over all pairs of the table (Holm 1979).

    Args:
        losses: `document_losses` of several pairs, with a column `pair`.

    Returns:
        Columns `pair`, `value`, `low`, `high` (nats per token), `texts`, `p_value`, `p_holm`.
    """
    rows = []
    for pair, table in losses.groupby("pair", sort=False):
        change = (table["child_nats"] - table["parent_nats"]).to_numpy()
        interval = ratio_interval(change, table["tokens"], seed=seed)
        per_token = change / table["tokens"].to_numpy()
        p_value = float(stats.wilcoxon(per_token).pvalue) if np.any(per_token) else 1.0
        rows.append((pair, *interval, len(table), p_value))
    result = pd.DataFrame(rows, columns=["pair", "value", "low", "high", "texts", "p_value"])
    return result.assign(p_holm=holm(result["p_value"].tolist()))
