"""A stack of experts that is read expert by expert, against the whole stack."""

import pytest
import torch

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.core.errors import InputError
from compressed_code.models.expert_matrices import ExpertStack, StoredRows
from tiny_models import contents, save_contents, save_tiny

NAMES = ("model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight")


@pytest.fixture
def experts(tmp_path):
    """Three experts of two stored matrices each, and what they stand for."""
    checkpoint = open_checkpoint(save_tiny(tmp_path / "m"))
    matrices = [checkpoint.open_weight(name) for name in NAMES]
    rows = [[StoredRows(matrix, at, at + 16) for matrix in matrices] for at in (0, 16, 32)]
    whole = [[torch.from_numpy(matrix.whole())[at : at + 16] for matrix in matrices] for at in (0, 16, 32)]
    return rows, torch.stack([torch.cat(parts) for parts in whole])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("number", [2, torch.tensor(2)])
def test_states_times_one_expert(experts, dtype, count, number):
    rows, whole = experts
    stack = ExpertStack.of(rows, whole.shape, [2], dtype)
    states = torch.randn(count, whole.shape[2], dtype=dtype, generator=torch.Generator().manual_seed(0))
    found = torch.nn.functional.linear(states, stack[number])
    assert type(found) is torch.Tensor and found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(found, states @ whole[2].to(dtype).T, rtol=0, atol=tolerance)
    bias = torch.arange(whole.shape[1], dtype=dtype)
    torch.testing.assert_close(torch.nn.functional.linear(states, stack[number], bias), found + bias)
    assert not stack._plain.any()  # nothing was decoded into the stack


def test_any_other_use_sees_the_chosen_experts_and_zeros_for_others(experts):
    rows, whole = experts
    stack = ExpertStack.of(rows, whole.shape, [0, 2], torch.float32)
    assert (stack.shape, stack.dtype) == (whole.shape, torch.float32)
    kept = whole * torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    torch.testing.assert_close(stack[1] * 1, whole[1], rtol=0, atol=0)  # asked for by number
    torch.testing.assert_close(stack.transpose(1, 2) * 1, kept.transpose(1, 2), rtol=0, atol=0)
    torch.testing.assert_close(stack[torch.tensor([2, 1])], kept[[2, 1]], rtol=0, atol=0)


def test_a_broken_expert_matters_where_it_is_used(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "m"))
    tensors[NAMES[0]][20, 3] = torch.nan
    matrix = open_checkpoint(save_contents(tmp_path / "broken", tensors, config)).open_weight(NAMES[0])
    rows = [[StoredRows(matrix, at, at + 16)] for at in (0, 16)]
    stack = ExpertStack.of(rows, (2, 16, matrix.shape[1]), [0, 1], torch.float32)
    states = torch.ones(1, matrix.shape[1])
    assert torch.nn.functional.linear(states, stack[0]).isfinite().all()
    with pytest.raises(InputError, match="NaN"):
        torch.nn.functional.linear(states, stack[1])
    with pytest.raises(InputError, match="NaN"):
        stack.sum()
