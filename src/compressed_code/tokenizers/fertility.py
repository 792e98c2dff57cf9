"""What programs cost in tokens: per line, per byte, for indentation, and where keywords and identifiers are cut.

A lexer (Pygments) says what a piece of the text is; tokens are aligned to the text by bytes, so that the same
question can be asked of every tokenizer.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pandas as pd
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name

from compressed_code.core.errors import Unavailable
from compressed_code.registry.languages import Language
from compressed_code.statistics.cluster_intervals import cluster_ratio_interval
from compressed_code.tokenizers.vocabulary import Vocabulary

# Measure → (numerator, denominator) in the columns of `program_counts`.
FERTILITY_MEASURES = {
    "tokens per line": ("tokens", "lines"),
    "bytes per token": ("bytes", "tokens"),
    "indentation tokens per line": ("indentation_tokens", "lines"),
    "tokens per keyword": ("keyword_tokens", "keywords"),
    "tokens per identifier": ("identifier_tokens", "identifiers"),
    "share of keywords left whole": ("whole_keywords", "keywords"),
    "share of identifiers left whole": ("whole_identifiers", "identifiers"),
}


def token_spans(vocabulary: Vocabulary, text: str, ids: Sequence[int] | None = None) -> np.ndarray:
    """Byte offsets of the tokens of a text.

    Args:
        ids: of the text, where it is encoded already.

    Returns:
        Integers [tokens, 2]: start and end of each token in the UTF-8 bytes of the text; spans follow each other
        without a gap. A blank that the tokenizer puts before the text is cut off.

    Raises:
        Unavailable: the tokens do not spell the text (a tokenizer that rewrites it), or no text can be encoded.
    """
    pieces = [vocabulary.tokens[token_id] or b"" for token_id in (vocabulary.encode(text) if ids is None else ids)]
    joined, wanted = b"".join(pieces), text.encode()
    lead = 1 if joined == b" " + wanted else 0
    if joined[lead:] != wanted:
        raise Unavailable("this tokenizer rewrites the text it encodes, so its tokens cannot be aligned to it")
    ends = np.maximum(np.cumsum([len(piece) for piece in pieces], dtype=int) - lead, 0)
    return np.stack([np.concatenate([[0], ends])[:-1], ends], axis=1).astype(int)


def program_counts(vocabulary: Vocabulary, language: Language, text: str) -> dict[str, int]:
    """Counts behind the fertility of one program.

    Returns:
        `bytes`; `lines`: those with more than whitespace; `tokens`; `indentation_tokens`: whitespace-only tokens
        that touch the whitespace leading such a line; `keywords` and `identifiers`: their occurrences outside
        comments and literals; `keyword_tokens` and `identifier_tokens`: tokens that touch them, summed over
        occurrences; `whole_keywords` and `whole_identifiers`: occurrences that one token covers and that share
        this token with nothing but leading whitespace.
    """
    content = text.encode()
    spans = token_spans(vocabulary, text)
    blank = np.array([content[start:end].isspace() for start, end in spans], dtype=bool)
    touched = {index for span in _indentation(content) for index in _touching(spans, span)}
    counts = {
        "bytes": len(content),
        "lines": sum(bool(line.strip()) for line in content.splitlines()),
        "tokens": len(spans),
        "indentation_tokens": int(sum(blank[index] for index in touched)),
    }
    words = {"keyword": [], "identifier": []}
    for kind, span in _words(language, text):
        words[kind].append(span)
    for kind, occurrences in words.items():
        touching = [_touching(spans, span) for span in occurrences]
        counts[f"{kind}s"] = len(occurrences)
        counts[f"{kind}_tokens"] = sum(map(len, touching))
        counts[f"whole_{kind}s"] = sum(
            len(tokens) == 1 and _is_alone(content, spans[tokens[0]], span)
            for tokens, span in zip(touching, occurrences, strict=True)
        )
    return counts


def split_text(vocabulary: Vocabulary, text: str) -> list[str]:
    """The pieces that a tokenizer cuts a text into; a part of a character is written as �.

    Raises:
        Unavailable: the tokens do not spell the text, or no text can be encoded.
    """
    content = text.encode()
    return [content[start:end].decode(errors="replace") for start, end in token_spans(vocabulary, text)]


def fertility_table(counts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Ratios of `FERTILITY_MEASURES` with 95 % intervals over programs (`cluster_ratio_interval`).

    A ratio is the sum over programs divided by the sum over programs (`cluster_ratio_interval`).

    Args:
        counts: one row per group and program, with the columns of `program_counts`.
        by: columns that name a group.

    Returns:
        Columns `by`, `measure`, `value`, `low`, `high`, `programs`.
    """
    rows = []
    for group, table in counts.groupby(by, sort=False):
        for measure, (numerator, denominator) in FERTILITY_MEASURES.items():
            interval = cluster_ratio_interval(table[numerator], table[denominator])
            rows.append((*group, measure, *interval, len(table)))
    return pd.DataFrame(rows, columns=[*by, "measure", "value", "low", "high", "programs"])


def relative_cost(counts: pd.DataFrame, reference: str, by: list[str]) -> pd.DataFrame:
    """Tokens of each tokenizer over those of a reference on the same programs, with its 95 % interval over them.

    Args:
        counts: columns `tokenizer`, `program`, `tokens`, and `by`; a row for each program of a group.
        reference: the tokenizer in the denominator; it has no row of its own.
        by: columns that name a group of programs, for example `["language"]`; none for all programs together.

    Returns:
        Columns `tokenizer`, `by`, `value`, `low`, `high`, `programs`; without a row where the reference was not
        measured.
    """
    sums = counts.groupby([*by, "program", "tokenizer"], sort=False)["tokens"].sum().unstack()
    if reference not in sums:
        return pd.DataFrame(columns=["tokenizer", *by, "value", "low", "high", "programs"])
    rows = []
    for group, table in sums.groupby(by, sort=False) if by else [((), sums)]:
        for tokenizer in (name for name in dict.fromkeys(counts["tokenizer"]) if name != reference):
            pairs = table[[tokenizer, reference]].dropna()
            rows.append((tokenizer, *group, *cluster_ratio_interval(pairs[tokenizer], pairs[reference]), len(pairs)))
    return pd.DataFrame(rows, columns=["tokenizer", *by, "value", "low", "high", "programs"])


def _indentation(content: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    for line in content.splitlines(keepends=True):
        width = len(line) - len(line.lstrip())
        if 0 < width < len(line):
            yield start, start + width
        start += len(line)


@cache
def _words(language: Language, text: str) -> list[tuple[str, tuple[int, int]]]:
    """Byte spans of keywords (words of the language's list) and identifiers (other names), in order."""
    words, start = [], 0
    for kind, piece in get_lexer_by_name(language.lexer, stripnl=False, ensurenl=False).get_tokens(text):
        end = start + len(piece.encode())
        if kind not in Comment and kind not in Literal:
            if piece in language.keywords:
                words.append(("keyword", (start, end)))
            elif (kind in Name or kind in Keyword) and piece.isidentifier():
                words.append(("identifier", (start, end)))
        start = end
    return words


def _touching(spans: np.ndarray, span: tuple[int, int]) -> range:
    """Indices of the tokens that share at least one byte with a span."""
    first = int(np.searchsorted(spans[:, 1], span[0], side="right"))
    return range(first, int(np.searchsorted(spans[:, 0], span[1], side="left")))


def _is_alone(content: bytes, token: np.ndarray, span: tuple[int, int]) -> bool:
    start, end = token
    return end == span[1] and not content[start : span[0]].strip()
