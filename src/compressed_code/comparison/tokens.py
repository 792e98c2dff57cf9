"""What a table of `fidelity.token_fidelity` says: statistics, divergence by confidence, flips. Pure functions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compressed_code.cold_start.metrics import readable
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.tokenizers.vocabulary import Vocabulary

# Entropy of the base's distribution in nats: a choice among e^entropy equally likely tokens.
CONFIDENCE = (
    (0.0, 0.1, "certain"),
    (0.1, 0.5, "sure"),
    (0.5, 1.5, "in doubt"),
    (1.5, 3.0, "unsure"),
    (3.0, np.inf, "guessing"),
)
STATISTICS = (
    *("kl_mean_nats", "kl_median_nats", "kl_p90_nats", "kl_p99_nats", "reverse_kl_mean_nats"),
    *("same_top_fraction", "flip_right_to_wrong_fraction", "delta_p_mean", "delta_p_rms", "perplexity_ratio"),
)
FLIPPED = 20  # tokens that are named


def statistics(tokens: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """The statistics of `STATISTICS` with their intervals, one row each; overall or by group (`fidelity_summary`)."""
    table = fidelity_summary(tokens, by)
    return table[table["statistic"].isin(STATISTICS)].reset_index(drop=True)


def by_confidence(tokens: pd.DataFrame) -> pd.DataFrame:
    """Divergence where the base model is certain, and where it guesses.

    Returns:
        Columns `confidence`, `entropy` ("0.1 … 0.5"), `tokens`, `kl_mean_nats`, `flip_fraction`,
        `flip_right_to_wrong_fraction`, in the order of `CONFIDENCE`; without those that no token has.
    """
    rows = []
    for low, high, name in CONFIDENCE:
        chosen = tokens[(tokens["entropy_base_nats"] >= low) & (tokens["entropy_base_nats"] < high)]
        if len(chosen):
            within = f"{low:g} … {high:g}" if np.isfinite(high) else f"from {low:g}"
            lost = (chosen["flip"] == "right to wrong").mean()
            rows.append((name, within, len(chosen), chosen["kl_nats"].mean(), 1 - chosen["same_top"].mean(), lost))
    columns = ["confidence", "entropy", "tokens", "kl_mean_nats", "flip_fraction", "flip_right_to_wrong_fraction"]
    return pd.DataFrame(rows, columns=columns)


def flipped_tokens(tokens: pd.DataFrame, vocabulary: Vocabulary, count: int = FLIPPED) -> pd.DataFrame:
    """Which tokens the candidate no longer puts first where the base did so rightly, the most frequent first.

    Returns:
        Columns `token`, `token_class` (most frequent one), `occurrences` (in the texts), `lost` (of them), `instead`
        (what the candidate most often puts first), `kl_mean_nats` (where it is lost).
    """
    lost = tokens[tokens["flip"] == "right to wrong"]
    occurrences = tokens["token_id"].value_counts()
    rows = []
    for token_id, found in lost.groupby("token_id"):
        instead = found["top_candidate"].mode().iloc[0]
        kind = found["token_class"].mode().iloc[0]
        words = [readable(_bytes(vocabulary, number)) for number in (token_id, instead)]
        rows.append((words[0], kind, occurrences[token_id], len(found), words[1], found["kl_nats"].mean()))
    columns = ["token", "token_class", "occurrences", "lost", "instead", "kl_mean_nats"]
    table = pd.DataFrame(rows, columns=columns)
    return (
        table.sort_values(["lost", "kl_mean_nats"], ascending=False, kind="stable").head(count).reset_index(drop=True)
    )


def _bytes(vocabulary: Vocabulary, token_id: int) -> bytes | None:
    return vocabulary.tokens[token_id] if token_id < len(vocabulary) else None
