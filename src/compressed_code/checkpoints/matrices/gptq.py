"""Matrices in GPTQ's format, version 1 and 2, 2, 3, 4 or 8 bits.

A layer [out, in] is stored in four parts: `qweight` int32 [in · bits / 32, out], the codes of a column as one stream of
bits, lowest first; `scales` [groups, out]; `qzeros` int32 [groups, out · bits / 32], in version 1 the zero point − 1,
in version 2 the zero point, as such a stream along the row; `g_idx` int32 [in], each input's group, with desc_act in
any order; writers without act-order may leave it out.
weight[o, i] = scales[g, o] · (code[i, o] − zero[g, o]), g = g_idx[i].
Source: AutoGPTQ and GPTQModel, `pack` and `convert_gptq_v1_to_v2_format` of their torch layers.
"""

from collections.abc import Callable

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.bits import unpack
from compressed_code.checkpoints.matrices.matrix import BLOCK_ELEMENTS, READ_AHEAD, Matrix, RowRanges, read_vector
from compressed_code.core.errors import InputError

GPTQ_BITS = (2, 3, 4, 8)
GPTQ_PARTS = ("qweight", "qzeros", "scales", "g_idx")


class GptqMatrix(Matrix):
    """GPTQ codes with scales and zero points by group."""

    def __init__(self, find: Callable[[str], StoredTensor | None], bits: int, version: int = 1) -> None:
        """Check the parts against each other and read the small ones; the codes are not touched.

        Args:
            find: from a part's name ("qweight") to where it lies; `None` where there is none.
            bits: per weight where `g_idx` does not say it; layers may differ (GPTQModel's `dynamic`).
            version: of the format.

        Raises:
            InputError: a part is missing or does not fit.
        """
        codes, zeros, scales, groups = (find(part) for part in GPTQ_PARTS)
        for name, part in zip(GPTQ_PARTS[1:3], (zeros, scales), strict=True):
            if part is None:
                raise InputError(f"{codes}: {name} is missing beside it; fetch or write the checkpoint again")
        for part in (codes, zeros, groups):
            if part is not None and part.kind != "I32":
                raise InputError(
                    f"{part}: type {part.kind}, but GPTQ packs into I32; fetch or write the checkpoint again"
                )
        (words, rows), count = codes.shape, scales.shape[0]
        columns = groups.shape[0] if groups is not None else words * 32 // bits
        bits = words * 32 // columns if columns else 0
        if bits not in GPTQ_BITS or words * 32 != columns * bits or columns % 32 or rows * bits % 32:
            raise InputError(
                f"{codes}: {rows} × {columns} cannot be packed in {bits} bits; fetch or write the checkpoint again"
            )
        super().__init__(codes, (rows, columns), rows * 4)
        self._bits = bits
        scales.require_shape((count, rows))
        zeros.require_shape((count, rows * bits // 32))
        self._scales = read_vector(scales)
        self._zeros = _zero_points(read_words(zeros), bits, version).astype(np.float32)
        size = -(-columns // count)
        self._groups = np.arange(columns) // size if groups is None else read_words(groups).view(np.int32)
        if self._groups.min() < 0 or self._groups.max() >= count:
            raise InputError(
                f"{groups}: names group {self._groups.max()}, but there are {count}"
                "; fetch or write the checkpoint again"
            )

    def product(self, vector: np.ndarray, rows: RowRanges | None = None) -> np.ndarray:
        """`matrix @ vector`; codes lie input by input, so all rows are computed and the chosen ones returned.

        With s and z constant in a group, the sum over a group is s · (Σ vector · code − z · Σ vector): codes are
        multiplied as they are, and scales and zero points touch only one number per group and row. In float64 it is
        the decoded matrix that is multiplied, so that both engines compute the same model.
        """
        if vector.dtype == np.float64:
            return super().product(vector, rows)
        by_group = np.zeros_like(self._scales)
        for start, stop in self._input_blocks():
            first, last = self._bytes_of(start, stop)
            self.tensor.prefetch(first + READ_AHEAD, last + READ_AHEAD)
            groups, member = np.unique(self._groups[start:stop], return_inverse=True)
            weights = np.zeros((len(groups), stop - start), np.float32)
            weights[member, np.arange(stop - start)] = vector[start:stop]
            by_group[groups] += weights @ self._block(start, stop).astype(np.float32)
        totals = np.bincount(self._groups, weights=vector, minlength=len(self._scales)).astype(np.float32)
        result = (self._scales * (by_group - self._zeros * totals[:, None])).sum(axis=0)
        return result if rows is None else np.concatenate([result[start:stop] for start, stop in rows])

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(0, self.tensor.length).view(np.uint32).reshape(-1, self.shape[0])
        codes = unpack(stored[:, start:stop], self._bits)
        del stored
        group = self._groups
        return (self._scales[group, start:stop] * (codes - self._zeros[group, start:stop])).T

    def _input_blocks(self) -> list[tuple[int, int]]:
        step = max(32, BLOCK_ELEMENTS // self.shape[0] // 32 * 32)
        return [(start, min(start + step, self.shape[1])) for start in range(0, self.shape[1], step)]

    def _bytes_of(self, start: int, stop: int) -> tuple[int, int]:
        """Where the codes of inputs `start … stop`, multiples of 32, begin and end in the tensor."""
        return start * self._bits // 32 * self.width, stop * self._bits // 32 * self.width

    def _block(self, start: int, stop: int) -> np.ndarray:
        """Codes of inputs `start … stop`, multiples of 32, as uint32 [stop - start, out]."""
        first, last = self._bytes_of(start, stop)
        stored = self.tensor.bytes(first, last).view(np.uint32).reshape(-1, self.shape[0])
        codes = unpack(stored, self._bits)
        del stored
        self.tensor.release(first, last)
        return codes


def _zero_points(words: np.ndarray, bits: int, version: int) -> np.ndarray:
    """Zero points from stored words [groups, words], in version 1 of zero points − 1, uint32 [groups, rows].

    Writers of version 1 subtract from whole words where codes do not cross words, so a zero point of 0 borrows from its
    neighbour; adding to whole words gives it back. Codes of 3 bits are changed one by one.
    """
    if version == 2:
        return unpack(words.T, bits).T
    if 32 % bits:
        return (unpack(words.T, bits).T + 1) & np.uint32((1 << bits) - 1)
    ones = np.uint32(sum(1 << shift for shift in range(0, 32, bits)))
    return unpack((words + ones).T, bits).T


def read_words(tensor: StoredTensor) -> np.ndarray:
    """A whole small tensor of 32-bit words, uint32, copied out of the file."""
    words = np.array(tensor.bytes(0, tensor.length).view(np.uint32)).reshape(tensor.shape)
    tensor.release(0, tensor.length)
    return words
