"""Rows of a matrix as the bytes of a GGUF type: the `gguf` package's quantizers for the old types, our own for K."""

import numpy as np

from compressed_code.core.errors import InputError
from compressed_code.quantization.gguf.k_types import BLOCK, QUANTIZERS, quantize_blocks

PLAIN_TYPES = ("F32", "F16", "BF16")
LEGACY_TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
K_TYPES = tuple(QUANTIZERS)


def quantize_rows(values: np.ndarray, type_name: str) -> np.ndarray:
    """The bytes llama.cpp's `ggml_quantize_chunk` writes without an importance matrix.

    Numbers too large for a float16 scale give an infinite one, as there. The one exception: a lowest value of -0 in
    Q4_1 and Q5_1 is stored as 0.

    Args:
        values: [rows, columns] float32; columns divisible by 256 for K types, by 32 for the others (any for floats).
        type_name: block type ("Q4_K", "Q8_0"), not a mixture ("Q4_K_M").

    Returns:
        [rows, bytes per row] uint8.

    Raises:
        InputError: an unknown type, or columns that do not divide into its blocks.
    """
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import quantize

    if type_name not in (*PLAIN_TYPES, *LEGACY_TYPES, *K_TYPES):
        raise InputError(f"GGUF type {type_name!r} is not known; {', '.join((*LEGACY_TYPES, *K_TYPES))} are")
    rows, columns = values.shape
    elements = block_elements(type_name)
    if columns % elements:
        raise InputError(f"rows of {columns} do not divide into the blocks of {elements} of {type_name}")
    if type_name in K_TYPES:
        blocks = np.ascontiguousarray(values, np.float32).reshape(-1, BLOCK)
        return quantize_blocks(blocks, type_name).reshape(rows, -1)
    values = np.asarray(values, np.float32)
    if type_name in LEGACY_TYPES:
        values = values + np.float32(0)  # -0 becomes 0: the package takes a block of -0 for one with a scale
    with np.errstate(over="ignore"):
        stored = quantize(values, GGMLQuantizationType[type_name])
    return stored.view(np.uint8).reshape(rows, -1)


def block_elements(type_name: str) -> int:
    """Weights in one block of a type; 1 for plain floats."""
    if type_name in PLAIN_TYPES:
        return 1
    return BLOCK if type_name in K_TYPES else 32
