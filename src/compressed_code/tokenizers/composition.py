"""What a vocabulary is made of, and what two vocabularies share.

Pure functions on the table of `vocabulary.vocabulary_table`.
"""

import itertools
import string
from collections.abc import Mapping

import pandas as pd

from compressed_code.tokenizers.vocabulary import PROGRAMMING_CLASSES, TOKEN_CLASSES

# "Any ASCII punctuation but the underscore": the rule that reproduces the paper's 12.1 % for Qwen2.5.
_ASCII_PUNCTUATION = frozenset((string.punctuation.replace("_", "")).encode())


def class_counts(vocabulary: pd.DataFrame) -> pd.DataFrame:
    """Number of tokens and share of the vocabulary per token class; counts add to the size, shares to 1.

    Returns:
        Columns `token_class`, `tokens`, `share`, one row per class of `TOKEN_CLASSES`.
    """
    counts = vocabulary["token_class"].value_counts().reindex(TOKEN_CLASSES, fill_value=0)
    return pd.DataFrame(
        {"token_class": TOKEN_CLASSES, "tokens": counts.to_numpy(), "share": counts.to_numpy() / len(vocabulary)}
    )


def dead_tokens(vocabulary: pd.DataFrame) -> int:
    """The authors' "dead tokens": base tokens that decode to nothing but what Python's `str.strip` removes.

    It is the class `whitespace` and the four information separators U+001C to U+001F, which are control characters.
    """
    return sum(token.decode("utf-8", "replace").strip() == "" for token in _base_tokens(vocabulary))


def special_character_share(vocabulary: pd.DataFrame, size: int | None = None) -> float:
    """Share of tokens with at least one ASCII punctuation character other than the underscore.

    Args:
        size: what the count is divided by; by default the number of rows.
    """
    return sum(map(has_punctuation, _base_tokens(vocabulary))) / (size or len(vocabulary))


def has_punctuation(token: bytes) -> bool:
    """Whether a token holds an ASCII punctuation character other than the underscore."""
    return not _ASCII_PUNCTUATION.isdisjoint(token)


def overlap_table(vocabularies: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Jaccard overlap |A ∩ B| / |A ∪ B| of decoded byte strings, for every ordered pair of vocabularies.

    Control and added tokens are left out: their names are a convention, not text.

    Returns:
        Columns `first`, `second`, `tokens` (`"all"` or `"programming"`: classes keyword, operator, whitespace),
        `shared` and `united` (counts), `jaccard`.
    """
    sets = {
        (name, part): frozenset(_base_tokens(table[table["token_class"].isin(classes)]))
        for name, table in vocabularies.items()
        for part, classes in (("all", TOKEN_CLASSES), ("programming", PROGRAMMING_CLASSES))
    }
    rows = []
    for first, second in itertools.product(vocabularies, repeat=2):
        for part in ("all", "programming"):
            a, b = sets[first, part], sets[second, part]
            rows.append((first, second, part, len(a & b), len(a | b), len(a & b) / len(a | b)))
    return pd.DataFrame(rows, columns=["first", "second", "tokens", "shared", "united", "jaccard"])


def _base_tokens(vocabulary: pd.DataFrame) -> list[bytes]:
    return vocabulary.loc[~vocabulary["added"], "bytes"].dropna().tolist()
