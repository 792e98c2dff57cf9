"""A stored matrix times a vector, in float32 or float64, without ever holding the whole matrix decoded.

Rows are converted block by block into a few megabytes and multiplied at once: a matrix is read once, from the page
cache, at the speed of memory. All formats give the product of the stored numbers exactly as float32 arithmetic does. A
vector in float64 is multiplied in float64 with what `decode` gives, the matrix that a loaded model has.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.core.errors import InputError

# Elements converted at a time (2 MiB of bfloat16, 4 MiB of float32): near the best of 128 KiB … 4 MiB when measured.
BLOCK_ELEMENTS = 1 << 20
# How far ahead of the multiplication the kernel is asked to fetch from disk, in bytes.
READ_AHEAD = 32 << 20
RowRanges = Sequence[tuple[int, int]]


class Matrix(ABC):
    """A matrix [rows, columns] that can be multiplied by a vector.

    Attributes:
        tensor: where the numbers (of a quantized matrix: the codes) lie; messages name it.
        shape: (rows, columns); of a weight of more dimensions all but the last are rows, a vector is one row.
        dimensions: of the weight.
        width: bytes of one row of the tensor; 0 where rows do not lie one after the other.
    """

    def __init__(self, tensor: StoredTensor, dimensions: tuple[int, ...], width: int) -> None:
        self.tensor, self.dimensions, self.width = tensor, dimensions, width
        self.shape = as_rows(dimensions)

    def product(self, vector: np.ndarray, rows: RowRanges | None = None) -> np.ndarray:
        """`matrix @ vector`.

        Args:
            vector: [columns] float32 or float64.
            rows: ranges (start, stop) of rows to multiply, in this order; all rows if `None`. Others are not read.

        Returns:
            [number of rows chosen] in the precision of the vector.
        """
        blocks = list(row_blocks(rows or [(0, self.shape[0])], self.shape[1]))
        result = np.empty(sum(stop - start for start, stop in blocks), vector.dtype)
        multiply = self._multiply if vector.dtype == np.float32 else self._multiply_in_float64
        done = 0
        for start, stop in blocks:
            if self.width:
                self.tensor.prefetch(start * self.width + READ_AHEAD, stop * self.width + READ_AHEAD)
            multiply(start, stop, vector, result[done : done + stop - start])
            done += stop - start
        return result

    def row(self, index: int) -> np.ndarray:
        """One row, [columns] float32."""
        return self.decode(index, index + 1)[0]

    def whole(self) -> np.ndarray:
        """The weight in all its dimensions, decoded block by block, float32.

        Raises:
            InputError: it holds NaN or infinity.
        """
        values = np.empty(self.shape, np.float32)
        for start, stop in row_blocks([(0, self.shape[0])], self.shape[1]):
            values[start:stop] = self.decode(start, stop)
            if not np.isfinite(values[start:stop]).all():
                raise InputError(f"{self.tensor}: holds NaN or infinity; fetch or write it again")
        return values.reshape(self.dimensions)

    @abstractmethod
    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32 [stop - start, columns]."""

    def _multiply(self, start: int, stop: int, vector: np.ndarray, out: np.ndarray) -> None:
        np.matmul(self.decode(start, stop), vector, out=out)

    def _multiply_in_float64(self, start: int, stop: int, vector: np.ndarray, out: np.ndarray) -> None:
        np.matmul(self.decode(start, stop).astype(np.float64), vector, out=out)


