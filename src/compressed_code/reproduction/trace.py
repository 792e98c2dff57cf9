"""The way back from a figure: its tables, the models and files they were measured on, packages, machine, commit."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, RESULTS
from compressed_code.core.table_store import TableRead, find_table, read_provenance
from compressed_code.reproduction.figure_origins import Origin, read_origin, read_provenance_of

_SHOWN_DIGITS = 16  # of a hash: enough to find it


def trace(figure: str | Path, results: Path = RESULTS) -> str:
    """The way back from a saved figure or table, as text.

    Args:
        figure: its name (`03-calibration`, looked for in the repository's figures) or the path of one of its files.
        results: where tables are stored on this machine.

    Raises:
        InputError: there is no such figure, or nothing is recorded of it.
    """
    path = Path(figure)
    directory = path.parent if len(path.parts) > 1 else FIGURES
    name = path.name.removesuffix(".svg").removesuffix(".png").removesuffix(".csv")
    if not (directory / f"{name}.csv").is_file():
        raise InputError(f"{figure}: no such figure; {directory} has no {name}.csv")
    return "\n".join(_lines(name, directory, results))


def _lines(name: str, directory: Path, results: Path) -> Iterator[str]:
    origin = read_origin(name, directory)
    yield f"figure   {directory / name}"
    yield f"key      {origin.key}: {len(origin.tables)} tables"
    yield from _tables(origin, results)
    made = read_provenance_of(name, directory)
    if made is None:
        yield "made     not written down: only the headless run with default parameters does, for figures/"
    else:
        yield f"packages {_pairs(made['packages'])}"
        yield f"machine  {_pairs(made['machine'])}"
        yield f"commit   {made['commit']}"


def _tables(origin: Origin, results: Path) -> Iterator[str]:
    """Every table and, where it is stored here, what it was measured on and with; the latter only where it changes."""
    said = None
    for table in origin.tables:
        yield f"table    {table.measurement} of {table.subject}{_settings(table)}"
        stored = find_table(results, table.measurement, table.key)
        if stored is None:
            yield f"           key {table.key}: not stored on this machine; its notebook measures it again"
            continue
        made = read_provenance(stored)
        yield f"           stored   {stored}"
        yield f"           version  {made['version']} of the measurement, {made['seconds']} s"
        yield from (f"           subject  {line}" for line in _flat(made["subject"]))
        yield from (f"           input    {line}" for line in _flat(made["inputs"]))
        made_with = _made_with(made)
        if made_with != said:
            yield from (f"           {line}" for line in made_with)
        said = made_with


def _made_with(made: Mapping[str, Any]) -> list[str]:
    packages = _pairs({"python": made["python"], **made["packages"]})
    machine = [f"machine  {_pairs(made['machine'])}"] if "machine" in made else []  # older tables do not say
    return [f"packages {packages}", *machine, f"commit   {made['commit']}"]


def _settings(table: TableRead) -> str:
    return f" ({_pairs(table.parameters)})" if table.parameters else ""


def _flat(fields: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """`name value` of nested fields; a hash is cut short."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}/")
        elif value is not None:
            text = str(value)
            yield f"{before}{name} {text[:_SHOWN_DIGITS] if _is_hash(text) else text}"


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _pairs(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in fields.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _pairs(value) or "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
