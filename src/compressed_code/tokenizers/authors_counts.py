"""The authors' recorded tokenizer counts beside ours, with a verdict per number and the reason where it differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import Field

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml
from compressed_code.registry.languages import Language
from compressed_code.tokenizers.composition import dead_tokens, special_character_share
from compressed_code.tokenizers.keyword_coverage import coverage_table

RECORDED_FILE = DATA / "reference" / "authors-tokenizers.yml"


class RecordedTokenizer(Record):
    """The authors' numbers for one tokenizer.

    `special_character_percent` is rounded to one decimal and its rule is not known; `output_rows` is the width of the
    output layer in the published configuration, one candidate for what it was divided by.
    """

    key: str
    vocabulary_size: int
    dead_tokens: int
    special_character_percent: float
    output_rows: int
    missing_keywords: dict[str, int]


class ListDifference(Record):
    """How an authors' keyword list differs from ours of the same language."""

    key: str
    adds: list[str] = Field(default_factory=list)
    omits: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Recorded:
    """Contents of data/reference/authors-tokenizers.yml."""

    tokenizers: Mapping[str, RecordedTokenizer]
    lists: Mapping[str, ListDifference]


def load_recorded(path: Path = RECORDED_FILE) -> Recorded:
    """Read the authors' numbers.

    Raises:
        InputError: naming file, row and field.
    """
    content = read_yaml(path)
    if set(content) != {"keyword_lists", "recorded"}:
        raise InputError(f"{path}: must hold keyword_lists and recorded")
    lists = parse_rows(ListDifference, content["keyword_lists"], path, "keyword_lists.")
    return Recorded(parse_rows(RecordedTokenizer, content["recorded"], path, "recorded."), lists)


def authors_list(language: Language, difference: ListDifference) -> list[str]:
    """The authors' keyword list of a language, restored from ours."""
    return sorted((set(language.keywords) - set(difference.omits)) | set(difference.adds))


def compare_with_recorded(
    vocabularies: Mapping[str, pd.DataFrame], languages: Mapping[str, Language], recorded: Recorded
) -> pd.DataFrame:
    """One row per recorded number.

    Args:
        vocabularies: tables of `vocabulary.vocabulary_table` by tokenizer; tokenizers without a record are skipped.
        languages: by key.

    Returns:
        Columns `tokenizer`, `quantity`, `recorded`, `by_their_rule` (measured here with the authors' list or rule),
        `ours` (with our definition), `verdict` (`"reproduced"` when `by_their_rule` equals `recorded` at its
        precision, else `"differs"`), `reason` (why `ours` is another number; empty where it is the same).

    Raises:
        Unavailable: the authors recorded nothing for any of these tokenizers.
    """
    if not set(recorded.tokenizers) & set(vocabularies):
        raise Unavailable(f"no counts are recorded for {', '.join(vocabularies)}")
    rows = []
    for tokenizer, record in recorded.tokenizers.items():
        if tokenizer not in vocabularies:
            continue
        table = vocabularies[tokenizer]
        base = table[~table["added"]]
        rows.append((tokenizer, "vocabulary size", record.vocabulary_size, _base_size(table), len(table), _SIZE_REASON))
        whitespace = int((base["token_class"] == "whitespace").sum())
        rows.append((tokenizer, "dead tokens", record.dead_tokens, dead_tokens(table), whitespace, _DEAD_REASON))
        share, share_of_rows = (
            round(100 * special_character_share(table, size), 1) for size in (_base_size(table), record.output_rows)
        )
        operators = round(100 * (base["token_class"] == "operator").mean(), 1)
        reason = _SHARE_REASON.format(rows=record.output_rows, share=share_of_rows)
        rows.append((tokenizer, "special characters, %", record.special_character_percent, share, operators, reason))
        rows += _missing_rows(tokenizer, table, record, languages, recorded.lists)
    columns = ["tokenizer", "quantity", "recorded", "by_their_rule", "ours", "reason"]
    frame = pd.DataFrame(rows, columns=columns)
    verdict = (frame["recorded"] == frame["by_their_rule"]).map({True: "reproduced", False: "differs"})
    frame.insert(5, "verdict", verdict)
    frame["reason"] = frame["reason"].where(frame["ours"] != frame["by_their_rule"], "")
    return frame


def _missing_rows(
    tokenizer: str,
    table: pd.DataFrame,
    record: RecordedTokenizer,
    languages: Mapping[str, Language],
    lists: Mapping[str, ListDifference],
) -> list[tuple]:
    vocabulary = frozenset(table.loc[~table["added"], "bytes"].dropna())
    chosen = [languages[key] for key in record.missing_keywords]
    ours = coverage_table(table, chosen, forms=["bare"]).set_index("language")["missing"].map(len)
    rows = []
    for language in chosen:
        words = authors_list(language, lists[language.key])
        theirs = sum(word.encode() not in vocabulary for word in words)
        reason = _list_reason(lists[language.key])
        rows.append(
            (
                tokenizer,
                f"missing keywords, {language.label}",
                record.missing_keywords[language.key],
                theirs,
                int(ours[language.key]),
                reason,
            )
        )
    total = (sum(record.missing_keywords.values()), sum(row[3] for row in rows), sum(row[4] for row in rows))
    changed = [language.label for language in chosen if _list_reason(lists[language.key])]
    return [*rows, (tokenizer, "missing keywords, eight lists", *total, f"the lists differ in {', '.join(changed)}")]


def _list_reason(difference: ListDifference) -> str:
    parts = []
    if difference.adds:
        parts.append(f"their list adds {_brief(difference.adds)}")
    if difference.omits:
        parts.append(f"omits {_brief(difference.omits)}")
    return ", ".join(parts)


def _brief(words: list[str], limit: int = 4) -> str:
    return ", ".join(words) if len(words) <= limit else f"{', '.join(words[:limit])} and {len(words) - limit} more"


def _base_size(table: pd.DataFrame) -> int:
    """Entries of the model's vocabulary: all ids before the control tokens appended at the end."""
    kept = table.loc[~table["added"], "token_id"]
    return int(kept.max()) + 1


_SIZE_REASON = "with the control tokens appended after the vocabulary"
_DEAD_REASON = "our class whitespace leaves out U+001C to U+001F, which are control characters"
_SHARE_REASON = (
    "theirs fits tokens with any ASCII punctuation but the underscore ({share} of all {rows:,} output rows);"
    " ours is the class operator, punctuation and nothing else"
)
