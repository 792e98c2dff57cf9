"""measure(): the one door to measured numbers.

A measurement is a function from one subject (a tokenizer, a model) to a tidy table, declared with a version and the
input files it reads. `measure` loads every table whose key exists and computes the others, so a notebook works the
same from JupyterLab, papermill or a script, and nothing is computed twice. Only this package writes results. Every
table that is handed out is noted (`store.tables_read`), so that a figure can name what it rests on.

Key = sha256 of (measurement, its version, all its parameters whether given or by default, the fields of the row that
decide the result, fingerprints of the subject and of the input files). A label never enters the key. Changing a
definition bumps the version; changing a default does not have to.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from tqdm import tqdm

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.hashing import sha256_of
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.core.provenance import commit, machine, package_version
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
from compressed_code.registry.lookup import Registry, load_registry

# Seconds before a progress bar appears; it stays silent where nobody watches (not a terminal).
PROGRESS_DELAY = 3.0


class SubjectKind(Protocol):
    """What a measurement is of: how its subjects are found, opened and told apart."""

    column: str

    def find(self, name: str, registry: Registry) -> Any: ...

    def key_fields(self, spec: Any, registry: Registry) -> Mapping[str, Any]: ...

    def open(self, spec: Any, registry: Registry) -> Any: ...


@dataclass(frozen=True)
class Measurement:
    """A declared measurement; call `measure` with it.

    Attributes:
        name: folder of its tables.
        version: bumped whenever the definition changes.
        subject: kind of its subjects.
        inputs: parameters → files and folders it reads besides the subject; their content enters the key.
        uses: measurements of the same subject whose tables `compute` is given, each under its name; their versions and
            inputs enter the key.
        packages: packages whose version the provenance records.
        compute: opened subject, parameters, tables of `uses` → table; where it names a `directory`, it is given the one
            that tables are stored in.
    """

    name: str
    version: int
    subject: SubjectKind
    inputs: Callable[..., Iterable[Path]]
    uses: tuple["Measurement", ...]
    packages: tuple[str, ...]
    compute: Callable[..., pd.DataFrame]

    def __call__(self, subjects: str | Iterable[str], **options: Any) -> pd.DataFrame:
        """`measure(self, subjects, **options)`."""
        return measure(self, subjects, **options)

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, those of what it uses included: the ones given, the others by default.

        Raises:
            TypeError: a parameter it does not have.
        """
        known: dict[str, Any] = {}
        for used in self.uses:
            known |= used.parameters({})
        known |= self._own()
        unknown = ", ".join(sorted(set(given) - set(known)))
        if unknown:
            raise TypeError(f"{self.name} has no parameter {unknown}; it has {', '.join(known)}")
        return {**known, **given}

    def _own(self) -> dict[str, Any]:
        """Name → default of the parameters of `compute` itself."""
        given = {"directory", *(used.name for used in self.uses)}
        _, *declared = signature(self.compute).parameters.values()  # the first one is the subject
        return {one.name: one.default for one in declared if one.name not in given}

    def _take(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Of all parameters those that are its own or of what it uses."""
        return {name: parameters[name] for name in self.parameters({})}


def measurement(
    *,
    version: int,
    subject: SubjectKind,
    inputs: Iterable[Path] | Callable[..., Iterable[Path]] = (),
    uses: Iterable[Measurement] = (),
    packages: Iterable[str] = (),
) -> Callable[[Callable[..., pd.DataFrame]], Measurement]:
    """Declare the function below as a measurement named after it.

    Args:
        inputs: files and folders it reads, or a function from its parameters to them.
        version, subject, uses, packages: as in `Measurement`.
    """

    files = () if callable(inputs) else tuple(inputs)
    read = inputs if callable(inputs) else lambda **parameters: files

    def declare(compute: Callable[..., pd.DataFrame]) -> Measurement:
        return Measurement(compute.__name__, version, subject, read, tuple(uses), tuple(packages), compute)

    return declare


def measure(
    what: Measurement,
    subjects: str | Iterable[str],
    *,
    directory: Path = RESULTS,
    registry: Registry | None = None,
    **parameters: Any,
) -> pd.DataFrame:
    """The tables of one measurement for several subjects, stacked; what is not stored is computed and stored.

    A subject that cannot be had on this machine is named on standard error and left out. A damaged table is named,
    removed and measured again.

    Args:
        what: the measurement.
        subjects: registry keys, paths or Hub ids; or one of them.
        directory: where tables are stored.
        registry: by default data/models.yml.
        parameters: of the measurement; JSON values.

    Returns:
        The measurement's columns after a first one that names the subject.

    Raises:
        InputError: a subject is unknown or broken.
        Unavailable: none of the subjects can be had.

    Example:
        >>> from compressed_code.measurements.fidelity import stored_size
        >>> measure(stored_size, "zoo-m")[["model", "parameters"]].values.tolist()
        [['zoo-m', 1053824]]
    """
    if not isinstance(what, Measurement):
        raise InputError(f"{what!r}: is no measurement; import it from compressed_code.measurements and give it itself")
    registry = registry or load_registry()
    names = as_names(subjects)
    tables, gaps = {}, []
    for name in tqdm(names, desc=what.name, delay=PROGRESS_DELAY, disable=None, leave=False):
        try:
            tables[name] = _one_table(what, name, registry, parameters, directory)
        except Unavailable as gap:
            gaps.append(str(gap))
            print(f"{what.name}: left out {name}: {gap}", file=sys.stderr)
    if not tables:
        raise Unavailable(f"{what.name}: nothing could be measured: {'; '.join(gaps) or 'no subject was named'}")
    frames = [table.assign(**{what.subject.column: name}) for name, table in tables.items()]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[[what.subject.column, *[column for column in stacked if column != what.subject.column]]]


def for_each(
    table: pd.DataFrame, columns: str | list[str], function: Callable[..., pd.DataFrame], *arguments: Any
) -> pd.DataFrame:
    """Apply a pure function to the rows of each subject and stack the results under the subject's name.

    Args:
        table: what `measure` returned.
        columns: its subject column, or several that tell its parts apart.
        function: rows of one part, `arguments` → table.

    Raises:
        Unavailable: the table is empty, so that what was asked for does not exist here.
    """
    if table.empty:
        raise Unavailable(f"{getattr(function, '__name__', 'table')}: nothing was measured for it")
    names = [columns] if isinstance(columns, str) else columns
    parts = [
        function(rows, *arguments).assign(**dict(zip(names, values, strict=True)))
        for values, rows in table.groupby(names, sort=False, observed=True)
    ]
    stacked = pd.concat(parts, ignore_index=True)
    return stacked[[*names, *[column for column in stacked if column not in names]]]


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


_INSIDE: ContextVar[bool] = ContextVar("inside a measurement", default=False)


@contextmanager
def _computing() -> Iterator[None]:
    """What a measurement reads for itself is not noted: where its table is stored already, it reads nothing."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def _one_table(
    what: Measurement, name: str, registry: Registry, given: Mapping[str, Any], directory: Path
) -> pd.DataFrame:
    spec, parameters = what.subject.find(name, registry), what.parameters(given)
    ingredients = {
        "measurement": what.name,
        "version": what.version,
        "parameters": parameters,
        "subject": what.subject.key_fields(spec, registry),
        "inputs": {path.name: fingerprint(path) for path in what.inputs(**parameters)},
    }
    if what.uses:
        ingredients["uses"] = {
            used.name: [used.version, *(fingerprint(path) for path in used.inputs(**used._take(parameters)))]
            for used in what.uses
        }
    key = table_key(ingredients)
    table = _read_stored(directory, what.name, key, ingredients)
    if table is None:
        with locked(directory, what.name, key):
            table = _read_stored(directory, what.name, key, ingredients)  # another process may have been first
            if table is None:
                table = _compute(what, name, spec, registry, key, ingredients, directory)
    if not _INSIDE.get():
        note_read(TableRead(what.name, name, parameters, key))
    return table


def _compute(
    what: Measurement,
    name: str,
    spec: Any,
    registry: Registry,
    key: str,
    ingredients: Mapping[str, Any],
    directory: Path,
) -> pd.DataFrame:
    started, parameters = time.perf_counter(), ingredients["parameters"]
    with _computing():
        given = {one: parameters[one] for one in what._own()}
        for used in what.uses:
            given[used.name] = _one_table(used, name, registry, used._take(parameters), directory)
        if "directory" in signature(what.compute).parameters:
            given["directory"] = directory
        table = what.compute(what.subject.open(spec, registry), **given)
    seconds = round(time.perf_counter() - started, 3)
    provenance = _provenance(ingredients, what.packages, seconds)
    try:
        return read_table(write_table(directory, what.name, key, table, provenance), ingredients)
    except OSError as error:
        tell_unstored(directory, error)
        return table


def _read_stored(directory: Path, name: str, key: str, ingredients: Iterable[str]) -> pd.DataFrame | None:
    path = find_table(directory, name, key)
    if path is None:
        return None
    try:
        return read_table(path, ingredients)
    except DamagedTable as damage:
        return _read_stored(directory, name, key, ingredients) if tell_damaged(path, damage) else None


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
