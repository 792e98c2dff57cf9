"""The K types Q2_K, Q3_K, Q4_K, Q5_K and Q6_K: 256 weights to a block, with scales that are quantized themselves.

A block has 16 groups of 16 weights or 8 groups of 32. Each group gets a scale (and a minimum), the scales of a block
share one float16 factor, and the codes are rounded once more with the scales as they are stored.
The bytes are those of llama.cpp without an importance matrix, compiled without fused multiply-add.

Source: llama.cpp v0.5.0, ggml/src/ggml-quants.c, `quantize_row_q2_K_ref` … `quantize_row_q6_K_ref`; block layouts:
ggml/src/ggml-common.h.
"""

from collections.abc import Callable

import numpy as np

from compressed_code.quantization.gguf.scale_search import (
    NEGLIGIBLE,
    ScaleSearch,
    furthest_from_zero,
    nearest_codes,
    nearest_integers,
    search_scale,
    search_scale_and_minimum,
    search_scale_by_coordinates,
)

BLOCK = 256
# Blocks worked on at a time: the arrays of one search stay in the processor's cache.
BLOCKS_AT_ONCE = 512


def quantize_blocks(values: np.ndarray, type_name: str) -> np.ndarray:
    """Quantize blocks of 256 weights.

    Args:
        values: [blocks, 256] float32.
        type_name: "Q2_K", "Q3_K", "Q4_K", "Q5_K" or "Q6_K".

    Returns:
        [blocks, bytes of a block] uint8.
    """
    quantize = QUANTIZERS[type_name]
    with np.errstate(all="ignore"):  # groups of zeros divide by zero, and what comes out is not used
        parts = [quantize(values[start : start + BLOCKS_AT_ONCE]) for start in range(0, len(values), BLOCKS_AT_ONCE)]
    return np.concatenate(parts)


def _quantize_q2(values: np.ndarray) -> np.ndarray:
    groups = _groups(values, 16)
    scale, depth, codes = search_scale_and_minimum(groups, np.abs(groups), ScaleSearch(3, -0.5, 15, absolute=True))
    scales, scale_factor = _store_scales(scale.reshape(-1, 16), 15)
    depths, depth_factor = _store_scales(depth.reshape(-1, 16), 15)
    packed = (scales | depths << 4).astype(np.uint8)
    codes = _round_again(groups, codes, scale_factor, packed & 15, depth_factor, packed >> 4, highest=3)
    return np.concatenate([packed, _pack_quarters(codes), _bytes(scale_factor), _bytes(depth_factor)], axis=1)


def _quantize_q4(values: np.ndarray) -> np.ndarray:
    head, codes = _quantize_with_minimum(values, ScaleSearch(15, -1.0, 20, absolute=False))
    return np.concatenate([*head, _pack_halves(codes)], axis=1)


def _quantize_q5(values: np.ndarray) -> np.ndarray:
    head, codes = _quantize_with_minimum(values, ScaleSearch(31, -0.5, 15, absolute=False))
    high = _combine(codes.reshape(-1, 8, 32) >> 4, bits=1, axis=1)
    return np.concatenate([*head, high, _pack_halves(codes & 15)], axis=1)


def _quantize_with_minimum(values: np.ndarray, search: ScaleSearch) -> tuple[list[np.ndarray], np.ndarray]:
    """Q4_K and Q5_K up to the codes: factors and packed scales, and codes [blocks, 256] uint8."""
    groups = _groups(values, 32)
    root_mean_square = np.sqrt(np.add.reduce(groups * groups, axis=0) / np.float32(32))
    scale, depth, codes = search_scale_and_minimum(groups, root_mean_square + np.abs(groups), search)
    scales, scale_factor = _store_scales(scale.reshape(-1, 8), 63)
    depths, depth_factor = _store_scales(depth.reshape(-1, 8), 63)
    scales, depths = (np.minimum(stored & 255, 63).astype(np.uint8) for stored in (scales, depths))
    codes = _round_again(groups, codes, scale_factor, scales, depth_factor, depths, highest=search.levels)
    packed = [
        scales[:, :4] | scales[:, 4:] >> 4 << 6,
        depths[:, :4] | depths[:, 4:] >> 4 << 6,
        scales[:, 4:] & 15 | (depths[:, 4:] & 15) << 4,
    ]
    return [_bytes(scale_factor), _bytes(depth_factor), *packed], codes


