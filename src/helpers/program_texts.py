"""What written programs are made of: classes of Python tokens, and how much of the text repeats itself."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

# Class → Pygments types, the first that fits counts; a docstring is a string, `and` and `in` are keywords.
_CLASSES = {
    "keyword": (Keyword, Operator.Word),
    "operator": (Operator, Punctuation),
    "number": (Number,),
    "string": (String,),
    "comment": (Comment,),
    "name": (Name,),
    "whitespace": (Whitespace,),
}
WRITTEN_CLASSES = (*_CLASSES, "other")
_WORD = re.compile(r"\w+|[^\w\s]")


def class_shares(texts: Iterable[str]) -> pd.DataFrame:
    """Token-class make-up of Python texts, whole or not, pooled over them.

    Tokens are those of the Pygments lexer; neighbouring pieces of a string, comment or whitespace count as one (the
    lexer cuts strings at their quotes and whitespace at line breaks). Keywords include the word operators (`and`,
    `in`) and constants (`None`); `other` is what is no Python.

    Returns:
        Columns `token_class`, `tokens`, `share` (of the tokens), `characters`, one row per class of `WRITTEN_CLASSES`;
        shares are 0 where there is no text.
    """
    tokens: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    lexer = get_lexer_by_name("python", stripnl=False, ensurenl=False)
    for text in texts:
        previous = ""
        for kind, piece in lexer.get_tokens(text):
            token_class = _token_class(kind, piece)
            joins = token_class == previous and token_class in {"string", "comment", "whitespace"}
            tokens[token_class] += not joins
            characters[token_class] += len(piece)
            previous = token_class
    table = pd.DataFrame({"token_class": WRITTEN_CLASSES})
    table["tokens"] = [tokens[name] for name in WRITTEN_CLASSES]
    table["share"] = table["tokens"] / max(1, tokens.total())
    table["characters"] = [characters[name] for name in WRITTEN_CLASSES]
    return table


def class_shifts(written: Iterable[str], reference: Iterable[str]) -> pd.DataFrame:
    """Make-up of what was written against the reference solutions of the same tasks.

    Returns:
        Columns `token_class`, `written`, `reference` (shares of tokens), `difference` (written minus reference).
    """
    ours, theirs = class_shares(written), class_shares(reference)
    table = pd.DataFrame({"token_class": WRITTEN_CLASSES, "written": ours["share"], "reference": theirs["share"]})
    return table.assign(difference=table["written"] - table["reference"])


def completion_shifts(completions: pd.DataFrame, solutions: Mapping[str, str]) -> pd.DataFrame:
    """`class_shifts` of a table with columns `task_id` and `completion`, against the solutions of its tasks."""
    return class_shifts(completions["completion"], [solutions[task] for task in completions["task_id"]])


def repeated_line_share(text: str) -> float:
    """Share of the non-blank lines that are equal, apart from surrounding blanks, to an earlier one; in [0, 1)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def repeated_ngram_share(text: str, n: int = 4) -> float:
    """1 − distinct n-grams / n-grams (seq-rep-n of Welleck et al. 2020, Neural Text Generation with Unlikelihood
    Training, eq. 9), over words and single punctuation marks, so that texts of any tokenizer compare.

    Returns:
        0 (nothing repeats) … below 1; 0 for a text of fewer than n words.
    """
    words = _WORD.findall(text)
    grams = list(zip(*(words[start:] for start in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _token_class(kind: tuple, piece: str) -> str:
    if piece.isspace():
        return "whitespace"
    return next((name for name, kinds in _CLASSES.items() if any(kind in parent for parent in kinds)), "other")
