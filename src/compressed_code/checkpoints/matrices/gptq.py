"""Matrices in GPTQ's version 1 format, 2, 3, 4 or 8 bits.

A layer [out, in] is stored in four parts: `qweight` int32 [in · bits / 32, out], the codes of a column as one stream of
bits, lowest first; `scales` [groups, out]; `qzeros` int32 [groups, out · bits / 32], zero point − 1, as such a stream
along the row; `g_idx` int32 [in], each input's group, with desc_act in any order.
weight[o, i] = scales[g, o] · (code[i, o] − zero[g, o]), g = g_idx[i].
"""

from collections.abc import Callable

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import BLOCK_ELEMENTS, READ_AHEAD, Matrix, RowRanges, read_vector
from compressed_code.checkpoints.matrices.part_names import GPTQ_PARTS
from compressed_code.core.errors import InputError


class GptqMatrix(Matrix):
    """GPTQ codes with scales and zero points by group."""

    def __init__(self, find: Callable[[str], StoredTensor], shape: tuple[int, int], bits: int) -> None:
        """Check the parts against each other and read the small ones; the codes are not touched.

        Args:
            find: from a part's name ("qweight") to where it lies.
            shape: (out, in) of the layer.
            bits: per weight.

        Raises:
            InputError: a part is missing or does not fit.
        """
        rows, columns = shape
        codes, zeros, scales, groups = (find(part) for part in GPTQ_PARTS)
        super().__init__(codes, shape, rows * 4)
        self._bits = bits
        if columns % 32 or rows * bits % 32:
            raise InputError(f"{codes}: {rows} × {columns} cannot be packed in {bits} bits")
        codes.require_shape((columns * bits // 32, rows))
        groups.require_shape((columns,))
        count = scales.shape[0]
        scales.require_shape((count, rows))
        zeros.require_shape((count, rows * bits // 32))
        for part in (codes, zeros, groups):
            if part.kind != "I32":
                raise InputError(f"{part}: type {part.kind}, but GPTQ packs into I32")
        self._scales = read_vector(scales)
        self._zeros = _zero_points(_read_words(zeros), bits).astype(np.float32)
        self._groups = _read_words(groups).view(np.int32)
        if self._groups.min() < 0 or self._groups.max() >= count:
            raise InputError(f"{groups}: names group {self._groups.max()}, but there are {count}")

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
        """RowRanges `start … stop` as float32."""
        codes = self._block(0, self.shape[1])[:, start:stop]
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


def unpack(words: np.ndarray, bits: int) -> np.ndarray:
    """Codes of `bits` bits from streams of 32-bit words running down the columns.

    Args:
        words: uint32 [words, columns]; 32 codes lie in every `bits` words, so 3-bit codes may cross a word's end.
        bits: 2, 3, 4 or 8.

    Returns:
        uint32 [words · 32 / bits, columns].
    """
    columns = words.shape[1]
    if 32 % bits == 0:
        shifts = np.arange(0, 32, bits, dtype=np.uint32)
        return ((words[:, None] >> shifts[:, None]) & np.uint32((1 << bits) - 1)).reshape(-1, columns)
    parcels = words.reshape(-1, bits, columns)
    codes = np.empty((len(parcels), 32, columns), np.uint32)
    for code in range(32):
        word, shift = divmod(code * bits, 32)
        codes[:, code] = parcels[:, word] >> np.uint32(shift)
        if shift + bits > 32:
            codes[:, code] |= parcels[:, word + 1] << np.uint32(32 - shift)
    return (codes & np.uint32((1 << bits) - 1)).reshape(-1, columns)


def _zero_points(words: np.ndarray, bits: int) -> np.ndarray:
    """Zero points from stored words [groups, words] of zero points − 1, uint32 [groups, rows].

    Writers subtract from whole words where codes do not cross words, so a zero point of 0 borrows from its neighbour;
    adding to whole words gives it back. Codes of 3 bits are changed one by one.
    """
    if 32 % bits:
        return (unpack(words.T, bits).T + 1) & np.uint32((1 << bits) - 1)
    ones = np.uint32(sum(1 << shift for shift in range(0, 32, bits)))
    return unpack((words + ones).T, bits).T


def _read_words(tensor: StoredTensor) -> np.ndarray:
    words = np.array(tensor.bytes(0, tensor.length).view(np.uint32)).reshape(tensor.shape)
    tensor.release(0, tensor.length)
    return words
