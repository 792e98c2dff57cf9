"""What a quantizer makes of one weight matrix: codes on a grid, or the numbers a library decoded itself."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

SCALE_BITS = 16  # scales are stored as float16


class QuantizedWeight(Protocol):
    """One quantized matrix [rows, columns]."""

    @property
    def bits_per_weight(self) -> float:
        """Bits that codes, scales, zero points and group indices need, over the number of weights."""
        ...

    def dequantized(self) -> np.ndarray:
        """The numbers the model computes with, [rows, columns] float32."""
        ...


@dataclass(frozen=True)
class QuantizedMatrix:
    """Integer codes on one grid per group.

    weight[r, c] = scales[r, g] · (codes[r, c] − zeros[r, g]), g = c // group size.

    Attributes:
        codes: uint8 [rows, columns], below 2^bits.
        scales: float16 [rows, groups], as they are stored.
        zeros: uint8 [rows, groups], 1 … 2^bits − 1: GPTQ's version 1 format has no room for a zero point of 0.
        bits: per code.
        symmetric: all zero points are 2^(bits − 1) and need not be stored.
    """

    codes: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray
    bits: int
    symmetric: bool

    @property
    def group_size(self) -> int:
        """Weights of a row that share scale and zero point."""
        return self.codes.shape[1] // self.scales.shape[1]

    @property
    def bits_per_weight(self) -> float:
        """Codes, scales and, unless symmetric, zero points. Groups follow each other, so no group index is needed."""
        grid = SCALE_BITS + (0 if self.symmetric else self.bits)
        return self.bits + grid / self.group_size

    def dequantized(self) -> np.ndarray:
        """[rows, columns] float32; exact, since a float16 times an integer below 2^8 fits a float32."""
        rows, columns = self.codes.shape
        codes = self.codes.reshape(rows, -1, self.group_size).astype(np.float32)
        values = self.scales.astype(np.float32)[:, :, None] * (codes - self.zeros.astype(np.float32)[:, :, None])
        return values.reshape(rows, columns)


@dataclass(frozen=True)
class DecodedMatrix:
    """The numbers a library's own decoder gives back, and what the library's codes need.

    Attributes:
        values: float32 [rows, columns].
        bits_per_weight: of codes, scales and zero points.
    """

    values: np.ndarray
    bits_per_weight: float

    def dequantized(self) -> np.ndarray:
        """[rows, columns] float32."""
        return self.values
