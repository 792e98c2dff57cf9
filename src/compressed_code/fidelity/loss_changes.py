"""Did the loss change? Paired over programs, tested, and corrected for many comparisons. Pure functions on tables."""

import pandas as pd
from scipy import stats

from compressed_code.statistics.intervals_and_tests import holm, ratio_interval


def document_losses(tokens: pd.DataFrame) -> pd.DataFrame:
    """Loss of parent and child on each text.

    Args:
        tokens: `fidelity.token_fidelity` of one pair.

    Returns:
        Columns `document`, `unit`, `language`, `tokens`, `parent_nats`, `child_nats` (sums over tokens).
    """
    grouped = tokens.groupby(["document", "unit", "language"], sort=False, observed=True)
    table = grouped[["log_probability_parent", "log_probability_child"]].sum().mul(-1)
    table = table.set_axis(["parent_nats", "child_nats"], axis=1)
    table.insert(0, "tokens", grouped.size())
    return table.reset_index()


def loss_changes(losses: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Change of the loss per token for every pair, with its interval and test.

    The interval resamples whole units (percentile bootstrap): a program with its translations, whose changes go
    together. The test is Wilcoxon's signed-rank test on the units' mean changes per token, two-sided; `p_holm` is
    adjusted over all pairs of the table (Holm 1979).

    Args:
        losses: `document_losses` of several pairs, with a column `pair`.

    Returns:
        Columns `pair`, `value`, `low`, `high` (nats per token), `texts`, `units`, `p_value`, `p_holm`.
    """
    rows = []
    for pair, table in losses.groupby("pair", sort=False):
        units = table.groupby("unit", sort=False, observed=True)[["tokens", "parent_nats", "child_nats"]].sum()
        change = units["child_nats"] - units["parent_nats"]
        interval = ratio_interval(change, units["tokens"], seed=seed)
        per_token = change / units["tokens"]
        p_value = float(stats.wilcoxon(per_token).pvalue) if per_token.any() else 1.0
        rows.append((pair, *interval, len(table), len(units), p_value))
    result = pd.DataFrame(rows, columns=["pair", "value", "low", "high", "texts", "units", "p_value"])
    return result.assign(p_holm=holm(result["p_value"].tolist()))
