"""Write GPTQ's version 1 format, the layout that transformers, GPTQModel, auto-gptq and `checkpoints` read.

A layer [out, in] becomes `qweight` int32 [in · bits / 32, out], `qzeros` int32 [groups, out · bits / 32] (zero
point − 1), `scales` float16 [groups, out] and `g_idx` int32 [in]; `checkpoints.matrices.gptq` says more and reads it.
The layout holds more than kernels run: `fits` is about the first, `runs` about the second.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from compressed_code.checkpoints.quantization_config import GPTQ_BITS
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix

# Readers cut a layer into words of 32 codes, and auto-gptq has no other layout.
ALIGNMENT = 32
# Groups that GPTQModel 7.6.0 opens, which is what transformers runs the format with (TorchLinear.SUPPORTS_GROUP_SIZE).
GROUP_SIZES = (16, 32, 64, 128, 256, 512, 1024)
# GPTQModel wants to know that an asymmetric file was not written by a version that lost zero points of 0.
ZERO_POINT_CONVENTION = "gptqmodel:7.6.0"


def fits(matrix: QuantizedMatrix) -> bool:
    """Whether the layout holds a matrix of this shape and width."""
    return matrix.bits in GPTQ_BITS and all(size % ALIGNMENT == 0 for size in matrix.codes.shape)


def runs(bits: int | None, group_size: int | None) -> bool:
    """Whether plain transformers and GPTQModel compute what the file says, on a CPU and for any matrix that `fits`.

    GPTQModel gives 4 bits to kernels of their own there. One of them takes groups of 16 and then refuses to compute
    ("expect qGroupSize to be 32, 64, 128 or 256"). Of whole rows another refuses those of more than 256 weights, and
    leaves the zero points out of the shorter ones without a word. A test runs all of this.

    Args:
        bits: one that the layout holds.
        group_size: `None` is the whole row.
    """
    if bits == 4:
        return group_size in GROUP_SIZES and group_size != 16
    return group_size is None or group_size in GROUP_SIZES


def packed(matrix: QuantizedMatrix) -> dict[str, np.ndarray]:
    """The four parts of a matrix that `fits`, by name ("qweight")."""
    columns = matrix.codes.shape[1]
    return {
        "qweight": pack(matrix.codes.T, matrix.bits),
        "qzeros": np.ascontiguousarray(pack(matrix.zeros - 1, matrix.bits).T),
        "scales": np.ascontiguousarray(matrix.scales.T),
        "g_idx": (np.arange(columns) // matrix.group_size).astype(np.int32),
    }


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes as streams of bits running down the columns, lowest first; the inverse of `checkpoints.gptq.unpack`.

    Args:
        codes: [codes, columns], a multiple of 32 codes, each below 2^bits.
        bits: 2, 3, 4 or 8; 3-bit codes may cross the end of a word.

    Returns:
        int32 [codes · bits / 32, columns].
    """
    parcels = codes.reshape(-1, 32, codes.shape[1]).astype(np.uint64)
    words = np.zeros((len(parcels), bits, codes.shape[1]), np.uint64)
    for code in range(32):
        word, shift = divmod(code * bits, 32)
        shifted = parcels[:, code] << np.uint64(shift)
        words[:, word] |= shifted & np.uint64(0xFFFFFFFF)
        if shift + bits > 32:
            words[:, word + 1] |= shifted >> np.uint64(32)
    return words.astype(np.uint32).view(np.int32).reshape(-1, codes.shape[1])


def quantization_config(matrices: Iterable[QuantizedMatrix], group_size: int | None, library: str) -> dict[str, Any]:
    """The entry `quantization_config` of config.json for matrices of one width.

    Args:
        matrices: all packed matrices.
        group_size: `None` is the whole row.
        library: what computed the codes, "NAME:VERSION".
    """
    matrix = next(iter(matrices))
    return {
        "quant_method": "gptq",
        "checkpoint_format": "gptq",
        "bits": matrix.bits,
        "group_size": group_size or -1,
        "sym": matrix.symmetric,
        "desc_act": False,
        "lm_head": False,
        "pack_dtype": "int32",
        "meta": {"quantizer": list(dict.fromkeys([library, ZERO_POINT_CONVENTION]))},
    }
