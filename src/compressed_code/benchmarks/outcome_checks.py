"""What a row of outcomes must be when it is read again: the file lay where anything could have changed it."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, get_args

from compressed_code.core.errors import InputError
from compressed_code.sandbox import Outcome
from compressed_code.sandbox.isolators import Isolation

_OUTCOMES = get_args(Outcome)
_ISOLATIONS = get_args(Isolation)
EXTRA = "extra"
RAW = "raw"
_LONGEST = 200  # of what the judge found, and of a name
_MOST_SECONDS = 1e9


def _name(value: Any) -> bool:
    """Whether this is empty or the name of an exception's type, as a verdict has it."""
    return value == "" or (_plain(value) and value.isidentifier())


def _plain(value: Any) -> bool:
    """Whether this is a short text of plain characters; no reason or name of a verdict is any other."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= _LONGEST


# The columns of `execution.execute_samples`, and what each may hold.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "task_id": lambda value: isinstance(value, str),
    "sample": lambda value: type(value) is int and value >= 0,
    "passed": lambda value: isinstance(value, bool),
    "outcome": lambda value: value in _OUTCOMES,
    "exception": _name,
    "reason": _plain,
    "seconds": lambda value: type(value) in (int, float) and 0 <= value < _MOST_SECONDS,
    "isolation": lambda value: value in _ISOLATIONS,
}


def check_row(row: Mapping[str, Any], place: str) -> None:
    """Refuse what `score` has not written.

    Args:
        row: one line of a file of outcomes.
        place: of the line, for the message.

    Raises:
        InputError: naming place and field.
    """
    for part in (row, row[EXTRA]) if EXTRA in row else (row,):
        right = isinstance(part, Mapping)
        wrong = [name for name, holds in _FIELDS.items() if not right or not holds(part.get(name))]
        if not wrong and part["passed"] != (part["outcome"] == "passed"):
            wrong = ["passed"]
        if wrong:
            raise _wrong(place, wrong[0])
    if EXTRA in row and any(row[EXTRA][name] != row[name] for name in ("task_id", "sample")):
        raise _wrong(place, EXTRA)  # of another sample
    if EXTRA in row and row[EXTRA]["passed"] and not row["passed"]:
        raise _wrong(place, EXTRA)  # what fails the base tests has failed both
    if not isinstance(row.get(RAW, ""), str):
        raise _wrong(place, RAW)


def check_belongs(
    row: Mapping[str, Any], path: Path | None, samples: Collection[tuple[str, int]], isolation: str, extra: bool
) -> None:
    """Refuse a line that no run with the same settings has written, which would be lost, or counted, without a word.

    Args:
        row: as `check_row` lets it pass.
        path: the file, for the message.
        samples: task and number of each sample that is scored.
        isolation: of this run.
        extra: whether the task's extra tests are scored.

    Raises:
        InputError: naming the sample.
    """
    place = f"{path}: the line of {row['task_id']} #{row['sample']}"
    if (row["task_id"], row["sample"]) not in samples:
        raise InputError(f"{place}: no such sample is scored; remove the line")
    if any(part["isolation"] != isolation for part in (row, row.get(EXTRA, row))):
        raise _wrong(place, "isolation")
    if (EXTRA in row) != extra:
        raise _wrong(place, EXTRA)


def _wrong(place: str, field: str) -> InputError:
    return InputError(f"{place}: {field} is not what score writes; remove the line, it is written again")
