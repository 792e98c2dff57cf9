"""What written programs are made of: classes of Python tokens, and how much of the text repeats itself."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace
from scipy import stats

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.intervals_and_tests import (
    draws_with_replacement,
    percentile_interval,
    ratio_interval,
    wilson_interval,
)

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
_PLACES = (*WRITTEN_CLASSES, "end")
_LEXER = get_lexer_by_name("python", stripnl=False, ensurenl=False)
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
    found = [_count(text) for text in texts]
    tokens, characters = (
        [sum(part[name] for part in parts) for name in WRITTEN_CLASSES]
        for parts in (zip(*found, strict=True) if found else ((), ()))
    )
    table = pd.DataFrame({"token_class": WRITTEN_CLASSES, "tokens": tokens})
    return table.assign(share=table["tokens"] / max(1, sum(tokens)), characters=characters)


def class_shifts(
    written: Sequence[str], reference: Sequence[str], *, seed: int = 0, resamples: int = 2000, level: float = 0.95
) -> pd.DataFrame:
    """Make-up of what was written against the reference solutions of the same tasks, with bootstrap intervals.

    Whole tasks are resampled (percentile method), each with both its texts.

    Args:
        written, reference: [tasks], at least one; classes and tokens as in `class_shares`.

    Returns:
        Columns `token_class`, `written`, `reference` (shares of tokens), `difference` (written minus reference),
        `low`, `high` (of the difference), `tasks`.

    Raises:
        ValueError: no text, or lists of different length.
    """
    if not written or len(written) != len(reference):
        raise ValueError(f"need as many written texts as solutions, at least one: {len(written)}, {len(reference)}")
    sides = [_counts(written), _counts(reference)]
    drawn = draws_with_replacement(len(written), seed=seed, resamples=resamples)
    weights = np.stack([np.bincount(tasks, minlength=len(written)) for tasks in drawn])
    ours, theirs = (_shares(counts.sum(axis=0)) for counts in sides)
    moved = _shares(weights @ sides[0]) - _shares(weights @ sides[1])
    low, high = percentile_interval(moved, level)
    columns = {"token_class": WRITTEN_CLASSES, "written": ours, "reference": theirs, "difference": ours - theirs}
    return pd.DataFrame(columns | {"low": low, "high": high, "tasks": len(written)})


def completion_shifts(completions: pd.DataFrame, solutions: Mapping[str, str], seed: int = 0) -> pd.DataFrame:
    """`class_shifts` of a table with columns `task_id` and `completion`, against the solutions of its tasks."""
    reference = [solutions[task] for task in completions["task_id"]]
    return class_shifts(completions["completion"].tolist(), reference, seed=seed)


def broken_programs(outcomes: pd.DataFrame, base: pd.DataFrame, least: int, by: str = "model") -> pd.DataFrame:
    """Programs that fail where the base model's pass, where there are enough of them.

    Args:
        outcomes: columns `model`, `task_id`, `passed`, one program per model and task.
        base: the same of the base model.
        least: a model with fewer broken programs is left out; they would say nothing about nine classes of tokens.
        by: column of models that count together, such as draws of one row.

    Returns:
        Rows of `outcomes`.

    Raises:
        Unavailable: no model has that many.
    """
    solved = base.loc[base["passed"].astype(bool), "task_id"]
    broken = outcomes[~outcomes["passed"].astype(bool) & outcomes["task_id"].isin(solved)]
    broken = broken[broken.groupby(by)["task_id"].transform("size") >= least]
    if broken.empty:
        raise Unavailable(f"no variant breaks {least} programs or more, too few to look at where they break")
    return broken


def first_departures(
    completions: pd.DataFrame,
    originals: Mapping[str, str],
    uncertainty: pd.DataFrame,
    comparisons: int = 1,
    level: float = 0.95,
) -> pd.DataFrame:
    """Where programs leave others for the same tasks: the class of the first original token that is not written.

    Args:
        completions: columns `task_id` and `completion`, several of a task if several models wrote it; a program that
            equals its original is passed over.
        originals: task id → what is departed from, for example the base model's program.
        uncertainty: columns `task_id`, `offset`, `entropy_nats`: how unsure the base model was at each of its choices
            (`choice_entropies`).
        comparisons: how many intervals of `excess` are looked at together (Bonferroni).
        level: that together they cover with at least.

    Returns:
        One row per class of `WRITTEN_CLASSES`, and `end` where all of the original is written and more follows:
        `token_class`; `value` (share of the programs, with 95 % Wilson interval `low`, `high`, which takes programs as
        independent); `chance` (what errors would give that turn choices in proportion to the base model's uncertainty:
        the class's share of the entropy of an original, mean over programs); `of_tokens` (what equally likely tokens
        would give); `excess` (`value` minus `chance`) with `excess_low`, `excess_high` (Student's t over tasks, each
        with all its programs); `programs`.
    """
    choices = {task: (rows["offset"], rows["entropy_nats"]) for task, rows in uncertainty.groupby("task_id")}
    tasks, hits, chances, shares = [], [], [], []
    for task_id, text in zip(completions["task_id"], completions["completion"], strict=True):
        if text == originals[task_id]:
            continue
        original = [*_tokens(originals[task_id]), ("end", "")]
        pairs = zip(original, [*_tokens(text), ("end", "")], strict=False)
        hit = next(theirs[0] for theirs, ours in pairs if theirs != ours)
        tasks.append(task_id)
        hits.append([name == hit for name in _PLACES])
        chances.append(_entropy_shares(original, *choices[task_id]))
        shares.append([sum(token_class == name for token_class, _ in original) / len(original) for name in _PLACES])
    columns = ["token_class", "value", "low", "high", "chance", "of_tokens"]
    columns += ["excess", "excess_low", "excess_high", "programs"]
    if not tasks:
        return pd.DataFrame(columns=columns)
    found, expected = np.array(hits), np.array(chances)
    counts, count = found.sum(axis=0), len(tasks)
    ends = np.array([wilson_interval(int(hit), count) for hit in counts]).T
    excess, half = _clustered_mean(found - expected, tasks, 1 - (1 - level) / comparisons)
    means = [expected.mean(axis=0), np.mean(shares, axis=0)]
    values = [_PLACES, counts / count, *ends, *means, excess, excess - half, excess + half]
    return pd.DataFrame(dict(zip(columns, [*values, count], strict=True)))


def _entropy_shares(tokens: Sequence[tuple[str, str]], offsets: ArrayLike, entropies: ArrayLike) -> np.ndarray:
    """Share of each of `_PLACES` in the entropy of the choices that wrote a text; a choice counts where it begins.

    Args:
        tokens: class and text of each, the end of the text as the last one.
        offsets, entropies: of the choices, in characters and nats.
    """
    ends = np.cumsum([len(piece) for _, piece in tokens])
    place = np.minimum(np.searchsorted(ends, np.asarray(offsets), side="right"), len(tokens) - 1)
    number = np.array([_PLACES.index(token_class) for token_class, _ in tokens])[place]
    weights = np.bincount(number, np.asarray(entropies, dtype=float), len(_PLACES))
    return weights / weights.sum()


def text_shares(programs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What can be seen of programs without running them, with 95 % intervals.

    Args:
        programs: columns `completion`, `outcome`, `finish_reason` (see `code_generation.Completion`).

    Returns:
        Rows `syntax` (share that is no valid Python) and `limit` (share that ran to the token limit), with Wilson
        intervals, and `repetition` (mean of `repeated_ngram_share`, bootstrap over programs); columns `quantity`,
        `value`, `low`, `high`, `programs`.
    """
    count = len(programs)
    rows = []
    for name, hits in (
        ("syntax", programs["outcome"] == "syntax error"),
        ("limit", programs["finish_reason"] == "limit"),
    ):
        rows.append((name, hits.mean(), *wilson_interval(int(hits.sum()), count), count))
    repeated = [repeated_ngram_share(text) for text in programs["completion"]]
    rows.append(("repetition", *ratio_interval(repeated, np.ones(count), seed=seed), count))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "programs"])


