"""What each token of a running program is: keyword, operator, identifier, number, string, comment or whitespace.

A lexer (Pygments) says it of the bytes of the text, and tokens are aligned to the text by bytes, so that the same
question can be asked of every tokenizer. (`tokenizers.vocabulary` classifies vocabulary entries, without a text.)
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name, Operator, Punctuation, _TokenType

from compressed_code.registry.languages import Language, keyword_union, select_languages
from compressed_code.tokenizers.fertility import token_spans
from compressed_code.tokenizers.vocabulary import Vocabulary

# The classes partition a text: every token falls in exactly one.
TEXT_CLASSES = (
    # Outside comments and literals a word of the language's list; or of another one's, where the lexer agrees: the list
    # of React holds what its library exports, and its programs are JavaScript.
    "keyword",
    "operator",  # operators, brackets and punctuation
    "identifier",  # any other name, types and built-in functions included
    "number",
    "string",  # quotes, documentation strings and characters included
    "comment",
    "whitespace",  # indentation, blanks and line ends, wherever they stand
    "other",  # preprocessor lines, text between tags, what the lexer does not understand
)
# Kinds of the lexer that are neither words nor blanks; the first that fits counts.
_CLASS_OF_KIND = (
    (Comment.Preproc, "other"),
    (Comment.PreprocFile, "other"),
    (Comment, "comment"),
    (Literal.Number, "number"),
    (Literal, "string"),
    (Operator, "operator"),
    (Punctuation, "operator"),
)
_CODES = {name: code for code, name in enumerate(TEXT_CLASSES)}
_BLANKS = np.frombuffer(b" \t\n\r\f\v", np.uint8)


def token_classes(
    vocabulary: Vocabulary, language: Language, text: str, ids: Sequence[int] | None = None
) -> pd.Categorical:
    """The class of every token of a text.

    A token that touches several pieces of the text has the class of its first byte that is not blank: ` return` and
    `return(` are keywords, `):` and `)\\n    ` operators. A token of nothing but blanks is whitespace, even inside a
    string or comment.

    Args:
        vocabulary: encodes the text.
        language: whose lexer and keyword list are used.
        text: a program or a part of one.
        ids: of the text, where it is encoded already.

    Returns:
        [tokens], categories `TEXT_CLASSES`, in the order of `vocabulary.encode(text)`.

    Raises:
        Unavailable: the tokens do not spell the text, or no text can be encoded.
    """
    if not text:
        return pd.Categorical([], categories=TEXT_CLASSES)
    content = np.frombuffer(text.encode(), np.uint8)
    spans = token_spans(vocabulary, text, ids)
    # For every byte, where the first visible one at or after it stands.
    visible = np.where(np.isin(content, _BLANKS), len(content), np.arange(len(content)))
    following = np.append(np.minimum.accumulate(visible[::-1])[::-1], len(content)).astype(int)
    first = following[spans[:, 0]]
    classes = np.append(byte_classes(language, text), _CODES["whitespace"])
    codes = np.where(first < spans[:, 1], classes[first], _CODES["whitespace"])
    return pd.Categorical.from_codes(codes, categories=TEXT_CLASSES)


def byte_classes(language: Language, text: str) -> np.ndarray:
    """The class of every UTF-8 byte of a text, [bytes] int8, as places in `TEXT_CLASSES`.

    All bytes of a comment or string are comment or string, blanks inside included.
    """
    # The characters as they are: `get_tokens` would rewrite line ends.
    pieces = get_lexer_by_name(language.lexer).get_tokens_unprocessed(text)
    by_character = np.full(len(text), _CODES["other"], np.int8)
    for start, kind, piece in pieces:
        by_character[start : start + len(piece)] = _CODES[_class_of(kind, piece, language)]
    widths = [len(character.encode()) for character in text] if not text.isascii() else 1
    return np.repeat(by_character, widths)


def _class_of(kind: _TokenType, piece: str, language: Language) -> str:
    """The class of one piece of the lexer."""
    if not piece.strip():
        return "whitespace"
    if kind not in Comment and kind not in Literal:
        if piece in language.keywords or (_is_reserved(kind) and piece in _keywords_of_all()):
            return "keyword"
        if kind in Name or kind in Keyword:
            return "identifier"
    return next((name for parent, name in _CLASS_OF_KIND if kind in parent), "other")


def _is_reserved(kind: _TokenType) -> bool:
    return kind in Keyword and kind not in Keyword.Type


@cache
def _keywords_of_all() -> frozenset[str]:
    return keyword_union(select_languages(None))
