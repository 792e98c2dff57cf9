"""Matrices of 8-bit numbers (float8 e4m3, int8) with one scale for a block of rows × columns.

value = (number − zero point) · scale. A block may be the whole matrix (per tensor), a row (per channel), a stretch of a
row (per group) or a rectangle, as DeepSeek-V3 is published; the last block of a dimension may be cut off.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.float8 import pair_table, value_table
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError

KINDS = ("F8_E4M3", "I8")


class ScaledMatrix(Matrix):
    """8-bit numbers and scales."""

    def __init__(
        self,
        tensor: StoredTensor,
        scales: np.ndarray,
        block: tuple[int, int] | None = None,
        zeros: np.ndarray | None = None,
    ) -> None:
        """Check that the scales fit; the numbers are not touched.

        Args:
            tensor: of one of `KINDS`, of two or more dimensions.
            scales: float32, one a block. Of experts, whose first dimension counts them, those of all of them.
            block: rows and columns of a block; `None` where the shape of the scales says it: one for all, one a row, or
                several of equal width a row.
            zeros: what is subtracted, shaped as the scales.

        Raises:
            InputError: they do not fit.
        """
        if tensor.kind not in KINDS:
            raise InputError(
                f"{tensor}: type {tensor.kind} is not supported with scales; {' and '.join(KINDS)} are"
                ": use the model it was made from"
            )
        super().__init__(tensor, tensor.shape, tensor.length // max(1, int(np.prod(tensor.shape[:-1]))))
        rows, columns = self.shape
        self._block = block or _block_of(tensor, scales)
        by_block = (-(-rows // self._block[0]), -(-columns // self._block[1]))
        aligned = len(tensor.shape) == 2 or self._block[0] >= rows or tensor.shape[-2] % self._block[0] == 0
        if scales.size != by_block[0] * by_block[1] or not aligned:
            raise InputError(
                f"{tensor}: scales of shape {list(scales.shape)} do not fit {list(tensor.shape)} in blocks of"
                f" {self._block[0]} × {self._block[1]}; fetch or write the checkpoint again"
            )
        self._scales = scales.reshape(by_block)
        self._zeros = None if zeros is None else zeros.reshape(by_block).astype(np.float32)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        values, by_row = self._unscaled(start, stop), np.arange(start, stop) // self._block[0]
        if self._zeros is not None:
            values = values - self._spread(self._zeros[by_row])
        return values * self._spread(self._scales[by_row])

    def _spread(self, by_block: np.ndarray) -> np.ndarray:
        """[rows, blocks] → [rows, columns]; one block a row is left to broadcasting."""
        if by_block.shape[1] == 1:
            return by_block
        return np.repeat(by_block, self._block[1], axis=1)[:, : self.shape[1]]

    def _multiply(self, start: int, stop: int, vector: np.ndarray, out: np.ndarray) -> None:
        """Rows of one scale block share their scales, so it is the vector that is scaled, not the matrix."""
        if self._zeros is not None or self._block[0] == 1:
            super()._multiply(start, stop, vector, out)
            return
        values = self._unscaled(start, stop)
        for block in range(start // self._block[0], -(-stop // self._block[0])):
            first = max(block * self._block[0], start) - start
            last = min((block + 1) * self._block[0], stop) - start
            scaled = vector * self._spread(self._scales[block : block + 1])[0]
            np.matmul(values[first:last], scaled, out=out[first:last])

    def _unscaled(self, start: int, stop: int) -> np.ndarray:
        columns = self.shape[1]
        stored = self.tensor.bytes(start * columns, stop * columns)
        if self.tensor.kind == "I8":
            values = stored.view(np.int8).astype(np.float32)
        elif stored.size % 2 == 0:  # a table of pairs is half the look-ups
            values = pair_table().take(stored.view(np.uint16)).view(np.float32)
        else:
            values = value_table().take(stored)
        del stored
        self.tensor.release(start * columns, stop * columns)
        return values.reshape(stop - start, columns)


def _block_of(tensor: StoredTensor, scales: np.ndarray) -> tuple[int, int]:
    """Rows and columns that share a scale, from how many scales there are."""
    rows, columns = int(np.prod(tensor.shape[:-1])), tensor.shape[-1]
    if scales.size == 1:
        return rows, columns
    if len(tensor.shape) > 2 and scales.size == rows // tensor.shape[-2]:  # one an expert
        return tensor.shape[-2], columns
    by_row = scales.size // max(1, rows)
    if by_row == 0 or scales.size != by_row * rows or columns % by_row:
        raise InputError(
            f"{tensor}: {list(scales.shape)} scales do not fit {list(tensor.shape)}"
            "; fetch or write the checkpoint again"
        )
    return 1, columns // by_row
