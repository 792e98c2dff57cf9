"""sha256 of files: a large one is read once, and again only when the file system says that it changed.

Trusted is that a file whose path, device, inode, size, modification time and time of status change (which every write
sets, and which on Unix a program cannot set back) are those noted beside its digest still holds the same bytes. Damage
below the file system, a clock that was set back, and a disk that does not keep these times cannot be seen this way; to
have every file read again, remove the folder of notes (`make clean` does). Small files are read every time.
"""

import contextlib
import json
import os
import time
from pathlib import Path

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.hashing import sha256_of, sha256_of_file
from compressed_code.core.paths import BUILD

DIGESTS = BUILD / "digests"
SMALL = 32 << 20  # bytes; reading so many takes a few hundredths of a second
# A file written this short before it is read, in nanoseconds, may be written again within one tick of its clock.
SETTLED = 2 * 10**9

State = dict[str, int | str]


def file_digest(path: Path, directory: Path = DIGESTS) -> str:
    """Hexadecimal sha256 of a file of any size; of a large one that did not change, from the notes in `directory`.

    A note is one small file that appears whole or not at all, so several processes may write it at once; one that is
    damaged, or cannot be written, is as good as none.

    Raises:
        InputError: the file cannot be read.
    """
    before = _state(path)
    if before is None or before["size"] < SMALL:
        return sha256_of_file(path)
    note = directory / sha256_of(os.fsencode(before["path"]))[:32]
    digest = _noted(note, before)
    if digest is None:
        started = time.time_ns()
        digest = sha256_of_file(path)
        settled = max(before["modified"], before["changed"]) < started - SETTLED
        if settled and _state(path) == before:
            _write(note, before | {"sha256": digest})
    return digest


def _state(path: Path) -> State | None:
    """What tells one content of a file from another without reading it; `None` where there is no file."""
    try:
        real = path.resolve(strict=True)
        found = real.stat()
    except OSError:
        return None
    return {
        "path": str(real),
        "device": found.st_dev,
        "inode": found.st_ino,
        "size": found.st_size,
        "modified": found.st_mtime_ns,
        "changed": found.st_ctime_ns,
    }


def _noted(note: Path, state: State) -> str | None:
    """The digest of a note, whose second line is the sha256 of its first; `None` where it is of another state."""
    try:
        first, second = note.read_text(encoding="utf-8").splitlines()
        content = json.loads(first) if sha256_of(first.encode()) == second else {}
    except (OSError, ValueError):
        return None
    digest = content.get("sha256") if isinstance(content, dict) else None
    return digest if content == {**state, "sha256": digest} else None


def _write(note: Path, content: State) -> None:
    text = json.dumps(content)
    # A folder that cannot be written only costs reading the file again.
    with contextlib.suppress(OSError), written_whole(note) as part:
        part.write_text(f"{text}\n{sha256_of(text.encode())}\n", encoding="utf-8")
