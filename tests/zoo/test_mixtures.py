"""What training rows begin with, against rows that are drawn."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from compressed_code.zoo.dataset import MIXTURES, Dataset, TokenPool
from compressed_code.zoo.mixtures import first_token_shares, load_first_tokens, write_first_tokens

BOS, EOS = 0, 1


def pool(documents: list[list[int]], weights: list[float]) -> TokenPool:
    pieces = [[BOS, *document, EOS] for document in documents]
    starts = np.cumsum([0, *map(len, pieces)])
    return TokenPool(np.concatenate(pieces).astype(np.uint16), starts, np.cumsum(np.array(weights) / sum(weights)))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset(
        varied_tasks=pool([[2, 9], [3], [2, 8, 8]], [1, 1, 1]),
        plain_tasks=pool([[2, 9]], [1]),
        documents=pool([[4, 5], [5], [6, 6]], [5, 3, 2]),
        openings=pool([[7], [4]], [1, 3]),
    )


def test_shares_by_hand(dataset):
    shares = first_token_shares(dataset, "base")
    assert shares[[2, 3, 4, 5, 6, 7]] == pytest.approx(
        [1 / 2 * 2 / 3, 1 / 2 * 1 / 3, 1 / 4 * 0.75 + 1 / 4 * 0.5, 1 / 4 * 0.3, 1 / 4 * 0.2, 1 / 4 * 0.25]
    )
    assert first_token_shares(dataset, "instruct")[2] == pytest.approx(0.85)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_shares_are_those_of_drawn_rows(dataset, mixture):
    shares = first_token_shares(dataset, mixture)
    assert shares.sum() == pytest.approx(1)
    drawn = np.concatenate([dataset.batch(mixture, seed=3, step=step, rows=100, length=4)[:, 1] for step in range(30)])
    counts = np.bincount(drawn, minlength=len(shares))
    possible = shares > 0
    assert not counts[~possible].any()
    assert chisquare(counts[possible], shares[possible] * counts.sum()).pvalue > 1e-4


def test_what_is_written_is_read_back(dataset, tmp_path):
    path = tmp_path / "first.csv"
    table = write_first_tokens(dataset, path)
    assert isinstance(table, pd.DataFrame)
    for mixture in MIXTURES:
        read = load_first_tokens(mixture, path)
        assert read.to_numpy() == pytest.approx(first_token_shares(dataset, mixture)[read.index])
        assert read.sum() == pytest.approx(1)
