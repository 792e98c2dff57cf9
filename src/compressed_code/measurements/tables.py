"""measure(): the one door to measured numbers.

A measurement is a function from one subject (a tokenizer, a model) to a tidy table, declared with a version and the
input files it reads. `measure` loads every table whose key exists and computes the others, so a notebook works the
same from JupyterLab, papermill or a script, and nothing is computed twice. Only this package writes results. Every
table that is handed out is noted (`store.tables_read`), so that a figure can name what it rests on.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.core.progress import progress_bar
from compressed_code.measurements.stored_tables import stored_table
from compressed_code.registry.lookup import Registry, load_registry

# Seconds before a progress bar appears.
PROGRESS_DELAY = 3.0


class SubjectKind(Protocol):
    """What a measurement is of: how its subjects are found, opened and told apart."""

    column: str

    def find(self, name: str, registry: Registry) -> Any: ...

    def key_fields(self, spec: Any, registry: Registry) -> Mapping[str, Any]: ...

    def made_of(self, spec: Any, registry: Registry) -> Mapping[str, Any]: ...

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
        sums_up: it computes with those tables alone, whatever its subject. A figure then rests on them: they are noted
            as read, not this one, and where this one is stored they need not be.
        packages: packages whose version the provenance records.
        compute: opened subject, parameters, tables of `uses` → table; where it names a `directory` or a
            `registry`, it is given where tables are stored, and what knows the names.
        on_device: its models compute where `models.devices.chosen_device` says; tables of a GPU have other keys.
    """

    name: str
    version: int
    subject: SubjectKind
    inputs: Callable[..., Iterable[Path]]
    uses: tuple["Measurement", ...]
    sums_up: bool
    packages: tuple[str, ...]
    compute: Callable[..., pd.DataFrame]
    on_device: bool = False

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
        known |= self.own()
        unknown = ", ".join(sorted(set(given) - set(known)))
        if unknown:
            raise TypeError(f"{self.name} has no parameter {unknown}; it has {', '.join(known)}")
        return {**known, **given}

    def own(self) -> dict[str, Any]:
        """Name → default of the parameters of `compute` itself."""
        given = {"directory", "registry", *(used.name for used in self.uses)}
        _, *declared = signature(self.compute).parameters.values()  # the first one is the subject
        return {one.name: one.default for one in declared if one.name not in given}

    def take(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Of all parameters those that are its own or of what it uses."""
        return {name: parameters[name] for name in self.parameters({})}


def measurement(
    *,
    version: int,
    subject: SubjectKind,
    inputs: Iterable[Path] | Callable[..., Iterable[Path]] = (),
    uses: Iterable[Measurement] = (),
    sums_up: bool = False,
    packages: Iterable[str] = (),
    on_device: bool = False,
) -> Callable[[Callable[..., pd.DataFrame]], Measurement]:
    """Declare the function below as a measurement named after it.

    Args:
        inputs: files and folders it reads, or a function from its parameters to them.
        version, subject, uses, sums_up, packages, on_device: as in `Measurement`.
    """

    files = () if callable(inputs) else tuple(inputs)
    read = inputs if callable(inputs) else lambda **parameters: files

    def declare(compute: Callable[..., pd.DataFrame]) -> Measurement:
        told = (subject, read, tuple(uses), sums_up, tuple(packages))
        return Measurement(compute.__name__, version, *told, compute, on_device)

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
    for name in progress_bar(names, desc=what.name, delay=PROGRESS_DELAY):
        try:
            tables[name] = stored_table(what, name, registry, parameters, directory)
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
