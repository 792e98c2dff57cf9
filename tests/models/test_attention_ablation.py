"""Scrambled queries and keys: the cold start keeps every bit, two tokens of context do not."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import Unavailable
from compressed_code.models.attention_ablation import scramble_attention
from tiny_models import save_tiny


@pytest.fixture
def base(tmp_path):
    return save_tiny(tmp_path / "base", vocab_size=50)


def test_the_cold_start_is_blind_to_queries_and_keys(base, tmp_path):
    candidate = scramble_attention(base, tmp_path / "candidate")
    before, after = (cold_start(folder, [7]).log_probabilities for folder in (base, candidate))
    assert before.tobytes() == after.tobytes()
    models = [AutoModelForCausalLM.from_pretrained(folder) for folder in (base, candidate)]
    ids = torch.tensor([[7, 8, 9]])
    logits = [model(ids).logits.detach().numpy() for model in models]
    np.testing.assert_allclose(logits[0][:, 0], logits[1][:, 0], atol=1e-6)  # transformers sees the same
    assert np.abs(logits[0][:, 2] - logits[1][:, 2]).max() > 1e-4
    again = scramble_attention(base, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (candidate / "model.safetensors").read_bytes()


def test_other_models_are_a_gap(base, tmp_path):
    with pytest.raises(Unavailable, match="single safetensors file"):
        scramble_attention(tmp_path, tmp_path / "candidate")
