"""Whole numbers of a few bits, packed into 32-bit words."""

import numpy as np


def unpack(words: np.ndarray, bits: int) -> np.ndarray:
    """Codes of `bits` bits from streams of 32-bit words running down the columns, lowest bits first.

    Args:
        words: uint32 [words, columns]; 32 codes lie in every `bits` words, so 3-bit codes may cross a word's end.
        bits: 1 to 8.

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


def unpack_along(words: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The same with streams running along the rows, of which the first `count` codes are wanted.

    Args:
        words: uint32 [rows, words]; the last parcel of 32 codes may be cut off.

    Returns:
        uint32 [rows, count].
    """
    if 32 % bits == 0:
        shifts = np.arange(0, 32, bits, dtype=np.uint32)
        codes = (words[:, :, None] >> shifts) & np.uint32((1 << bits) - 1)
        return codes.reshape(len(words), -1)[:, :count]
    filled = np.pad(words, ((0, 0), (0, -words.shape[1] % bits)))
    return unpack(filled.T, bits).T[:, :count]
