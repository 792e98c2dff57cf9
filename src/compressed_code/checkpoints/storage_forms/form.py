"""A form in which the weights of a checkpoint are stored, and the plain one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.float8 import powers_of_two, value_table
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, FloatMatrix, Matrix, read_vector
from compressed_code.core.errors import InputError


@dataclass(frozen=True)
class Parts:
    """The tensors of one weight.

    Attributes:
        name: of the weight they stand for ("model.layers.0.mlp.up_proj.weight").
        codes: what holds its numbers.
        find: from the ending of a name beside it ("scales", "weight_scale_inv") to where that lies, or `None`.
    """

    name: str
    codes: StoredTensor
    find: Callable[[str], StoredTensor | None]

    def needed(self, ending: str) -> StoredTensor:
        """A part that must be there.

        Raises:
            InputError: it is missing.
        """
        tensor = self.find(ending)
        if tensor is None:
            raise InputError(f"{self.codes}: {ending} is missing beside it; fetch or write the checkpoint again")
        return tensor


@dataclass(frozen=True)
class StorageForm:
    """How the weights of one checkpoint are stored.

    Attributes:
        name: for messages.
        matrix: the matrix that the parts of a weight stand for.
        codes: ending of a stored tensor's name → ending of the weight's. A weight that is stored under its own name
            needs no entry.
        beside: endings of the tensors that stand beside the codes of a weight and hold no weights of their own.
        weights_per_byte: weights that a byte of codes holds, by the ending of their name; by default one an element.
        count: how many numbers a weight has, where neither element types nor `weights_per_byte` tell it.
    """

    name: str
    matrix: Callable[[Parts], Matrix]
    codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    beside: tuple[str, ...] = ()
    weights_per_byte: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    count: Callable[[Parts], int] | None = None


def plain_matrix(parts: Parts) -> Matrix:
    """Ordinary floats.

    Raises:
        InputError: the tensor holds something else.
    """
    if parts.codes.kind in FLOAT_KINDS:
        return FloatMatrix(parts.codes)
    if parts.codes.kind == "I32":
        raise InputError(
            f"{parts.codes}: packed codes, but config.json has no quantization_config for them; fetch config.json again"
        )
    raise InputError(
        f"{parts.codes}: type {parts.codes.kind} is not supported with this quantization_config; float32, float16 and"
        " bfloat16 are: save it as one of them"
    )


PLAIN = StorageForm("plain", plain_matrix)


def read_scales(tensor: StoredTensor) -> np.ndarray:
    """Scales as float32 in their own shape: ordinary floats, float8 e4m3, or powers of two (e8m0, also as uint8)."""
    if tensor.kind == "F8_E4M3":
        return value_table().take(tensor.bytes(0, tensor.length)).reshape(tensor.shape)
    if tensor.kind in ("U8", "F8_E8M0"):
        return powers_of_two(tensor.bytes(0, tensor.length)).reshape(tensor.shape)
    return read_vector(tensor)


def read_numbers(tensor: StoredTensor) -> np.ndarray:
    """A small tensor of whole numbers, in its own shape; a floating-point one is read as `read_scales` does."""
    kinds = {"I8": np.int8, "U8": np.uint8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
    if tensor.kind not in kinds:
        return read_scales(tensor)
    return np.array(tensor.bytes(0, tensor.length)).view(kinds[tensor.kind]).reshape(tensor.shape)
