"""Files and folders that appear whole or not at all, and the check beforehand that they can."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from compressed_code.core.errors import InputError
from compressed_code.core.paths import VARIANTS

LOCKS = VARIANTS / ".locks"
_TOLD: set[Path] = set()  # folders of which it was said that they cannot be written


def writable_place(path: Path) -> Path:
    """`path`, or where its folder cannot be written, as in a checkout of somebody else's, its like in the user's cache.

    What cannot be written is said once for each folder, in one line on standard error.

    Args:
        path: of a file or folder to be made; whoever calls has looked there for one that was made before.
    """
    place = _writable(path)
    if place != path and path.parent not in _TOLD:
        _TOLD.add(path.parent)
        sys.stderr.write(f"{path.parent}: cannot be written; what is made here is kept in {place.parent}\n")
    return place


def _writable(path: Path) -> Path:
    nearest = next(folder for folder in path.parents if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return path
    return user_cache_path("compressed-code").joinpath(*path.parts[-2:])


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


def check_target(path: Path, inputs: Iterable[str | Path], option: str, force: bool = True) -> None:
    """Say before the work, not after it, that a file cannot be written, or would take the place of an input.

    Args:
        path: where rows are to go; its folder is made.
        inputs: files that are read; other names are passed over.
        option: the argument that names another.
        force: whether a file that is there may be replaced.

    Raises:
        InputError: the path is one of the inputs, there already or no regular file, or its folder cannot be written to.
    """
    if any(path.exists() and Path(name).exists() and path.samefile(name) for name in inputs):
        raise InputError(f"{path}: is read in this run and would be lost; name another file with {option}")
    if path.is_file() and not force:
        raise InputError(f"{path}: exists already; name another file with {option}, or replace it with --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        possible = os.access(path.parent, os.W_OK) and (path.is_file() or not path.exists())
    except OSError:  # a file stands where a folder should be, or the system allows none
        possible = False
    if not possible:
        raise InputError(f"{path}: no file can be written there; name another with {option}")


@contextmanager
def staged(destination: Path, locks: Path = LOCKS, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder that becomes `destination` when the block ends well, and vanishes when it does not.

    One process at a time writes a destination; it also removes what killed writers left behind. Every file gets the
    permissions that the umask leaves: safetensors writes its own for their owner alone.

    Args:
        replace: whether a folder that is there goes when the new one is whole; until then it stays as it is.

    Raises:
        InputError: the destination exists already or cannot be written.
    """
    destination = destination.resolve()
    part, locks = destination.with_name(f".{destination.name}.{os.getpid()}.part"), _writable(locks)
    old = part.with_suffix(".old.part")
    try:
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{hashlib.sha256(bytes(destination)).hexdigest()[:32]}.lock"):
            if destination.exists() and not replace:
                raise InputError(f"{destination}: exists already; choose another folder or remove it")
            for leftover in destination.parent.glob(f".{destination.name}.*.part"):
                shutil.rmtree(leftover)
            try:
                part.mkdir(parents=True)
                yield part
                follow_umask(part)
                if destination.exists():
                    destination.rename(old)
                part.rename(destination)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                shutil.rmtree(part, ignore_errors=True)
                if old.exists() and not destination.exists():
                    old.rename(destination)
    except OSError as error:
        raise InputError(f"{destination}: cannot be written ({error.strerror or error})") from None


def follow_umask(folder: Path) -> None:
    """Give the files of a folder that was just made the permissions that its own show the umask leaves."""
    permissions = folder.stat().st_mode & 0o666
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.chmod(permissions)
