"""Matrices in AWQ's two packed layouts, 4 bits, groups along the inputs.

- gemm: `qweight` int32 [in, out / 8], `qzeros` int32 [groups, out / 8], `scales` [groups, out]; the eight codes of a
  word stand in the order 0 2 4 6 1 3 5 7 of the outputs.
- gemv: `qweight` int32 [out, in / 8], `qzeros` int32 [out, words], `scales` [out, 8 · words], codes in order; words are
  filled up with zeros to a width that kernels like.

weight[o, i] = scales[g, o] · (code[i, o] − zero[g, o]), g = i // group size.
Source: Lin et al. 2023, arXiv 2306.00978; AutoAWQ, `WQLinear_GEMM.from_linear` and `WQLinear_GEMV.from_linear`.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.bits import unpack_along
from compressed_code.checkpoints.matrices.gptq import read_words
from compressed_code.checkpoints.matrices.matrix import Matrix, read_vector
from compressed_code.core.errors import InputError

BITS = 4
IN_A_WORD = 32 // BITS
# Where a gemm word keeps the code of each of its eight outputs.
_PLACE = np.array([0, 4, 1, 5, 2, 6, 3, 7])


class AwqGemmMatrix(Matrix):
    """Codes input by input."""

    def __init__(self, codes: StoredTensor, zeros: StoredTensor, scales: StoredTensor, group: int) -> None:
        """Check the parts against each other and read the small ones.

        Args:
            group: inputs that share a scale; 0 or less for all of them.

        Raises:
            InputError: they do not fit.
        """
        _require_words(codes, zeros)
        columns, words = codes.shape
        rows = words * IN_A_WORD
        super().__init__(codes, (rows, columns), 0)
        size = group if group > 0 else columns
        count = -(-columns // size)
        scales.require_shape((count, rows))
        zeros.require_shape((count, words))
        self._scales, self._group = read_vector(scales), np.arange(columns) // size
        self._zeros = _in_order(read_words(zeros)).astype(np.float32)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        first, last = start // IN_A_WORD, -(-stop // IN_A_WORD)
        stored = self.tensor.bytes(0, self.tensor.length).view(np.uint32).reshape(self.shape[1], -1)
        codes = _in_order(stored[:, first:last])[:, start - first * IN_A_WORD :][:, : stop - start]
        del stored
        group = self._group
        return (self._scales[group, start:stop] * (codes - self._zeros[group, start:stop])).T


class AwqGemvMatrix(Matrix):
    """Codes output by output."""

    def __init__(self, codes: StoredTensor, zeros: StoredTensor, scales: StoredTensor, group: int) -> None:
        """As `AwqGemmMatrix`."""
        _require_words(codes, zeros)
        rows, words = codes.shape
        columns = words * IN_A_WORD
        super().__init__(codes, (rows, columns), words * 4)
        self._size = group if group > 0 else columns
        count = -(-columns // self._size)
        if scales.shape[0] != rows or scales.shape[1] < count or zeros.shape[0] != rows:
            raise InputError(
                f"{scales}: shape {list(scales.shape)} does not fit {rows} × {columns} in groups"
                "; fetch or write the checkpoint again"
            )
        if zeros.shape[1] * IN_A_WORD < count:
            raise InputError(
                f"{zeros}: shape {list(zeros.shape)} does not fit {rows} × {columns} in groups"
                "; fetch or write the checkpoint again"
            )
        self._scales = read_vector(scales)[:, :count]
        self._zeros = unpack_along(read_words(zeros), BITS, count).astype(np.float32)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(start * self.width, stop * self.width).view(np.uint32).reshape(stop - start, -1)
        codes = unpack_along(stored, BITS, self.shape[1])
        del stored
        self.tensor.release(start * self.width, stop * self.width)
        scales, zeros = (
            np.repeat(part[start:stop], self._size, axis=1)[:, : self.shape[1]] for part in (self._scales, self._zeros)
        )
        return scales * (codes - zeros)


def _in_order(words: np.ndarray) -> np.ndarray:
    """Codes of gemm words, uint32 [rows, words] → [rows, 8 · words]."""
    codes = unpack_along(words, BITS, words.shape[1] * IN_A_WORD)
    return codes.reshape(len(words), -1, IN_A_WORD)[:, :, _PLACE].reshape(len(words), -1)


def _require_words(*tensors: StoredTensor) -> None:
    for tensor in tensors:
        if tensor.kind != "I32" or len(tensor.shape) != 2:
            raise InputError(
                f"{tensor}: {tensor.kind} {list(tensor.shape)}, but AWQ packs into I32 matrices"
                "; fetch or write the checkpoint again"
            )
