"""Our GPTQ solver: the same codes as an explicit-inverse loop and as GPTQModel's own solver, and better than rounding.

Codes are compared on matrices that keep all weights, at the moment they are rounded, away from the middle between two
codes: there float32 and float64 must decide alike, while at a tie any rounding noise decides.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import InputError
from compressed_code.quantization.methods.gptq import BLOCK, DAMPENING, error_feedback, gptq
from compressed_code.quantization.methods.library_quirks import never_zero, without_compilation
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest


@dataclass
class Reference:
    codes: np.ndarray
    scales: np.ndarray  # [rows, groups], as float16 holds them
    zeros: np.ndarray
    nearest_tie: float  # in steps, of all weights at the moment they are rounded


def grid(weights: np.ndarray, bits: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Min-max scale and zero point of each row by the definition, with the zero point 1 or more."""
    highest = 2**bits - 1
    low, high = np.minimum(weights.min(1), 0), np.maximum(weights.max(1), 0)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    low, high = np.where(high == low, -1, low), np.where(high == low, 1, high)
    scale = ((high - low) / highest).astype(np.float16).astype(float)
    if symmetric:
        return scale, np.full(len(scale), 2.0 ** (bits - 1))
    zero = np.rint(-low / scale)
    scale = np.where(zero < 1, ((high - low) / (highest - 1)).astype(np.float16), scale)
    return scale, np.clip(zero, 1, highest)


def eliminate(weight, hessian, bits, group_size=None, *, symmetric=False) -> Reference:
    """Optimal brain quantization in the order of columns: round one, spread its error by the inverse of what is left.

    No blocks, no Cholesky: the inverse is explicit, and a column is eliminated from it by one step of Gauss. Of blocks
    only this is left: the grid of a group is found from the weights as they are when its block of 128 begins.
    """
    w, dead = weight.astype(float), np.diagonal(hessian) == 0
    size, snapshot = group_size or w.shape[1], w.copy()
    w[:, dead] = 0
    hessian = np.where(np.diag(dead), 1.0, hessian)
    inverse = np.linalg.inv(hessian + DAMPENING * np.diagonal(hessian).mean() * np.eye(len(hessian)))
    codes, scales, zeros, ties = np.zeros(w.shape, int), [], [], []
    for c in range(w.shape[1]):
        if c % BLOCK == 0 and (group_size or c):
            snapshot = w.copy()
        if c % size == 0:
            scale, zero = grid(snapshot[:, c : c + size], bits, symmetric)
            scales.append(scale)
            zeros.append(zero)
        steps = w[:, c] / scale
        ties.append(np.abs(steps - np.floor(steps) - 0.5).min())
        codes[:, c] = np.clip(np.rint(steps) + zero, 0, 2**bits - 1)
        error = w[:, c] - scale * (codes[:, c] - zero)
        w -= np.outer(error, inverse[c]) / inverse[c, c]
        inverse = inverse - np.outer(inverse[c], inverse[c]) / inverse[c, c]
    return Reference(codes, np.stack(scales, 1), np.stack(zeros, 1), min(ties))


def layer(seed: int, rows: int, columns: int, *, dead: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights as float32, and the Hessian of correlated inputs, some of which are always 0."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((3 * columns, columns)) @ generator.standard_normal((columns, columns))
    inputs[:, generator.permutation(columns)[:dead]] = 0
    weight = (generator.standard_normal((rows, columns)) * 0.05).astype(np.float32)
    return weight, 2 / len(inputs) * inputs.T @ inputs


def far_from_ties(distance: float, rows: int, columns: int, *grid, dead: int = 0, symmetric: bool = False):
    """The first layer of a sequence whose weights keep the distance from ties, and the reference's result."""
    for seed in range(1000):
        weight, hessian = layer(seed, rows, columns, dead=dead)
        reference = eliminate(weight, hessian, *grid, symmetric=symmetric)
        if reference.nearest_tie > distance:
            return weight, hessian, reference
    raise AssertionError("no such layer")


SHAPES = [(6, 40, 8, 0), (5, 60, 20, 3), (7, 23, None, 2), (3, 300, 20, 5), (3, 288, 96, 0), (2, 300, None, 4)]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("rows", "columns", "group_size", "dead"), SHAPES)
def test_the_same_codes_as_elimination_with_an_explicit_inverse(bits, symmetric, rows, columns, group_size, dead):
    weight, hessian, expected = far_from_ties(1e-7, rows, columns, bits, group_size, dead=dead, symmetric=symmetric)
    found = gptq(weight, error_feedback(hessian), bits, group_size, symmetric=symmetric)
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.scales, expected.scales)
    assert np.array_equal(found.zeros, expected.zeros)
    assert (found.bits, found.symmetric, found.group_size) == (bits, symmetric, group_size or columns)


