"""What the zoo's training rows begin with: the null model of a cold start.

Every training row begins at a document start, so a model that has learned nothing but how often each token comes first
gives exactly this distribution. What compression does to a cold start is measured against it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from compressed_code.cold_start.null_model import likeliest_share
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import DATA
from compressed_code.zoo.dataset import MIXTURES, OPENING_SHARE, Dataset, TokenPool

FIRST_TOKENS_FILE = DATA / "zoo-first-tokens.csv"


def first_token_shares(dataset: Dataset, mixture: str) -> np.ndarray:
    """Probability of each token behind the start token of a training row, exactly: no draw is made.

    Args:
        mixture: key of `dataset.MIXTURES`.

    Returns:
        [highest token id + 1] float64, sums to 1.
    """
    share = MIXTURES[mixture]
    tasks = dataset.plain_tasks if mixture == "instruct" else dataset.varied_tasks
    parts = [
        (share, tasks),
        ((1 - share) * OPENING_SHARE, dataset.openings),
        ((1 - share) * (1 - OPENING_SHARE), dataset.documents),
    ]
    width = 1 + max(int(pool.tokens.max()) for _, pool in parts)
    return sum(weight * _first_of_pool(pool, width) for weight, pool in parts)


def write_first_tokens(dataset: Dataset, path: Path = FIRST_TOKENS_FILE) -> pd.DataFrame:
    """Write the first tokens of every mixture, `make zoo`.

    Returns:
        Columns `mixture`, `token_id`, `probability` (of tokens that come first at all).
    """
    tables = []
    for mixture in MIXTURES:
        shares = first_token_shares(dataset, mixture)
        ids = np.flatnonzero(shares)
        tables.append(pd.DataFrame({"mixture": mixture, "token_id": ids, "probability": shares[ids]}))
    table = pd.concat(tables, ignore_index=True)
    with written_whole(path) as part:
        table.to_csv(part, index=False, float_format="%.9g", lineterminator="\n")
    return table


def load_first_tokens(mixture: str, path: Path = FIRST_TOKENS_FILE) -> pd.Series:
    """The stored distribution of a mixture: probability by token id, of tokens that come first at all."""
    table = pd.read_csv(path)
    return table[table["mixture"] == mixture].set_index("token_id")["probability"]


def tasks_share(tokens: pd.DataFrame) -> float:
    """Share of tasks in the training rows, as the first tokens of a model tell it (`null_model.likeliest_share`).

    Args:
        tokens: `metrics.first_tokens` of a model with the zoo's tokenizer.
    """
    mixed = "tasks-85"
    return likeliest_share(tokens, load_first_tokens("tasks-0"), load_first_tokens(mixed), MIXTURES[mixed])


def _first_of_pool(pool: TokenPool, width: int) -> np.ndarray:
    """Documents are drawn by weight, and each begins with the start token."""
    first = pool.tokens[pool.starts[:-1] + 1]
    return np.bincount(first, weights=np.diff(pool.weights, prepend=0.0), minlength=width)
