"""Tensors in safetensors files: one file, or shards named by `model.safetensors.index.json`.

Layout: 8 bytes little-endian header length, a JSON header with dtype, shape and data offsets by name, the data.
Only headers are read here, and only of shards that hold a tensor somebody asks for.
"""

import json
import math
from collections.abc import Collection
from pathlib import Path

from helpers.checkpoints.mapped_file import MappedFile
from helpers.checkpoints.stored import StoredTensor
from helpers.errors import InputError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
ELEMENT_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 1),
}


class SafetensorsFiles:
    """All safetensors files of a checkpoint folder."""

    def __init__(self, folder: Path) -> None:
        """Find the files of a folder.

        Raises:
            InputError: no safetensors file, a broken header or index, or a truncated file.
        """
        self.folder = folder
        self._shards: dict[str, tuple[MappedFile, dict[str, StoredTensor]]] = {}
        single = _single_file(folder)
        if single is not None:
            self._place = dict.fromkeys(self._shard(single)[1], single)
        else:
            self._place = _weight_map(folder / INDEX)

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
            raise InputError(f"{self.folder}: tensor {name} is missing")
        tensors = self._shard(self._place[name])[1]
        if name not in tensors:
            raise InputError(f"{self.folder / self._place[name]}: tensor {name} is missing, though {INDEX} names it")
        return tensors[name]

    def _shard(self, file_name: str) -> tuple[MappedFile, dict[str, StoredTensor]]:
        if file_name not in self._shards:
            file = MappedFile(self.folder / file_name)
            self._shards[file_name] = (file, _read_header(file))
        return self._shards[file_name]


def _single_file(folder: Path) -> str | None:
    """The one safetensors file of a folder without an index (quantizers give it names of their own)."""
    if (folder / SINGLE).is_file():
        return SINGLE
    if (folder / INDEX).is_file():
        return None
    found = sorted(path.name for path in folder.glob("*.safetensors"))
    if len(found) != 1:
        raise InputError(f"{folder}: holds neither {SINGLE} nor {INDEX}")
    return found[0]


def _weight_map(path: Path) -> dict[str, str]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        strings = all(isinstance(text, str) for pair in places.items() for text in pair)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: broken index ({type(error).__name__}: {error})") from None
    if not strings or any(Path(file).name != file for file in places.values()):
        raise InputError(f"{path}: weight_map must name files of the same folder")
    return places


def _read_header(file: MappedFile) -> dict[str, StoredTensor]:
    length = int.from_bytes(file.view(0, 8).tobytes(), "little")
    try:
        header = json.loads(file.view(8, length).tobytes())
        header.pop("__metadata__", None)
        data = 8 + length
        tensors = {name: _stored(file, name, entry, data) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file.path}: broken header ({type(error).__name__}: {error})") from None
    for tensor in tensors.values():
        if tensor.offset + tensor.length > file.size:
            end = tensor.offset + tensor.length
            raise InputError(f"{tensor}: the file is truncated ({file.size:,} bytes, {end:,} needed)")
    return tensors


def _stored(file: MappedFile, name: str, entry: dict, data: int) -> StoredTensor:
    start, stop = entry["data_offsets"]
    shape = tuple(int(size) for size in entry["shape"])
    element = ELEMENT_BYTES.get(entry["dtype"])
    if start < 0 or stop < start or (element is not None and math.prod(shape) * element != stop - start):
        raise InputError(f"{file.path}: tensor {name}: {stop - start:,} bytes do not fit its shape and type")
    return StoredTensor(name, file, entry["dtype"], shape, data + start, stop - start)
