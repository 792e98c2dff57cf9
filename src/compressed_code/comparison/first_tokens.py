"""What models want to write first, beside each other: divergence both ways, shares of the paper, tokens that moved."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compressed_code.cold_start.metrics import divergence, language_masses, load_english_words, metric_table, readable
from compressed_code.registry.languages import select_languages

MOVED = 12  # tokens that are named
SHARES = ("pkp", "stp", "kap", "nlp")  # of the paper (`cold_start.metrics`)
_KEYS = ["model", "context"]


def first_token_table(tokens: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Shares and divergence of every model's first token.

    Args:
        tokens: `measurements.cold_start.with_tokens` of all models, one context.
        models: the base first.

    Returns:
        Columns `model`, `SHARES`, `entropy_nats`, `kl_nats` KL(base‖model) and `reverse_kl_nats`; the last two are
        missing where the rows of the two output layers are not the same tokens.
    """
    languages, english = select_languages(None), load_english_words()
    parts = {model: tokens[tokens["model"] == model].reset_index(drop=True) for model in models}
    base, rows = parts[models[0]], []
    for model, part in parts.items():
        metrics = metric_table(part, languages, english).set_index("metric")["value"]
        row = {"model": model, **{name: metrics[name] for name in (*SHARES, "entropy_nats")}}
        rows.append(row | divergences(base, part))
    return pd.DataFrame(rows)


def divergences(base: pd.DataFrame, part: pd.DataFrame) -> dict[str, float]:
    """KL both ways of two first-token distributions, over the rows that both have, renormalised; NaN where they differ.

    Args:
        base, part: `cold_start.metrics.first_tokens` of each.
    """
    width = min(len(base), len(part))
    if not base["bytes"][:width].equals(part["bytes"][:width]):
        return {"kl_nats": np.nan, "reverse_kl_nats": np.nan}
    one, other = (side["probability"][:width] / side["probability"][:width].sum() for side in (base, part))
    held = (one > 0) & (other > 0)  # what float64 cannot tell from 0 adds nothing that could be printed
    return {
        "kl_nats": max(0.0, divergence(one[held], other[held])),
        "reverse_kl_nats": max(0.0, divergence(other[held], one[held])),
    }


def shares_by_language(tokens: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """PKP of each language: the probability that the first token spells one of its keywords.

    Returns:
        Columns `language` and one per model.
    """
    languages = select_languages(None)
    columns = {
        model: language_masses(tokens[tokens["model"] == model], languages)
        .groupby("language", sort=False)["probability"]
        .sum()
        for model in models
    }
    return pd.DataFrame(columns).rename_axis("language").reset_index()


def moved_tokens(tokens: pd.DataFrame, base: str, candidate: str, count: int = MOVED) -> pd.DataFrame:
    """The tokens whose probability of being first changed most.

    Returns:
        Columns `token`, `token_class`, `base`, `candidate` (probabilities), `change`, the largest change first; tokens
        are told apart by their bytes, so that vocabularies may differ.
    """
    sides = [
        tokens[(tokens["model"] == model) & tokens["bytes"].notna()]
        .assign(token=lambda rows: [readable(token) for token in rows["bytes"]])
        .groupby("token", as_index=False, observed=True)
        .agg(token_class=("token_class", "first"), probability=("probability", "sum"))
        for model in (base, candidate)
    ]
    both = sides[0].merge(sides[1], on="token", how="outer", suffixes=("_base", "_candidate"))
    table = pd.DataFrame(
        {
            "token": both["token"],
            "token_class": both["token_class_base"].astype(object).fillna(both["token_class_candidate"].astype(object)),
            "base": both["probability_base"].fillna(0.0),
            "candidate": both["probability_candidate"].fillna(0.0),
        }
    )
    table["change"] = table["candidate"] - table["base"]
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index[:count]
    return table.loc[order].reset_index(drop=True)
