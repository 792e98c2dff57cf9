"""Measured tables on disk, content-addressed.

A table is one parquet file `<directory>/<measurement>/<key>.<digest>.parquet`. The key says what was measured, the
digest is the sha256 of the file's own bytes: a flipped byte anywhere in the file is seen before it is read. The
provenance beside a table holds what its key was made of; the key is made of it once more whenever a table is read, so
that one of another measurement, version, subject or parameters is no answer, whatever its name. Files are written under
a temporary name and renamed, so a killed run leaves no half table; a lock per key lets two processes that want the same
table end with one.

Which tables a session (a process: a kernel, a script) has read is noted, so that a figure can say what it rests on.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from compressed_code.core.errors import in_one_line

PROVENANCE_FIELD = b"provenance"
Content = TypeVar("Content")
_DIGEST_LENGTH = 16
_SHORT_KEY_LENGTH = 8
_LONGEST = 80  # characters of what is named in a message


class DamagedTable(Exception):
    """A stored table is not what was written; the message names the file."""


class UnreadableTable(DamagedTable):
    """What a stored table is cannot be told now: for lack of files or memory, a failing disk, another user's rights.

    It may be whole, so nobody removes it.
    """


@dataclass(frozen=True)
class TableRead:
    """A table that a session has read: what was measured of whom, how, and under which key it is stored."""

    measurement: str
    subject: str
    parameters: Mapping[str, Any]
    key: str


_UNSTORED: dict[Path, str] = {}  # folders of which that has been said, and why
_READ: dict[tuple[str, str], TableRead] = {}


def note_read(table: TableRead) -> None:
    """Add a table to those that this session has read; one that was read before keeps its place."""
    _READ.setdefault((table.subject, table.key), table)


def tables_read() -> tuple[TableRead, ...]:
    """The tables that this session has read, in the order of their first reading."""
    return tuple(_READ.values())


def short_key(tables: Iterable[TableRead]) -> str:
    """Eight hex digits that stand for a set of tables: sha256 over their sorted keys, one a line; empty for no table.

    Names, order and repetition do not matter, so that the same numbers have the same key on every machine.
    """
    keys = sorted({table.key for table in tables})
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:_SHORT_KEY_LENGTH] if keys else ""


def table_key(ingredients: Mapping[str, Any]) -> str:
    """sha256 over everything that decides a table's content; a label must not be among it.

    Args:
        ingredients: JSON values only; the order of keys does not matter.
    """
    text = json.dumps(ingredients, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def find_table(directory: Path, measurement: str, key: str) -> Path | None:
    """The file that holds a table, or `None` where it was never measured; what is no regular file is passed over."""
    return next(iter(_files(directory, measurement, key)), None)


def _files(directory: Path, measurement: str, key: str) -> list[Path]:
    """The regular files of a key by name, those of others that cannot be read last; none where the folder, or one above
    it, cannot be entered."""
    try:
        found = [path for path in sorted((directory / measurement).glob(f"{key}.*.parquet")) if path.is_file()]
        return sorted(found, key=lambda path: not os.access(path, os.R_OK))
    except PermissionError:
        return []


def read_table(path: Path, ingredients: Iterable[str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """A stored table, after checking every byte of its file and what its provenance says that it is.

    Args:
        ingredients: names of what its key is made of (`table_key`); the provenance says more.
        columns: what it must hold, in their order; anything where none is named.

    Raises:
        DamagedTable: the bytes are not the ones that were written, are no table, are another one's, or hold other
            columns; `UnreadableTable` where they cannot be read now.
    """
    try:
        content = path.read_bytes()
    except (OSError, MemoryError) as error:
        raise UnreadableTable(f"{path}: cannot be read ({in_one_line(error)})") from None
    key, digest = path.name.split(".")[:2]
    if _digest(content) != digest:
        raise DamagedTable(f"{path}: the stored table is damaged (its bytes do not match its name)")
    try:
        arrow = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        provenance = json.loads((arrow.schema.metadata or {})[PROVENANCE_FIELD])
        made_of = table_key({name: provenance[name] for name in ingredients if name in provenance})
        table = arrow.to_pandas()
    except MemoryError as error:
        raise UnreadableTable(f"{path}: cannot be read ({in_one_line(error)})") from None
    except (pa.ArrowException, OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DamagedTable(f"{path}: is no stored table ({in_one_line(error)})") from None
    if made_of != key:
        raise DamagedTable(f"{path}: is another table (its provenance gives the key {made_of[:_DIGEST_LENGTH]}…)")
    if columns and list(table.columns) != list(columns):
        raise DamagedTable(
            f"{path}: is no stored table (its columns are {', '.join(map(str, table.columns))[:_LONGEST]})"
        )
    return table


def read_tables(directory: Path, measurement: str, key: str, read: Callable[[Path], Content]) -> Iterator[Content]:
    """Every whole table of a key that several calls have added to.

    One that is damaged or another's is named on standard error and removed where it can be, one that cannot be read is
    named and stays, and what is no regular file is passed over: what it held is found again.

    Args:
        read: what is made of a file, as `read_table` or by it; raises as that does.
    """
    for path in _files(directory, measurement, key):
        try:
            yield read(path)
        except DamagedTable as damage:
            tell_damaged(path, damage)


def tell_damaged(path: Path, damage: DamagedTable) -> bool:
    """Name a table that cannot be used on standard error and remove it, unless it may be whole.

    Returns:
        Whether it is gone.
    """
    sys.stderr.write(f"{damage}; measuring again\n")
    if isinstance(damage, UnreadableTable):
        return False
    with suppress(OSError):
        path.unlink(missing_ok=True)
        return True
    return False


def tell_unstored(directory: Path, error: OSError | UnreadableTable) -> None:
    """Say on standard error, once for a folder, that what is computed is not lost, only not kept."""
    if directory not in _UNSTORED:
        _UNSTORED[directory] = in_one_line(error)
        sys.stderr.write(
            f"{directory}: tables cannot be stored here ({_UNSTORED[directory]}), they are computed each time; "
            "make room there, or the right to write\n"
        )


def why_unstored(directory: Path) -> str:
    """What was said of a folder that could not be written, by `tell_unstored`; empty where nothing was."""
    return _UNSTORED.get(directory, "")


def read_provenance(path: Path) -> dict[str, Any]:
    """How a stored table was made: key ingredients, package versions, seconds, git commit."""
    return json.loads(pq.read_schema(path).metadata[PROVENANCE_FIELD])


def write_table(
    directory: Path, measurement: str, key: str, table: pd.DataFrame, provenance: Mapping[str, Any]
) -> Path:
    """Store a table with its provenance in the schema metadata; it appears whole or not at all.

    Args:
        key: of some of the provenance's fields (`table_key`), by whose names the table is read again.
    """
    folder = directory / measurement
    folder.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), PROVENANCE_FIELD: json.dumps(provenance).encode()}
    temporary = folder / f".{key}.{os.getpid()}.part"
    try:
        pq.write_table(arrow.replace_schema_metadata(metadata), temporary, compression="zstd", write_page_checksum=True)
        path = folder / f"{key}.{_digest(temporary.read_bytes())}.parquet"
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


@contextmanager
def locked(directory: Path, measurement: str, key: str) -> Iterator[None]:
    """Hold the lock of one key; the system releases it when its process dies, however it dies.

    The holder also removes what killed writers of this key left behind.
    """
    lock = FileLock(directory / ".locks" / f"{measurement}-{key}.lock")
    with suppress(OSError):  # where nothing can be stored there is nothing to hold
        (directory / ".locks").mkdir(parents=True, exist_ok=True)
        lock.acquire()
        for leftover in (directory / measurement).glob(f".{key}.*.part"):
            leftover.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.release()  # does nothing where it is not held


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
