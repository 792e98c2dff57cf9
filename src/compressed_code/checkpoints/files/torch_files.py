"""Tensors in PyTorch's own files (pytorch_model.bin, one or shards), mapped; nothing but tensors is unpickled."""

import json
from collections.abc import Collection
from pathlib import Path, PurePath

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.core.errors import InputError, in_one_line

INDEX = "pytorch_model.bin.index.json"
SINGLE = "pytorch_model.bin"


class TorchFiles:
    """All *.bin files of a checkpoint folder."""

    def __init__(self, folder: Path) -> None:
        """Find the files of a folder.

        Raises:
            InputError: a broken index, or a file that is missing or no file of tensors.
        """
        self.folder = folder
        self._tensors, self._found = {}, {}
        for file in _files(folder):
            self._tensors |= {name: (file, tensor) for name, tensor in _load(file).items()}

    @property
    def names(self) -> Collection[str]:
        """Names of all tensors."""
        return self._tensors.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes of the tensors that were asked for."""
        return sum(tensor.length for tensor in self._found.values())

    def find(self, name: str) -> StoredTensor:
        """A tensor, whose bytes are mapped from its file.

        Raises:
            InputError: there is none of this name, or its type is none of a checkpoint.
        """
        import torch

        if name not in self._tensors:
            raise InputError(f"{self.folder}: tensor {name} is missing; fetch or write the checkpoint again")
        if name not in self._found:
            file, tensor = self._tensors[name]
            kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
            kinds |= {torch.int32: "I32", torch.int64: "I64", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
            kinds |= {torch.float8_e4m3fn: "F8_E4M3", torch.int16: "I16"}
            if tensor.dtype not in kinds:
                raise InputError(f"{file}: tensor {name}: type {tensor.dtype} is not supported; save it as safetensors")
            content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
            shape = tuple(tensor.shape)
            self._found[name] = StoredTensor(name, _Content(file, content), kinds[tensor.dtype], shape, 0, content.size)
        return self._found[name]


class _Content:
    """The bytes of one tensor, as a file of their own."""

    prefetch_step, bytes_read = 1, 0

    def __init__(self, path: PurePath, content: np.ndarray) -> None:
        self.path, self.size, self._content = path, content.size, content

    def view(self, offset: int, length: int) -> np.ndarray:
        return self._content[offset : offset + length]

    def prefetch(self, offset: int, length: int) -> None:
        """The system reads a mapped file when it is touched."""

    def release(self, offset: int, length: int) -> None:
        """The system lets go of it."""


def _files(folder: Path) -> list[Path]:
    if not (folder / INDEX).is_file():
        return [folder / SINGLE]
    try:
        names = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("weight_map must name files of the same folder")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / INDEX}: broken index ({type(error).__name__}: {error}); fetch it again") from None
    return [folder / name for name in sorted(names)]


def _load(file: Path) -> dict:
    import torch

    try:
        content = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{file}: is missing; fetch the checkpoint again") from None
    except Exception as error:  # an old format that cannot be mapped, a broken file, or code in place of tensors
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception:
            reason = in_one_line(error)
            raise InputError(f"{file}: broken, or holds more than tensors ({reason}); save it as safetensors") from None
    if not isinstance(content, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        raise InputError(f"{file}: holds no dictionary of tensors; save the model's state_dict as safetensors")
    return content
