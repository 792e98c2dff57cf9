"""The cold start of a model that knows nothing but how often each token begins a training row: the null model.

A model that is trained on rows which all begin at a document start comes to repeat what the rows begin with, whatever
else it learns. What a cold start says of a model beyond that is its divergence from this distribution.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar


def mixture_divergence(tokens: pd.DataFrame, shares: pd.Series) -> float:
    """KL(mixture‖model) in nats: what coding first tokens by the model costs beyond coding them by their true shares.

    It is the part of the model's loss at the first position of its training rows that training could still have
    removed, since cross-entropy is the mixture's entropy plus this divergence. Tokens that no row begins with count in
    it only by the mass that they take from the others.

    Args:
        tokens: `metrics.first_tokens` of a model.
        shares: probability by token id, of the tokens that come first at all; adds to 1.

    Returns:
        At least 0, up to rounding; infinity where the model rules out what a row begins with.

    Raises:
        ValueError: the model has no such token.
    """
    probability = tokens.set_index("token_id")["probability"].reindex(shares.index)
    if probability.isna().any():
        absent = shares.index[probability.isna()][0]
        raise ValueError(f"the model has no token {absent}: another tokenizer cut the rows")
    with np.errstate(divide="ignore"):
        return float((shares * (np.log(shares) - np.log(probability))).sum())


def mixture_divergences(tokens: pd.DataFrame, mixtures: Mapping[str, pd.Series]) -> pd.DataFrame:
    """`mixture_divergence` from several mixtures.

    Returns:
        Columns `mixture`, `value`.
    """
    rows = [(mixture, mixture_divergence(tokens, shares)) for mixture, shares in mixtures.items()]
    return pd.DataFrame(rows, columns=["mixture", "value"])


def mixture_tokens(tokens: pd.DataFrame, shares: pd.Series) -> pd.DataFrame:
    """The null model as if it were a model, so that all metrics of a cold start can be taken of it.

    Args:
        tokens: `metrics.first_tokens` of any model with the same tokenizer.
        shares: as in `mixture_divergence`.

    Returns:
        `tokens` with the shares as `probability`, 0 for what no row begins with.
    """
    return tokens.assign(probability=tokens["token_id"].map(shares).fillna(0.0).to_numpy(float))


def likeliest_share(tokens: pd.DataFrame, without: pd.Series, mixed: pd.Series, share: float) -> float:
    """Share of one part of the training rows that explains best what a model gives first (maximum likelihood).

    Mixtures of both parts are `without` + s / `share` · (`mixed` − `without`). The s is sought under which first tokens
    drawn from the model would be most likely; the likelihood is concave in s. Tokens that no row begins with say
    nothing of s and are left out.

    Args:
        tokens: `metrics.first_tokens` of a model.
        without: probability by token id where the part is absent.
        mixed: the same where it has the share `share`.
        share: above 0, at most 1.

    Returns:
        0 to 1.

    Example:
        >>> model = pd.DataFrame({"token_id": [0, 1], "probability": [0.7, 0.3]})
        >>> half = pd.Series({0: 0.5, 1: 0.5})
        >>> round(likeliest_share(model, pd.Series({0: 1.0}), half, share=0.5), 3)
        0.3
    """
    ids = without.index.union(mixed.index)
    own = tokens.set_index("token_id")["probability"].reindex(ids).fillna(0.0).to_numpy(float)
    start, end = (shares.reindex(ids).fillna(0.0).to_numpy(float) for shares in (without, mixed))
    step = (end - start) / share

    def surprise(part: float) -> float:
        return -float(own @ np.log(np.maximum(start + part * step, np.finfo(float).tiny)))

    return float(minimize_scalar(surprise, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-6}).x)


def counting_floor(shares: pd.Series, rows: int) -> float:
    """About how far the counted first tokens of so many rows lie from their true shares, KL in nats.

    The maximum-likelihood estimate of a distribution over k outcomes from n draws diverges by (k − 1) / (2 n) on
    average for large n (Wilks 1938: 2 n KL is χ² with k − 1 degrees of freedom). A model that counted its rows and
    nothing else would end there.

    Example:
        >>> counting_floor(pd.Series([0.5, 0.25, 0.25]), 100)
        0.01
    """
    return (len(shares) - 1) / (2 * rows)