def as_rows(dimensions: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a weight of any number of dimensions.

    Example:
        >>> as_rows((8, 6, 4)), as_rows((5,)), as_rows(())
        ((48, 4), (1, 5), (1, 1))
    """
    return math.prod(dimensions[:-1]), dimensions[-1] if dimensions else 1


def row_blocks(rows: RowRanges, columns: int) -> Iterator[tuple[int, int]]:
    """Cut ranges of rows into blocks of at most `BLOCK_ELEMENTS` elements."""
    step = max(1, BLOCK_ELEMENTS // max(1, columns))
    for first, last in rows:
        for start in range(first, last, step):
            yield start, min(start + step, last)


class FloatMatrix(Matrix):
    """float32, float16 or bfloat16."""

    def __init__(self, tensor: StoredTensor) -> None:
        super().__init__(tensor, tensor.shape, tensor.length // max(1, as_rows(tensor.shape)[0]))

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        values = to_float32(self._stored(start, stop), self.tensor.kind).reshape(stop - start, -1)
        if self.tensor.kind == "F32":
            values = values.copy()  # a view of the file would bring its pages back after they are let go
        self._release(start, stop)
        return values

    def _multiply(self, start: int, stop: int, vector: np.ndarray, out: np.ndarray) -> None:
        stored = self._stored(start, stop)
        if self.tensor.kind == "BF16" and self.shape[1] % 2 == 0 and self.tensor.offset % 4 == 0:
            _multiply_bfloat16(stored.view(np.uint32).reshape(stop - start, -1), vector, out)
        elif self.tensor.kind == "F16":
            _multiply_float16(stored.view(np.int16).reshape(stop - start, -1), vector, out)
        else:
            np.matmul(to_float32(stored, self.tensor.kind).reshape(stop - start, -1), vector, out=out)
        del stored
        self._release(start, stop)

    def _stored(self, start: int, stop: int) -> np.ndarray:
        return self.tensor.bytes(start * self.width, stop * self.width)

    def _release(self, start: int, stop: int) -> None:
        self.tensor.release(start * self.width, stop * self.width)


def _multiply_bfloat16(pairs: np.ndarray, vector: np.ndarray, out: np.ndarray) -> None:
    """Product of bfloat16 rows, two neighbours at a time.

    A bfloat16 is the upper half of a float32. Seen as 32-bit words, the odd column of a pair lies in the upper half
    already and the even one is a shift away: two cheap passes over half the elements, no widening.
    """
    words = np.left_shift(pairs, np.uint32(16))
    np.matmul(words.view(np.float32), np.ascontiguousarray(vector[0::2]), out=out)
    np.bitwise_and(pairs, np.uint32(0xFFFF0000), out=words)
    out += words.view(np.float32) @ np.ascontiguousarray(vector[1::2])


def _multiply_float16(stored: np.ndarray, vector: np.ndarray, out: np.ndarray) -> None:
    """Product of float16 rows several times faster than numpy converts them.

    Moving sign, exponent and mantissa to their places in a float32 gives the value times 2⁻¹¹² exactly, subnormal
    numbers included. The vector carries the missing 2¹¹², after scaling to at most 1 so that nothing overflows.
    Infinity and NaN would become ordinary numbers that way and take numpy's own conversion.
    """
    if np.bitwise_and(stored, np.int16(0x7FFF)).max(initial=0) >= 0x7C00:
        np.matmul(stored.view(np.float16).astype(np.float32), vector, out=out)
        return
    exponent = int(np.frexp(np.abs(vector).max(initial=0))[1])
    words = np.left_shift(stored, 13, dtype=np.int32)
    np.bitwise_and(words, np.uint32(0x8FFFE000).view(np.int32), out=words)
    np.matmul(words.view(np.float32), np.ldexp(vector, 112 - exponent), out=out)
    np.ldexp(out, exponent, out=out)


def to_float32(stored: np.ndarray, kind: str) -> np.ndarray:
    """Bytes [n] of "F32", "F16" or "BF16" elements as float32; not copied where they are float32 already."""
    if kind == "F32":
        return stored.view(np.float32)
    if kind == "F16":
        return stored.view(np.float16).astype(np.float32)
    return np.left_shift(stored.view(np.uint16), 16, dtype=np.uint32).view(np.float32)


def read_vector(tensor: StoredTensor) -> np.ndarray:
    """A whole small tensor of ordinary floats as float32, copied out of the file.

    Raises:
        InputError: its elements are not float32, float16 or bfloat16.
    """
    if tensor.kind not in FLOAT_KINDS:
        raise InputError(
            f"{tensor}: type {tensor.kind} is not supported here; float32, float16 and bfloat16 are"
            ": save it as one of them"
        )
    values = np.array(to_float32(tensor.bytes(0, tensor.length), tensor.kind)).reshape(tensor.shape)
    tensor.release(0, tensor.length)
    return values


FLOAT_KINDS = ("F32", "F16", "BF16")
