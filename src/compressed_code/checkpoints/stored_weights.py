"""The weights of a checkpoint by the names that models know them by, whatever tensors they are stored in."""

import math
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Protocol

from compressed_code.checkpoints.files.stored import StoredTensor, TensorFiles
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.checkpoints.storage_forms.form import Parts, StorageForm
from compressed_code.core.errors import InputError

# Scales of a cache of keys and values, which nothing here quantizes; they stand beside no weight.
_CACHE_SCALES = ("k_scale", "v_scale", "q_scale", "k_proj.output_scale", "v_proj.output_scale")


class Weights(Protocol):
    """What a checkpoint reads its weights from: the tensors of a folder in their form, or those of a GGUF file."""

    @property
    def names(self) -> Collection[str]:
        """Names of all weights, as Hugging Face checkpoints spell them."""
        ...

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        ...

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors, as they are stored."""
        ...

    def codes(self, name: str) -> StoredTensor:
        """Where the numbers of a weight lie; `InputError` where there is none of this name."""
        ...

    def count(self, name: str) -> int:
        """How many numbers a weight has."""
        ...

    def matrix(self, name: str) -> Matrix:
        """A weight, to be decoded; `InputError` where it is missing or broken."""
        ...


class StoredWeights:
    """The tensors of a folder, some of which together stand for one weight."""

    def __init__(self, files: TensorFiles, form: StorageForm) -> None:
        """Nothing is read yet."""
        self._files, self._form = files, form

    @property
    def names(self) -> Collection[str]:
        """Names of all weights."""
        return self._places.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        return self._files.bytes_read

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors, as they are stored."""
        return sum(self._files.find(name).length for name in self._files.names)

    def codes(self, name: str) -> StoredTensor:
        """Where the numbers of a weight lie.

        Raises:
            InputError: there is none of this name, or its file is missing, truncated or broken.
        """
        return self._files.find(self._places.get(name, name))

    def count(self, name: str) -> int:
        """How many numbers a weight has, by the header."""
        tensor = self.codes(name)
        if self._form.count is not None:
            return self._form.count(self._parts(name))
        for ending, by_byte in self._form.weights_per_byte.items():
            if _ends(tensor.name, ending) and tensor.kind not in ("F32", "F16", "BF16"):
                return int(tensor.length * by_byte)
        return math.prod(tensor.shape)

    def matrix(self, name: str) -> Matrix:
        """A weight, to be decoded; its scales are read, its codes are not.

        Raises:
            InputError: a tensor of it is missing or broken, or of a type that the form does not have.
        """
        return self._form.matrix(self._parts(name))

    def _parts(self, name: str) -> Parts:
        module = name[: name.rfind(".") + 1]

        def find(ending: str) -> StoredTensor | None:
            beside = module + ending
            return self._files.find(beside) if beside in self._files.names else None

        return Parts(name, self.codes(name), find)

    @cached_property
    def _places(self) -> dict[str, str]:
        """Name of a weight → name of the tensor that holds its numbers."""
        places: dict[str, str] = {}
        for stored in self._files.names:
            name = self._weight_of(stored)
            if name is None:
                continue
            if name in places:
                raise InputError(
                    f"{self._files.find(stored)}: stored beside {places[name]}, which stands for the same weight;"
                    " keep one"
                )
            places[name] = stored
        return places

    def _weight_of(self, stored: str) -> str | None:
        """The weight whose numbers a tensor holds; `None` where it stands beside the numbers of another."""
        for ending, replaced in self._form.codes.items():
            if _ends(stored, ending):
                return stored.removesuffix(ending) + replaced
        for ending in self._form.beside:
            if _ends(stored, ending):
                module = stored.removesuffix(ending)
                if ending in _CACHE_SCALES or any(
                    module + owner in self._files.names for owner in self._owners(ending)
                ):
                    return None
        return stored

    def _owners(self, ending: str) -> Iterator[str]:
        """What stands in a module beside which a tensor with this ending has no weights of its own."""
        yield from self._form.codes
        yield "weight"
        owner = ending.removesuffix("_scale_inv").removesuffix("_activation_scale")
        if owner != ending:  # a scale is no owner of itself: one that stands alone is told as a weight without a place
            yield owner


def _ends(name: str, ending: str) -> bool:
    return name == ending or name.endswith(f".{ending}")
