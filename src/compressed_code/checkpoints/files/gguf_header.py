"""The header of one GGUF file: typed metadata, and where its tensors lie.

Layout (GGUF specification, version 2 and 3, little-endian): magic, version, counts, typed metadata, one record per
tensor, then the data, aligned. It is read here because a tokenizer of 150,000 entries only has to be stepped over where
nobody wants it.
"""

import math
import struct
from typing import Any

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor, TensorFile
from compressed_code.core.errors import InputError

# Metadata value types of the specification that have a fixed size, as struct spells them.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
MAGIC = b"GGUF"
_LONGEST_KEPT_ARRAY = 1024
_VERSIONS = (2, 3)
_HIGHEST_VERSION = 100  # a larger number is no version but a broken file
_MOST_DIMENSIONS = 4  # ggml's own limit
_LENGTH = struct.Struct("<Q")  # of a string, before its bytes
# The header's length stands nowhere: so many bytes of it are announced at a time, and so many are read at a time.
HEADER_STEP = 1 << 20
BUFFER = 1 << 12
TENSOR_COUNT = slice(8, 16)  # after magic and version


class GgufHeader:
    """The header of one file.

    Attributes:
        file: whose it is.
        metadata, tensors: by name.
        metadata_end: where the metadata end.
        length: where the data begin.
    """

    def __init__(self, file: TensorFile, *, lists: bool) -> None:
        self.file = file
        try:
            self._read(_Cursor(file, lists=lists))
        except (struct.error, ValueError, KeyError, OverflowError, RecursionError) as error:
            raise InputError(
                f"{file.path}: truncated or broken GGUF header ({error}); fetch or write it again"
            ) from None

    def _read(self, cursor: "_Cursor") -> None:
        if cursor.take(len(MAGIC)) != MAGIC:
            raise InputError(f"{self.file.path}: no model: it is no GGUF file; name one, or a model's own folder")
        (version,) = cursor.numbers("I")
        if version not in _VERSIONS:
            _refuse_version(self.file, version)
        tensor_count, metadata_count = cursor.numbers("QQ")
        self.metadata: dict[str, Any] = {}
        for _ in range(metadata_count):
            name = cursor.text()
            if name in self.metadata:
                raise ValueError(f"{name} stands in it twice")
            self.metadata[name] = cursor.value(cursor.numbers("I")[0])
        self.metadata_end = cursor.position
        records = [_tensor_record(cursor) for _ in range(tensor_count)]
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise ValueError(f"general.alignment is {alignment!r}, no power of two")
        self.length = -(-cursor.position // alignment) * alignment
        self.tensors: dict[str, StoredTensor] = {}
        end = self.length
        for tensor in sorted((_stored(self.file, self.length, *record) for record in records), key=_place):
            if tensor.name in self.tensors:
                raise ValueError(f"tensor {tensor.name} stands in it twice")
            if tensor.offset < end:
                raise ValueError(f"tensor {tensor.name} begins before the one that lies before it ends")
            self.tensors[tensor.name] = tensor
            end = tensor.offset + tensor.length


def _place(tensor: StoredTensor) -> tuple[int, int]:
    return tensor.offset, tensor.length


def _refuse_version(file: TensorFile, version: int) -> None:
    if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
        raise InputError(f"{file.path}: a big-endian GGUF file, which is not supported; convert it as little-endian")
    if version > _HIGHEST_VERSION:
        raise ValueError(f"its version is {version}")
    known = " and ".join(map(str, _VERSIONS))
    raise InputError(f"{file.path}: GGUF version {version} is not supported; {known} are: convert the model again")


def _tensor_record(cursor: "_Cursor") -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text()
    (dimensions,) = cursor.numbers("I")
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(f"tensor {name} has {dimensions} dimensions")
    shape = cursor.numbers("Q" * dimensions)
    kind, offset = cursor.numbers("IQ")
    return name, tuple(reversed(shape)), kind, offset


def _stored(
    file: TensorFile, data: int, name: str, shape: tuple[int, ...], kind_number: int, offset: int
) -> StoredTensor:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    if kind_number not in {kind.value for kind in GGML_QUANT_SIZES}:
        raise InputError(
            f"{file.path}: tensor {name}: its type, number {kind_number}, is not known to the gguf package; use a newer"
            " one, or a file of another type"
        )
    kind = GGMLQuantizationType(kind_number)
    block_elements, block_bytes = GGML_QUANT_SIZES[kind]
    length = math.prod(shape) // block_elements * block_bytes
    tensor = StoredTensor(name, file, kind.name, shape, data + offset, length)
    if tensor.offset + length > file.size:
        raise InputError(
            f"{tensor}: the file is truncated ({file.size:,} bytes, {tensor.offset + length:,} needed)"
            "; fetch or write it again"
        )
    return tensor


class _Cursor:
    """Reads the header from front to back."""

    def __init__(self, file: TensorFile, *, lists: bool) -> None:
        self._file, self._lists = file, lists
        self.position = self._announced = self._buffer_start = 0
        self._buffer = b""

    def take(self, length: int) -> bytes:
        if self.position + length > self._buffer_start + len(self._buffer):
            self._fill(length)
        start = self.position - self._buffer_start
        self.position += length
        return self._buffer[start : start + length]

    def _fill(self, least: int) -> None:
        if self.position + least > self._file.size:  # told before a file asks for as many bytes as nonsense announces
            raise ValueError("the file ends within it, or a length in it is wrong")
        length = max(least, min(HEADER_STEP if self._lists else BUFFER, self._file.size - self.position))
        if self.position + length > self._announced:
            self._announced = self.position + max(length, HEADER_STEP)
            self._file.prefetch(self.position, self._announced - self.position)
        self._buffer_start = self.position
        self._buffer = self._file.view(self.position, length).tobytes()

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        layout = "<" + kinds
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def text(self) -> str:
        return self.take(self.numbers("Q")[0]).decode()

    def value(self, kind: int) -> Any:
        """A metadata value; a long list, unless it is wanted, is stepped over and gives `None`."""
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            if kind not in _SCALARS:
                raise ValueError(f"{kind} is no type of a metadata value that is known here")
            return self.numbers(_SCALARS[kind])[0]
        element, count = self.numbers("IQ")
        if count <= _LONGEST_KEPT_ARRAY or self._lists:
            return self._list(element, count)
        if element in _SCALARS:
            self.position += count * struct.calcsize("<" + _SCALARS[element])
        elif element == _STRING:
            self._texts(count, kept=False)
        else:
            for _ in range(count):
                self.value(element)
        return None

    def _list(self, element: int, count: int) -> list[Any]:
        if element in _SCALARS:
            layout = np.dtype(f"<{_SCALARS[element]}")
            return np.frombuffer(self.take(count * layout.itemsize), layout).tolist()
        if element == _STRING:
            return self._texts(count, kept=True)
        return [self.value(element) for _ in range(count)]

    def _texts(self, count: int, *, kept: bool) -> list[str]:
        """Strings one after the other; hundreds of thousands are a tokenizer, so no call is made for each."""
        texts: list[str] = []
        left = count
        while left:
            buffer, place = self._buffer, self.position - self._buffer_start
            while left and place + _LENGTH.size <= len(buffer):
                start = place + _LENGTH.size
                stop = start + _LENGTH.unpack_from(buffer, place)[0]
                if stop > len(buffer):
                    break
                if kept:
                    texts.append(buffer[start:stop].decode())
                place, left = stop, left - 1
            self.position = self._buffer_start + place
            if left:  # the next one goes beyond what is read so far
                length = self.numbers("Q")[0]
                if kept:
                    texts.append(self.take(length).decode())
                else:
                    self.position += length
                left -= 1
        return texts
