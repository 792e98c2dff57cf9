"""What follows a single keyword that is the whole context ("warm start"), and whether the grammar's next token leads.

Pure functions on tables. data/keyword-followers.yml says for which keywords a language's grammar leaves little choice.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import model_validator

from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml
from compressed_code.registry.languages import Language
from compressed_code.statistics.intervals_and_tests import draws_with_replacement, percentile_interval, ratio_interval

FOLLOWERS_FILE = DATA / "keyword-followers.yml"


class _Followers(Record):
    """One language's row: kind of follower → keywords it follows."""

    key: str
    keyword_of: Mapping[str, str]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, row: dict) -> dict:
        kinds = {kind: words for kind, words in row.items() if kind != "key"}
        if not all(isinstance(words, str) for words in kinds.values()):
            raise ValueError("must be kind: keywords separated by blanks")
        words = [word for text in kinds.values() for word in text.split()]
        if len(words) != len(set(words)):
            raise ValueError("names a keyword twice")
        return {
            "key": row["key"],
            "keyword_of": {word: kind for kind, text in kinds.items() for word in text.split()},
        }


def load_followers(path: Path = FOLLOWERS_FILE) -> Mapping[str, Mapping[str, str]]:
    """language → keyword → what follows it: `"identifier"` or one character.

    Raises:
        InputError: naming file, row and field.
    """
    rows = parse_rows(_Followers, read_yaml(path), path)
    return {key: row.keyword_of for key, row in rows.items()}


def follower_kind(text: str, keywords: Iterable[str]) -> str:
    """What a piece of text begins with, blanks aside.

    Args:
        text: what follows.
        keywords: of the language; a whole word among them is no identifier.

    Returns:
        `"identifier"`, `"keyword"`, `"blank"` (nothing but whitespace), or the first character.

    Example:
        >>> follower_kind(" name", {"def"}), follower_kind("():", {"def"}), follower_kind(" def", {"def"})
        ('identifier', '(', 'keyword')
    """
    word = text.strip()
    if not word:
        return "blank"
    if word in keywords:
        return "keyword"
    # PHP writes variables with a leading $, which are no names in the places of the table.
    return "identifier" if word[0].isalpha() or word[0] == "_" else word[0]


def leading_followers(
    warm: pd.DataFrame, languages: Iterable[Language], followers: Mapping[str, Mapping]
) -> pd.DataFrame:
    """Whether the most probable token after a keyword, blanks skipped, is of the kind the grammar wants.

    Args:
        warm: columns `keyword`, `rank` (1 is the most probable), `bytes` (of the token), `probability` of one model.
        followers: `load_followers`.

    Returns:
        Columns `language`, `keyword`, `wanted`, `token` (text of the leading one), `kind`, `probability`, `leads`.
        Keywords that are no single token have no row.
    """
    warm = warm.assign(text=[t.decode("utf-8", "replace") if isinstance(t, bytes) else "" for t in warm["bytes"]])
    ranked = {keyword: rows.sort_values("rank") for keyword, rows in warm.groupby("keyword")}
    rows = []
    for language in languages:
        for keyword, wanted in followers.get(language.key, {}).items():
            if keyword not in ranked:
                continue
            following = zip(ranked[keyword]["text"], ranked[keyword]["probability"], strict=True)
            kinds = [(follower_kind(text, language.keywords), text, share) for text, share in following]
            kind, text, probability = next((entry for entry in kinds if entry[0] != "blank"), kinds[0])
            rows.append((language.key, keyword, wanted, text, kind, probability, kind == wanted))
    columns = ["language", "keyword", "wanted", "token", "kind", "probability", "leads"]
    return pd.DataFrame(rows, columns=columns)


def chance_of_leading(leads: pd.DataFrame) -> float:
    """How often the wanted kind would lead if leading tokens were dealt at random: Σ share_wanted · share_led.

    The noise floor of `leading_followers`: a model that writes identifiers after everything reaches it.

    Args:
        leads: rows of `leading_followers`.
    """
    wanted, led = (leads[column].value_counts(normalize=True) for column in ("wanted", "kind"))
    return float(wanted.mul(led, fill_value=0).sum())


