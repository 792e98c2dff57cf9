"""The one schema of what the scripts beside this one measure, and what this machine allows at best.

Each script runs alone, `python tests/speed/NAME.py [--short]`, and shows its rows; `bench.py` collects them all.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

ROWS_VARIABLE = "COMPRESSED_CODE_BENCH_ROWS"  # names the file that a script's rows go to as well, as CSV
COLUMNS = ["goal", "ours", "unit", "peer", "theirs", "ratio", "limit", "least", "of_limit", "aim", "met"]
_TRIES = 5


@dataclass(frozen=True)
class Row:
    """One thing that is to be quick or small; less is better.

    Attributes:
        goal: what it is.
        ours: what it takes, in `unit` ("s", "ms", "MB").
        at_most: what it is to take at most; `None` without such a goal.
        times: how often the peer is to take that; `None` without such a goal.
        peer, theirs: what one would otherwise run on the same work, and what that took in the same run.
        limit, least: what in the machine bounds it from below, and what that alone takes.
    """

    goal: str
    ours: float
    unit: str = "s"
    at_most: float | None = None
    times: float | None = None
    peer: str = ""
    theirs: float | None = None
    limit: str = ""
    least: float | None = None

    @property
    def aim(self) -> str:
        """The goals in words."""
        parts = [f"{self.at_most:g} {self.unit}"] if self.at_most is not None else []
        return ", ".join([*parts, f"peer {self.times:g} x"] if self.times is not None else parts)

    @property
    def met(self) -> str:
        """Whether every goal is; empty without one, or where the peer that it speaks of is not at hand."""
        known = [self.ours <= self.at_most] if self.at_most is not None else []
        if self.times is not None and self.theirs is not None:
            known.append(self.theirs >= self.times * self.ours)
        return ("yes" if all(known) else "no") if known else ""


def table_of(rows: Sequence[Row]) -> pd.DataFrame:
    """The columns `COLUMNS`; `ratio` is theirs through ours, `of_limit` ours through the least."""
    found = []
    for row in rows:
        ratio = row.theirs / row.ours if row.theirs and row.ours else None
        of_limit = row.ours / row.least if row.least else None
        found.append({**asdict(row), "aim": row.aim, "met": row.met, "ratio": ratio, "of_limit": of_limit})
    numbers = dict.fromkeys(["ours", "theirs", "ratio", "least", "of_limit"], float)
    return pd.DataFrame(found, columns=COLUMNS).astype(numbers)


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table, and write them where `ROWS_VARIABLE` says."""
    table = table_of(rows)
    print(as_text(table), flush=True)
    if target := os.environ.get(ROWS_VARIABLE):
        table.to_csv(target, index=False)


def as_text(table: pd.DataFrame) -> str:
    """A table for the terminal, numbers with three digits."""
    return table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.3g}", justify="left")


def is_short() -> bool:
    """Whether `--short` asks for a run that says no more than that everything works; takes it off the arguments."""
    short = "--short" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--short"]
    return short


# --- what the machine allows ---------------------------------------------------------------------------------------


def best(work: Callable[[], object], tries: int = _TRIES) -> float:
    """Smallest wall time of several runs, in seconds."""
    times = []
    for _ in range(tries):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


@cache
def product_rate(threads: int, double: bool = False) -> float:
    """Multiplications and additions a second of a large product of matrices, on so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    size = 1024
    sides = torch.rand(2, size, size, dtype=torch.float64 if double else torch.float32)
    seconds = best(lambda: sides[0] @ sides[1])
    torch.set_num_threads(before)
    return 2 * size**3 / seconds


@cache
def memory_rate() -> float:
    """Bytes a second that one thread reads from memory."""
    values = np.ones(1 << 25, np.int64)  # 256 MB, more than any cache
    return values.nbytes / best(values.sum)


@cache
def bare_start() -> float:
    """Seconds of an interpreter that does nothing."""
    return best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))


@cache
def fork_seconds() -> float:
    """Seconds of a process that is made and ends."""

    def fork_and_wait() -> None:
        if not (child := os.fork()):
            os._exit(0)
        os.waitpid(child, 0)

    return best(lambda: [fork_and_wait() for _ in range(100)]) / 100


def file_seconds(path: Path, size: int | None = None) -> float:
    """Seconds in which so many bytes of a file, or all, are read from its beginning, wherever the system has them."""
    started, left = time.perf_counter(), path.stat().st_size if size is None else size
    with path.open("rb", buffering=0) as stream:
        while left > 0 and (part := stream.read(min(left, 1 << 24))):
            left -= len(part)
    return time.perf_counter() - started
