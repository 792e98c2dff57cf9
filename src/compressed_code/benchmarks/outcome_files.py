"""A file of outcomes that grows while samples are scored, so that an interruption loses none and a rerun goes on.

Beside `NAME` stands `NAME.settings.json`: digests of all that decides the outcomes, and what became of the canonical
solutions. A file is continued only where the former are the same. Lines are appended and flushed; a complete file is
written once more in the order of the samples. A name that ends in `.gz` is compressed then; until then its lines
stand in the name without it.
"""

import codecs
import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from compressed_code.benchmarks.outcome_checks import check_row
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.core.json_lines import MOST_BYTES, MOST_BYTES_OF_A_LINE, read_rows, write_rows

Name = tuple[str, int]  # of a sample: task and number within it


class FullDisk(InputError):
    """Outcomes cannot be written any more; those that were stay, and the file is whole."""


class OutcomeFile:
    """Rows by the name of their sample; with a path they are on disk as soon as they are added."""

    def __init__(self, path: Path | None = None) -> None:
        """Nothing is opened yet."""
        self.path = path
        self.rows: dict[Name, dict[str, Any]] = {}
        self.notes: dict[str, Any] = {}
        self._growing: Path | None = None if path is None else path.with_suffix("") if _packed(path) else path
        self._file: IO[bytes] | None = None

    @contextmanager
    def opened(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Read what an earlier run left, and hold the file against other processes.

        Args:
            settings: JSON values, all that decides the outcomes.

        Raises:
            InputError: the file was not written by an earlier run with the same settings (the message names the first
                that differs), another process writes it, or it cannot be written.
        """
        if self._growing is None:
            yield
            return
        try:
            if self._growing.exists() and not self._growing.is_file():  # a pipe would never open
                raise InputError(f"{self._growing}: no file can be written there; name another one")
            self._growing.parent.mkdir(parents=True, exist_ok=True)
            with self._growing.open("ab") as file:
                _hold(self._growing, file)
                self._file = file
                self._continue(settings)
                yield
        finally:
            self._file = None

    def note(self, name: str, value: Any) -> None:
        """Keep what a rerun need not find out again."""
        self.notes[name] = value
        if self.path is not None:
            with self._told():
                self._write_settings()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows.

        Raises:
            FullDisk: they cannot be written; the file ends with the last whole line before them.
        """
        if self._file is not None:
            end = self._file.seek(0, 2)
            try:
                with self._told():
                    self._file.write("".join(f"{json.dumps(row)}\n" for row in rows).encode())
                    self._file.flush()
            except FullDisk:
                self._drop_unwritten(end)
                raise
        self.rows |= {(row["task_id"], row["sample"]): row for row in rows}

    def put_in_order(self, names: Iterable[Name]) -> None:
        """Leave the rows in the order given, all of which are there."""
        order = list(names)
        if self.path is None or (self._growing == self.path and list(self.rows) == order):
            return
        with self._told():
            write_rows(self.path, [self.rows[name] for name in order])
        if self._growing != self.path:
            self._growing.unlink(missing_ok=True)

    def _continue(self, settings: Mapping[str, Any]) -> None:
        beside, finished = _beside(self.path), _packed(self.path) and self.path.exists()
        self._settings = dict(settings)
        if self._growing.stat().st_size > MOST_BYTES:  # no rerun could read it
            raise InputError(f"{self._growing}: is larger than {MOST_BYTES >> 30} GiB; name another file")
        content = self._growing.read_bytes()
        if not content and not finished:
            with self._told():
                self._write_settings()
            return
        try:
            if not beside.is_file() or beside.stat().st_size > MOST_BYTES_OF_A_LINE:
                raise OSError
            kept = json.loads(beside.read_text(encoding="utf-8"))
            earlier, self.notes = dict(kept["settings"]), dict(kept["notes"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            raise InputError(
                f"{self.path}: was not written by score ({beside.name} is missing or damaged); name another file or"
                " remove this one"
            ) from None
        for name in [*settings, *earlier]:
            if earlier.get(name) != settings.get(name):
                raise InputError(
                    f"{self.path}: cannot be continued: its {name} were others; name another file or remove this one"
                )
        self._check_written_here(content)
        self._file.truncate(content.rfind(b"\n") + 1)  # what a kill left of a line
        for place, row in read_rows(self.path if finished else self._growing):
            check_row(row, place)
            name = row["task_id"], row["sample"]
            if name in self.rows:  # which of them is right cannot be told
                raise InputError(f"{place}: is a second line of this sample; remove both, one is written again")
            self.rows[name] = row

    def _check_written_here(self, content: bytes) -> None:
        """Refuse a file that grew otherwise before anything of it is cut off, or all of it removed: samples, maybe."""
        first, end, _ = content.partition(b"\n")
        if end:
            place = f"{self._growing}, line 1"
            try:
                row = json.loads(first.removeprefix(codecs.BOM_UTF8))
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or not {"sample", "outcome"} & row.keys():
                raise InputError(f"{place}: is not what score writes; name another file or remove this one")
            check_row(row, place)

    def _drop_unwritten(self, end: int) -> None:
        """Nothing that could not be written may follow later, when there is room for it again."""
        with suppress(OSError):
            self._file.close()  # which tries to write it once more
        with suppress(OSError), self._growing.open("r+b") as file:
            file.truncate(end)
        self._file = None

    def _write_settings(self) -> None:
        with written_whole(_beside(self.path)) as part:
            part.write_text(json.dumps({"settings": self._settings, "notes": self.notes}, indent=1) + "\n")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FullDisk(
                f"{self.path}: cannot be written ({error.strerror or error}); {len(self.rows)} outcomes are in it, and"
                " the same command goes on from there when there is room"
            ) from None


def places_of(path: Path) -> list[Path]:
    """All files that one of outcomes may write, and replaces or removes then."""
    return [path, *([path.with_suffix("")] if _packed(path) else []), _beside(path)]


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.settings.json")


def _packed(path: Path) -> bool:
    return path.suffix == ".gz"


def _hold(path: Path, file: IO[bytes]) -> None:
    """Lock the file; the system releases the lock when the process dies, however it dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{path}: another process is writing it; wait for it or name another file") from None
