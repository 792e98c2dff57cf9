"""Sizes against counting by hand, for every way weights are stored; times in their sane order."""

import json

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from compressed_code.core.errors import InputError
from compressed_code.fidelity.footprint import RATIOS, embedding_weights, footprint, sizes
from storage_formats import finish, to_gptq
from tiny_models import save_contents, save_tiny

SIZES = {
    **{"vocab_size": 60, "intermediate_size": 64, "num_hidden_layers": 1, "num_key_value_heads": 4},
    "tie_word_embeddings": True,
}
# embedding, four attention matrices, three of the feed-forward network, three norms
PARAMETERS = 60 * 32 + 4 * 32 * 32 + 3 * 32 * 64 + 3 * 32


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_sizes_of_a_plain_folder(tmp_path, dtype, size):
    found = sizes(save_tiny(tmp_path, dtype=dtype, **SIZES))
    assert found["disk_bytes"] == (tmp_path / "model.safetensors").stat().st_size
    assert found["parameters"] == PARAMETERS
    assert found["weight_bytes"] == PARAMETERS * size
    assert found["effective_bits"] == 8 * size
    assert found["packed"]


def test_sizes_of_shards(tmp_path):
    save_tiny(tmp_path, shards="10KB", **SIZES)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert sizes(tmp_path)["weight_bytes"] == PARAMETERS * 4


@pytest.mark.parametrize(("family", "tied", "matrices"), [("llama", True, 1), ("llama", False, 2), ("gpt2", True, 1)])
def test_weights_of_the_vocabulary_are_counted_as_they_are_stored(tmp_path, family, tied, matrices):
    save_tiny(tmp_path, family, vocab_size=60, tie_word_embeddings=tied)
    assert embedding_weights(tmp_path) == matrices * 60 * 32


def test_sizes_of_gptq(tmp_path):
    """4 bits: codes of 64 × 32 weights take 1,024 bytes; scales, zeros and group numbers come on top."""
    stored = {f"model.layers.0.mlp.up_proj.{part}": value for part, value in to_gptq(torch.randn(64, 32), 4)[0].items()}
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}
    save_contents(tmp_path, {**stored, "model.norm.weight": torch.ones(32)}, config)
    found = sizes(tmp_path)
    assert found["parameters"] == 64 * 32 + 32
    assert found["weight_bytes"] == 1024 + 32 + 128 + 128 + 128
    assert found["effective_bits"] == pytest.approx(8 * 1440 / 2080)


def test_sizes_of_a_gguf_file(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    matrix = np.ones((8, 64), np.float32)
    writer.add_tensor("output.weight", gguf.quants.quantize(matrix, Kind.Q4_0), raw_dtype=Kind.Q4_0)
    writer.add_tensor("output_norm.weight", np.ones(64, np.float32))
    finish(writer)
    found = sizes(tmp_path / "m.gguf")
    assert found["disk_bytes"] == (tmp_path / "m.gguf").stat().st_size
    assert found["weight_bytes"] == 8 * 2 * 18 + 64 * 4  # a block of 32 weights takes 18 bytes
    assert found["parameters"] == 8 * 64 + 64


def test_a_variant_that_keeps_decoded_numbers_says_what_it_would_need(tmp_path):
    save_tiny(tmp_path, dtype=torch.float16, **SIZES)
    record = {
        "effective_bits": {"quantized": 4.5, "model": 5.0},
        "parameters": {"quantized": 1000, "model": PARAMETERS},
    }
    (tmp_path / "compression.json").write_text(json.dumps({**record, "stored": "decoded"}))
    found = sizes(tmp_path)
    assert found["weight_bytes"] == PARAMETERS * 5 / 8
    assert found["effective_bits"] == 5.0
    assert not found["packed"]
    assert found["disk_bytes"] > 2 * found["weight_bytes"]
    (tmp_path / "compression.json").write_text("{}")
    with pytest.raises(InputError, match=r"compression\.json: no valid record"):
        sizes(tmp_path)


def test_base_and_candidate_in_one_run(tmp_path):
    base = save_tiny(tmp_path / "base", **SIZES | {"num_hidden_layers": 8, "hidden_size": 128})
    candidate = save_tiny(tmp_path / "candidate", dtype=torch.float16, **SIZES)
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 60, 200) for _ in range(4)]
    table = footprint(base, candidate, documents, [1], rounds=2).set_index("model")
    assert table.index.tolist() == ["base", "candidate"]
    assert (table.loc["base", [f"{column}_ratio" for column in RATIOS]] == 1).all()
    assert table.loc["candidate", "disk_bytes_ratio"] < 0.1
    assert table.loc["candidate", "effective_bits_ratio"] == 0.5
    assert table.loc["candidate", "tokens_per_second_ratio"] > 1.5  # a hundredth of the work
    assert (table[["load_seconds", "tokens_per_second"]] > 0).all(axis=None)
    with pytest.raises(InputError, match="no token"):
        footprint(base, candidate, [], [1])
