"""The stored tier: the measured tables of a release, found by what is asked for instead of by what was made.

The key of a table covers the content of its subject, and a quantized variant has to be made before it has any. Here an
index leads from what was asked for (`asked`: the same ingredients, but of the subject only what it is made of, a base
model's content and a row) to the stored table. A folder of tables with such an index beside them is a release: what it
lacks is not computed, so nothing in it ever needs a model.

`table_archive` packs a release into one file and unpacks it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.table_store import DamagedTable, TableRead, find_table, read_table

INDEX = "release.json"


@dataclass(frozen=True)
class Entry:
    """A table of a release.

    Attributes:
        asked: `table_store.table_key` of what it answers.
        measurement, key: under which it is stored.
        rests_on: the tables that are noted as read with it: itself, or what it sums up. Their subject is left empty,
            since it is called as the caller calls it.
    """

    asked: str
    measurement: str
    key: str
    rests_on: tuple[TableRead, ...]


@dataclass(frozen=True)
class Release:
    """What a folder of a release holds.

    Attributes:
        directory: the folder of its tables.
        version: of the project that measured them.
        entries: `asked` → entry.
    """

    directory: Path
    version: str
    entries: Mapping[str, Entry]

    def table(self, asked: str, what: str, ingredients: Iterable[str]) -> tuple[pd.DataFrame, Entry]:
        """The table that answers `asked`, every byte checked, and its entry.

        Args:
            what: the measurement and its subject, for messages.
            ingredients: as of `table_store.read_table`.

        Raises:
            Unavailable: the release has none.
            InputError: its file is gone or damaged.
        """
        entry = self.entries.get(asked)
        if entry is None:
            raise Unavailable(f"{what}: not among the stored tables of version {self.version}; run without STORED")
        path = find_table(self.directory, entry.measurement, entry.key)
        remedy = f"remove {self.directory.parent} and unpack the archive again"
        if path is None:
            raise InputError(f"{self.directory / entry.measurement}: a table of {what} is gone; {remedy}")
        try:
            return read_table(path, ingredients), entry
        except DamagedTable as damage:
            raise InputError(f"{damage}; {remedy}") from None


# What this session was handed out, by what it had asked for: what a release for the same session must hold.
_ENTRIES: dict[str, Entry] = {}


def note_entry(entry: Entry) -> None:
    """Add a table to those that this session was handed out."""
    _ENTRIES.setdefault(entry.asked, entry)


def entries_so_far() -> str:
    """The entries of this session as JSON, which `as_entries` reads."""
    return json.dumps([asdict(entry) for entry in _ENTRIES.values()])


def as_entries(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Entries from what `entries_so_far` wrote, or an index holds.

    Raises:
        ValueError: they are none.
    """
    try:
        return [Entry(**{**row, "rests_on": tuple(TableRead(**table) for table in row["rests_on"])}) for row in rows]
    except (TypeError, LookupError) as error:
        raise ValueError(f"no list of stored tables ({error})") from None


def open_release(directory: Path) -> Release | None:
    """The release that a folder of tables is, or `None` where it is an ordinary one.

    Raises:
        InputError: its index is damaged.
    """
    path = directory / INDEX
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


@lru_cache(maxsize=4)
def _read(path: Path, _: int) -> Release:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = as_entries(content["tables"])
        return Release(path.parent, content["version"], {entry.asked: entry for entry in entries})
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error}); remove its folder and unpack the archive again") from None
