"""What of data/ a session (a process: a kernel, a script) reads, so that a notebook is run again when that changes.

Files are seen through Python's audit events, listed folders too, since a file that is added or deleted counts. Of a
file of many rows, most of which a notebook never looks at, the rows that were looked up are noted instead.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from compressed_code.core.paths import DATA, RESULTS

Row = TypeVar("Row")

_FILES: set[str] = set()
_ROWS: dict[tuple[str, str], str | None] = {}
_OPENING, _LISTING = "open", ("os.listdir", "os.scandir")


class Rows(dict[str, Row]):
    """Rows of a file by name; looking one up notes it with a digest of what it says, also where there is none.

    Going through all of them notes nothing: whoever does so looks for rows that point to one it names. The digest of a
    row therefore covers the names of those that repeat it with another seed (`seed_of`).
    """

    def __init__(self, rows: Mapping[str, Row], path: Path, prefix: str = "") -> None:
        """Hold rows as `records.parse_rows` reads them: pydantic models from `path`, in its part `prefix`."""
        super().__init__(rows)
        self._path, self._prefix = str(path), prefix

    def __getitem__(self, name: str) -> Row:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping."""
        self._note(name)
        return super().get(name, default)

    def digest(self, name: str) -> str | None:
        """Sixteen hex digits that stand for a row's content; `None` where there is no such row."""
        if name not in self:
            return None
        repeats = sorted(key for key, row in self.items() if getattr(row, "seed_of", None) == name)
        text = json.dumps([super().__getitem__(name).model_dump_json(), repeats])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _note(self, name: str) -> None:
        place = (self._path, self._prefix + name)
        if place not in _ROWS:
            _ROWS[place] = self.digest(name)


def watch_files() -> None:
    """Note every file and folder of data/ that this process reads from now on; stored tables are none of them."""
    sys.addaudithook(_note_file)


def reads_so_far() -> str:
    """JSON: `files`, paths that were read; `rows`, file → name in it → digest of the row, null where there is none."""
    rows: dict[str, dict[str, str | None]] = {}
    for (path, name), digest in _ROWS.items():
        rows.setdefault(path, {})[name] = digest
    return json.dumps({"files": sorted(_FILES), "rows": rows})


def _note_file(event: str, arguments: tuple[Any, ...]) -> None:
    if event != _OPENING and event not in _LISTING:
        return
    place = arguments[0]
    if not isinstance(place, str | bytes | os.PathLike):  # a file descriptor, or the folder one is in
        return
    if event == _OPENING and isinstance(arguments[1], str) and not arguments[1].startswith("r"):
        return
    path = os.path.abspath(os.fsdecode(place))  # noqa: PTH100, a Path costs too much for every file that is opened
    if path.startswith(f"{DATA}{os.sep}") and not path.startswith(str(RESULTS)):
        _FILES.add(path)
