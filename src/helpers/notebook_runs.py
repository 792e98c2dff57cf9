"""Several notebooks headless, each in a process of its own, two at a time: what `verify` and `robustness` rest on."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA, NOTEBOOKS
from helpers.notebook_dependencies import imported_modules

WORKERS = 2  # as make does
_MESSAGE_LINES = 3  # of what a failed run said last
# Data files that no notebook reads.
_NOT_READ = {"references.yml", "robustness.csv", "robustness.yml", "tolerances.yml", "README.md"}


@dataclass(frozen=True)
class Run:
    """One execution of a notebook.

    Attributes:
        source: the notebook.
        output: where its executed copy goes; what it says goes to a .log beside it.
        figures: where its figures go.
        parameters: further values of its parameters cell.
        environment: variables set for it.
        name: what it is called in messages.
    """

    source: Path
    output: Path
    figures: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def find_notebooks(numbers: Sequence[str] = (), directory: Path = NOTEBOOKS) -> list[Path]:
    """The numbered notebooks of a folder, or those of some numbers (`03` or `3`), in order.

    Raises:
        InputError: there is none of a number.
    """
    known = {path.name[:2]: path for path in sorted(directory.glob("[0-9][0-9]-*.ipynb"))}
    unknown = next((number for number in numbers if number.zfill(2) not in known), None)
    if unknown is not None or not known:
        raise InputError(f"{directory}: no notebook {unknown or ''}; there are {', '.join(known) or 'none'}")
    return [known[number.zfill(2)] for number in numbers] if numbers else list(known.values())


def run_all(runs: Iterable[Run], say: Callable[[str], None], workers: int = WORKERS) -> dict[Path, str]:
    """Execute notebooks; one that fails is named, and the others go on.

    Args:
        runs: in the order in which they start.
        say: takes one line per finished run.
        workers: how many run side by side.

    Returns:
        Output of each failed run → what it said last.
    """
    failed: dict[Path, str] = {}
    processes: list[subprocess.Popen] = []
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = {pool.submit(_execute, run, processes): run for run in runs}
        for finished in as_completed(waiting):
            run, (code, seconds) = waiting[finished], finished.result()
            say(f"{run.name or run.source.stem}: {'done' if code == 0 else 'failed'} after {seconds:.0f} s")
            if code:
                failed[run.output] = last_words(log_file(run.output))
    finally:  # an interrupted command leaves no run behind; what is measured by then is stored
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return failed


def is_current(run: Run) -> bool:
    """Whether a run's executed copy is newer than its notebook, the helpers it imports and the data it may read."""
    if not run.output.is_file():
        return False
    data = [path for path in DATA.rglob("*") if path.is_file() and not path.is_relative_to(DATA / "results")]
    inputs = [run.source, *imported_modules(run.source), *(path for path in data if path.name not in _NOT_READ)]
    return run.output.stat().st_mtime >= max(path.stat().st_mtime for path in inputs)


def log_file(output: Path) -> Path:
    """Where a run says what it does."""
    return output.with_suffix(".log")


def last_words(log: Path) -> str:
    """The last lines of what a process said, as one."""
    return " / ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_MESSAGE_LINES:])


def _execute(run: Run, processes: list[subprocess.Popen]) -> tuple[int, float]:
    run.output.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    given = {"figures": str(run.figures.resolve()), **run.parameters}
    parameters = " ".join(f"{name}={value!r}" for name, value in given.items())
    command = [
        sys.executable,
        "-P",
        "-m",
        "helpers",
        "run",
        str(run.source),
        str(run.output),
        "--parameters",
        parameters,
    ]
    with log_file(run.output).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, env={**os.environ, **run.environment}, stdout=log, stderr=log)
        processes.append(process)
        return process.wait(), time.perf_counter() - started
