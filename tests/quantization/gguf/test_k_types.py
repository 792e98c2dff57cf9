"""The block quantizers against llama.cpp's own, byte by byte, and against what any quantizer must fulfil.

`LLAMA_CPP_LIBRARY` names a folder with llama.cpp's shared libraries (every package of binaries has one); with it the
comparison covers fresh random numbers. Without it the digests below are compared, which llama.cpp v0.5.0 (ggml 0.25.1,
commit 0ad4a86, built for plain x86-64) made from the same numbers.
"""

import ctypes
import hashlib
import os
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import InputError
from compressed_code.quantization.gguf import quantize_rows
from compressed_code.quantization.gguf.k_types import BLOCKS_AT_ONCE
from compressed_code.quantization.gguf.rows import K_TYPES, LEGACY_TYPES
from compressed_code.quantization.gguf.scale_search import (
    ScaleSearch,
    nearest_integers,
    search_scale,
    search_scale_and_minimum,
    search_scale_by_coordinates,
)

TYPES = (*LEGACY_TYPES, *K_TYPES)
ROWS, COLUMNS = 6, 512


def _numbers(kind: str, seed: int, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """Random float32 [rows, columns] out of integers, so that every machine makes the same ones."""
    random = np.random.RandomState(seed)  # its stream never changes
    shape = (rows, columns)
    flat = random.randint(0, 1 << 24, shape) / float(1 << 23) - 1  # [-1, 1)
    bell = (random.randint(0, 1 << 16, (12, *shape)).sum(axis=0) - 6 * (1 << 16)) / float(1 << 16)
    mask = random.randint(0, 1000, shape)
    values = {
        "bell": bell,
        "flat": flat,
        "positive": flat / 4 + 0.75,
        "negative": flat / 4 - 0.75,
        "heavy tails": bell**5 / 50,
        "outliers": np.where(mask < 5, 50 * bell, bell / 16),
        "sparse": np.where(mask < 50, bell, 0.0),
        "integers": np.rint(2 * bell),
        "two values": np.where(mask < 500, -0.25, 0.75),
        "far from zero": 5 + bell / 128,
        "groups of all sizes": bell * 2.0 ** (mask[:, ::16] % 60 - 45).repeat(16, axis=1),
        "tiny": bell * 2.0**-48,
        "vanishing": bell * 2.0**-60,
        "huge": bell * 2.0**30,
        "zeros and constants": np.tile([[0.0], [1.0], [-1.0]], (-(-rows // 3), columns))[:rows],
    }
    return values[kind].astype(np.float32)


KINDS = (
    *("bell", "flat", "positive", "negative", "heavy tails", "outliers", "sparse", "integers", "two values"),
    *("far from zero", "groups of all sizes", "tiny", "vanishing", "huge", "zeros and constants"),
)
# Type → first 4 bytes of the sha256 of llama.cpp's bytes for each of KINDS, seed 0.
DIGESTS = {
    "Q4_0": (
        "2d8e5027 a4a20cb3 544f8ec1 ef9eb437 180092cd c98ee5c5 e312b23f 655739a8 "
        "fb6be005 1916c807 ed645e08 ab79c924 ab79c924 640cfbb2 7729413d"
    ),
    "Q4_1": (
        "1e92de84 a6d45796 aab29e69 89f2f99f e0747a26 7a9d9d67 d090b01a 31dc9c76 "
        "e90aa253 d1264f20 7882c388 df632f3c df632f3c acc370b6 1cb1c8d9"
    ),
    "Q5_0": (
        "1ab29612 0de1965f 8afdc1d6 57962e69 ccd9bac3 37d19b67 767f254f d8154f4e "
        "bfa3447b 077d0d80 097c49b2 3c8f9002 3c8f9002 5c1407f8 0822a461"
    ),
    "Q5_1": (
        "164ff51e 33bb693e 27dbc5ad 11bd02a5 8404b2b2 61b2c04a a352f015 5c014771 "
        "2b6e48ea 5ae30e0e 68486dc7 7246fb61 7246fb61 e09e9c17 8c6af7c9"
    ),
    "Q8_0": (
        "e4eb78fb 93a8871c f33e454d 761e6d1b 8ecaf057 fe03b170 cdb63745 9e200e7d "
        "49c73880 9290670e a8909901 75d6358b 75d6358b d5a0ee99 ac452e36"
    ),
    "Q2_K": (
        "bd3c7c1a cc72cfa4 48093867 da82b38d 55f79419 bb8a9111 d5916dfe 116447e4 "
        "0b456f0a d38e3328 c6d83535 7ccaffea 245d2814 0e685e87 fd577e32"
    ),
    "Q3_K": (
        "5be92ef6 1d4419fd 302ac287 a4482824 5226ca16 072a9794 a07f6184 bb191106 "
        "34017c50 68022163 70cf9552 2047f772 8544996d 6ef817c9 d4debb69"
    ),
    "Q4_K": (
        "652fe404 fcb5a62a 7866c7ae 3d6bcf8c 0a7befa9 09718d6a 31b6e9b2 290ae04d "
        "cd5f9822 f4fefbab eb4dcc69 c0d4ef26 9736cafb 20e7c3db ae0e608e"
    ),
    "Q5_K": (
        "b004b8ab 71f22526 6bd5c1b7 55f17b48 8e39cb7b 0e5c75e8 7587ba8e 69c22159 "
        "a83b1695 1ba8bf87 849b400f 57eac3f3 a3bb4fed 3220b5cf 737b3ad8"
    ),
    "Q6_K": (
        "dae04e7d 449ce800 6bf8ade8 2d6ea392 03dc708d 893488bc 6839c2a2 ebb3329a "
        "8306ccfa 55ee35e7 b0dda580 1c71ec6b 1c71ec6b 9bf15679 a2d65166"
    ),
}


def _digest(stored: np.ndarray) -> str:
    return hashlib.sha256(stored.tobytes()).hexdigest()[:8]


@pytest.mark.parametrize("type_name", TYPES)
def test_bytes_are_those_of_llama_cpp_v0_5_0(type_name):
    made = {kind: _digest(quantize_rows(_numbers(kind, seed=0), type_name)) for kind in KINDS}
    assert made == dict(zip(KINDS, DIGESTS[type_name].split(), strict=True))


@pytest.fixture(scope="session")
def ggml_quantize():
    """llama.cpp's `ggml_quantize_chunk` without an importance matrix."""
    folder = os.environ.get("LLAMA_CPP_LIBRARY")
    if folder is None:
        pytest.skip("LLAMA_CPP_LIBRARY does not name a folder with llama.cpp's libraries")
    function = ctypes.CDLL(str(Path(folder) / "libggml-base.so")).ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]

    def quantize(values: np.ndarray, type_name: str) -> np.ndarray:
        kind = gguf.GGMLQuantizationType[type_name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        stored = np.zeros((len(values), values.shape[1] // elements * size), np.uint8)
        written = function(kind, values.ctypes.data, stored.ctypes.data, 0, *values.shape, None)
        assert written == stored.size
        return stored

    return quantize


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type_name", TYPES)
def test_bytes_are_those_of_the_llama_cpp_at_hand(ggml_quantize, type_name, kind):
    for seed, rows, columns in ((1, 40, 1024), (2, 1, 256), (3, 3, 768)):
        values = _numbers(kind, seed, rows, columns)
        np.testing.assert_array_equal(quantize_rows(values, type_name), ggml_quantize(values, type_name))


def test_more_blocks_than_are_worked_on_at_a_time():
    values = _numbers("heavy tails", seed=4, rows=BLOCKS_AT_ONCE + 3, columns=256)
    for type_name in K_TYPES:
        together = quantize_rows(values, type_name)
        for row in (0, BLOCKS_AT_ONCE - 1, BLOCKS_AT_ONCE, BLOCKS_AT_ONCE + 2):
            np.testing.assert_array_equal(together[row], quantize_rows(values[row : row + 1], type_name)[0])


# --- what any quantizer must fulfil ----------------------------------------------------------------------------------


def _restored(values: np.ndarray, type_name: str) -> np.ndarray:
    return gguf.quants.dequantize(quantize_rows(values, type_name), gguf.GGMLQuantizationType[type_name])


# Bits of a code, weights that share a scale, and whether codes lie around zero.
SHAPES = {
    **{"Q4_0": (4, 32, True), "Q4_1": (4, 32, False), "Q5_0": (5, 32, True), "Q5_1": (5, 32, False)},
    **{"Q8_0": (8, 32, True), "Q2_K": (2, 16, False), "Q3_K": (3, 16, True), "Q4_K": (4, 32, False)},
    **{"Q5_K": (5, 32, False), "Q6_K": (6, 16, True)},
}


@pytest.mark.parametrize("kind", ["bell", "flat", "positive", "negative", "outliers", "far from zero"])
@pytest.mark.parametrize("type_name", TYPES)
def test_no_weight_is_further_away_than_a_step(type_name, kind):
    """A step: the group's range over the number of levels. Scales that are stored roughly add to it."""
    bits, size, symmetric = SHAPES[type_name]
    values = _numbers(kind, seed=5)
    groups = values.reshape(ROWS, -1, size)
    lowest, highest = np.minimum(groups.min(axis=-1), 0), groups.max(axis=-1)
    width = 2 * np.abs(groups).max(axis=-1) if symmetric else highest - lowest
    step = width / (2**bits - 1)
    # Rounding a scale of the block's largest: half a step of 1/15 (Q2_K), 1/32 (Q3_K), 1/63, 1/128.
    share = {"Q2_K": 1 / 15, "Q3_K": 1 / 32, "Q4_K": 1 / 63, "Q5_K": 1 / 63, "Q6_K": 1 / 128}.get(type_name, 0)
    reach = width.reshape(ROWS, -1, 256 // size).max(axis=-1, keepdims=True).repeat(256 // size, axis=-1)
    allowed = step + share * reach.reshape(step.shape) + 1e-3 * np.abs(groups).max(axis=-1)
    error = np.abs(_restored(values, type_name).reshape(groups.shape) - groups).max(axis=-1)
    assert (error <= allowed).all()


def test_more_bits_are_closer():
    values = _numbers("bell", seed=6, rows=32)
    errors = [np.square(_restored(values, name) - values).mean() for name in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")]
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert (ratios > 2.5).all(), ratios  # a bit more would be a factor of 4 if scales were free
    # A K type beats the older one of as many bits.
    for old, new in (("Q4_0", "Q4_K"), ("Q5_0", "Q5_K")):
        assert np.square(_restored(values, new) - values).mean() < np.square(_restored(values, old) - values).mean()


@pytest.mark.parametrize("type_name", LEGACY_TYPES)
def test_what_was_quantized_once_stays(type_name):
    once = _restored(_numbers("bell", seed=7), type_name)
    np.testing.assert_array_equal(_restored(once, type_name), once)


@pytest.mark.parametrize("type_name", K_TYPES)
def test_numbers_on_the_grid_of_a_type_are_kept_exactly(type_name):
    """Scale and minimum are chosen so that a block can hold them without rounding."""
    bits, size, symmetric = SHAPES[type_name]
    random = np.random.RandomState(8)
    codes = random.randint(0, 2**bits, (4, 256 // size, size))
    codes[..., 0], codes[..., 1] = 0, 2**bits - 1  # every group uses its whole range
    levels = {"Q2_K": 15, "Q3_K": 32, "Q4_K": 63, "Q5_K": 63, "Q6_K": 128}[type_name]
    scale, lowest = levels * 2.0**-12, 2 ** (bits - 1) if symmetric else 0
    values = (codes - lowest) * scale
    if not symmetric:
        values -= levels * 2.0**-11
    values = values.reshape(4, 256).astype(np.float32)
    np.testing.assert_array_equal(_restored(values, type_name), values)


@pytest.mark.parametrize("type_name", TYPES)
def test_zeros_stay_zeros(type_name):
    assert not _restored(np.zeros((2, 256), np.float32), type_name).any()


def _weighted_error(values, weights, scale, minimum, codes):
    difference = scale * codes + minimum - values.astype(np.float64)
    return (weights.astype(np.float64) * difference**2).sum(axis=0)


@pytest.mark.parametrize(("search", "half"), [(search_scale, 32), (search_scale, 4), (search_scale_by_coordinates, 4)])
def test_the_scale_found_is_the_best_for_its_codes_and_better_than_plain_rounding(search, half):
    values = _numbers("bell", seed=9).reshape(-1, 16).T.copy()
    scale, codes = search(values, half)
    codes = codes - half
    weights = values * values
    error = _weighted_error(values, weights, scale, 0, codes)
    for factor in (0.999, 1.001):
        assert (error < _weighted_error(values, weights, scale * factor, 0, codes)).all()
    furthest = np.take_along_axis(values, np.abs(values).argmax(axis=0)[None], axis=0)[0]
    plain = furthest / -half
    rounded = np.clip(np.rint(values / plain), -half, half - 1)
    plain_error = _weighted_error(values, weights, plain, 0, rounded)
    assert (error <= plain_error * (1 + 1e-5)).all()
    assert error.sum() < 0.9 * plain_error.sum()


@pytest.mark.parametrize(
    ("search", "size"),
    [
        (ScaleSearch(3, -0.5, 15, True), 16),
        (ScaleSearch(15, -1.0, 20, False), 32),
        (ScaleSearch(31, -0.5, 15, False), 32),
    ],
)
def test_scale_and_minimum_found_are_better_than_range_over_levels(search, size):
    values = _numbers("bell", seed=10).reshape(-1, size).T.copy()
    weights = np.abs(values)
    scale, depth, codes = search_scale_and_minimum(values, weights, search)
    lowest, highest = values.min(axis=0), values.max(axis=0)
    plain = (highest - lowest) / search.levels
    rounded = np.rint((values - lowest) / plain)

    def error(scale, minimum, codes):
        difference = np.abs(scale * codes + minimum - values.astype(np.float64))
        return (weights * (difference if search.absolute else difference**2)).sum(axis=0)

    assert (error(scale, -depth, codes) <= error(plain, lowest, rounded) * (1 + 1e-5)).all()
    assert error(scale, -depth, codes).sum() < 0.9 * error(plain, lowest, rounded).sum()
    if not search.absolute:  # least squares: no scale or minimum near it is better for these codes
        found = _weighted_error(values, weights, scale, -depth, codes)
        for factor, shift in ((0.999, 0), (1.001, 0), (1, 1e-3), (1, -1e-3)):
            assert (found < _weighted_error(values, weights, scale * factor, -depth + shift, codes)).mean() > 0.99


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-(2.0**22) + 1, 2.0**22 - 1, width=32), min_size=1, max_size=40))
def test_nearest_integers_are_those_of_ieee(numbers):
    values = np.array(numbers, np.float32)
    np.testing.assert_array_equal(nearest_integers(values), np.rint(values))


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_name", "columns"), [("Q4_K", 128), ("Q6_K", 257), ("Q4_0", 48)])
def test_columns_that_do_not_divide(type_name, columns):
    with pytest.raises(InputError, match=rf"rows of {columns} do not divide into the blocks"):
        quantize_rows(np.zeros((2, columns), np.float32), type_name)


@pytest.mark.parametrize("type_name", ["Q4_K_M", "Q7_0", "IQ4_NL"])
def test_an_unknown_type(type_name):
    with pytest.raises(InputError, match=rf"{type_name}.*Q4_K"):
        quantize_rows(np.zeros((2, 256), np.float32), type_name)
