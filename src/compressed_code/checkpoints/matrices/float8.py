"""Matrices in float8 e4m3 with one scale per block of rows × columns, as DeepSeek-V3 is published.

value = float8(weight) · weight_scale_inv[row // block rows, column // block columns]; the last block of a dimension may
be cut off. (config.json: quantization_config.weight_block_size.)
"""

from functools import cache

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix, read_vector


class Float8Matrix(Matrix):
    """Block-scaled float8."""

    def __init__(self, tensor: StoredTensor, scales: StoredTensor, block: tuple[int, int]) -> None:
        """Check the scales and read them; the weight itself is not touched.

        Raises:
            InputError: the scales do not fit the weight.
        """
        rows, columns = tensor.shape
        super().__init__(tensor, (rows, columns), columns)
        scales.require_shape((-(-self.shape[0] // block[0]), -(-self.shape[1] // block[1])))
        self._scales = read_vector(scales)
        self._block = block

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        by_row = self._scales[np.arange(start, stop) // self._block[0]]
        return self._unscaled(start, stop) * np.repeat(by_row, self._block[1], axis=1)[:, : self.shape[1]]

    def _multiply(self, start: int, stop: int, vector: np.ndarray, out: np.ndarray) -> None:
        """Rows of one scale block share their scales, so it is the vector that is scaled, not the matrix."""
        values = self._unscaled(start, stop)
        for block in range(start // self._block[0], -(-stop // self._block[0])):
            first = max(block * self._block[0], start) - start
            last = min((block + 1) * self._block[0], stop) - start
            scaled = vector * np.repeat(self._scales[block], self._block[1])[: self.shape[1]]
            np.matmul(values[first:last], scaled, out=out[first:last])

    def _unscaled(self, start: int, stop: int) -> np.ndarray:
        columns = self.shape[1]
        stored = self.tensor.bytes(start * columns, stop * columns)
        if stored.size % 2 == 0:  # a table of pairs is half the look-ups
            values = _pair_table().take(stored.view(np.uint16)).view(np.float32)
        else:
            values = value_table().take(stored)
        del stored
        self.tensor.release(start * columns, stop * columns)
        return values.reshape(stop - start, columns)


@cache
def value_table() -> np.ndarray:
    """The 256 values of float8 e4m3fn (no infinity; 0x7F and 0xFF are NaN), float32."""
    code = np.arange(256)
    exponent, mantissa = (code >> 3) & 15, code & 7
    size = np.where(exponent > 0, np.ldexp(8.0 + mantissa, exponent - 10), np.ldexp(1.0 * mantissa, -9))
    size[code & 0x7F == 0x7F] = np.nan
    return np.where(code & 0x80, -size, size).astype(np.float32)


@cache
def _pair_table() -> np.ndarray:
    """Both values of every 16-bit word, lower byte first, as one 64-bit number: 512 KiB."""
    word = np.arange(1 << 16)
    values = np.stack([value_table()[word & 0xFF], value_table()[word >> 8]], axis=1)
    return values.view(np.uint64).reshape(-1)
