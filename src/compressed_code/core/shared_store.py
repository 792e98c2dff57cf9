"""Measured tables that machines without a common folder share, through an object store that fsspec speaks to.

`table_store` stays what is read and written: a folder of this machine. The object store holds the same files under
`MEASUREMENT/KEY/DIGEST.parquet`. A table that the folder lacks is brought from there, and one that the store lacks is
offered to it. What arrives is checked like every stored table. A store that fails is named once and then left alone:
what is computed meanwhile stays in the folder and is offered by the next run.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.table_store import DamagedTable, UnreadableTable, tell_unstored

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PATIENCE = 60.0  # seconds that a store may take for one answer
_ENDING = ".parquet"
Answer = TypeVar("Answer")


class SharedStore:
    """An object store, for one job.

    Attributes:
        silent: why it is no longer asked; empty while it answers.
    """

    def __init__(self, address: str, patience: float = PATIENCE) -> None:
        """Nothing is asked yet.

        Args:
            address: `s3://bucket/prefix` or another address of fsspec; who asks, and where, is told by the variables
                and files of its library (of S3: AWS_ACCESS_KEY_ID, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL …).
            patience: seconds for one answer.

        Raises:
            InputError: no such kind of store, or the library for it is missing.
        """
        self.address, self.patience, self.silent = address, patience, ""
        try:
            self._files, root = _opened(address)
        except (ValueError, ImportError) as error:
            raise InputError(
                f"{address}: no such store ({in_one_line(error)}); name a folder or s3://BUCKET/…"
            ) from None
        self._root = root.rstrip("/")

    def bring(self, directory: Path, measurement: str, key: str, check: Callable[[Path], object]) -> Path | None:
        """Copy a table into the folder where the store has it.

        Args:
            check: raises `DamagedTable` for a file that is not the table; such a one is named and removed.

        Returns:
            Its file, or `None` where the store has none, or does not answer.
        """
        for digest in self._ask(lambda: self._digests(measurement, key), []):
            target = directory / measurement / f"{key}.{digest}{_ENDING}"
            arrived = directory / ".arriving" / f"{os.getpid()}.{threading.get_ident()}" / target.name
            content = self._ask(lambda d=digest: self._fetch(self._place(measurement, key, d)), None)
            if content is None:
                continue
            try:
                arrived.parent.mkdir(parents=True, exist_ok=True)
                arrived.write_bytes(content)
                check(arrived)
                target.parent.mkdir(parents=True, exist_ok=True)
                return arrived.replace(target)
            except UnreadableTable as problem:  # here and now; the store's own may be whole
                tell_unstored(directory, problem)
            except DamagedTable as damage:
                sys.stderr.write(f"{self.address}: {damage}; it is removed there\n")
                self._ask(lambda d=digest: self._remove(self._place(measurement, key, d)), None)
            except OSError as error:
                tell_unstored(directory, error)
            finally:
                with suppress(OSError):
                    arrived.unlink(missing_ok=True)
                    arrived.parent.rmdir()
                    arrived.parent.parent.rmdir()
        return None

    def offer(self, path: Path) -> bool:
        """Copy a stored table to the store, unless one of its key is there.

        Two that arrive at once become one: each writer, when it has written, leaves the first by name and removes the
        others, and of two writers the later one sees both.

        Returns:
            Whether the store has it.
        """
        key, digest = path.name.split(".")[:2]
        measurement = path.parent.name

        def offered() -> bool:
            if not self._digests(measurement, key):
                self._files.pipe_file(self._place(measurement, key, digest), path.read_bytes())
                for surplus in self._digests(measurement, key)[1:]:
                    self._remove(self._place(measurement, key, surplus))
            return True

        return self._ask(offered, False)

    def _place(self, measurement: str, key: str, digest: str) -> str:
        return f"{self._root}/{measurement}/{key}/{digest}{_ENDING}"

    def _digests(self, measurement: str, key: str) -> list[str]:
        try:
            names = self._files.ls(f"{self._root}/{measurement}/{key}", detail=False)
        except FileNotFoundError:
            return []
        return sorted(Path(name).name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING))

    def _fetch(self, place: str) -> bytes | None:
        try:
            return self._files.cat_file(place)
        except FileNotFoundError:  # removed as a surplus one since it was listed
            return None

    def _remove(self, place: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(place)

    def _ask(self, action: Callable[[], Answer], otherwise: Answer) -> Answer:
        """What the store answers in time; once it has failed, `otherwise` without asking."""
        if self.silent:
            return otherwise
        answers: list[Answer] = []
        errors: list[Exception] = []

        def asked() -> None:
            try:
                answers.append(action())
            except Exception as error:  # each store's library has errors of its own
                errors.append(error)

        # a thread that waits for ever ends with the process
        thread = threading.Thread(target=asked, daemon=True)
        thread.start()
        thread.join(self.patience)
        if answers:
            return answers[0]
        self.silent = in_one_line(errors[0]) if errors else f"no answer within {self.patience:g} s"
        sys.stderr.write(
            f"{self.address}: {self.silent}; what is measured stays on {socket.gethostname()}, "
            "run the same command again when the store answers (and the clock here is right)\n"
        )
        return otherwise


def _opened(address: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of an address, and the place in it."""
    from fsspec.core import url_to_fs

    # A listing that another machine has changed meanwhile is of no use.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    kind, _, place = address.partition("://")
    if kind == "s3":  # which pyarrow speaks: no further package is needed
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import S3FileSystem

        # Servers that are not Amazon's refuse the checksums that its library adds; a table's name holds its own digest.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        # It knows the other variables by itself. A small table is one request.
        server = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
        where = {"scheme": server.scheme, "endpoint_override": server.netloc} if server.netloc else {}
        files = S3FileSystem(**where, background_writes=False, allow_delayed_open=True)
        return ArrowFSWrapper(files, **options), place
    # Folders are there in no object store.
    return url_to_fs(address, **options, **({"auto_mkdir": True} if kind == "file" else {}))


_CURRENT: ContextVar[SharedStore | None] = ContextVar("the store that tables are shared through", default=None)


@contextmanager
def shared_through(store: SharedStore | None) -> Iterator[None]:
    """Within the block, tables that are read or written are shared through a store; through none with `None`."""
    token = _CURRENT.set(store)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def bring(directory: Path, measurement: str, key: str, check: Callable[[Path], Any]) -> Path | None:
    """`SharedStore.bring` of the block's store."""
    store = _CURRENT.get()
    return store.bring(directory, measurement, key, check) if store else None


def offer(path: Path) -> None:
    """`SharedStore.offer` to the block's store."""
    if store := _CURRENT.get():
        store.offer(path)
