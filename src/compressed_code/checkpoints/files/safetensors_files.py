"""Tensors in safetensors files: one file, or shards named by `model.safetensors.index.json`.

Layout: 8 bytes little-endian header length, a JSON header with dtype, shape and data offsets by name, the data.
Only headers are read here, and only of shards that hold a tensor somebody asks for.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from compressed_code.checkpoints.files.stored import StoredTensor, TensorFile
from compressed_code.core.errors import InputError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
_POINTER = b"version "  # how a file begins that git-lfs left in place of the real one
_SHARD = re.compile(r"-\d{5}-of-(?P<count>\d{5,6})\.safetensors$")  # six digits: DeepSeek
ELEMENT_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 1),
}


class SafetensorsFiles:
    """All safetensors files of a checkpoint folder."""

    def __init__(self, folder: PurePath, files: Collection[str], open_file: Callable[[str], TensorFile]) -> None:
        """Find the files of a folder.

        Args:
            folder: as messages name it.
            files: names of all files in it.
            open_file: opens one of them.

        Raises:
            InputError: no safetensors file, a broken header or index, or a truncated file.
        """
        self.folder = folder
        self._files, self._open_file = files, open_file
        self._shards: dict[str, tuple[TensorFile, dict[str, StoredTensor]]] = {}
        self._place: Mapping[str, str] = {}
        single = _single_file(folder, files)
        if single is not None:
            self._place = dict.fromkeys(self._shard(single)[1], single)
        else:
            self._place = _weight_map(open_file(INDEX))

    @property
    def names(self) -> Collection[str]:
        """Names of all tensors."""
        return self._place.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        return sum(file.bytes_read for file, _ in self._shards.values())

    def find(self, name: str) -> StoredTensor:
        """Where a tensor lies.

        Raises:
            InputError: no tensor of this name, or its shard is missing, truncated or broken.
        """
        if name not in self._place:
            raise InputError(f"{self.folder}: tensor {name} is missing; fetch or write the checkpoint again")
        tensors = self._shard(self._place[name])[1]
        if name not in tensors:
            raise InputError(
                f"{self.folder / self._place[name]}: tensor {name} is missing, though {INDEX} names it"
                "; fetch the whole checkpoint again"
            )
        return tensors[name]

    def _shard(self, file_name: str) -> tuple[TensorFile, dict[str, StoredTensor]]:
        if file_name not in self._shards:
            if file_name not in self._files:
                raise InputError(
                    f"{self.folder / file_name}: is missing, though {INDEX} names it; fetch the whole checkpoint"
                )
            file = self._open_file(file_name)
            tensors = _read_header(file)
            self._require_index_of(file_name, tensors)
            self._shards[file_name] = (file, tensors)
        return self._shards[file_name]

    def _require_index_of(self, file_name: str, tensors: Collection[str]) -> None:
        """A tensor beside the ones that the index places in a shard would be skipped here and read by others."""
        for name in tensors if self._place else ():
            place = self._place.get(name)
            if place != file_name:
                said = f"places in {place}" if place else "does not name"
                raise InputError(
                    f"{self.folder / file_name}: holds tensor {name}, which {INDEX} {said}; fetch the whole checkpoint"
                    " again"
                )


def _single_file(folder: PurePath, files: Collection[str]) -> str | None:
    """The one safetensors file of a folder without an index (quantizers give it names of their own)."""
    if SINGLE in files:
        return SINGLE
    if INDEX in files:
        return None
    found = [name for name in files if name.endswith(".safetensors") and PurePath(name).name == name]
    shard = next((name for name in found if (part := _SHARD.search(name)) and int(part["count"]) > 1), None)
    if shard is not None:
        raise InputError(f"{folder}: holds {shard}, a part of a checkpoint, but no {INDEX}; fetch the whole checkpoint")
    if found == [ADAPTER_WEIGHTS]:
        raise InputError(
            f"{folder}: holds an adapter ({ADAPTER_WEIGHTS}), which is no model by itself; merge it into its base model"
            " and name the result"
        )
    if len(found) != 1:
        raise InputError(
            f"{folder}: holds neither {SINGLE} nor {INDEX}; fetch the whole checkpoint, or name a model's own folder"
        )
    return found[0]


def _weight_map(index: TensorFile) -> dict[str, str]:
    try:
        places = json.loads(index.view(0, index.size).tobytes())["weight_map"]
        strings = all(isinstance(text, str) for pair in places.items() for text in pair)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{index.path}: broken index ({type(error).__name__}: {error}); fetch it again") from None
    if not strings or any(PurePath(file).name != file for file in places.values()):
        raise InputError(f"{index.path}: weight_map must name files of the same folder")
    return places


def _read_header(file: TensorFile) -> dict[str, StoredTensor]:
    first = file.view(0, 8).tobytes()
    if first == _POINTER:
        raise InputError(f"{file.path}: is git-lfs's pointer to the file; run git lfs pull in its folder, or fetch it")
    length = int.from_bytes(first, "little")
    if length > LONGEST_HEADER:
        raise InputError(f"{file.path}: broken header, or no safetensors file; fetch or write it again")
    if length > file.size - 8:
        raise InputError(f"{file.path}: truncated in its header ({file.size:,} bytes); fetch or write it again")
    try:
        header = json.loads(file.view(8, length).tobytes())
        file.release(0, 8 + length)
        metadata = MappingProxyType(dict(header.pop("__metadata__", None) or {}))
        data = 8 + length
        tensors = {name: _stored(file, name, entry, data, metadata) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file.path}: broken header ({type(error).__name__}: {error}); fetch or write it again"
        ) from None
    _require_order(tensors.values(), file, data)
    return tensors


def _require_order(tensors: Iterable[StoredTensor], file: TensorFile, data: int) -> None:
    """Tensors lie one after the other and fill the file, as the format asks; else somebody reads other numbers."""
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.length)):
        if tensor.offset != data:
            raise InputError(
                f"{tensor}: begins at byte {tensor.offset:,}, but the one before it ends at {data:,}; fetch or write"
                " the file again"
            )
        data += tensor.length
        if data > file.size:
            raise InputError(
                f"{tensor}: the file is truncated ({file.size:,} bytes, {data:,} needed); fetch or write it again"
            )
    if data != file.size:
        raise InputError(f"{file.path}: {file.size - data:,} bytes belong to no tensor; fetch or write the file again")


def _stored(file: TensorFile, name: str, entry: dict, data: int, metadata: Mapping[str, str]) -> StoredTensor:
    start, stop = entry["data_offsets"]
    shape = tuple(int(size) for size in entry["shape"])
    element = ELEMENT_BYTES.get(entry["dtype"])
    if start < 0 or stop < start or (element is not None and math.prod(shape) * element != stop - start):
        raise InputError(
            f"{file.path}: tensor {name}: {stop - start:,} bytes do not fit its shape and type; fetch or write it again"
        )
    return StoredTensor(name, file, entry["dtype"], shape, data + start, stop - start, metadata)