def repeated_ngram_share(text: str, n: int = 4) -> float:
    """1 − distinct n-grams / n-grams (seq-rep-n of Welleck et al. 2020, Neural Text Generation with Unlikelihood
    Training, eq. 9), over words and single punctuation marks, so that texts of any tokenizer compare.

    Returns:
        0 (nothing repeats) … below 1; 0 for a text of fewer than n words.
    """
    words = _WORD.findall(text)
    grams = list(zip(*(words[start:] for start in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _clustered_mean(values: np.ndarray, clusters: Sequence[str], level: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean of [programs, columns] and half the width of its interval, rows of one cluster being one draw.

    Linearised ratio of sums over clusters, Student's t (Cochran 1977, Sampling Techniques, §6.3 and §9A). Infinite for
    one cluster.
    """
    mean = values.mean(axis=0)
    away = pd.DataFrame(values - mean).groupby(np.asarray(clusters)).sum().to_numpy()
    count = len(away)
    if count < 2:
        return mean, np.full(len(mean), np.inf)
    error = np.sqrt(count / (count - 1) * (away**2).sum(axis=0)) / len(values)
    return mean, stats.t.ppf((1 + level) / 2, count - 1) * error


@lru_cache(maxsize=20_000)  # programs are looked at from several sides, and many models write the same ones
def _tokens(text: str) -> tuple[tuple[str, str], ...]:
    """Class and text of each token; neighbouring pieces of a string, comment or whitespace are one."""
    tokens: list[tuple[str, str]] = []
    for kind, piece in _LEXER.get_tokens(text):
        token_class = _token_class(kind, piece)
        if tokens and token_class == tokens[-1][0] and token_class in {"string", "comment", "whitespace"}:
            tokens[-1] = (token_class, tokens[-1][1] + piece)
        else:
            tokens.append((token_class, piece))
    return tuple(tokens)


def _count(text: str) -> tuple[Counter[str], Counter[str]]:
    """Tokens and characters of a text by class."""
    tokens: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for token_class, piece in _tokens(text):
        tokens[token_class] += 1
        characters[token_class] += len(piece)
    return tokens, characters


def _counts(texts: Iterable[str]) -> np.ndarray:
    """[texts, classes] tokens."""
    return np.array([[_count(text)[0][name] for name in WRITTEN_CLASSES] for text in texts])


def _shares(counts: np.ndarray) -> np.ndarray:
    """[..., classes] counts as shares of their sum; zeros where there is nothing."""
    return counts / np.maximum(1, counts.sum(axis=-1, keepdims=True))


def _token_class(kind: tuple, piece: str) -> str:
    if piece.isspace():
        return "whitespace"
    return next((name for name, kinds in _CLASSES.items() if any(kind in parent for parent in kinds)), "other")
