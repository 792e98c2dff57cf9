"""Matrices of codes packed along the inputs with scales by group, as compressed-tensors packs them.

`weight_packed` int32 [out, in · bits / 32], each row one stream of codes, lowest bits first, code = number +
2^(bits−1); `weight_scale` [out, groups]; `weight_zero_point` int32 [out · bits / 32, groups], such streams down the
columns, where there are any; `weight_g_idx` [in], each input's group, with act-order.
weight[o, i] = scales[o, g] · (number[o, i] − zero[o, g]).
Source: compressed-tensors 0.20, compressors/pack_quantized.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.bits import unpack, unpack_along
from compressed_code.checkpoints.matrices.gptq import read_words
from compressed_code.checkpoints.matrices.matrix import Matrix, read_vector
from compressed_code.core.errors import InputError


class PackedMatrix(Matrix):
    """Packed whole numbers with scales."""

    def __init__(
        self,
        codes: StoredTensor,
        scales: StoredTensor,
        dimensions: tuple[int, int],
        bits: int,
        zeros: StoredTensor | None = None,
        groups: StoredTensor | None = None,
    ) -> None:
        """Check the parts against each other and read the small ones.

        Args:
            dimensions: (out, in).
            bits: per code, 1 to 8.

        Raises:
            InputError: they do not fit.
        """
        rows, columns = dimensions
        words = -(-columns * bits // 32)
        super().__init__(codes, dimensions, words * 4)
        if codes.kind != "I32" or codes.shape != (rows, words):
            raise InputError(
                f"{codes}: {codes.kind} {list(codes.shape)} are no {rows} × {columns} codes of {bits} bits"
                "; fetch or write the checkpoint again"
            )
        values = read_vector(scales)
        self._scales = np.broadcast_to(values.reshape(-1, 1) if values.size == 1 else values, (rows, values.shape[-1]))
        count = self._scales.shape[1]
        if groups is not None:
            groups.require_shape((columns,))
            self._group = read_words(groups).view(np.int32)
        else:
            self._group = np.arange(columns) // max(1, -(-columns // count))
        if self._group.min() < 0 or self._group.max() >= count:
            raise InputError(
                f"{groups or scales}: names group {self._group.max()}, but there are {count}"
                "; fetch or write the checkpoint again"
            )
        self._bits, self._zeros = bits, None
        if zeros is not None:
            zeros.require_shape((-(-rows * bits // 32), count))
            padded = read_words(zeros)
            padded = np.pad(padded, ((0, -len(padded) % bits), (0, 0))) if 32 % bits else padded
            self._zeros = unpack(padded, bits)[:rows].astype(np.float32)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(start * self.width, stop * self.width).view(np.uint32).reshape(stop - start, -1)
        codes = unpack_along(stored, self._bits, self.shape[1]).astype(np.float32)
        del stored
        self.tensor.release(start * self.width, stop * self.width)
        middle = np.float32(1 << (self._bits - 1))
        codes -= middle if self._zeros is None else self._zeros[start:stop][:, self._group]
        return codes * self._scales[start:stop][:, self._group]
