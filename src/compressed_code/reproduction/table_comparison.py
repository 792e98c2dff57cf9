"""Two versions of a table, cell by cell: identical, within tolerance, or different.

Cells are compared as they are printed: what a committed CSV file says is what a reader sees.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml

TOLERANCES_FILE = DATA / "tolerances.yml"
Verdict = Literal["identical", "within", "different", "not compared"]


class Tolerance(Record):
    """How far a kind of number may lie from the committed one.

    Attributes:
        key: name of the kind.
        because: where the tolerance comes from.
        rows: pattern; the kind is that of rows of which a text contains it. Without one, of all other rows.
        columns: the kind is that of columns whose name one of these patterns matches whole.
        relative, absolute: a number may differ by the larger of `relative` times the committed one and `absolute`.
        compared: false where the numbers belong to the machine; they are named, not compared.
        counts: whether whole numbers must be equal in such rows; they count something.
    """

    key: str
    because: str
    rows: str = ""
    columns: list[str] = Field(default_factory=lambda: [".*"])
    relative: float = 0.0
    absolute: float = 0.0
    compared: bool = True
    counts: bool = True


@dataclass(frozen=True)
class Deviation:
    """A cell that is not identical, or a row or column that only one side has.

    Attributes:
        column: its name; `(row)` for a whole row.
        row: the texts of its row.
        committed, found: as printed; empty where that side lacks it.
        relative: |found − committed| over the larger of both; infinite where one is no number.
    """

    column: str
    row: str
    committed: str
    found: str
    relative: float
    verdict: Verdict


def load_tolerances(path: Path = TOLERANCES_FILE) -> Sequence[Tolerance]:
    """The kinds of data/tolerances.yml; the first one that fits a cell counts.

    Raises:
        InputError: naming file, row and field.
    """
    return tuple(parse_rows(Tolerance, read_yaml(path), path).values())


def read_cells(path: Path) -> pd.DataFrame:
    """A CSV file with every cell as the text it holds.

    Raises:
        InputError: the file is missing or is no table.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no CSV table ({error})") from None


def compare_tables(
    committed: pd.DataFrame, found: pd.DataFrame, tolerances: Sequence[Tolerance]
) -> tuple[pd.DataFrame, list[Deviation]]:
    """Compare a table with its committed version.

    Rows belong together by their texts, in order; texts are exact. A row or column that one side lacks is different,
    cell by cell.

    Args:
        committed, found: of `read_cells`.
        tolerances: kinds of numbers; a number that none fits must be equal.

    Returns:
        Columns `column`, `identical`, `within`, `different`, `not_compared` (numbers of cells): one row per column of
        either side; and every deviation.
    """
    columns = list(dict.fromkeys([*committed.columns, *found.columns]))
    texts = [column for column in columns if _is_text(committed, column) or _is_text(found, column)]
    left, right = _rows(committed, columns, texts), _rows(found, columns, texts)
    counts = {column: dict.fromkeys(("identical", "within", "different", "not_compared"), 0) for column in columns}
    deviations = []
    for old, new in _aligned(left, right):
        name = " · ".join((old or new).texts) or "(only numbers)"
        for column in columns:
            was, now = (row.cells.get(column) if row else None for row in (old, new))
            verdict = "different" if None in (was, now) else _verdict(was, now, _kind(column, name, tolerances))
            counts[column][verdict.replace(" ", "_")] += 1
            if verdict not in ("identical", "not compared"):
                deviations.append(Deviation(column, name, was or "", now or "", _relative(was, now), verdict))
    return pd.DataFrame([{"column": column, **numbers} for column, numbers in counts.items()]), deviations


@dataclass(frozen=True)
class _Row:
    texts: tuple[str, ...]
    cells: dict[str, str]


def _rows(table: pd.DataFrame, columns: Iterable[str], texts: Iterable[str]) -> list[_Row]:
    own, known = [column for column in columns if column in table], set(texts)
    named = [column for column in own if column in known]
    cells = table.to_dict("records")
    return [_Row(tuple(row[column] for column in named if row[column]), row) for row in cells]


def _aligned(left: Sequence[_Row], right: Sequence[_Row]) -> Iterator[tuple[_Row | None, _Row | None]]:
    """Rows with equal texts, in order. Between them stand pairs by position (of an altered text), then rows alone."""
    old, new = [row.texts for row in left], [row.texts for row in right]
    if old == new:
        yield from zip(left, right, strict=True)
        return
    for _, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for offset in range(max(end - start, stop - begin)):
            yield (
                left[start + offset] if start + offset < end else None,
                right[begin + offset] if begin + offset < stop else None,
            )


def _verdict(committed: str, found: str, kind: Tolerance | None) -> Verdict:
    if kind is not None and not kind.compared:
        return "not compared"
    if committed == found:
        return "identical"
    numbers = _number(committed), _number(found)
    if kind is None or None in numbers:
        return "different"
    if kind.counts and _is_whole(committed) and _is_whole(found):
        return "different"
    was, now = numbers
    return "within" if abs(now - was) <= max(kind.relative * abs(was), kind.absolute) else "different"


def _kind(column: str, texts: str, tolerances: Iterable[Tolerance]) -> Tolerance | None:
    for kind in tolerances:
        if any(re.fullmatch(pattern, column) for pattern in kind.columns) and (
            not kind.rows or re.search(kind.rows, texts, re.IGNORECASE)
        ):
            return kind
    return None


def _relative(committed: str | None, found: str | None) -> float:
    was, now = (_number(cell or "") for cell in (committed, found))
    if was is None or now is None or not math.isfinite(was - now):
        return math.inf
    return abs(now - was) / max(abs(was), abs(now)) if was != now else 0.0


def _is_text(table: pd.DataFrame, column: str) -> bool:
    return column in table and any(cell and _number(cell) is None for cell in table[column].unique())


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _is_whole(cell: str) -> bool:
    """Whether a cell is printed as a whole number: a count, or a place in a list."""
    return cell.lstrip("-").isdigit()
