"""Matrices as HQQ packs them: 8, 4, 3, 2 or 1 bits, groups along either axis of the weight.

The weight, row after row, is laid out as a table whose rows (axis 1: one group each) or columns (axis 0) share a scale
and a zero point. Rows of codes are packed together: of k codes a byte the table is cut into k slabs of rows, and the
first slab has the highest bits. Codes of 3 bits stand ten to a 32-bit word, the table filled up to tens of rows.
value = (code − zero) · scale.
Source: Badri and Shaji 2023, mobiusml.github.io/hqq_blog; hqq 0.2.8, `core/quantize.py` and `core/bitpack.py`.
"""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError

# Name of a packing → what holds the codes, its bytes, how many it holds, and bits of each.
PACKINGS = {
    "8bit_u8": (np.uint8, 1, 1, 8),
    "4bit_u8": (np.uint8, 1, 2, 4),
    "2bit_u8": (np.uint8, 1, 4, 2),
    "1bit_u8": (np.uint8, 1, 8, 1),
    "3bit_32": (np.uint32, 4, 10, 3),
}


class HqqMatrix(Matrix):
    """Packed codes with a scale and a zero point for each group."""

    def __init__(
        self,
        codes: StoredTensor,
        dimensions: tuple[int, ...],
        packing: str,
        group: int,
        axis: int,
        scales: np.ndarray,
        zeros: np.ndarray,
    ) -> None:
        """Check the parts against each other; the codes are not touched.

        Args:
            codes: bytes in whatever element type they are stored.
            dimensions: of the weight.
            packing: one of `PACKINGS`.
            group: weights that share a scale.
            axis: along which a group runs in the table, 1 or 0.
            scales, zeros: float32, one a group, or one for the matrix.

        Raises:
            InputError: a packing that is not known, or parts that do not fit.
        """
        super().__init__(codes, dimensions, 0)
        if packing not in PACKINGS or axis not in (0, 1) or group < 1:
            raise InputError(
                f"{codes}: HQQ's packing {packing!r} of groups of {group} along {axis} is not supported"
                "; use the model it was made from"
            )
        self._type, size, self._slabs, self._bits = PACKINGS[packing]
        count = self.shape[0] * self.shape[1]
        self._columns = group if axis == 1 else count // group
        self._step = -(-(count // self._columns) // self._slabs)  # rows of packed codes
        if count % group or codes.length != self._step * self._columns * size:
            raise InputError(
                f"{codes}: {codes.length:,} bytes do not fit {list(dimensions)} in groups of {group}"
                "; fetch or write the checkpoint again"
            )
        if any(part.size not in (1, count // group) for part in (scales, zeros)):
            raise InputError(
                f"{codes}: {scales.size:,} scales do not fit {list(dimensions)} in groups of {group}"
                "; fetch or write the checkpoint again"
            )
        by_group = (-1, 1) if axis == 1 else (1, -1)
        self._scales, self._zeros = scales.reshape(by_group), zeros.reshape(by_group)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        first, last = start * self.shape[1], stop * self.shape[1]
        top = first // self._columns
        rows = np.arange(top, -(-last // self._columns))
        stored = self.tensor.bytes(0, self.tensor.length).view(self._type).reshape(self._step, self._columns)
        shifts = (self._slabs - 1 - rows // self._step) * self._bits
        codes = (stored[rows % self._step] >> shifts[:, None].astype(self._type)) & self._type((1 << self._bits) - 1)
        del stored
        scales, zeros = (part[rows] if len(part) > 1 else part for part in (self._scales, self._zeros))
        values = (codes.astype(np.float32) - zeros) * scales
        return values.reshape(-1)[first - top * self._columns :][: last - first].reshape(stop - start, self.shape[1])
