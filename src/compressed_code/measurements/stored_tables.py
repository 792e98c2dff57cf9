"""One table of one subject: found under its key, or computed and kept.

Key = sha256 of (measurement, its version, all its parameters whether given or by default, the fields of the row that
decide the result, fingerprints of the subject and of the input files, and that a GPU computed it). A label never enters
the key. Changing a definition bumps the version; changing a default does not have to.

In a folder that holds a release (`core.stored_release`) a table is found by what it is asked for, and none is computed.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.hashing import sha256_of
from compressed_code.core.provenance import commit, machine, package_version
from compressed_code.core.shared_store import bring, offer
from compressed_code.core.stored_release import Entry, note_entry, open_release
from compressed_code.core.table_store import (
    DamagedTable,
    TableRead,
    find_table,
    locked,
    note_read,
    read_table,
    table_key,
    tell_damaged,
    tell_unstored,
    write_table,
)
from compressed_code.models.devices import CPU, kind_of_device
from compressed_code.registry.lookup import Registry

if TYPE_CHECKING:
    from compressed_code.measurements.tables import Measurement


def fingerprint(path: Path) -> str:
    """sha256 of a file, or of the names and contents of all files in a folder.

    Raises:
        InputError: it does not exist.
    """
    if path.is_file():
        return sha256_of(path.read_bytes())
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return sha256_of("".join(f"{file.relative_to(path)} {sha256_of(file.read_bytes())}\n" for file in files).encode())


_COMPUTED: Counter[str] = Counter()


def times_computed(key: str) -> int:
    """How often this process has computed the table of a key, not found it."""
    return _COMPUTED[key]


_INSIDE: ContextVar[bool] = ContextVar("inside a measurement", default=False)


@contextmanager
def _computing() -> Iterator[None]:
    """What a measurement reads for itself is not noted: where its table is stored already, it reads nothing."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def stored_table(
    what: "Measurement", name: str, registry: Registry, given: Mapping[str, Any], directory: Path
) -> pd.DataFrame:
    """The table of one subject, loaded where it is stored, else computed and stored.

    Args:
        what: the measurement.
        name: of the subject.
        registry: that knows the name.
        given: parameters that are not those by default.
        directory: where tables are stored.

    Raises:
        InputError: the subject is unknown or broken.
        Unavailable: it cannot be had.
    """
    spec, parameters = what.subject.find(name, registry), what.parameters(given)
    release = open_release(directory)
    asked = _ingredients(what, what.subject.made_of(spec, registry), parameters)
    if release is not None:
        table, entry = release.table(table_key(asked), f"{what.name} of {name}", asked)
    else:
        subject = what.subject.key_fields(spec, registry)
        ingredients = {**asked, "subject": subject}
        key = table_key(ingredients)
        table = _stored_or_computed(what, name, spec, registry, key, ingredients, directory)
        entry = Entry(table_key(asked), what.name, key, _rests_on(what, key, subject, parameters))
    if not _INSIDE.get():
        note_entry(entry)
        for read in entry.rests_on:
            note_read(replace(read, subject=name))
    return table


def stored_key(what: "Measurement", name: str, registry: Registry, given: Mapping[str, Any]) -> str:
    """The key under which `stored_table` of the same arguments keeps its table, outside of a release.

    Raises:
        InputError, Unavailable: as `stored_table`.
    """
    return table_key(_ingredients_of(what, name, registry, given))


def kept_table(
    what: "Measurement", name: str, registry: Registry, given: Mapping[str, Any], directory: Path
) -> pd.DataFrame | None:
    """The table that `stored_table` of the same arguments would load; `None` where it would compute it.

    Raises:
        InputError, Unavailable: as `stored_table`.
    """
    ingredients = _ingredients_of(what, name, registry, given)
    return _read_stored(directory, what.name, table_key(ingredients), ingredients)


def _ingredients_of(what: "Measurement", name: str, registry: Registry, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the key of a subject's table is made of, outside of a release."""
    subject = what.subject.key_fields(what.subject.find(name, registry), registry)
    return _ingredients(what, subject, what.parameters(given))


def _ingredients(what: "Measurement", subject: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a key is made of."""
    ingredients = {
        "measurement": what.name,
        "version": what.version,
        "parameters": parameters,
        "subject": subject,
        "inputs": {path.name: fingerprint(path) for path in what.inputs(**parameters)},
    }
    if what.uses:
        ingredients["uses"] = {
            used.name: [used.version, *(fingerprint(path) for path in used.inputs(**used.take(parameters)))]
            for used in what.uses
        }
    if (what.on_device or any(used.on_device for used in what.uses)) and (kind := kind_of_device()) != CPU:
        ingredients["device"] = kind
    return ingredients


def _rests_on(
    what: "Measurement", key: str, subject: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[TableRead, ...]:
    """The tables that are noted with one: itself, or those that it sums up; the subject has no name yet."""
    if not what.sums_up:
        return (TableRead(what.name, "", parameters, key),)
    return tuple(
        TableRead(used.name, "", own, table_key(_ingredients(used, subject, own)))
        for used in what.uses
        for own in [used.take(parameters)]
    )


def _stored_or_computed(
    what: "Measurement",
    name: str,
    spec: Any,
    registry: Registry,
    key: str,
    ingredients: Mapping[str, Any],
    directory: Path,
) -> pd.DataFrame:
    table = _read_stored(directory, what.name, key, ingredients)
    if table is None:
        with locked(directory, what.name, key):
            table = _read_stored(directory, what.name, key, ingredients)  # another process may have been first
            if table is None:
                table = _compute(what, name, spec, registry, key, ingredients, directory)
    return table


def _compute(
    what: "Measurement",
    name: str,
    spec: Any,
    registry: Registry,
    key: str,
    ingredients: Mapping[str, Any],
    directory: Path,
) -> pd.DataFrame:
    started, parameters = time.perf_counter(), ingredients["parameters"]
    with _computing():
        given = {one: parameters[one] for one in what.own()}
        for used in what.uses:
            given[used.name] = stored_table(used, name, registry, used.take(parameters), directory)
        wanted = signature(what.compute).parameters
        given |= {one: value for one, value in (("directory", directory), ("registry", registry)) if one in wanted}
        table = what.compute(what.subject.open(spec, registry), **given)
    seconds = round(time.perf_counter() - started, 3)
    _COMPUTED[key] += 1
    provenance = _provenance(ingredients, what.packages, seconds)
    try:
        path = write_table(directory, what.name, key, table, provenance)
        stored = read_table(path, ingredients)
    except OSError as error:
        tell_unstored(directory, error)
        return table
    offer(path)
    return stored


def _read_stored(directory: Path, name: str, key: str, ingredients: Iterable[str]) -> pd.DataFrame | None:
    path = find_table(directory, name, key) or bring(directory, name, key, lambda file: read_table(file, ingredients))
    if path is None:
        return None
    try:
        table = read_table(path, ingredients)
    except DamagedTable as damage:
        return _read_stored(directory, name, key, ingredients) if tell_damaged(path, damage) else None
    offer(path)
    return table


def _provenance(ingredients: Mapping[str, Any], packages: Iterable[str], seconds: float) -> dict[str, Any]:
    return {
        **ingredients,
        "packages": {package: package_version(package) for package in ("pandas", *packages)},
        "python": sys.version.split()[0],
        "platform": sys.platform,
        "machine": machine(),
        "seconds": seconds,
        "commit": commit(),
    }
