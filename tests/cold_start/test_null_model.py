"""The null model of a cold start: divergence by hand and against scipy, the floor against counted draws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr

from compressed_code.cold_start.null_model import (
    counting_floor,
    likeliest_share,
    mixture_divergence,
    mixture_tokens,
)

TOKENS = pd.DataFrame({"token_id": [0, 1, 2, 3], "probability": [0.5, 0.25, 0.125, 0.125], "token_class": "word"})


def test_divergence_by_hand():
    shares = pd.Series({3: 0.5, 0: 0.5})  # in any order
    assert mixture_divergence(TOKENS, shares) == pytest.approx(0.5 * np.log(4))
    assert mixture_divergence(TOKENS, TOKENS.set_index("token_id")["probability"]) == 0
    assert mixture_divergence(TOKENS.assign(probability=[1.0, 0, 0, 0]), shares) == np.inf
    with pytest.raises(ValueError, match="no token 9"):
        mixture_divergence(TOKENS, pd.Series({9: 1.0}))


def test_divergence_is_the_loss_beyond_the_entropy():
    generator = np.random.default_rng(0)
    p, q = generator.dirichlet(np.ones(50), size=2)
    tokens, shares = pd.DataFrame({"token_id": range(50), "probability": q}), pd.Series(p)
    assert mixture_divergence(tokens, shares) == pytest.approx(rel_entr(p, q).sum())
    assert mixture_divergence(tokens, shares) == pytest.approx(-(p * np.log(q)).sum() + (p * np.log(p)).sum())


def test_the_null_model_is_no_distance_from_itself():
    shares = pd.Series({1: 0.75, 2: 0.25})
    null = mixture_tokens(TOKENS, shares)
    assert null["probability"].tolist() == [0, 0.75, 0.25, 0] and list(null) == list(TOKENS)
    assert mixture_divergence(null, shares) == 0


def test_the_floor_is_that_of_counted_rows():
    generator, rows = np.random.default_rng(1), 5_000
    shares = pd.Series(generator.dirichlet(np.full(40, 5.0)))
    counted = generator.multinomial(rows, shares, size=400) / rows
    assert rel_entr(shares.to_numpy(), counted).sum(axis=1).mean() == pytest.approx(
        counting_floor(shares, rows), rel=0.05
    )


@given(st.floats(0, 1), st.floats(0.1, 1), st.integers(0, 10**6))
def test_a_mixture_tells_its_own_share(part, share, seed):
    generator = np.random.default_rng(seed)
    without, pure = (pd.Series(generator.dirichlet(np.ones(6)), index=ids) for ids in (range(6), range(3, 9)))
    both = pd.concat([without, pure], axis=1).fillna(0.0)
    mixed = both[0] * (1 - share) + both[1] * share
    own = both[0] * (1 - part) + both[1] * part
    tokens = pd.DataFrame({"token_id": own.index, "probability": 0.9 * own})  # the rest begins no row
    assert likeliest_share(tokens, without, mixed, share) == pytest.approx(part, abs=1e-3)
