"""One folder is one model: every engine reads the same weights and config, or refuses the folder by name."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.embedding_rows import EmbeddingRows
from compressed_code.models.load import load_model
from compressed_code.models.streamed_model import streamed_model
from compressed_code.models.transformers_model import find_model
from compressed_code.quantization.gguf import write_gguf
from storage_formats import store_layers, to_awq
from tiny_models import EXPERT_GROUPS, EXPERTS, contents, save_contents, save_tiny, set_config

IDS = [3, 7, 1, 40]
SIZES = {"hidden_size": 64, "intermediate_size": 96, "vocab_size": 96}


def _all(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _reference(folder) -> np.ndarray:
    return _all(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())


def _assert_one_model(path, expected: np.ndarray) -> None:
    np.testing.assert_allclose(_all(load_model(path)), expected, atol=1e-5)
    for count in (1, len(IDS)):
        found = cold_start(path, IDS[:count]).log_probabilities
        np.testing.assert_allclose(found, expected[count - 1], atol=1e-4)


def test_a_head_that_is_stored_is_the_head(tmp_path):
    """Though the config ties it to the embedding: as transformers decides, and in a GGUF file made of it."""
    folder = save_tiny(tmp_path / "m", tie_word_embeddings=True, gain=1.6, **SIZES)
    tied = _reference(folder)
    tensors, config = contents(folder)
    save_contents(folder, tensors | {"lm_head.weight": torch.randn(96, 64) * 0.2}, config)
    expected = _reference(folder)
    assert np.abs(expected - tied).max() > 0.1
    _assert_one_model(folder, expected)
    write_gguf(folder, tmp_path / "m.gguf", "F32")
    _assert_one_model(tmp_path / "m.gguf", expected)
    save_contents(folder, tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, config)
    _assert_one_model(folder, tied)


@pytest.mark.parametrize(
    "fields",
    [
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
        {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 5000.0},
    ],
)
def test_the_old_spelling_of_positions_wins_as_in_transformers(tmp_path, fields):
    folder = save_tiny(tmp_path / "m", gain=1.6, **SIZES)
    set_config(folder, rope_parameters={"rope_type": "default", "rope_theta": 500.0})
    before = _reference(folder)
    set_config(folder, **fields)
    assert AutoConfig.from_pretrained(folder).rope_parameters["rope_type"] == "linear"
    expected = _reference(folder)
    assert np.abs(expected - before).max() > 1e-3
    _assert_one_model(folder, expected)
    write_gguf(folder, tmp_path / "m.gguf", "F32")
    _assert_one_model(tmp_path / "m.gguf", expected)


def test_an_adapter_beside_weights_is_refused_and_one_alone_is_no_model(tmp_path):
    folder = save_tiny(tmp_path)
    (folder / "adapter_config.json").write_text("{}")
    for opened in (load_model, lambda path: cold_start(path, IDS[:1]), lambda path: cold_start(path, IDS)):
        with pytest.raises(InputError, match=r"adapter_config\.json.*remove it if it is merged"):
            opened(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="an adapter, which is no model by itself; merge it"):
        load_model(folder)


@pytest.mark.parametrize("files", [1, 3])
def test_pytorch_files(tmp_path, files):
    folder = save_tiny(tmp_path, gain=1.6, dtype=torch.bfloat16, **SIZES)
    expected, (tensors, _) = _reference(folder), contents(folder)
    (folder / "model.safetensors").unlink()
    if files == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        places = {name: f"pytorch_model-{place % files}.bin" for place, name in enumerate(tensors)}
        for file in set(places.values()):
            torch.save({name: tensors[name] for name in tensors if places[name] == file}, folder / file)
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    _assert_one_model(folder, expected)
    for file in folder.glob("*.bin"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="broken, or holds more than tensors"):
        cold_start(folder, IDS)


LABELS = {
    "_model_name_or_path": "a/b",
    "is_llama_config": True,
    "rope_interleaved": False,
    "transformers.js_config": {"dtype": "q4"},
}


def test_a_field_that_nothing_reads_changes_nothing(tmp_path):
    folder = save_tiny(tmp_path, **SIZES)
    before = cold_start(folder, [3])
    set_config(folder, **LABELS)
    after = cold_start(folder, [3])
    assert after.engine == before.engine == "layerwise"
    np.testing.assert_array_equal(after.log_probabilities, before.log_probabilities)


@pytest.mark.parametrize("family", ["deepseek_v3", "gpt2", "gemma2", "mamba", "opt", "biogpt"])
def test_streamed_models_are_those_that_are_loaded(tmp_path, family):
    """Buffers of a checkpoint (DeepSeek's router), tables of positions, soft caps, convolutions read by a parent.

    The position tables of the last two are handed an attention mask and look up what they count.
    """
    fields = {"deepseek_v3": EXPERTS | EXPERT_GROUPS, "gpt2": {"n_embd": 64}, "gemma2": {"head_dim": 16}}
    fields |= {"opt": {"ffn_dim": 48, "word_embed_proj_dim": 32, "pad_token_id": 1}, "biogpt": {"pad_token_id": 1}}
    folder = save_tiny(tmp_path, family, gain=1.6, **fields.get(family, {}))
    _assert_one_model(folder, _reference(folder))


@pytest.mark.parametrize("ids", [IDS[:1], IDS])
def test_biases_of_zero_that_some_writers_of_awq_store_change_nothing(tmp_path, ids):
    tensors, config = contents(save_tiny(tmp_path / "plain", gain=1.6, num_key_value_heads=4, **SIZES))
    stored, _ = store_layers(tensors, to_awq)
    described = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}}
    awq = save_contents(tmp_path / "awq", stored, config | described)
    expected = cold_start(awq, ids).log_probabilities
    rows = config["hidden_size"]
    bias = {"model.layers.0.self_attn.o_proj.bias": torch.zeros(rows, dtype=torch.float16)}
    save_contents(awq, stored | bias, config | described)
    np.testing.assert_array_equal(cold_start(awq, ids).log_probabilities, expected)
    save_contents(awq, stored | {name: value + 1 for name, value in bias.items()}, config | described)
    with pytest.raises(InputError, match=r"o_proj\.bias"):
        cold_start(awq, ids)


def test_a_command_that_runs_no_model_loads_neither_torch_nor_transformers():
    code = (
        "import sys, compressed_code.commands.cold_start, compressed_code.checkpoints.checkpoint,"
        " compressed_code.cold_start.distribution\n"
        "print(*sorted({'torch', 'transformers', 'gguf'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss", "qwen3_moe"])
def test_experts_that_the_router_leaves_out_are_not_read(tmp_path, family):
    """Stored one by one or all in one tensor: numbers that would be refused wherever they are read."""
    fields = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 1, "moe_intermediate_size": 32}
    folder = save_tiny(tmp_path / "m", family, gain=1.6, head_dim=16, num_hidden_layers=1, **SIZES | fields)
    expected = cold_start(folder, [3]).log_probabilities
    tensors, config = contents(folder)
    read = 0
    for expert in range(4):
        changed = {name: tensor.clone() for name, tensor in tensors.items()}
        for name, tensor in changed.items():
            if f".experts.{expert}." in name:
                tensor.fill_(torch.nan)
            elif ".experts." in name and tensor.ndim == 3:
                tensor[expert] = torch.nan
        assert any(tensor.isnan().any() for tensor in changed.values())
        save_contents(folder, changed, config)
        try:
            np.testing.assert_array_equal(cold_start(folder, [3]).log_probabilities, expected)
        except InputError as refused:
            assert "NaN" in str(refused)
            read += 1
    assert read == 1


def test_a_parameter_is_read_once_and_an_embedding_by_its_rows(tmp_path):
    """What is counted as read is all of the file but the rows that nobody asks for; of one id, queries and keys too."""
    folder = save_tiny(tmp_path / "m", "olmo2", **SIZES | {"vocab_size": 4096})
    tensors, _ = contents(folder)
    queries_and_keys = sum(t.nbytes for name, t in tensors.items() if "q_proj" in name or "k_proj" in name)
    assert queries_and_keys > 0
    embedding, row = 4096 * 64 * 4, 64 * 4
    size = (folder / "model.safetensors").stat().st_size
    for ids, unread in (([3], embedding + queries_and_keys), ([3, 5], embedding)):
        found = cold_start(folder, ids)
        assert found.engine == "transformers"
        assert size - unread <= found.bytes_read <= size - unread + len(ids) * row + 100


def test_a_module_holds_its_numbers_only_while_it_runs(tmp_path):
    """At no time are there more than one module's, and matrices are multiplied without being held at all."""
    folder = save_tiny(tmp_path / "m", "olmo2", gain=1.6, **SIZES)
    model, _ = streamed_model(find_model(open_checkpoint(folder)), torch.float32)
    held = []

    def count(*_: object) -> None:
        parameters = (parameter for module in model.modules() for parameter in module._parameters.values())
        held.append(sum(p.numel() for p in parameters if p is not None and not isinstance(p, EmbeddingRows)))

    for module in model.modules():
        module.register_forward_pre_hook(count)
        module.register_forward_hook(count)
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([IDS]), use_cache=False).logits[0].double().log_softmax(-1).numpy()
    np.testing.assert_allclose(found, _reference(folder), atol=1e-5)
    assert len(held) > 2 * 20 and max(held) == SIZES["hidden_size"]  # a norm's


def test_queries_that_are_gates_too_and_attention_with_sinks_are_read(tmp_path):
    """Where they change the answer to one id: their numbers must matter."""
    for family, part, fields in (
        ("gpt_oss", "q_proj", {"num_local_experts": 4, "head_dim": 16}),
        ("qwen3_next", "q_proj", {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}),
    ):
        shape = {"num_hidden_layers": 1, "layer_types": ["full_attention"], "head_dim": 16, **SIZES, **fields}
        folder = save_tiny(tmp_path / family, family, gain=1.6, **shape)
        tensors, config = contents(folder)
        before = cold_start(folder, [3]).log_probabilities
        with torch.inference_mode():
            expected = load_model(folder)(torch.tensor([[3]])).logits[0, -1].log_softmax(-1).numpy()
        np.testing.assert_allclose(before, expected, atol=1e-5)
        for name in [name for name in tensors if part in name and name.endswith("weight")]:
            tensors[name] = tensors[name] * 2
        save_contents(folder, tensors, config)
        assert np.abs(cold_start(folder, [3]).log_probabilities - before).max() > 1e-3
