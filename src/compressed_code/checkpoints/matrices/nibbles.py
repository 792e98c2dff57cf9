"""Matrices of 4-bit numbers in torchao's plain packing.

`qdata` [out, in / 2] bytes, two numbers from −8 to 7 each, the even column in the lower half; `scale` and `zero_point`
[groups, out], groups along the inputs. value = number · scale + zero point, which is a weight and no code.
Source: torchao 0.18, `Int4Tensor` and `prototype/gptq/api.py`; its packing is `pack_int4` of FBGEMM's GenAI kernels.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError


class NibbleMatrix(Matrix):
    """Two numbers a byte with a scale and an offset for each group."""

    def __init__(self, codes: StoredTensor, scales: np.ndarray, offsets: np.ndarray) -> None:
        """Check that codes, scales and offsets fit.

        Args:
            codes: [out, in / 2], a byte an element.
            scales, offsets: float32 [groups, out].

        Raises:
            InputError: they do not fit.
        """
        if codes.kind not in ("I8", "U8") or len(codes.shape) != 2:
            raise InputError(
                f"{codes}: {codes.kind} {list(codes.shape)} is no matrix of two numbers a byte"
                "; fetch or write the checkpoint again"
            )
        rows, columns = codes.shape[0], 2 * codes.shape[1]
        super().__init__(codes, (rows, columns), codes.shape[1])
        fits = scales.ndim == 2 and scales.shape == offsets.shape and scales.shape[1] == rows
        if not fits or columns % len(scales):
            raise InputError(
                f"{codes}: scales of shape {list(scales.shape)} do not fit {rows} × {columns} in groups"
                "; fetch or write the checkpoint again"
            )
        self._scales, self._offsets = scales.T, offsets.T

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(start * self.width, stop * self.width).view(np.int8).reshape(stop - start, -1, 1)
        numbers = np.concatenate([np.left_shift(stored, 4) >> 4, stored >> 4], axis=2)  # shifts keep the sign
        del stored
        self.tensor.release(start * self.width, stop * self.width)
        by_group = numbers.reshape(stop - start, self._scales.shape[1], -1).astype(np.float32)
        values = by_group * self._scales[start:stop, :, None] + self._offsets[start:stop, :, None]
        return values.reshape(stop - start, self.shape[1])
