"""Verdicts on disk, so that a program that several models wrote runs once: two in three were written before.

The key of a verdict covers all that decides it: program, setup, test and entry point, the sandbox's limits, packages,
isolation and source, and the Python that runs programs. Each call of `keep` adds one table (`core.table_store`).

Only verdicts that follow from the program are kept. One that a limit decided may fall otherwise on a busy machine, and
so may one that took nearly as long; such programs run every time. The store is trusted as measured tables are: `score`,
which judges other people's programs, keeps the verdicts on a benchmark's own solutions only.
"""

import hashlib
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from compressed_code import sandbox as sandbox_package
from compressed_code.core.provenance import package_version
from compressed_code.core.table_store import (
    DamagedTable,
    read_table,
    read_tables,
    table_key,
    tell_unstored,
    write_table,
)
from compressed_code.sandbox import Outcome, Sandbox, Trial, Verdict

FOLDER = "verdicts"
KEPT: tuple[Outcome, ...] = ("passed", "wrong answer", "exception", "syntax error")
# A verdict is kept when it took at most this part of the limits: a sixth of them is the least that `execution` grants
# a program, and half of that is far from deciding anything.
KEPT_SHARE = 1 / 12
_COLUMNS = ["trial", "outcome", "exception", "cpu_seconds", "wall_seconds"]


class Verdicts(Protocol):
    """Verdicts that are there already."""

    def known(self, trials: Iterable[Trial], /) -> Mapping[Trial, Verdict]:
        """Those of trials that have one."""

    def keep(self, verdicts: Mapping[Trial, Verdict], /) -> None:
        """Take in new ones."""


class RunVerdicts:
    """The verdicts of one call, under the very trial, its share of the limits included: an equal one needs no other.

    What lies on disk is not among them, so that a sample is judged in every call, and once.
    """

    def __init__(self) -> None:
        self.ran: dict[Trial, Verdict] = {}

    def known(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        """The verdicts of those trials that ran."""
        return {trial: self.ran[trial] for trial in trials if trial in self.ran}

    def keep(self, verdicts: Mapping[Trial, Verdict]) -> None:
        """Remember what ran."""
        self.ran |= verdicts


class Together:
    """Several places where verdicts are kept: the first one that has a verdict gives it, and all learn the new ones."""

    def __init__(self, *places: Verdicts) -> None:
        self.places = places

    def known(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        """The verdicts of those trials that have one anywhere."""
        trials = list(trials)
        return {trial: verdict for place in reversed(self.places) for trial, verdict in place.known(trials).items()}

    def keep(self, verdicts: Mapping[Trial, Verdict]) -> None:
        """Tell every place."""
        for place in self.places:
            place.keep(verdicts)


class VerdictStore:
    """The verdicts of one kind of sandbox."""

    def __init__(self, directory: Path, sandbox: Sandbox) -> None:
        """Nothing is read or written yet.

        Args:
            directory: where tables are stored.
            sandbox: whose verdicts are kept; another one finds them when all that decides a verdict is the same.
        """
        self._directory, self._limits = directory, sandbox.limits
        self._judge = {
            "limits": asdict(sandbox.limits),
            "packages": {name: package_version(name) for name in sandbox.packages},
            "isolation": sandbox.isolation,
            "source": judge_source(),
            "python": [sys.version, sys.base_prefix],
        }
        self._key = table_key(self._judge)

    def known(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        """The stored verdicts of those trials that have one."""
        stored: dict[str, Verdict] = {}
        read = partial(_verdicts, ingredients=tuple(self._judge))
        for verdicts in read_tables(self._directory, FOLDER, self._key, read):
            stored |= verdicts
        return {trial: stored[key] for trial in trials if (key := _trial_key(trial)) in stored}

    def keep(self, verdicts: Mapping[Trial, Verdict]) -> None:
        """Store new verdicts, but for those that another run may find otherwise; what cannot be stored runs again."""
        rows = {
            _trial_key(trial): [verdict.outcome, verdict.exception, verdict.cpu_seconds, verdict.wall_seconds]
            for trial, verdict in verdicts.items()
            if verdict.outcome in KEPT
            and verdict.cpu_seconds <= KEPT_SHARE * self._limits.cpu_seconds
            and verdict.wall_seconds <= KEPT_SHARE * self._limits.wall_seconds
        }
        if not rows:
            return
        table = pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS[1:]).rename_axis("trial").reset_index()
        try:
            write_table(self._directory, FOLDER, self._key, table, self._judge)
        except OSError as error:
            tell_unstored(self._directory, error)


@lru_cache(maxsize=4096)
def _verdicts(path: Path, ingredients: tuple[str, ...]) -> Mapping[str, Verdict]:
    """One table of verdicts by the key of the trial; the name of its file says its content."""
    table = read_table(path, ingredients, _COLUMNS)
    rows = list(table.itertuples(index=False, name=None))
    if not all(type(outcome) is str and outcome in KEPT for _, outcome, *_ in rows):
        raise DamagedTable(f"{path}: holds outcomes that are never kept")
    if not all(map(_is_kept, rows)):
        raise DamagedTable(f"{path}: holds what is no verdict")
    found = {trial: Verdict(*verdict) for trial, *verdict in rows}
    if len(found) < len(rows):
        raise DamagedTable(f"{path}: holds two verdicts of one trial")
    return found


def _is_kept(row: tuple[Any, ...]) -> bool:
    """Whether `keep` may have written a row: whatever else it holds would be believed, or end what reads it."""
    trial, _, exception, *seconds = row
    named = type(exception) is str and (exception == "" or (exception.isascii() and exception.isidentifier()))
    return type(trial) is str and named and all(type(each) is float and 0 <= each < math.inf for each in seconds)


def _trial_key(trial: Trial) -> str:
    """Of what is run and what decides; the `share` of the limits decides none of the verdicts that are kept."""
    parts = [trial.program, trial.setup, trial.test, trial.entry_point]
    text = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


@cache
def judge_source() -> str:
    """sha256 of the sandbox's own modules, the jail's inside included."""
    folder = Path(sandbox_package.__file__).parent
    modules = sorted(folder.rglob("*.py"))
    text = "".join(f"{path.relative_to(folder)}\0{path.read_text(encoding='utf-8')}\0" for path in modules)
    return hashlib.sha256(text.encode()).hexdigest()
