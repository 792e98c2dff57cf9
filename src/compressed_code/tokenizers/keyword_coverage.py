"""Which keywords of which language a vocabulary holds as one token, and how early its training found them.

`coverage` opens tokenizers; the others are pure functions on the table of `vocabulary.vocabulary_table`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.names import as_names
from compressed_code.registry.languages import Language, keyword_union, select_languages
from compressed_code.registry.lookup import Registry, find_tokenizer, load_registry
from compressed_code.statistics.cluster_intervals import cluster_ratio_interval
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, vocabulary_table


def coverage(
    tokenizers: str | Path | Iterable[str | Path],
    languages: str | Iterable[str] | None = None,
    forms: str | Sequence[str] = tuple(KEYWORD_FORMS),
    *,
    registry: Registry | None = None,
) -> pd.DataFrame:
    """Which keywords of which language tokenizers hold as one token (`coverage_table`).

    Args:
        tokenizers: registry key, path of a file or folder, or Hub id; or several.
        languages: keys of data/keywords.yml, or one of them; by default all twelve.
        forms: keys of `KEYWORD_FORMS`: how a keyword is written.
        registry: by default data/models.yml.

    Returns:
        Column `tokenizer` and those of `coverage_table`.

    Raises:
        InputError: a tokenizer or language is unknown, or a file is broken.
        Unavailable: a tokenizer cannot be had on this machine now.

    Example:
        >>> coverage("zoo", "python", ["bare"])[["tokenizer", "language", "covered", "total"]].values.tolist()
        [['zoo', 'python', 35, 35]]
    """
    registry = registry or load_registry()
    names, asked = as_names(tokenizers), as_names(forms)
    if not names:
        raise InputError("no tokenizer was named")
    for form in (form for form in asked if form not in KEYWORD_FORMS):
        raise InputError(f"form {form!r} is unknown; there are {', '.join(KEYWORD_FORMS)}")
    chosen = select_languages(languages if languages is None else as_names(languages))
    specs = [find_tokenizer(name, registry) for name in names]  # an unknown one is told before any is opened
    tables = []
    for spec in specs:
        vocabulary = vocabulary_table(open_tokenizer(spec), keyword_union(chosen))
        tables.append(coverage_table(vocabulary, chosen, asked).assign(tokenizer=spec.key))
    stacked = pd.concat(tables, ignore_index=True)
    return stacked[["tokenizer", *stacked.columns.drop("tokenizer")]]


def coverage_table(
    vocabulary: pd.DataFrame, languages: Iterable[Language], forms: Sequence[str] = tuple(KEYWORD_FORMS)
) -> pd.DataFrame:
    """Coverage |V_kw ∩ V| / |V_kw| per language and form.

    The paper's coverage is the bare form (its "coverage", computed on `model.vocab` of a tokenizer.json). A token
    counts when its decoded bytes are exactly the form's lead followed by the keyword, so the answer does not
    depend on the tokenizer's format. Control and added tokens are not keywords.

    Args:
        vocabulary: one row per id, with `keyword` and `form`.
        languages: whose keywords are looked up.
        forms: keys of `KEYWORD_FORMS`.

    Returns:
        Columns `language`, `form`, `covered`, `total` (counts), `missing` (sorted list of words).
    """
    present = {form: frozenset(words) for form, words in vocabulary.groupby("form", observed=True)["keyword"]}
    rows = []
    for language in languages:
        for form in forms:
            missing = sorted(set(language.keywords) - present.get(form, frozenset()))
            total = len(language.keywords)
            rows.append((language.key, form, total - len(missing), total, missing))
    return pd.DataFrame(rows, columns=["language", "form", "covered", "total", "missing"])


def keyword_ranks(vocabulary: pd.DataFrame, languages: Iterable[Language]) -> pd.DataFrame:
    """Where each keyword stands in the vocabulary: the paper's rank (token id) and the merge rank.

    A keyword that is not one token in a form has no row for it; the paper gives it the rank −5000, which would
    enter every mean. Where two ids stand for the same bytes the lower one counts.

    Returns:
        Columns `language`, `keyword`, `form`, `token_id`, `merge_rank` (0 is the first merge; missing where the
        token is no merge).
    """
    found = vocabulary.dropna(subset=["keyword"]).drop_duplicates(["keyword", "form"])
    words = pd.DataFrame(
        [(language.key, word) for language in languages for word in language.keywords], columns=["language", "keyword"]
    )
    return words.merge(found[["keyword", "form", "token_id", "merge_rank"]], on="keyword")


def word_ranks(vocabulary: pd.DataFrame, words: Iterable[str]) -> pd.DataFrame:
    """Where words that are no keywords stand in the vocabulary: the control for `keyword_ranks`.

    A tokenizer that merged keywords later may have merged everything later, as where its training held more text of
    other kinds. A word that is not one token in a form has no row for it.

    Args:
        vocabulary: one row per id, with `bytes`, `token_class`, `token_id` and `merge_rank`.
        words: no keywords of any language.

    Returns:
        Columns `keyword` (the word), `form` (of `KEYWORD_FORMS`), `token_id`, `merge_rank`.
    """
    spelled = pd.DataFrame(
        [((lead + word).encode(), word, form) for word in words for form, lead in KEYWORD_FORMS.items()],
        columns=["bytes", "keyword", "form"],
    )
    found = vocabulary[vocabulary["token_class"] != "control"].drop_duplicates("bytes")
    return spelled.merge(found[["bytes", "token_id", "merge_rank"]], on="bytes").drop(columns="bytes")


def rank_ratios(ranks: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How many times later a tokenizer's training made the same keywords than a reference tokenizer's.

    Compared are merge ranks, counted from 1, not token ids: ids also count the control and byte tokens that stand
    before the first merge, whose number differs between tokenizers. Ratios are averaged on the log scale over the
    keywords that both tokenizers hold in a form, each word once however many languages share it, with Student's 95 %
    interval over keywords.

    Args:
        ranks: `keyword_ranks` or `word_ranks` rows with a `tokenizer` column.
        reference: the tokenizer in the denominator.

    Returns:
        Columns `tokenizer`, `form`, `ratio`, `low`, `high`, `keywords` (how many are compared), `later` (share of
        them that come later). Forms that fewer than ten keywords share are left out.
    """
    words = ranks.drop_duplicates(["tokenizer", "keyword", "form"])
    grid = words.pivot(index=["form", "keyword"], columns="tokenizer", values="merge_rank").astype(float) + 1
    rows = []
    for tokenizer in [name for name in dict.fromkeys(ranks["tokenizer"]) if name != reference and reference in grid]:
        for form, pairs in grid[[tokenizer, reference]].dropna().groupby("form", observed=True):
            if len(pairs) < 10:
                continue
            logs = np.log(pairs[tokenizer] / pairs[reference])
            interval = np.exp(cluster_ratio_interval(logs, np.ones(len(logs))))
            rows.append((tokenizer, form, *interval, len(pairs), float((logs > 0).mean())))
    return pd.DataFrame(rows, columns=["tokenizer", "form", "ratio", "low", "high", "keywords", "later"])
