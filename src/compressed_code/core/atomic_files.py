"""Files that appear whole or not at all, and the check beforehand that they can."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from compressed_code.core.errors import InputError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes the place of `path` when the block ends well, and vanishes when not.

    The folder is made. Several processes may write the same path at once; the last one to end stays.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "table.csv"
        >>> with written_whole(table) as part:
        ...     _ = part.write_text("a,b")
        ...     table.exists()
        False
        >>> table.read_text()
        'a,b'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_target(path: Path, inputs: Iterable[str | Path], option: str) -> None:
    """Say before the work, not after it, that a file cannot be written, or would take the place of an input.

    Args:
        path: where rows are to go; its folder is made.
        inputs: files that are read; other names are passed over.
        option: the argument that names another.

    Raises:
        InputError: the path is one of the inputs or no regular file, or its folder cannot be written to.
    """
    if any(path.exists() and Path(name).exists() and path.samefile(name) for name in inputs):
        raise InputError(f"{path}: is read in this run and would be lost; name another file with {option}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        possible = os.access(path.parent, os.W_OK) and (path.is_file() or not path.exists())
    except OSError:  # a file stands where a folder should be, or the system allows none
        possible = False
    if not possible:
        raise InputError(f"{path}: no file can be written there; name another with {option}")