def _quantize_q3(values: np.ndarray) -> np.ndarray:
    groups = _groups(values, 16)
    scale, codes = search_scale_by_coordinates(groups, 4)
    scale = scale.reshape(-1, 16)
    furthest = furthest_from_zero(scale.T)
    inverse = np.float32(-32) / furthest
    used = furthest != 0
    factor = np.where(used, np.float32(1) / inverse, np.float32(0)).astype(np.float16)
    scales = np.clip(nearest_integers(inverse[:, None] * scale).astype(np.int8), -32, 31) + np.int8(32)
    scales = np.where(used[:, None], scales, 0).astype(np.uint8)
    codes = _round_again_symmetric(groups, codes, factor, scales.astype(np.float32) - np.float32(32), half=4)
    packed = [
        scales[:, :8] & 15 | (scales[:, 8:] & 15) << 4,
        _combine(scales.reshape(-1, 4, 4) >> 4, bits=2, axis=1),
    ]
    high = _combine(codes.reshape(-1, 8, 32) >> 2, bits=1, axis=1)
    return np.concatenate([high, _pack_quarters(codes & 3), *packed, _bytes(factor)], axis=1)


def _quantize_q6(values: np.ndarray) -> np.ndarray:
    groups = _groups(values, 16)
    scale, codes = search_scale(groups, 32)
    scale = scale.reshape(-1, 16)
    furthest = furthest_from_zero(scale.T)
    inverse = np.float32(-128) / furthest
    factor = (np.float32(1) / inverse).astype(np.float16)
    scales = np.minimum(nearest_integers(inverse[:, None] * scale), 127).astype(np.int8)
    codes = _round_again_symmetric(groups, codes, factor, scales.astype(np.float32), half=32)
    quarters = codes.reshape(-1, 2, 4, 32)
    low = (quarters[:, :, :2] & 15 | (quarters[:, :, 2:] & 15) << 4).reshape(-1, 128)
    high = _combine(quarters >> 4, bits=2, axis=2).reshape(-1, 64)
    stored = np.concatenate([low, high, scales.view(np.uint8), _bytes(factor)], axis=1)
    stored[np.abs(furthest) < NEGLIGIBLE] = 0
    return stored


QUANTIZERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Q2_K": _quantize_q2,
    "Q3_K": _quantize_q3,
    "Q4_K": _quantize_q4,
    "Q5_K": _quantize_q5,
    "Q6_K": _quantize_q6,
}


def _groups(values: np.ndarray, size: int) -> np.ndarray:
    """Blocks as groups side by side, [size, groups]."""
    return np.ascontiguousarray(values.reshape(-1, size).T)


def _store_scales(scales: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the scales of each block, [blocks, groups] int32, and their factor, [blocks] float16."""
    largest = np.fmax.reduce(scales, axis=1)
    largest = np.where(largest > 0, largest, np.float32(0))
    inverse = np.where(largest > 0, np.float32(levels) / largest, np.float32(0))
    return nearest_integers(inverse[:, None] * scales), (largest / np.float32(levels)).astype(np.float16)


def _round_again(
    groups: np.ndarray,
    codes: np.ndarray,
    scale_factor: np.ndarray,
    scales: np.ndarray,
    depth_factor: np.ndarray,
    depths: np.ndarray,
    highest: int,
) -> np.ndarray:
    """Codes for scales and minima as they are stored, [blocks, 256] uint8; where a scale is 0 those found before."""
    scale = _restore(scale_factor, scales)
    rounded = nearest_codes((groups + _restore(depth_factor, depths)) / scale, 0, highest)
    return _in_blocks(np.where(scale == 0, codes, rounded))


def _round_again_symmetric(
    groups: np.ndarray, codes: np.ndarray, factor: np.ndarray, scales: np.ndarray, half: int
) -> np.ndarray:
    """The same without minima; codes count from -half."""
    scale = _restore(factor, scales)
    rounded = nearest_codes(groups / scale, -half, half - 1) + np.float32(half)
    return _in_blocks(np.where(scale == 0, codes, rounded))


def _restore(factor: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Scales as a reader will see them, [groups] float32."""
    return (factor.astype(np.float32)[:, None] * scales.astype(np.float32)).reshape(-1)


def _in_blocks(codes: np.ndarray) -> np.ndarray:
    return codes.T.astype(np.uint8).reshape(-1, BLOCK)


def _combine(parts: np.ndarray, bits: int, axis: int) -> np.ndarray:
    """Small numbers lying along an axis put into one byte, the first one lowest."""
    shape = [1] * parts.ndim
    shape[axis] = -1
    shifts = np.arange(0, bits * parts.shape[axis], bits, dtype=np.uint8).reshape(shape)
    return np.bitwise_or.reduce(parts << shifts, axis=axis)


def _pack_quarters(codes: np.ndarray) -> np.ndarray:
    """Codes of 2 bits, four to a byte, 32 apart: [blocks, 64]."""
    return _combine(codes.reshape(-1, 2, 4, 32), bits=2, axis=2).reshape(-1, 64)


def _pack_halves(codes: np.ndarray) -> np.ndarray:
    """Codes of 4 bits, two to a byte, 32 apart: [blocks, 128]."""
    return _combine(codes.reshape(-1, 4, 2, 32), bits=4, axis=2).reshape(-1, 128)


def _bytes(factor: np.ndarray) -> np.ndarray:
    """float16 [blocks] as little-endian bytes [blocks, 2]."""
    return factor.astype("<f2").reshape(-1, 1).view(np.uint8)
