"""What a checkpoint file says about one tensor, and the interface of the files that hold tensors."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType
from typing import Protocol

import numpy as np

from compressed_code.core.errors import InputError


class TensorFile(Protocol):
    """A file whose bytes are had range by range, from disk (`MappedFile`) or from a server (`RemoteFile`)."""

    @property
    def path(self) -> PurePath:
        """The file, as messages name it."""
        ...

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far; a byte asked for twice counts twice."""
        ...

    @property
    def prefetch_step(self) -> int:
        """Bytes that one request should have: what is announced bit by bit is rounded up to multiples of it."""
        ...

    def view(self, offset: int, length: int) -> np.ndarray:
        """Bytes `offset … offset + length` as uint8; `InputError` where the file ends before that."""
        ...

    def prefetch(self, offset: int, length: int) -> None:
        """Announce that a range will be needed; returns at once."""
        ...

    def release(self, offset: int, length: int) -> None:
        """Let go of a range that has been used."""
        ...


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies.

    Attributes:
        name: as the file spells it.
        file: mapped or remote.
        kind: element type as the file spells it ("BF16", "F8_E4M3", "Q4_0" …).
        shape: outermost dimension first.
        offset: of its first byte in the file.
        length: in bytes.
        metadata: what the header of its file says beside the tensors.
    """

    name: str
    file: TensorFile
    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.file.path}: tensor {self.name}"

    def bytes(self, start: int, stop: int) -> np.ndarray:
        """Bytes `start … stop` of the tensor as uint8."""
        return self.file.view(self.offset + start, stop - start)

    def prefetch(self, start: int, stop: int) -> None:
        """Have bytes `start … stop`, as far as there are any, fetched; returns at once.

        Both ends are rounded up, so ranges that continue each other still do.
        """
        step = self.file.prefetch_step
        start, stop = -(-start // step) * step, -(-stop // step) * step
        self.file.prefetch(self.offset + start, min(stop, self.length) - start)

    def release(self, start: int, stop: int) -> None:
        """Let go of bytes `start … stop`."""
        self.file.release(self.offset + start, stop - start)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """Stop unless the tensor has this shape.

        Raises:
            InputError: it has another one.
        """
        if self.shape != shape:
            raise InputError(
                f"{self}: shape {list(self.shape)}, but config.json asks for {list(shape)}"
                "; fetch config and weights of one model"
            )


class TensorFiles(Protocol):
    """The files of one checkpoint."""

    @property
    def names(self) -> Collection[str]:
        """Names of all tensors, spelt as Hugging Face models spell them."""
        ...

    def find(self, name: str) -> StoredTensor:
        """Where a tensor lies; `InputError` where there is none of this name."""
        ...

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        ...
