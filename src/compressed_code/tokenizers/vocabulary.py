"""A tokenizer's vocabulary as bytes: token classes and keyword forms.

Everything here works on decoded bytes, so that `Ġdef`, `▁def` and ` def` are one token in every format.
"""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import regex

from compressed_code.core.errors import Unavailable

if TYPE_CHECKING:
    import pandas as pd

_NORMAL_FORMS = ("NFC", "NFKC", "NFD", "NFKD")

# The classes partition a vocabulary: every id falls in exactly one, so that probability masses add to 1.
TOKEN_CLASSES = (
    "keyword",  # a keyword of one of the languages, after any leading whitespace
    "operator",  # punctuation, brackets, operators and other symbols, with any whitespace around
    "whitespace",  # indentation, line ends, blanks
    "digits",  # decimal digits, after any leading whitespace
    "word",  # letters only, after any leading whitespace
    "mixed",  # anything else that is text: identifiers with digits or underscores, `.append`, `");`
    "incomplete",  # bytes that are not valid UTF-8 by themselves
    "control",  # control and added tokens, and bytes that are control characters
    "padding",  # ids without a token: rows of the output layer beyond the tokenizer
)
PROGRAMMING_CLASSES = ("keyword", "operator", "whitespace")

# How a keyword can stand in a vocabulary: by what leads it.
KEYWORD_FORMS: Mapping[str, str] = {"bare": "", "space": " ", "newline": "\n", "tab": "\t"}

_SHAPE = regex.compile(
    r"(?P<whitespace>\s+)"
    r"|\s*(?P<word>[\p{L}\p{M}]+)"
    r"|\s*(?P<operator>(?:(?!_)[\p{P}\p{S}])+)\s*"
    r"|\s*(?P<digits>\p{Nd}+)"
    r"|(?P<control>\p{Cc}+)"
)


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, whatever file it came from.

    Attributes:
        tokens: id → the bytes the token stands for; `None` where an id has no token.
        added: ids of control tokens and of tokens added after training; all of them are of class control, but those
            that are white space.
        merge_rank: id → how many tokens were merged before it (0 is the first merge); ids that are no merge, and
            formats without merges, are absent.
        encode: text → ids, without adding a start or end token. Joined, their bytes are the text (`checked`).
    """

    tokens: tuple[bytes | None, ...]
    added: frozenset[int]
    merge_rank: Mapping[int, int]
    encode: Callable[[str], list[int]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.tokens)


def checked(encode: Callable[[str], list[int]], tokens: Sequence[bytes | None], origin: str) -> Callable:
    """An encoder that stops where its ids do not spell the text.

    They may spell it with one blank before it, as some SentencePiece tokenizers do, or in a normal form of Unicode.

    Args:
        encode: text → ids.
        tokens: id → bytes.
        origin: of the tokenizer, for the message.
    """

    def encode_checked(text: str) -> list[int]:
        ids = encode(text)
        if not _spells(b"".join(tokens[number] or b"" for number in ids), text):
            raise Unavailable(
                f"{origin}: its ids do not spell the text ({text[:40]!r} …), so it is not the text that a model would"
                " read; name another tokenizer"
            )
        return ids

    return encode_checked


def _spells(spelt: bytes, text: str) -> bool:
    encoded = text.encode("utf-8", "surrogatepass")
    if spelt in (encoded, b" " + encoded):
        return True
    decoded = spelt.decode("utf-8", "replace")
    normal_forms = (unicodedata.normalize(form, text) for form in _NORMAL_FORMS)
    return any(decoded in (normal, f" {normal}") for normal in normal_forms)


def classify(token: bytes | None, keywords: Collection[str]) -> tuple[str, str | None, str | None]:
    """Class, keyword and keyword form of one token that is neither control nor added.

    Args:
        token: decoded bytes; `None` is an id without a token.
        keywords: the words that count as keywords.

    Returns:
        One of `TOKEN_CLASSES`; for a keyword also the word and its form, which is a key of `KEYWORD_FORMS` or
        `"other"` (led by other whitespace).

    Example:
        >>> classify(b" def", {"def"}), classify(b"):\\n", {"def"})[0], classify(b"x1", {"def"})[0]
        (('keyword', 'def', 'space'), 'operator', 'mixed')
    """
    if token is None:
        return "padding", None, None
    try:
        text = token.decode("utf-8")
    except UnicodeDecodeError:
        return "incomplete", None, None
    word = text.lstrip()
    if word in keywords:
        return "keyword", word, _FORM_OF_LEAD.get(text[: len(text) - len(word)], "other")
    if word.isalpha():  # most of a vocabulary; the general pattern below says the same, more slowly
        return "word", None, None
    match = _SHAPE.fullmatch(text)
    return (match.lastgroup if match else "mixed"), None, None


def _added_class(token: bytes | None) -> tuple[str, None, None]:
    """Added tokens are no text of a programming language, but runs of blanks are what they are."""
    return ("whitespace" if token and token.decode("utf-8", "replace").isspace() else "control"), None, None


def vocabulary_table(vocabulary: Vocabulary, keywords: Collection[str]) -> "pd.DataFrame":
    """One row per id of a vocabulary.

    Returns:
        Columns `token_id`, `bytes`, `added` (control and added tokens), `token_class` (categorical, `TOKEN_CLASSES`),
        `keyword`, `form` (both missing for other classes), `merge_rank` (nullable integer), in the order of ids.
    """
    import pandas as pd

    words = frozenset(keywords)
    rows = [
        _added_class(token) if token_id in vocabulary.added else classify(token, words)
        for token_id, token in enumerate(vocabulary.tokens)
    ]
    classes, found, forms = zip(*rows, strict=True)
    ranks = pd.array([vocabulary.merge_rank.get(token_id) for token_id in range(len(rows))], dtype="Int32")
    return pd.DataFrame(
        {
            "token_id": range(len(rows)),
            "bytes": pd.Series(vocabulary.tokens, dtype=object),
            "added": [token_id in vocabulary.added for token_id in range(len(rows))],
            "token_class": pd.Categorical(classes, categories=TOKEN_CLASSES),
            "keyword": pd.Series(found, dtype=object),
            "form": pd.Categorical(forms, categories=[*KEYWORD_FORMS, "other"]),
            "merge_rank": ranks,
        }
    )


_FORM_OF_LEAD = {lead: form for form, lead in KEYWORD_FORMS.items()}
