"""An engine for papermill that goes on where a cell asks for what this machine cannot have.

A cell that raises `Unavailable` is left out by name, and so is every later cell that needs a name which only cells left
out would have defined. Any other exception ends the notebook. Every kernel talks through sockets in a private folder of
its own, so that kernels that start together never meet.
"""

import ast
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from traitlets.config import Config

from compressed_code.core.errors import Unavailable
from compressed_code.core.memory import KEEPING_ENVIRONMENT
from compressed_code.core.progress import SILENT_VARIABLE
from helpers.notebook_cells import SANDBOX_TAG, has_tag, headings, names_of, place_of

ENGINE = "cell-by-cell"
METADATA = "compressed_code"  # where an executed copy says what was left out, and why it ended early
START_TRIES = 3
# What every kernel's environment holds besides the runner's own. Nobody watches these kernels, so that no progress bar
# belongs into an executed copy.
KERNEL_ENVIRONMENT: Mapping[str, str] = {SILENT_VARIABLE: "1", **KEEPING_ENVIRONMENT}

# The system allows about 107 bytes for the path of a socket; these are added to the folder's: "/kernel-ipc-5".
_LONGEST_FOLDER = 90
_QUIET = ["--IPKernelApp.log_level=50"]  # or every kernel says that it was interrupted, when its work is done
# What each kernel does before the first cell: it runs one notebook, as a process runs one command, and imports as lean.
_BEGIN = """
from compressed_code.core.data_reads import watch_files
from compressed_code.core.lean_imports import import_leanly
watch_files()
import_leanly()
del watch_files, import_leanly
"""
_READS = "__import__('compressed_code.core.data_reads', fromlist=['helpers']).reads_so_far()"
_TABLES = "__import__('compressed_code.core.stored_release', fromlist=['helpers']).entries_so_far()"


class KernelDidNotStart(Exception):
    """No kernel answered, however often one was started."""


@dataclass(frozen=True)
class LeftOut:
    """A cell that did not run to its end: its number among the code cells, its heading, and why."""

    cell: str
    heading: str
    reason: str


@dataclass
class KernelRun:
    """What is told to the engine about a run, and what it tells of it.

    Attributes:
        cannot_isolate: why no cell may let programs run; empty where they may.
        progress: is called with each heading as its first code cell starts.
        left_out: cells that were left out.
        failure: which cell ended the run, and its error; empty where none did.
        reads: what `data_reads.reads_so_far` said at the end.
        tables: what `stored_release.entries_so_far` said at the end.
    """

    cannot_isolate: str = ""
    progress: Callable[[str], None] = lambda heading: None
    left_out: list[LeftOut] = field(default_factory=list)
    failure: str = ""
    reads: dict[str, Any] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)