@contextmanager
def scales_as_stored(quantizer: type):
    """Let a library round on the grid that will be stored, as ours does: scales are rounded to float16."""
    with never_zero(quantizer):
        original = quantizer.find_params

        def find_params(self, x, weight=False):
            original(self, x, weight)
            self.scale = self.scale.half().float()

        with patch.object(quantizer, "find_params", find_params):
            yield


def solved_by_gptqmodel(weight, hessian, bits, group_size, symmetric) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, scales and zero points of its class, on one layer and a given Hessian, in float32."""
    without_compilation()
    from gptqmodel import QuantizeConfig
    from gptqmodel.quantization.gptq import GPTQ

    settings = QuantizeConfig(
        bits=bits,
        group_size=group_size or -1,
        sym=symmetric,
        desc_act=False,
        act_group_aware=False,
        damp_percent=DAMPENING,
        fallback=None,
        device="cpu",
    )
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = torch.from_numpy(weight.copy())
    solver = GPTQ(linear, settings)
    solver.quantizer.configure(perchannel=True)
    solver.H, solver.nsamples = torch.from_numpy(hessian).float(), 1
    rounded, scales, zeros, *_ = solver.quantize()
    steps = rounded.detach().numpy().reshape(*scales.shape, -1) / scales.numpy()[:, :, None]
    return np.rint(steps + zeros.numpy()[:, :, None]).reshape(weight.shape), scales.numpy(), zeros.numpy()


def on_exact_scales(seed: int, rows: int, columns: int, group_size: int, bits: int, symmetric: bool) -> np.ndarray:
    """Weights of which each group reaches from a whole number of steps below 0 to one above, with a float16 step."""
    generator, highest = np.random.default_rng(seed), 2**bits - 1
    count = rows * columns // group_size
    steps = generator.integers(2**9, 2**11, (count, 1)) * 2.0**-18
    reach = np.full((count, 1), highest / 2) if symmetric else generator.integers(1, highest, (count, 1))
    groups = generator.uniform(-reach * steps, (highest - reach) * steps, (count, group_size))
    groups[:, 2:3], groups[:, 5:6] = -reach * steps, (highest - reach) * steps
    return groups.reshape(rows, columns).astype(np.float32)


@pytest.mark.slow  # importing GPTQModel takes 5 s and more
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("rows", "columns", "group_size"), [(8, 64, 32), (4, 128, 16), (4, 128, 128)])
def test_the_same_codes_as_gptqmodels_solver_on_scales_that_float16_holds(bits, symmetric, rows, columns, group_size):
    """Its class as it is; in one block all grids are those of the weights as they came."""
    for seed in range(1000):
        weight = on_exact_scales(seed, rows, columns, group_size, bits, symmetric)
        hessian = layer(seed, 1, columns)[1]
        if eliminate(weight, hessian, bits, group_size, symmetric=symmetric).nearest_tie > 5e-4:
            break
    codes, scales, zeros = solved_by_gptqmodel(weight, hessian, bits, group_size, symmetric)
    found = gptq(weight, error_feedback(hessian), bits, group_size, symmetric=symmetric)
    assert np.array_equal(found.scales, scales)
    assert np.array_equal(found.zeros, zeros)
    assert np.array_equal(found.codes, codes)
    assert not np.array_equal(found.codes, round_to_nearest(weight, bits, group_size, symmetric=symmetric).codes)


@pytest.mark.slow  # importing GPTQModel takes 5 s and more
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns", "group_size", "dead"), [(3, 384, 32, 3), (3, 320, 64, 0), (3, 200, None, 3)]
)
def test_the_same_codes_as_gptqmodels_solver_over_several_blocks(bits, symmetric, rows, columns, group_size, dead):
    """Its class, but for what is done to its grid: scales as they are stored, zero points of 1 or more."""
    from gptqmodel.quantization.quantizer import Quantizer

    grid = (bits, group_size)
    weight, hessian, _ = far_from_ties(5e-4, rows, columns, *grid, dead=dead, symmetric=symmetric)
    with scales_as_stored(Quantizer):
        codes, scales, zeros = solved_by_gptqmodel(weight, hessian, *grid, symmetric)
    found = gptq(weight, error_feedback(hessian), *grid, symmetric=symmetric)
    assert np.array_equal(found.scales, scales)
    assert np.array_equal(found.zeros, zeros)
    assert np.array_equal(found.codes, codes)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(2, 8),
    symmetric=st.booleans(),
    columns=st.sampled_from([16, 64, 160]),
)
def test_outputs_change_less_than_by_rounding(seed, bits, symmetric, columns):
    """In the norm it minimizes, the damped Hessian's: over all rows, since of a single one a greedy order may lose."""
    weight, hessian = layer(seed, 24, columns)
    damped = hessian + DAMPENING * np.diagonal(hessian).mean() * np.eye(columns)
    losses = []
    for matrix in (
        gptq(weight, error_feedback(hessian), bits, 16, symmetric=symmetric),
        round_to_nearest(weight, bits, 16, symmetric=symmetric),
    ):
        change = matrix.dequantized() - weight
        losses.append(np.einsum("rc,cd,rd->", change, damped, change))
    assert losses[0] < losses[1]


