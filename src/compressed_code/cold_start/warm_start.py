"""What follows a single keyword that is the whole context ("warm start"), and whether the grammar's next token leads.

Pure functions on tables. data/keyword-followers.yml says for which keywords a language's grammar leaves little choice.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import model_validator

from compressed_code.core.errors import Unavailable
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml
from compressed_code.registry.languages import Language
from compressed_code.statistics.intervals_and_tests import holm, percentile_interval

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
    ranked = _ranked(warm, followers)
    rows = []
    for language, keyword, wanted in _cases(ranked, languages, followers):
        text, probability = _leading(ranked[keyword])
        kind = follower_kind(text, language.keywords)
        rows.append((language.key, keyword, wanted, text, kind, probability, kind == wanted))
    columns = ["language", "keyword", "wanted", "token", "kind", "probability", "leads"]
    return pd.DataFrame(rows, columns=columns)


def dealt_leads(warm: pd.DataFrame, languages: Iterable[Language], followers: Mapping[str, Mapping]) -> pd.DataFrame:
    """In how many languages the wanted kind would lead after a keyword if it had the leading token of another one.

    What `leading_permutations` deals: which kind a leading token is depends on the language of the keyword it is dealt
    to.

    Args:
        warm, followers: as in `leading_followers`.

    Returns:
        Counts, a row per keyword and a column per keyword whose leading token it is given, both in the same order, so
        that the diagonal holds what the model did; with the index level `cases`, the number of the row's languages.
    """
    languages, ranked = list(languages), _ranked(warm, followers)
    cases = _cases(ranked, languages, followers)
    keywords = sorted({keyword for _, keyword, _ in cases})
    leading = [_leading(ranked[keyword])[0] for keyword in keywords]
    counts = pd.DataFrame(0, index=keywords, columns=keywords)
    for language, keyword, wanted in cases:
        counts.loc[keyword] += [follower_kind(text, language.keywords) == wanted for text in leading]
    occurs = pd.Series([keyword for _, keyword, _ in cases], dtype=object).value_counts().reindex(keywords)
    counts.index = pd.MultiIndex.from_arrays([keywords, occurs], names=["keyword", "cases"])
    return counts


def leading_permutations(
    dealt: Mapping[tuple[str, str], pd.DataFrame], seed: int, permutations: int = 20_000
) -> pd.DataFrame:
    """Does the wanted kind lead more often than if the leading tokens were dealt to the keywords at random?

    A permutation deals whole keywords, the same way for all models and starts, so that their means are tested as they
    go together (Fisher 1935; Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005). The tests are
    one-sided: more often than dealt. A p-value counts the draw that was made: (1 + as many draws) / (1 + draws).
    Vocabularies differ in which keywords are one token; compared are those that are one of all.

    Args:
        dealt: (model, start) → `dealt_leads`.
        permutations: how many are drawn.

    Returns:
        A row per start and model, and one per start with the model "mean": columns `start`, `model`, `value` (share of
        cases in which the wanted kind leads), `chance` (mean over all permutations, exactly), `low`, `high` (central
        95 % of the drawn permutations), `p_value`, `p_holm` (Holm over all single models and starts; for the means,
        over the starts), `cases`, `keywords`.

    Raises:
        Unavailable: no keyword is one token of all.
    """
    dealt = _of_shared_keywords(dealt)
    first = next(iter(dealt.values()))
    keywords, cases = len(first), sum(first.index.get_level_values("cases"))
    generator = np.random.default_rng(seed)
    orders = generator.permuted(np.tile(np.arange(keywords), (permutations, 1)), axis=1)
    orders = np.vstack([np.arange(keywords), orders])  # the first one is what the models did
    shares = {case: table.to_numpy()[np.arange(keywords), orders].sum(1) / cases for case, table in dealt.items()}
    chances = {case: table.to_numpy().sum() / keywords / cases for case, table in dealt.items()}
    rows = []
    for start in dict.fromkeys(start for _, start in dealt):
        alike = [case for case in dealt if case[1] == start]
        rows += [(start, model, shares[model, start], chances[model, start]) for model, _ in alike]
        mean = np.mean([shares[case] for case in alike], axis=0)
        rows.append((start, "mean", mean, np.mean([chances[case] for case in alike])))
    table = pd.DataFrame(
        [
            (start, model, drawn[0], chance, *percentile_interval(drawn[1:]), _as_extreme(drawn), cases, keywords)
            for start, model, drawn, chance in rows
        ],
        columns=["start", "model", "value", "chance", "low", "high", "p_value", "cases", "keywords"],
    )
    of_means = table["model"] == "mean"
    for part in (of_means, ~of_means):
        table.loc[part, "p_holm"] = holm(table.loc[part, "p_value"].tolist())
    return table


def _of_shared_keywords(dealt: Mapping[tuple[str, str], pd.DataFrame]) -> dict[tuple[str, str], pd.DataFrame]:
    """The rows and columns of the keywords that all tables have, in one order."""
    shared = sorted(set.intersection(*(set(table) for table in dealt.values())))
    if not shared:
        models = ", ".join(dict.fromkeys(model for model, _ in dealt))
        raise Unavailable(
            f"{models}: no keyword is one token of all of them; name models whose vocabularies share some"
        )
    return {
        case: table.loc[table.index.get_level_values("keyword").isin(shared), shared] for case, table in dealt.items()
    }


def _as_extreme(drawn: np.ndarray) -> float:
    """Share of the draws that are at least the first one; equal ones differ by rounding at most."""
    return float((drawn >= drawn[0] - 1e-12).mean())


def _ranked(warm: pd.DataFrame, followers: Mapping[str, Mapping]) -> dict[str, pd.DataFrame]:
    """keyword that some grammar says something about → what follows it, most probable first, with its text."""
    warm = warm[warm["keyword"].isin({keyword for wanted in followers.values() for keyword in wanted})]
    warm = warm.assign(text=[t.decode("utf-8", "replace") if isinstance(t, bytes) else "" for t in warm["bytes"]])
    return {keyword: rows.sort_values("rank") for keyword, rows in warm.groupby("keyword")}


def _cases(
    ranked: Collection[str], languages: Iterable[Language], followers: Mapping[str, Mapping]
) -> list[tuple[Language, str, str]]:
    """Language, keyword and wanted kind of every keyword that was measured."""
    return [
        (language, keyword, wanted)
        for language in languages
        for keyword, wanted in followers.get(language.key, {}).items()
        if keyword in ranked
    ]


def _leading(rows: pd.DataFrame) -> tuple[str, float]:
    """The most probable token that is more than blanks, or the most probable one; text and probability."""
    texts = rows["text"].to_numpy(dtype=object)
    place = next((place for place, text in enumerate(texts) if text.strip()), 0)
    return texts[place], float(rows["probability"].iloc[place])
