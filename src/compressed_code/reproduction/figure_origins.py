"""What a figure rests on, in a file beside the figures of its notebook, and what they were made with.

`NN-tables.json` lists the tables that the notebook read, in its order, and for every figure how many of them had been
read when it was saved: those are what it may rest on. It is the same on every machine. `provenance.json` holds the
machine, the packages and the commit per notebook; it is written with the committed figures only and never compared.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, RESULTS, ROOT, VARIANTS
from compressed_code.core.provenance import commit, machine, package_versions
from compressed_code.core.table_store import TableRead, locked, short_key, tables_read

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True)
class Origin:
    """What a saved figure or table rests on.

    Attributes:
        key: `store.short_key` of the tables, as its caption ends with.
        tables: what had been read when it was saved, in the order of reading.
        beside_boundary: how many of its numbers print other digits when changed by a billionth.
    """

    key: str
    tables: Sequence[TableRead]
    beside_boundary: int


# What this session saved: folder and notebook number → name → place in the list of tables, numbers beside a boundary.
_SAVED: dict[tuple[Path, str], dict[str, tuple[int, int]]] = {}


def note_saved(name: str, directory: Path, beside_boundary: int) -> None:
    """Write down what a figure or table that was just saved rests on; nothing where the session read no table.

    Args:
        name: `NN-slug`.
        directory: where it was saved.
        beside_boundary: as in `Origin`.
    """
    tables = tables_read()
    if not tables:
        return
    number = _number(name)
    saved = _SAVED.setdefault((directory.resolve(), number), {})
    first = not saved
    saved[name] = (len(tables), beside_boundary)
    figures = {
        figure: {"key": short_key(tables[:count]), "tables": count, "beside_boundary": beside}
        for figure, (count, beside) in sorted(saved.items())
    }
    listed = [{**asdict(table), "subject": _on_any_machine(table.subject)} for table in tables]
    _write(tables_file(name, directory), {"figures": figures, "tables": listed})
    if first and directory.resolve() == FIGURES.resolve():
        _note_provenance(number, directory)


def read_origin(name: str, directory: Path) -> Origin:
    """What a saved figure or table rests on.

    Raises:
        InputError: nothing is recorded of it.
    """
    content = _read(tables_file(name, directory), f"make notebook N={_number(name)} writes it")
    if name not in content["figures"]:
        raise InputError(f"{name}: {tables_file(name, directory)} does not know it; it rests on no table, or is older")
    figure = content["figures"][name]
    tables = [TableRead(**table) for table in content["tables"][: figure["tables"]]]
    return Origin(figure["key"], tables, figure["beside_boundary"])


def read_provenance_of(name: str, directory: Path) -> Mapping[str, Any] | None:
    """Machine, packages and commit that the figures of a notebook were made with, where that is written down."""
    path = directory / PROVENANCE_FILE
    return _read(path, "").get(_number(name)) if path.is_file() else None


def tables_file(name: str, directory: Path) -> Path:
    """Where the tables of the notebook that a figure belongs to are listed."""
    return directory / f"{_number(name)}-tables.json"


def _on_any_machine(subject: str) -> str:
    """A subject's name without the place of this checkout: of a model that a notebook made, its folder among variants.

    Example:
        >>> _on_any_machine(f"{VARIANTS}/f5c0 against zoo-m")
        'variants/f5c0 against zoo-m'
    """
    return subject.replace(f"{VARIANTS}/", "variants/").replace(f"{ROOT}/", "")


def _note_provenance(number: str, directory: Path) -> None:
    path = directory / PROVENANCE_FILE
    with locked(RESULTS, "figures", PROVENANCE_FILE):  # notebooks run side by side
        known = _read(path, "") if path.is_file() else {}
        known[number] = {"machine": machine(), "packages": package_versions(), "commit": commit()}
        _write(path, dict(sorted(known.items())))


def _number(name: str) -> str:
    return name.split("-", maxsplit=1)[0]


def _read(path: Path, remedy: str) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except ValueError as error:
        raise InputError(f"{path}: is damaged ({error}); remove it and run its notebook again") from None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
