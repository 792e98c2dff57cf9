"""Matrices in float4 e2m1, two codes a byte, with a scale for 16 or 32 neighbours: MXFP4, NVFP4.

Codes stand lower half first. value = float4(code) · scale of the group, times a factor of the whole matrix in NVFP4.
Source: OCP Microscaling Formats 1.0, section 5.3.3; gpt-oss, `gpt_oss/torch/weights.py`.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError

VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
_PAIRS = np.stack([np.tile(VALUES, 16), np.repeat(VALUES, 16)], axis=1)  # of every byte, lower half first


class Fp4Matrix(Matrix):
    """Codes of 4 bits and scales by group."""

    def __init__(self, codes: StoredTensor, scales: np.ndarray, dimensions: tuple[int, ...]) -> None:
        """Check that codes and scales fit.

        Args:
            codes: uint8, two a byte along the last dimension.
            scales: float32, as many a row as there are groups.
            dimensions: of the weight.

        Raises:
            InputError: they do not fit.
        """
        super().__init__(codes, dimensions, dimensions[-1] // 2)
        rows, columns = self.shape
        if codes.kind != "U8" or codes.length * 2 != rows * columns or columns % 2:
            raise InputError(
                f"{codes}: {codes.kind} {list(codes.shape)} are no {rows} × {columns} codes of 4 bits"
                "; fetch or write the checkpoint again"
            )
        by_row = scales.size // max(1, rows)
        if by_row == 0 or scales.size != by_row * rows or columns % by_row:
            raise InputError(
                f"{codes}: {list(scales.shape)} scales do not fit {rows} × {columns} in groups"
                "; fetch or write the checkpoint again"
            )
        self._scales = scales.reshape(rows, by_row)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(start * self.width, stop * self.width)
        values = _PAIRS.take(stored, axis=0).reshape(stop - start, self._scales.shape[1], -1)
        del stored
        self.tensor.release(start * self.width, stop * self.width)
        return (values * self._scales[start:stop, :, None]).reshape(stop - start, self.shape[1])
