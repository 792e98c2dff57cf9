"""What make needs to know about an executed notebook: the modules of ours it imports, what it read, its figures.

Beside the executed copy `NAME.ipynb` stand `NAME.d`, a fragment of a makefile, and `NAME.rows`, the rows of data files
that were looked up with a digest of each. make runs a notebook again when its `.rows` is newer than its copy;
`touch_stale` makes it so when one of those rows says something else, not when another row of the same file does.
"""

import ast
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat

import compressed_code
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.data_reads import Rows
from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA, FIGURES, ROOT
from compressed_code.core.stored_release import Entry, as_entries
from compressed_code.core.yaml_rows import parse_rows, read_yaml
from compressed_code.registry.lookup import REGISTRY_FILE, load_registry
from compressed_code.registry.quantizations import QUANTIZATIONS_FILE, Quantization
from helpers.notebook_cells import plain_python

PACKAGES = (Path(__file__).parent, Path(compressed_code.__file__).parent)
BY_ROW = (REGISTRY_FILE, QUANTIZATIONS_FILE)  # of every other file the whole content counts

Noted = Mapping[str, Mapping[str, str | None]]


def imported_modules(source: Path, packages: Iterable[Path] = PACKAGES) -> list[Path]:
    """Files of our packages that a notebook imports, directly or through others of them, sorted."""
    packages = tuple(packages)
    cells = nbformat.read(source, as_version=4).cells
    waiting = _imports("\n".join(plain_python(cell.source) for cell in cells if cell.cell_type == "code"), packages)
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= _imports(path.read_text(encoding="utf-8"), packages)
    return sorted(found)


def write_dependencies(source: Path, output: Path, reads: Mapping[str, Any], started: float) -> None:
    """Write `.d` and `.rows` beside an executed copy.

    Args:
        source: the notebook.
        output: its executed copy.
        reads: what `data_reads.reads_so_far` said in its kernel.
        started: when the run began (seconds since the epoch); figures that were written later are its own.
    """
    number = source.name.split("-")[0]
    figures = [path for path in sorted(FIGURES.glob(f"{number}-*.*")) if path.stat().st_mtime >= started - 1]
    rows: Noted = {file: reads.get("rows", {}).get(str(file), {}) for file in map(str, BY_ROW)}
    rows_file = output.with_suffix(".rows")
    inputs = [*imported_modules(source), *_data_files(reads.get("files", []), rows), rows_file]
    names = [_for_make(path) for path in inputs]
    lines = [f"{_for_make(output)}: {' '.join(names)} $(call missing,{' '.join(map(_for_make, figures))})"]
    lines += [f"{name}:" for name in names]  # one that is gone is no error, but a reason to run
    with written_whole(rows_file) as part:
        part.write_text(json.dumps(rows, indent=0), encoding="utf-8")
        os.utime(part, (started, started))  # no newer than the copy
    with written_whole(output.with_suffix(".d")) as part:
        part.write_text("\n".join([*lines, ""]), encoding="utf-8")


def read_tables(lists: Iterable[Path]) -> list[Entry]:
    """The tables that executed notebooks read, from the lists beside their copies.

    Raises:
        InputError: a list is missing or damaged.
    """
    found: list[Entry] = []
    for path in lists:
        remedy = f"make notebook N={path.name.split('-')[0]} writes it"
        try:
            found += as_entries(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
        except ValueError as error:
            raise InputError(f"{path}: is damaged ({error}); {remedy}") from None
    return found


def touch_stale(rows_files: Iterable[Path]) -> list[Path]:
    """Touch those whose rows changed since they were read, rows that are gone or new among them, and return them."""
    try:
        registry = load_registry()
        present = {
            str(REGISTRY_FILE): {"tokenizers.": registry.tokenizers, "models.": registry.models},
            str(QUANTIZATIONS_FILE): {"": parse_rows(Quantization, read_yaml(QUANTIZATIONS_FILE), QUANTIZATIONS_FILE)},
        }
    except InputError:  # the notebooks themselves will say what is wrong
        present = {}
    stale = [path for path in rows_files if _changed(path, present)]
    for path in stale:
        path.touch()
    return stale


def _changed(rows_file: Path, present: Mapping[str, Mapping[str, Rows]]) -> bool:
    try:
        noted: Noted = json.loads(rows_file.read_text(encoding="utf-8"))
        entries = [(file, name, digest) for file, rows in noted.items() for name, digest in rows.items()]
    except (OSError, ValueError, AttributeError):
        return True
    return any(_digest(name, present.get(file, {})) != digest for file, name, digest in entries)


def _digest(name: str, parts: Mapping[str, Rows]) -> str | None:
    part = next((prefix for prefix in parts if name.startswith(prefix)), None)
    return None if part is None else parts[part].digest(name.removeprefix(part))


def _data_files(read: Iterable[str], rows: Noted) -> list[Path]:
    """The files and folders of data/ that count, sorted."""
    whole = {
        str(file) for file in BY_ROW if not rows[str(file)]
    }  # read, but no row of it was looked up: all of it counts
    paths = {Path(path) for path in read if path not in map(str, BY_ROW) or path in whole}
    registry = load_registry()
    for name in rows[str(REGISTRY_FILE)]:
        part, _, key = name.partition(".")
        row = dict(getattr(registry, part)).get(key)
        place = row.location if row is not None and row.path else None
        if place is not None and place.is_relative_to(DATA):  # libraries read weights without Python's knowledge
            present = next(path for path in (place, *place.parents) if path.exists())  # what changes when it appears
            files = place.iterdir() if place.is_dir() else [present]
            paths |= {path for path in files if path.suffix != ".md"}
    return sorted(paths - {DATA})


def _imports(code: str, packages: Iterable[Path]) -> set[Path]:
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(code)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        if not _for_types_only(node):  # the library's face names all of it there
            waiting += ast.iter_child_nodes(node)
    roots = {package.name: package for package in packages}
    own = [name.split(".") for name in names if name.split(".")[0] in roots]
    return {path for first, *parts in own for path in _module_files(parts, roots[first])}


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _module_files(parts: list[str], package: Path) -> list[Path]:
    """The files Python runs to import `package.a.b`: every `__init__` on the way and the module itself."""
    folders = [package.joinpath(*parts[:depth]) / "__init__.py" for depth in range(len(parts) + 1)]
    module = package.joinpath(*parts).with_suffix(".py") if parts else package / "__init__.py"
    return [path for path in (*folders, module) if path.is_file()]


def _for_make(path: Path) -> str:
    """A path as makefiles name it: seen from the repository where it lies in it, signs that make reads escaped."""
    path = path.resolve()
    text = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    return re.sub(r"([ #%:\\])", r"\\\1", text).replace("$", "$$")