def leading_shares(leads: pd.DataFrame, seed: int) -> pd.DataFrame:
    """How often the wanted kind leads, with a 95 % bootstrap interval over keywords, beside chance.

    A keyword that several languages share counts once per language but is resampled as one: a model does not know which
    language is meant.

    Args:
        leads: rows of `leading_followers` of one model.

    Returns:
        One row: `value`, `low`, `high`, `chance` (`chance_of_leading`), `cases`, `keywords`.
    """
    by_keyword = leads.groupby("keyword")["leads"].agg(["sum", "size"])
    interval = ratio_interval(by_keyword["sum"], by_keyword["size"], seed=seed)
    row = (*interval, chance_of_leading(leads), len(leads), len(by_keyword))
    return pd.DataFrame([row], columns=["value", "low", "high", "chance", "cases", "keywords"])


def leading_contrasts(leads: pd.DataFrame, seed: int, resamples: int = 20_000, level: float = 0.95) -> pd.DataFrame:
    """How far the wanted kind leads beyond chance, and after the document start beyond the keyword alone, in pairs.

    Every resample draws keywords, each with all its languages, once for all models and starts, and takes share and
    chance (`chance_of_leading`) of the same draw: what differences share cancels, which separate intervals do not see.
    Percentile bootstrap.

    Args:
        leads: rows of `leading_followers` with the columns `model` and `start` ("document", "alone").
        level: coverage of the intervals.

    Returns:
        Columns `contrast` ("document": share minus chance after the document start; "alone": the same after the
        keyword alone; "starts": share after the document start minus share after the keyword alone; "starts beyond
        chance": the difference of the first two), `model` ("mean" last: the mean over models), `value`, `low`, `high`.
    """
    keywords = list(dict.fromkeys(leads["keyword"]))
    drawn = draws_with_replacement(len(keywords), seed=seed, resamples=resamples)
    # How often a draw holds each keyword; the first row is the sample itself. [1 + resamples, keywords]
    weights = np.stack([np.ones(len(keywords)), *(np.bincount(draw, minlength=len(keywords)) for draw in drawn)])
    share, beyond = {}, {}
    for case, rows in leads.groupby(["model", "start"], sort=False):
        share[case], chance = _weighted_shares(rows, keywords, weights)
        beyond[case] = share[case] - chance
    models = list(dict.fromkeys(leads["model"]))
    by_contrast = {
        "document": {model: beyond[model, "document"] for model in models},
        "alone": {model: beyond[model, "alone"] for model in models},
        "starts": {model: share[model, "document"] - share[model, "alone"] for model in models},
        "starts beyond chance": {model: beyond[model, "document"] - beyond[model, "alone"] for model in models},
    }
    rows = []
    for contrast, by_model in by_contrast.items():
        for model, values in {**by_model, "mean": np.mean(list(by_model.values()), axis=0)}.items():
            low, high = percentile_interval(values[1:], level)
            rows.append((contrast, model, values[0], low, high))
    return pd.DataFrame(rows, columns=["contrast", "model", "value", "low", "high"])


def _weighted_shares(leads: pd.DataFrame, keywords: list[str], weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of cases in which the wanted kind leads, and chance, with each keyword counted by its weight; [draws]."""
    kinds = pd.unique(pd.concat([leads["wanted"], leads["kind"]]))
    by_keyword = leads.groupby("keyword")
    led = weights @ by_keyword["leads"].sum().reindex(keywords, fill_value=0).to_numpy(float)
    cases = np.maximum(weights @ by_keyword.size().reindex(keywords, fill_value=0).to_numpy(float), 1)
    counts = [
        weights @ pd.crosstab(leads["keyword"], leads[column]).reindex(keywords, columns=kinds, fill_value=0).to_numpy()
        for column in ("wanted", "kind")
    ]
    return led / cases, (counts[0] * counts[1]).sum(axis=1) / cases**2
