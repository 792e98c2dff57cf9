"""Which weights are linear layers: what transformers' modules say, not shapes and names."""

import pytest
from safetensors.torch import load_file

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.models.linear_layers import linear_weights
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.quantizations import Quantization
from tiny_models import save_tiny

SIZES = {"hidden_size": 64, "intermediate_size": 96, "vocab_size": 96}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 16}


def test_experts_are_and_routers_are_not(tmp_path):
    names = linear_weights(open_checkpoint(save_tiny(tmp_path, "qwen3_moe", **SIZES | EXPERTS)))
    attention, experts = 2 * 4, 2 * 4 * 3
    assert len(names) == attention + experts
    assert not any("mlp.gate.weight" in name or "norm" in name for name in names)


def test_layers_of_another_name(tmp_path):
    names = linear_weights(open_checkpoint(save_tiny(tmp_path, "gpt_neox", **SIZES)))
    assert len(names) == 2 * 4 and all("gpt_neox.layers" in name for name in names)


@pytest.mark.parametrize("method", ["rtn", "hqq"])
def test_norms_that_are_matrices_are_left_alone(tmp_path, method):
    """Cohere's queries and keys have a norm for each head, [heads, size of one]."""
    base = save_tiny(tmp_path / "base", "cohere", use_qk_norm=True, **SIZES)
    before = load_file(base / "model.safetensors")
    norms = [name for name in before if name.endswith(("q_norm.weight", "k_norm.weight"))]
    assert {before[name].ndim for name in norms} == {2} and len(norms) == 4
    assert len(BaseCheckpoint(base).linear) == 2 * 7 and not {*norms} & {*BaseCheckpoint(base).linear}
    row = Quantization(key=method, label=method, method=method, bits=4, group_size=32)
    after = load_file(write_variant(base, row, tmp_path / "variant") / "model.safetensors")
    assert all(before[name].equal(after[name]) for name in norms)
