"""Round to nearest and the GPTQ packing: against brute force, the libraries' own quantizers and decoders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compressed_code.checkpoints.matrices.gptq import unpack
from compressed_code.core.errors import InputError
from compressed_code.quantization import gptq_format
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest

BITS = range(2, 9)


def random_weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((rows, columns)) * 0.05).astype(np.float32)


def grids(matrix: QuantizedMatrix) -> np.ndarray:
    """All values each weight could have had, [rows, columns, 2^bits] float64."""
    scales = np.repeat(matrix.scales.astype(np.float64), matrix.group_size, axis=1)
    zeros = np.repeat(matrix.zeros.astype(np.float64), matrix.group_size, axis=1)
    return scales[:, :, None] * (np.arange(2**matrix.bits) - zeros[:, :, None])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("group_size", [8, 20, None])
def test_every_weight_goes_to_the_nearest_point_of_its_grid(bits, symmetric, group_size):
    weight = random_weight(12, 40)
    matrix = round_to_nearest(weight, bits, group_size, symmetric=symmetric)
    distances = np.abs(grids(matrix) - weight[:, :, None])
    assert np.allclose(np.abs(matrix.dequantized() - weight), distances.min(axis=2), rtol=1e-4, atol=1e-7)


@settings(deadline=None, max_examples=60)
@given(
    weight=arrays(np.float32, (3, 16), elements=st.floats(-100, 100, width=32)),
    bits=st.integers(2, 8),
    symmetric=st.booleans(),
)
def test_no_weight_moves_by_more_than_half_a_step(weight, bits, symmetric):
    """Half a step, and what rounding the scale to float16 shortens the grid by at its end."""
    matrix = round_to_nearest(weight, bits, 8, symmetric=symmetric)
    steps = np.repeat(matrix.scales.astype(np.float64), 8, axis=1)
    rounding = np.float64(2**-11) * 2**bits + 1e-6
    # Below float16's normal numbers the rounding of a scale is absolute.
    allowed = steps * (0.5 + rounding) + 2**-25 * 2**bits
    assert (np.abs(matrix.dequantized() - weight) <= allowed).all()
    assert matrix.zeros.min() >= 1
    assert matrix.zeros.max() <= 2**bits - 1
    assert matrix.codes.max() <= 2**bits - 1


def test_a_zero_point_of_0_becomes_1_by_hand():
    """0 … 6 on 2 bits: the rule gives step 2 and zero point 0; with zero point 1 three codes are left for 6: step 3."""
    matrix = round_to_nearest(np.array([[1, 2, 4, 6, 0, 0, 0, 0]], np.float32), 2)
    assert matrix.zeros.tolist() == [[1]]
    assert matrix.scales.tolist() == [[3]]
    assert matrix.dequantized().tolist() == [[0, 3, 3, 6, 0, 0, 0, 0]]


def test_degenerate_groups():
    weight = np.zeros((1, 24), np.float32)
    weight[0, 8:16], weight[0, 16:] = 1e-9, -3.0
    for bits in BITS:
        values = round_to_nearest(weight, bits, 8).dequantized()
        assert np.array_equal(values[0, :8], np.zeros(8))
        assert np.abs(values[0, 8:16]).max() < 1e-6
        assert np.allclose(values[0, 16:], -3, rtol=2e-3)


@pytest.mark.parametrize(
    ("symmetric", "group_size", "expected"), [(False, 32, 4.625), (True, 32, 4.5), (True, None, 4.25)]
)
def test_effective_bits_by_hand(symmetric, group_size, expected):
    """4-bit codes; per group a float16 scale and, unless symmetric, a 4-bit zero point; rows of 64."""
    assert round_to_nearest(random_weight(4, 64), 4, group_size, symmetric=symmetric).bits_per_weight == expected


@pytest.mark.parametrize(
    ("weight", "bits", "group_size", "message"),
    [
        (random_weight(2, 64), 1, 8, "1 bits"),
        (random_weight(2, 64), 9, 8, "9 bits"),
        (random_weight(2, 64), 4, 48, "64 columns are not divisible by group size 48"),
        (np.full((1, 8), 1e7, np.float32), 4, 8, "float16 scale"),
    ],
)
def test_bad_input_is_one_line(weight, bits, group_size, message):
    with pytest.raises(InputError, match=message):
        round_to_nearest(weight, bits, group_size)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_packing_is_undone_by_the_reader(bits):
    codes = np.random.default_rng(bits).integers(0, 2**bits, (96, 7))
    words = gptq_format.pack(codes, bits)
    assert words.shape == (96 * bits // 32, 7)
    assert np.array_equal(unpack(words.view(np.uint32), bits), codes)


def test_packed_words_by_hand():
    """Codes 1, 2, 3, … of 4 bits fill a word from its lowest bits; code 11 of 3 bits crosses into the second word."""
    assert gptq_format.pack(np.arange(1, 33)[:, None] % 16, 4)[0, 0] == 0x87654321 - (1 << 32)
    codes = np.zeros((32, 1), int)
    codes[10] = 0b101
    assert gptq_format.pack(codes, 3).view(np.uint32)[:, 0].tolist() == [0b01 << 30, 0b1, 0]


@pytest.mark.slow  # importing GPTQModel takes 5 s and more
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize(("rows", "columns", "group_size"), [(32, 32, 16), (96, 160, 32), (64, 224, None)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_bit_equal_with_gptqmodels_torch_kernel(bits, rows, columns, group_size, symmetric):
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module

    weight = random_weight(rows, columns, seed=bits)
    weight[:, : columns // 4] = np.abs(weight[:, : columns // 4])  # groups whose zero point would be 0
    matrix = round_to_nearest(weight, bits, group_size, symmetric=symmetric)
    assert gptq_format.fits(matrix)
    layer = TorchLinear(
        bits=bits,
        group_size=group_size or -1,
        sym=symmetric,
        desc_act=False,
        in_features=columns,
        out_features=rows,
        register_buffers=True,
    ).eval()
    for part, values in gptq_format.packed(matrix).items():
        assert getattr(layer, part).shape == values.shape
        setattr(layer, part, torch.from_numpy(values))
    convert_gptq_v1_to_v2_format_module(layer, bits=bits, pack_dtype=torch.int32)
    layer._init_wf_unsqueeze_buffers()
    kernel = TorchLinear.dequantize_weight(layer).T.numpy()
    assert kernel.dtype == np.float16
    assert np.array_equal(kernel, matrix.dequantized().astype(np.float16))