class CellByCell(Engine):
    """The engine; `papermill.execute_notebook(..., engine_name=ENGINE, run=KernelRun())`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, run: KernelRun, start_timeout: int = 60, **_: Any
    ) -> NotebookNode:
        """Execute the notebook that `nb_man` holds.

        Raises:
            KernelDidNotStart: after several tries.
        """
        environment = {**os.environ, **KERNEL_ENVIRONMENT}
        for attempt in range(1, START_TRIES + 1):
            with _private_folder() as folder:
                client = _Client(
                    nb_man,
                    kernel_name=kernel_name,
                    startup_timeout=start_timeout,
                    timeout=None,
                    config=_sockets(folder),
                    extra_arguments=_QUIET,
                )
                client.run = run
                # Neither the user's own start-up files nor one history for all kernels.
                private = {"IPYTHONDIR": str(folder / "ipython")} if folder else {}
                try:
                    return client.execute(env=environment | private)
                except RuntimeError as error:
                    if client.started:  # it died later
                        run.failure = run.failure or f"the kernel died between two cells ({error})"
                        return nb_man.nb
                    if attempt == START_TRIES:
                        raise KernelDidNotStart(f"no kernel started in {attempt} tries ({error})") from None
        raise AssertionError("unreachable")


papermill_engines.register(ENGINE, CellByCell)


class _Client(PapermillNotebookClient):
    run: KernelRun
    started = False

    def papermill_execute_cells(self) -> None:
        """Papermill's loop over the cells, which a cell that was left out does not end."""
        self.started = True
        cells = self.nb.cells
        titles, shown = headings(cells), None
        defined: set[str] = set()
        missing: dict[str, str] = {}
        self._quietly(_BEGIN)
        try:
            for index, cell in enumerate(cells):
                if cell.cell_type != "code":
                    continue
                if titles[index] != shown:
                    shown = titles[index]
                    self.run.progress(shown)
                bound, needed = names_of(cell.source)
                reason = self._why_not(cell, needed, missing) or self._try(cell, index)
                if self.run.failure:
                    return
                if reason:
                    self._leave_out(index, titles[index], reason)
                    missing |= dict.fromkeys(bound - defined, titles[index])
                else:
                    defined |= bound
                    missing = {name: heading for name, heading in missing.items() if name not in bound}
            self.run.reads = self._told(_READS) or {}
            self.run.tables = self._told(_TABLES) or []
        except BaseException:  # an interruption: a kernel that computes would not answer for seconds
            self.shutdown_kernel = "immediate"
            raise
        finally:
            left_out = [asdict(entry) for entry in self.run.left_out]
            self.nb.metadata[METADATA] = {"left_out": left_out, "failure": self.run.failure}

    def _why_not(self, cell: NotebookNode, needed: set[str], missing: Mapping[str, str]) -> str:
        """Why a cell is left out before it is tried; empty where it is not."""
        if self.run.cannot_isolate and has_tag(cell, SANDBOX_TAG):
            return self.run.cannot_isolate
        lacking = sorted(needed & set(missing))
        return f"needs {', '.join(lacking)} of what was left out" if lacking else ""

    def _try(self, cell: NotebookNode, index: int) -> str:
        """KernelRun a cell; why it is to be left out, or empty. Any other end of it is the run's failure."""
        self.nb_man.cell_start(cell, index)
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            if error.ename == Unavailable.__name__:
                return " ".join(error.evalue.split())
            self._fail(index, f"{error.ename}: {error.evalue}", error)
        except DeadKernelError as error:
            self._fail(index, "the kernel died (out of memory, or killed)", error)
        finally:
            self.nb_man.cell_complete(cell, cell_index=index)
        return ""

    def _fail(self, index: int, what: str, error: Exception) -> None:
        self.run.failure = f"{place_of(self.nb.cells, index)}: {' '.join(what.split())}"
        self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)

    def _leave_out(self, index: int, heading: str, reason: str) -> None:
        cell = self.nb.cells[index]
        said = [output for output in cell.outputs if output.output_type != "error"]
        cell.outputs = [*said, new_output("stream", name="stderr", text=f"left out: {reason}\n")]
        self.run.left_out.append(LeftOut(place_of(self.nb.cells, index), heading, reason))

    def _quietly(self, code: str, **expressions: str) -> dict[str, Any]:
        message = self.kc.execute(code, silent=True, store_history=False, user_expressions=expressions)
        return self.wait_for_reply(message)["content"]

    def _told(self, expression: str) -> Any:
        """What an expression whose value is JSON says in the kernel; `None` where it fails."""
        said = self._quietly("", told=expression)["user_expressions"]["told"]
        return json.loads(ast.literal_eval(said["data"]["text/plain"])) if said["status"] == "ok" else None


def _sockets(folder: Path | None) -> Config:
    """Sockets in the file system: no ports to race for, and nothing another user of the machine can read."""
    if folder is None:
        return Config()
    return Config(KernelManager={"transport": "ipc", "connection_file": str(folder / "kernel.json")})


@contextmanager
def _private_folder() -> Iterator[Path | None]:
    """A folder that only this user can enter; `None` on Windows, which has no such sockets."""
    if sys.platform == "win32":
        yield None
        return
    place = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="kernel-",
        dir=place if len(os.fsencode(place)) < _LONGEST_FOLDER - 16 else "/tmp",
        ignore_cleanup_errors=True,
    ) as folder:
        yield Path(folder)
