"""KernelRun a notebook headless through papermill, so that make can trust what it finds.

Papermill leaves its output behind when a cell fails and only warns about a misspelt parameter. Here the executed copy
gets its name only after the last cell, what was there before is gone as soon as a run starts, and parameters are
checked before that. What this machine cannot have is left out cell by cell and named (`notebook_kernel`).

Cells tagged `sandbox` let programs run, which takes an isolator. Where there is none they are left out.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, RESULTS
from compressed_code.core.stored_release import open_release
from compressed_code.sandbox import REMEDY, available_isolators
from helpers.notebook_dependencies import write_dependencies
from helpers.notebook_parameters import FIGURES_PARAMETER, checked, read_parameters

if TYPE_CHECKING:
    from helpers.notebook_kernel import KernelRun

KERNEL = "python3"
# Where figures go, seen from a notebook: those of a run with its own parameters, and those of any other.
COMMITTED_FIGURES, CUSTOM_FIGURES = "../figures", "../build/custom"


class NotebookFailed(Exception):
    """A cell raised; the message names notebook and cell."""


def run_notebook(source: Path, output: Path, parameters: Mapping[str, Any] | None = None) -> None:
    """Execute a notebook in its own folder and put the executed copy at `output`.

    With its own parameters it writes its figures to figures/, with any other to build/custom, unless a folder is
    named. A failed run leaves what was executed as `<output>.failed.ipynb`, an interrupted one leaves nothing.

    Args:
        source: the notebook.
        output: where the executed copy goes.
        parameters: values for its parameters cell; relative paths start at the present folder.

    Raises:
        InputError: no such notebook, a parameter that its parameters cell does not define or that it cannot take, or
            the copy cannot be written.
        NotebookFailed: a cell raised, or no kernel started.
    """
    if not source.is_file():
        raise InputError(f"{source}: no such notebook")
    output = output.absolute()
    values = _values(source, parameters or {})
    running, failed = output.with_suffix(".running.ipynb"), output.with_suffix(".failed.ipynb")
    started = time.time()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for earlier in (output, failed):  # from here on they say nothing about the notebook
            earlier.unlink(missing_ok=True)
        run = _execute(source, running, values)
        if run.failure:
            running.replace(failed)
            raise NotebookFailed(f"{source.name}, {run.failure}; executed copy: {_shown(failed)}")
        write_dependencies(source, output, run.reads, started)
        output.with_suffix(".tables").write_text(json.dumps(run.tables), encoding="utf-8")
        os.utime(running, (started, started))  # whatever is edited during a run is newer than its result
        running.replace(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    finally:
        running.unlink(missing_ok=True)
    _report(source, run, time.time() - started)
    if values.get(FIGURES_PARAMETER, COMMITTED_FIGURES) != COMMITTED_FIGURES:
        print(f"{source.name}: figures are in {_shown(source.parent / values[FIGURES_PARAMETER])}", file=sys.stderr)


def _values(source: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The checked values, with the folder for figures that belongs to them."""
    values = checked(source, given, Path.cwd())
    if FIGURES_PARAMETER not in read_parameters(source):
        return values
    folder = COMMITTED_FIGURES if not given else values.get(FIGURES_PARAMETER, CUSTOM_FIGURES)
    if given and (source.parent / folder).resolve() == FIGURES.resolve():
        raise InputError(f"{source.name}: {FIGURES} is for its own parameters; name another folder, or none")
    return {**values, FIGURES_PARAMETER: folder}


def _execute(source: Path, running: Path, values: Mapping[str, Any]) -> "KernelRun":
    import papermill

    from helpers.notebook_kernel import ENGINE, KernelDidNotStart, KernelRun

    run = KernelRun(cannot_isolate=_why_no_program_runs())
    if sys.stderr.isatty():
        run.progress = lambda heading: print(f"{source.name}: {heading}", file=sys.stderr)
    try:
        papermill.execute_notebook(
            str(source.absolute()),
            str(running),
            values,
            engine_name=ENGINE,
            kernel_name=KERNEL,
            cwd=str(source.parent.absolute()),
            progress_bar=False,
            run=run,
        )
    except papermill.PapermillExecutionError:
        if not run.failure:
            raise
    except KernelDidNotStart as error:
        raise NotebookFailed(f"{source.name}: {error}") from None
    return run


def _why_no_program_runs() -> str:
    """Why cells that run programs are left out; empty where they need not be."""
    if open_release(RESULTS) is not None:  # stored tables say what became of the programs, so none runs
        return ""
    try:
        return "" if available_isolators() else f"nothing isolates programs here; {REMEDY}"
    except InputError as too_little:  # that the user may have
        return str(too_little)


def _report(source: Path, run: "KernelRun", seconds: float) -> None:
    """One line for the run and one for every heading under which cells were left out."""
    print(f"{source.name}: done in {seconds:.0f} s", file=sys.stderr)
    for entry in run.left_out:
        print(f"{source.name}: left out {entry.cell}: {entry.reason}", file=sys.stderr)


def _shown(path: Path) -> str:
    """A path as seen from the present folder, where it lies in it."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
