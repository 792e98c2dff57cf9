"""A file mapped into memory: bytes are counted as they are asked for, and pages are let go after use.

A mapped page lives in the kernel's page cache. Letting go of it (madvise DONTNEED) only takes it out of this process,
so resident memory stays small however large the file is, and a page needed again comes back from the cache.
"""

import errno
import mmap
from pathlib import Path

import numpy as np

from compressed_code.core.errors import InputError

# A fault maps the neighbours of the page too, when they are cached; Linux takes this many bytes by default.
FAULT_AROUND = 1 << 16


class MappedFile:
    """Read-only view of a file.

    Attributes:
        path: the file.
        size: its length in bytes.
        bytes_read: bytes asked for so far; a byte asked for twice counts twice.
        prefetch_step: see `stored.TensorFile`; the kernel takes any range.
    """

    prefetch_step = 1

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            InputError: it does not exist, is no regular file, cannot be read or is empty.
        """
        self.path = path
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise InputError(f"{path}: is no regular file; name a model's own folder or file")
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise InputError(f"{path}: is missing; fetch the whole checkpoint, or check the name") from None
        except ValueError:
            raise InputError(f"{path}: is empty; fetch or write it again") from None
        except OSError as error:
            no_room = error.errno == errno.ENOMEM  # of addresses: `ulimit -v` counts what is mapped, read or not
            remedy = "free memory, or raise the limit (ulimit -v)" if no_room else "check the rights to it"
            raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
        self.size = len(self._map)
        self.bytes_read = 0

    def view(self, offset: int, length: int) -> np.ndarray:
        """Bytes `offset … offset + length` as uint8, without copying.

        Raises:
            InputError: the file ends before that.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(
                f"{self.path}: truncated: {offset + length:,} bytes needed, {self.size:,} are there"
                "; fetch or write it again"
            )
        self.bytes_read += length
        return np.frombuffer(self._map, np.uint8, length, offset)

    def prefetch(self, offset: int, length: int) -> None:
        """Ask the kernel to fetch a range from disk; returns at once."""
        self._advise("MADV_WILLNEED", offset, length)

    def release(self, offset: int, length: int) -> None:
        """Let go of the pages of a range that has been used, and of those the kernel mapped along just before it."""
        before = min(offset, FAULT_AROUND)
        self._advise("MADV_DONTNEED", offset - before, length + before)

    def _advise(self, advice: str, offset: int, length: int) -> None:
        option = getattr(mmap, advice, None)  # absent outside Unix: only the saving of memory is lost
        if option is None or length <= 0 or offset >= self.size:
            return
        start = offset - offset % mmap.PAGESIZE
        self._map.madvise(option, start, min(offset + length, self.size) - start)
