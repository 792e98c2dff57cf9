"""Did the loss change? Paired over programs, tested, and corrected for many comparisons. Pure functions on tables."""

import pandas as pd
from scipy import stats

from compressed_code.statistics.cluster_intervals import cluster_ratio_interval
from compressed_code.statistics.intervals_and_tests import holm


def document_losses(tokens: pd.DataFrame) -> pd.DataFrame:
    """Loss of base model and candidate on each text.

    Args:
        tokens: `fidelity.token_fidelity` of one pair.

    Returns:
        Columns `document`, `cluster`, `language`, `tokens`, `base_nats`, `candidate_nats` (sums over tokens).
    """
    grouped = tokens.groupby(["document", "cluster", "language"], sort=False, observed=True)
    table = grouped[["log_probability_base", "log_probability_candidate"]].sum().mul(-1)
    table = table.set_axis(["base_nats", "candidate_nats"], axis=1)
    table.insert(0, "tokens", grouped.size())
    return table.reset_index()


def loss_changes(losses: pd.DataFrame) -> pd.DataFrame:
    """Change of the loss per token for every pair, with its interval and test.

    The interval is over clusters (`cluster_ratio_interval`): a program with its translations, whose changes
    go together. The test is Wilcoxon's signed-rank test on the clusters' mean changes per token, two-sided; `p_holm` is
    adjusted over all pairs of the table (Holm 1979).

    Args:
        losses: `document_losses` of several pairs, with a column `pair`.

    Returns:
        Columns `pair`, `value`, `low`, `high` (nats per token), `texts`, `clusters`, `p_value`, `p_holm`.
    """
    rows = []
    for pair, table in losses.groupby("pair", sort=False):
        clusters = table.groupby("cluster", sort=False, observed=True)[["tokens", "base_nats", "candidate_nats"]].sum()
        change = clusters["candidate_nats"] - clusters["base_nats"]
        interval = cluster_ratio_interval(change, clusters["tokens"])
        per_token = change / clusters["tokens"]
        p_value = float(stats.wilcoxon(per_token).pvalue) if per_token.any() else 1.0
        rows.append((pair, *interval, len(table), len(clusters), p_value))
    result = pd.DataFrame(rows, columns=["pair", "value", "low", "high", "texts", "clusters", "p_value"])
    return result.assign(p_holm=holm(result["p_value"].tolist()))
