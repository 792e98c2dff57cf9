"""The long measurement of a published model: made once, row by row, and read by notebook 08 beside its own."""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import DATA
from compressed_code.core.reference_files import declare
from compressed_code.core.yaml_rows import Record, read_yaml
from compressed_code.measurements.ladder import BASE, COLUMNS, Scope, divergences, programs
from compressed_code.registry.quantizations import load_quantizations

SETTINGS_FILE = DATA / "published.yml"
TABLE_FILE = DATA / "reference" / "published.csv"
MADE = ("model", "kind", "seconds", "processor")  # kind: one of `KINDS`
KINDS = {"divergences": divergences, "programs": programs}


class Published(Record):
    """data/published.yml.

    Attributes:
        model: key of the model.
        quantizations: rows of data/quantizations.yml, in the order in which they are measured.
        written: those whose programs are written and run, after all else.
        translations, benchmark, solutions, tasks, max_tokens: as of `measurements.ladder.Scope`; what notebook 08 asks.
        written_tasks: for how many tasks programs are written here.
    """

    model: str
    quantizations: list[str]
    written: list[str]
    translations: int
    benchmark: str
    solutions: int
    tasks: int
    written_tasks: int
    max_tokens: int

    @property
    def scope(self) -> Scope:
        """How much notebook 08 reads and writes."""
        return Scope(self.translations, self.benchmark, self.solutions, self.tasks, self.max_tokens)

    @property
    def long_scope(self) -> Scope:
        """How much is read and written here: the same texts, more programs."""
        return replace(self.scope, tasks=self.written_tasks)

    @property
    def steps(self) -> Iterator[tuple[str, str]]:
        """What is measured in turn: a row, and the kind of table."""
        for kind, rows in (("divergences", self.quantizations), ("programs", self.written)):
            yield from ((row, kind) for row in (BASE, *rows))


def load_settings(path: Path = SETTINGS_FILE) -> Published:
    """The settings.

    Raises:
        InputError: a field that is missing or unknown, or no such row.
    """
    settings = Published(**read_yaml(path))
    known = load_quantizations()
    unknown = [row for row in [*settings.quantizations, *settings.written] if row not in known]
    if unknown:
        raise InputError(f"{path}: there is no row {unknown[0]!r} in quantizations.yml")
    return settings


def load_published(path: Path = TABLE_FILE) -> pd.DataFrame:
    """The stored table, columns `MADE` and those of `ladder.COLUMNS`; without a row where none was written.

    `seconds` is processor time; little where measured tables were there already.
    """
    if not path.is_file():
        return pd.DataFrame(columns=[*MADE, *COLUMNS])
    return pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in COLUMNS[2:4] + COLUMNS[6:]})


def write_published(
    path: Path = TABLE_FILE,
    settings_file: Path = SETTINGS_FILE,
    say: Callable[[str], None] = lambda line: None,
    **where: Any,
) -> None:
    """Measure what the table lacks, one variant after the other, and write it after each.

    Stopped, it goes on where it was; a variant that cannot be made here is named and left out.

    Args:
        say: is told what was measured, in how much time, and what was left out.
        where: `registry` and `directory`, as of `measure`.

    Raises:
        InputError: the table is of another model.
    """
    settings, table = load_settings(settings_file), load_published(path)
    if set(table["model"]) - {settings.model}:
        raise InputError(f"{path}: is of another model; remove it to measure {settings.model}")
    for row, kind in settings.steps:
        if ((table["row"] == row) & (table["kind"] == kind)).any():
            continue
        started = time.process_time()
        try:
            measured = KINDS[kind](settings.model, row, settings.long_scope, **where)
        except Unavailable as gap:
            say(f"left out {row or settings.model}, {kind}: {gap}")
            continue
        made = {"model": settings.model, "kind": kind, "seconds": round(time.process_time() - started, 1)}
        measured = measured.assign(**made, processor=_processor())[[*MADE, *COLUMNS]]
        table = measured if table.empty else pd.concat([table, measured], ignore_index=True)
        with written_whole(path) as part:
            table.to_csv(part, index=False, float_format="%.6g", lineterminator="\n")
        if path == TABLE_FILE:
            declare(path, "machine", "make published")
        say(f"{row or settings.model}, {kind}: {made['seconds']:.0f} s")


def _processor() -> str:
    """What the numbers were measured on, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
