"""Tensors in GGUF files, one or in parts (NAME-00001-of-00003.gguf), under the names that the file gives them.

The numbers in the blocks are decoded by the `gguf` package.
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path, PurePath

from compressed_code.checkpoints.files.gguf_header import MAGIC, TENSOR_COUNT, GgufHeader
from compressed_code.checkpoints.files.mapped_file import MappedFile
from compressed_code.checkpoints.files.stored import StoredTensor, TensorFile
from compressed_code.core.errors import InputError

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF files do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def part_names(name: str) -> list[str]:
    """Names of all parts of a GGUF file, the first first; of a file that is no part, its own.

    Example:
        >>> part_names("m-00002-of-00002.gguf"), part_names("m.gguf")
        (['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'], ['m.gguf'])
    """
    part = _PART.fullmatch(name)
    if part is None:
        return [name]
    count = int(part["count"])
    return [f"{part['stem']}-{number:05}-of-{part['count']}.gguf" for number in range(1, count + 1)]


def require_parts(path: Path) -> None:
    """Stop at a part of a GGUF file beside which another is missing; no header is read.

    Raises:
        InputError: naming it.
    """
    for name in part_names(path.name):
        if not path.with_name(name).is_file():
            raise InputError(f"{path}: is one of several parts, and {name} is missing beside it; fetch all parts")


class GgufFiles:
    """One GGUF file, or all parts of one.

    Attributes:
        path: of the file, or of its first part.
        metadata: those of the first part; the tokenizer's lists are `None`, see `lists`.
    """

    def __init__(
        self, source: Path | TensorFile, open_part: Callable[[str], TensorFile] | None = None, *, lists: bool = False
    ) -> None:
        """Read the headers.

        Args:
            source: a file on disk, or one that is open; of a file in parts, any.
            open_part: opens another part by its name; by default in the same folder.
            lists: keep long lists among the metadata, which are the tokenizer's.

        Raises:
            InputError: no GGUF file of a known version, a truncated one, or a part is missing.
        """
        path = source if isinstance(source, Path) else source.path
        names = part_names(path.name)
        self.path: PurePath = path.with_name(names[0])
        self._headers: list[GgufHeader] = []
        self._tensors: dict[str, StoredTensor] = {}
        for name in names:
            if name == path.name:
                file = MappedFile(source) if isinstance(source, Path) else source
            else:
                file = _sibling(path, name, open_part)
            self._headers.append(GgufHeader(file, lists=lists))
            self._tensors |= self._headers[-1].tensors
        self.metadata = self._headers[0].metadata
        expected = self.metadata.get("split.tensors.count", len(self._tensors))
        if expected != len(self._tensors):
            raise InputError(
                f"{self.path}: {len(self._tensors)} tensors in {len(names)} parts, but {expected} are announced; fetch"
                " all parts again, under their own names"
            )

    @property
    def names(self) -> Collection[str]:
        """Names of all tensors."""
        return self._tensors.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, the headers included."""
        return sum(header.file.bytes_read for header in self._headers)

    def find(self, name: str) -> StoredTensor:
        """Where a tensor lies.

        Raises:
            InputError: there is none.
        """
        if name not in self._tensors:
            raise InputError(f"{self.path}: tensor {name} is missing; fetch or convert the file again")
        return self._tensors[name]

    def release_headers(self) -> None:
        """Let go of the headers, which somebody might have wanted the tokenizer of."""
        for header in self._headers:
            header.file.release(0, header.length)

    def without_tensors(self) -> bytes:
        """A GGUF file of the metadata alone, the tokenizer included; llama.cpp calls such a file "vocab only"."""
        first = self._headers[0]
        head = first.file.view(0, first.metadata_end).tobytes()
        return head[: TENSOR_COUNT.start] + bytes(8) + head[TENSOR_COUNT.stop :]


def _sibling(path: PurePath, name: str, open_part: Callable[[str], TensorFile] | None) -> TensorFile:
    if open_part is not None:
        return open_part(name)
    require_parts(Path(path))
    return MappedFile(Path(path).with_name(name))
