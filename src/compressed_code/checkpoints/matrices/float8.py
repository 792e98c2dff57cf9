"""What the codes of 8-bit floats stand for."""

from functools import cache

import numpy as np


@cache
def value_table() -> np.ndarray:
    """The 256 values of float8 e4m3fn (no infinity; 0x7F and 0xFF are NaN), float32."""
    code = np.arange(256)
    exponent, mantissa = (code >> 3) & 15, code & 7
    size = np.where(exponent > 0, np.ldexp(8.0 + mantissa, exponent - 10), np.ldexp(1.0 * mantissa, -9))
    size[code & 0x7F == 0x7F] = np.nan
    return np.where(code & 0x80, -size, size).astype(np.float32)


@cache
def pair_table() -> np.ndarray:
    """Both values of every 16-bit word, lower byte first, as one 64-bit number: 512 KiB."""
    word = np.arange(1 << 16)
    values = np.stack([value_table()[word & 0xFF], value_table()[word >> 8]], axis=1)
    return values.view(np.uint64).reshape(-1)


def powers_of_two(exponents: np.ndarray) -> np.ndarray:
    """The values of float8 e8m0 (OCP Microscaling Formats 1.0): 2^(code − 127), 255 is NaN; float32."""
    values = np.ldexp(np.float32(1), exponents.astype(np.int32) - 127)
    return np.where(exponents == 255, np.float32(np.nan), values)
