"""Run a notebook headless through papermill, so that make can trust what it finds.

Papermill leaves its output behind when a cell fails and only warns about a misspelt parameter. Here the output gets
its final name only after the last cell succeeded, unknown parameters are refused, and a kernel that could not
start (parallel runs can race for ports) is tried again. Beside the output stands a make fragment that names the
helper modules the notebook imports, directly or not, and the figures it wrote.

Cells tagged `sandbox` let programs run, which takes an isolator. Where there is none they are left out by name, and
everything else is run; no other cell may depend on them.
"""

import ast
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.errors import InputError
from helpers.project import FIGURES, ROOT
from helpers.sandbox import REMEDY, available_isolators

KERNEL = "python3"
SANDBOX_TAG = "sandbox"
KERNEL_START_TRIES = 3
PACKAGE = Path(__file__).parent


class NotebookFailed(Exception):
    """A cell raised; the message names notebook and cell."""


def run_notebook(source: Path, output: Path, parameters: Mapping[str, Any] | None = None) -> None:
    """Execute a notebook in its own folder and put the executed copy at `output`.

    A failed run leaves `output` as it was and keeps what was executed as `<output>.failed.ipynb`.

    Raises:
        InputError: no such notebook, or a parameter that its parameters cell does not define.
        NotebookFailed: a cell raised, or the kernel did not start.
    """
    import papermill

    if not source.is_file():
        raise InputError(f"{source}: no such notebook")
    parameters = dict(parameters or {})
    _check_parameters(source, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    running, failed = output.with_suffix(".running.ipynb"), output.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    started = time.time()
    try:
        _execute(_what_can_run(source, output), running, parameters, source.parent)
    except papermill.PapermillExecutionError as error:
        running.replace(failed)
        raise NotebookFailed(f"{source.name}, {_describe_cell(source, error)}; executed copy: {failed}") from None
    output.with_suffix(".d").write_text(_make_fragment(source, output, started), encoding="utf-8")
    running.replace(output)


def imported_modules(source: Path, package: Path = PACKAGE) -> list[Path]:
    """Files of the helpers package that a notebook imports, directly or through other helpers, sorted."""
    import nbformat

    cells = nbformat.read(source, as_version=4).cells
    waiting = _imports("\n".join(_plain_python(cell.source) for cell in cells if cell.cell_type == "code"), package)
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= _imports(path.read_text(encoding="utf-8"), package)
    return sorted(found)


def _check_parameters(source: Path, parameters: Mapping[str, Any]) -> None:
    if not parameters:
        return
    import papermill

    known = papermill.inspect_notebook(str(source))
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise InputError(f"{source.name}: unknown parameter {unknown[0]!r}; its parameters cell has {', '.join(known)}")
    for name, value in parameters.items():
        if known[name]["default"].lstrip().startswith("[") and not isinstance(value, list):
            raise InputError(f"{source.name}: parameter {name!r} must be a list, such as ['a', 'b']; got {value!r}")


def _what_can_run(source: Path, output: Path) -> Path:
    """The notebook itself, or a copy without the cells that need an isolator where there is none."""
    import nbformat

    notebook = nbformat.read(source, as_version=4)
    runnable = [cell for cell in notebook.cells if SANDBOX_TAG not in cell.metadata.get("tags", [])]
    left_out = len(notebook.cells) - len(runnable)
    if not left_out or available_isolators():
        return source
    notebook.cells = runnable
    copy = output.with_suffix(".without-programs.ipynb")
    nbformat.write(notebook, copy)
    print(
        f"{source.name}: left out {left_out} cells that run programs, nothing isolates them here; {REMEDY}",
        file=sys.stderr,
    )
    return copy


def _execute(source: Path, running: Path, parameters: Mapping[str, Any], folder: Path) -> None:
    import papermill
    from traitlets.config import Config

    # Sockets in the file system: no ports to race for, and nothing another user of the machine can read.
    transport = Config() if sys.platform == "win32" else Config(KernelManager={"transport": "ipc"})
    for attempt in range(1, KERNEL_START_TRIES + 1):
        try:
            papermill.execute_notebook(
                str(source),
                str(running),
                parameters,
                kernel_name=KERNEL,
                cwd=str(folder),
                config=transport,
                progress_bar={"disable": None, "leave": False},
            )
            return
        except RuntimeError as error:  # the kernel died before it answered
            if attempt == KERNEL_START_TRIES:
                raise NotebookFailed(f"{source.name}: the kernel did not start in {attempt} tries ({error})") from None


def _describe_cell(source: Path, error: Any) -> str:
    import nbformat

    heading = "before the first heading"
    code_cells = 0
    for cell in nbformat.read(source, as_version=4).cells:
        titles = re.findall(r"^#+ (.+)$", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else []
        heading = f"under {titles[-1]!r}" if titles else heading
        code_cells += cell.cell_type == "code"
        if cell.cell_type == "code" and cell.source.strip() == error.source.strip():
            break
    return f"code cell {code_cells} ({heading}): {error.ename}: {error.evalue}"


def _plain_python(code: str) -> str:
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines())


def _imports(code: str, package: Path) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    own = [name.split(".")[1:] for name in names if name.split(".")[0] == package.name]
    return {path for parts in own for path in _module_files(parts, package)}


def _module_files(parts: list[str], package: Path) -> list[Path]:
    """The files Python runs to import `package.a.b`: every `__init__` on the way and the module itself."""
    folders = [package.joinpath(*parts[:depth]) / "__init__.py" for depth in range(len(parts) + 1)]
    module = package.joinpath(*parts).with_suffix(".py") if parts else package / "__init__.py"
    return [path for path in (*folders, module) if path.is_file()]


def _make_fragment(source: Path, output: Path, started: float) -> str:
    number = source.name.split("-")[0]
    written = [path for path in sorted(FIGURES.glob(f"{number}-*.*")) if path.stat().st_mtime >= started - 1]
    modules = [_relative(path) for path in imported_modules(source)]
    lines = [f"{_relative(output)}: {' '.join(modules)} $(call missing,{' '.join(map(_relative, written))})"]
    return "\n".join([*lines, *(f"{module}:" for module in modules), ""])


def _relative(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