def test_without_correlation_it_is_rounding():
    """A diagonal Hessian moves no error, so codes are those of round to nearest."""
    weight = layer(0, 12, 40)[0]
    found = gptq(weight, error_feedback(np.diag(np.arange(1.0, 41))), 3, 8)
    expected = round_to_nearest(weight.astype(np.float64), 3, 8)
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.scales, expected.scales)


def test_the_factor_is_that_of_the_inverse():
    hessian = layer(0, 1, 50, dead=4)[1]
    feedback = error_feedback(hessian)
    assert feedback.dead.sum() == 4
    hessian = hessian + np.diag(feedback.dead.astype(float))
    damped = hessian + DAMPENING * np.diagonal(hessian).mean() * np.eye(50)
    assert np.allclose(feedback.factor.T @ feedback.factor @ damped, np.eye(50), atol=1e-9)
    assert not np.tril(feedback.factor, -1).any()


def test_inputs_that_are_never_seen_lose_their_weights():
    weight, hessian = layer(0, 12, 40, dead=5)
    matrix = gptq(weight, error_feedback(hessian), 4, 8)
    dead = np.diagonal(hessian) == 0
    assert not matrix.dequantized()[:, dead].any()
    assert matrix.dequantized()[:, ~dead].any(axis=0).all()
    assert not gptq(weight, error_feedback(np.zeros((40, 40))), 4, 8).dequantized().any()


@pytest.mark.parametrize(
    ("bits", "group_size", "message"), [(1, 8, "knows 2 … 8"), (9, 8, "knows 2 … 8"), (4, 12, "not divisible by")]
)
def test_a_grid_it_does_not_know_is_refused(bits, group_size, message):
    weight, hessian = layer(0, 4, 40)
    with pytest.raises(InputError, match=message):
        gptq(weight, error_feedback(hessian), bits, group_size)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_without_moments_are_refused(value):
    hessian = layer(0, 4, 40)[1]
    hessian[3, 3] = value
    with pytest.raises(InputError, match="no usable second moments"):
        error_feedback(hessian)


def test_weights_that_no_float16_scale_reaches_are_refused():
    weight, hessian = layer(0, 4, 40)
    with pytest.raises(InputError, match="more than a float16 scale holds"):
        gptq(weight * np.float32(1e8), error_feedback(hessian), 2, 8)
