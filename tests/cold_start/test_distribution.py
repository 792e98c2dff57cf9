"""The first-token engine against plain transformers, float32, on tiny random models of every architecture it knows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start, cold_start_log_probabilities
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.lookup import load_registry
from compressed_code.registry.quantizations import Quantization
from compressed_code.zoo.recipes import ZOO_DIRECTORY
from tiny_models import EXPERT_GROUPS, EXPERTS, SIZES, save_tiny, set_config, tiny_model

TOLERANCE = 1e-4
STORIES = ROOT.parent / "shared" / "data" / "weights" / "stories260K-hf"
TIED, BIASED = {"tie_word_embeddings": True}, {"attention_bias": True}
MODELS = {
    "llama": {"family": "llama"},
    "llama with biases, tied": {"family": "llama", **BIASED, "mlp_bias": True, **TIED, "rms_norm_eps": 1e-2},
    "llama with a head size of its own": {"family": "llama", "head_dim": 12, "num_key_value_heads": 1},
    "llama with another activation": {"family": "llama", "hidden_act": "gelu_pytorch_tanh"},
    "llama with relu": {"family": "llama", "hidden_act": "relu"},
    "mistral": {"family": "mistral", "sliding_window": 8},
    "qwen2": {"family": "qwen2"},
    "qwen2 tied": {"family": "qwen2", **TIED},
    "qwen3": {"family": "qwen3", "head_dim": 16},
    "qwen3 with biases": {"family": "qwen3", "head_dim": 8, "attention_bias": True},
    "deepseek v2, greedy": {"family": "deepseek_v2", **EXPERTS, "topk_method": "greedy"},
    "deepseek v2, groups": {
        "family": "deepseek_v2",
        **EXPERTS,
        **EXPERT_GROUPS,
        "topk_method": "group_limited_greedy",
    },
    "deepseek v2, biases, no query rank": {"family": "deepseek_v2", **EXPERTS, **BIASED, "q_lora_rank": None},
    "deepseek v3": {"family": "deepseek_v3", **EXPERTS, **EXPERT_GROUPS, "norm_topk_prob": True},
    "deepseek v3, not normalised, biases": {
        "family": "deepseek_v3",
        **EXPERTS,
        **EXPERT_GROUPS,
        **BIASED,
        "norm_topk_prob": False,
        "rms_norm_eps": 1e-2,
    },
}


def reference(folder: Path, token: int, **options) -> np.ndarray:
    """Plain transformers in float32."""
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, attn_implementation="eager", **options
    )
    assert not report["missing_keys"]
    with torch.inference_mode():
        return model.eval()(input_ids=torch.tensor([[token]])).logits[0, -1].double().log_softmax(-1).numpy()


def assert_same(folder: Path, tokens: tuple[int, ...] = (1, 7)) -> None:
    for token in tokens:
        ours = cold_start(folder, [token])
        assert ours.engine == "layerwise", ours.reason
        assert ours.log_probabilities.dtype == np.float32
        np.testing.assert_allclose(ours.log_probabilities, reference(folder, token), atol=TOLERANCE)


@pytest.mark.parametrize("name", MODELS)
def test_equals_transformers(tmp_path, name):
    assert_same(save_tiny(tmp_path, **MODELS[name]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["qwen2", "llama with biases, tied", "deepseek v3"])
def test_half_precision_files(tmp_path, name, dtype):
    assert_same(save_tiny(tmp_path, **MODELS[name], dtype=dtype))


def test_shards(tmp_path):
    save_tiny(tmp_path, **MODELS["qwen2"], dtype=torch.bfloat16, shards="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert_same(tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_small_configurations(tmp_path_factory, data):
    num_key_value_heads = data.draw(st.sampled_from([1, 2, 3]), "value heads")
    fields = {
        "vocab_size": data.draw(st.integers(2, 70), "vocabulary"),
        "hidden_size": (heads := num_key_value_heads * data.draw(st.integers(1, 3), "sharing"))
        * data.draw(st.sampled_from([2, 6])),
        "intermediate_size": data.draw(st.integers(1, 40), "inner"),
        "num_hidden_layers": data.draw(st.integers(1, 3), "layers"),
        "num_attention_heads": heads,
        "num_key_value_heads": num_key_value_heads,
        "tie_word_embeddings": data.draw(st.booleans(), "tied"),
        "rms_norm_eps": data.draw(st.sampled_from([1e-6, 1e-2]), "epsilon"),
    }
    family = data.draw(st.sampled_from(["llama", "mistral", "qwen2", "qwen3"]), "family")
    if family in ("llama", "qwen3"):
        fields["attention_bias"] = data.draw(st.booleans(), "bias")
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16]), "type")
    seed = data.draw(st.integers(0, 99))
    folder = save_tiny(tmp_path_factory.mktemp("model"), family, dtype=dtype, seed=seed, **fields)
    assert_same(folder, (data.draw(st.integers(0, fields["vocab_size"] - 1), "token"),))


@pytest.mark.parametrize("name", ["qwen2", "qwen3 with biases", "deepseek v3"])
def test_query_and_key_weights_cannot_be_seen(tmp_path, name):
    save_tiny(tmp_path, **MODELS[name])
    before = cold_start(tmp_path, [3])
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    corrupted = [
        key for key in tensors if any(part in key for part in ("q_proj", "k_proj", "q_norm", "k_norm", "q_b_"))
    ]
    assert corrupted
    save_file(tensors | {key: torch.full_like(tensors[key], torch.nan) for key in corrupted}, file, {"format": "pt"})
    after = cold_start(tmp_path, [3])
    assert after.log_probabilities.tobytes() == before.log_probabilities.tobytes()


def test_key_rows_of_latent_attention_cannot_be_seen(tmp_path):
    save_tiny(tmp_path, **MODELS["deepseek v3"])
    before = cold_start(tmp_path, [3])
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    step, key, rank = 6 + 10, 6, 16
    for name, tensor in tensors.items():
        if "kv_b_proj" in name:
            tensor.view(-1, step, rank)[:, :key] = torch.nan
        if "kv_a_proj" in name:
            tensor[rank:] = torch.nan
    save_file(tensors, file, {"format": "pt"})
    assert cold_start(tmp_path, [3]).log_probabilities.tobytes() == before.log_probabilities.tobytes()


def test_only_chosen_experts_are_read(tmp_path):
    save_tiny(tmp_path, **MODELS["deepseek v3"])
    tensors = load_file(tmp_path / "model.safetensors")
    size = {key: tensor.nbytes for key, tensor in tensors.items()}
    skipped = sum(size[key] for key in size if ".experts." in key) * 5 // 8  # 3 of 8 are chosen
    skipped += sum(size[key] for key in size if any(part in key for part in ("q_a_", "q_b_", "embed_tokens")))
    skipped += sum(size[key] * 6 // 16 for key in size if "kv_b_proj" in key)  # key rows
    skipped += sum(size[key] * 4 // 20 for key in size if "kv_a_proj" in key)  # rotary rows
    row = 32 * 4
    header = 8 + int.from_bytes((tmp_path / "model.safetensors").read_bytes()[:8], "little")
    assert cold_start(tmp_path, [3]).bytes_read == header + row + sum(size.values()) - skipped


def test_experts_in_every_second_layer(tmp_path):
    """transformers has no model with moe_layer_freq, so its dense layers are put in by hand."""
    fields = MODELS["deepseek v3"] | {"num_hidden_layers": 4}
    model, dense = tiny_model(**fields), tiny_model(**fields | {"first_k_dense_replace": 9})
    for layer in (1, 3):
        model.model.layers[layer].mlp = dense.model.layers[layer].mlp
    model.save_pretrained(tmp_path)
    set_config(tmp_path, moe_layer_freq=2)
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([[5]])).logits[0, -1].log_softmax(-1).numpy()
    np.testing.assert_allclose(cold_start(tmp_path, [5]).log_probabilities, expected, atol=TOLERANCE)


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
def test_real_weights():
    assert_same(STORIES, (1, 2, 300, 511))


# --- models the engine does not know ---------------------------------------------------------------------------------

OTHERS = {
    "gpt2": {"family": "gpt2", "max_position_embeddings": 16},
    "gemma": {"family": "gemma", "head_dim": 8},
    "granite": {"family": "granite", "attention_multiplier": 0.3, "logits_scaling": 2.0},
    "llama with an unknown activation": {"family": "llama", "hidden_act": "gelu"},
    "deepseek v2 with biases inside experts": {"family": "deepseek_v2", **EXPERTS, "mlp_bias": True},
    "deepseek v2 with two readings": {"family": "deepseek_v2", **EXPERTS, "norm_topk_prob": True},
}


@pytest.mark.parametrize("name", OTHERS)
def test_unknown_models_go_through_transformers(tmp_path, name):
    save_tiny(tmp_path, **OTHERS[name])
    result = cold_start(tmp_path, [3])
    assert result.engine == "transformers"
    assert result.reason
    np.testing.assert_allclose(result.log_probabilities, reference(tmp_path, 3), atol=1e-5)


def test_two_tokens_go_through_transformers(tmp_path):
    save_tiny(tmp_path, **MODELS["qwen2"])
    result = cold_start(tmp_path, [3, 4])
    assert (result.engine, result.input_ids) == ("transformers", (3, 4))
    assert not np.allclose(result.log_probabilities, cold_start(tmp_path, [4]).log_probabilities, atol=TOLERANCE)


@pytest.mark.parametrize(
    "change",
    [
        {"attention_multiplier": 2.0},
        {"final_logit_softcapping": 30.0},
        {"layer_types": ["linear_attention", "full_attention"]},
        {"hidden_act": "gelu"},
        {"model_type": "gemma"},
        {"model_type": None},
        {"hidden_size": "32"},
        {"rms_norm_eps": None},
        {"num_attention_heads": 5},
    ],
)
def test_what_is_not_known_exactly_is_not_understood(change):
    config = {"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-6, **SIZES}
    understand(config)
    with pytest.raises(UnsupportedArchitecture):
        understand(config | change)


@pytest.mark.parametrize("extra", ["model.layers.0.self_attn.sinks", "model.layers.1.pre_feedforward_layernorm.weight"])
def test_an_unknown_tensor_is_not_understood(tmp_path, extra):
    save_tiny(tmp_path, **MODELS["llama"])
    file = tmp_path / "model.safetensors"
    save_file(load_file(file) | {extra: torch.ones(4)}, file, {"format": "pt"})
    with pytest.raises(UnsupportedArchitecture, match=extra):
        cold_start_log_probabilities(open_checkpoint(tmp_path), [3])
    with pytest.raises(InputError, match=f"{extra} has no place"):  # transformers would have ignored it
        cold_start(tmp_path, [3])


@pytest.mark.parametrize("name", ["llama", "deepseek v3"])
def test_layers_that_the_config_does_not_announce(tmp_path, name):
    """Weights of a deeper model are refused, whatever engine would take them; announced ones are for other tokens."""
    fields = SIZES | MODELS[name]
    layers = fields["num_hidden_layers"]
    save_tiny(tmp_path, **fields | {"num_hidden_layers": layers + 2})
    set_config(tmp_path, num_hidden_layers=layers)
    _one_line(tmp_path, "tensor model.layers.", f"beyond the {layers} layers", "num_hidden_layers")
    for field in ("num_nextn_predict_layers", "num_mtp_layers"):
        set_config(tmp_path, num_nextn_predict_layers=None, num_mtp_layers=None)
        set_config(tmp_path, **{field: 1})
        _one_line(tmp_path, f"model.layers.{layers + 1}.")
        set_config(tmp_path, **{field: 2})
        result = cold_start(tmp_path, [3])
        assert result.engine == "layerwise"
    shallow = save_tiny(tmp_path / "shallow", **fields)
    tensors = load_file(tmp_path / "model.safetensors")
    first = {key: value for key, value in tensors.items() if not key.startswith(f"model.layers.{layers}.")}
    kept = {key: value for key, value in first.items() if not key.startswith(f"model.layers.{layers + 1}.")}
    save_file(kept, shallow / "model.safetensors", {"format": "pt"})
    np.testing.assert_allclose(result.log_probabilities, reference(shallow, 3), atol=TOLERANCE)


@pytest.mark.parametrize("count", ["1", -1, True])
def test_a_number_of_further_layers_that_is_none(count):
    config = {"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-6, **SIZES}
    assert understand(config).further_layers == 0
    with pytest.raises(UnsupportedArchitecture, match="num_mtp_layers"):
        understand(config | {"num_mtp_layers": count})


@pytest.mark.parametrize("module", ["self_attn.v_proj", "mlp.down_proj"])
def test_a_bias_that_the_config_does_not_announce(tmp_path, module):
    """Zeros, as some quantizers write them, are harmless; anything else is no number to guess."""
    save_tiny(tmp_path, **MODELS["llama"])
    expected = cold_start(tmp_path, [3]).log_probabilities
    file, name = tmp_path / "model.safetensors", f"model.layers.0.{module}.bias"
    tensors = load_file(file)
    rows = tensors[name.replace("bias", "weight")].shape[0]
    save_file(tensors | {name: torch.zeros(rows)}, file, {"format": "pt"})
    np.testing.assert_array_equal(cold_start(tmp_path, [3]).log_probabilities, expected)
    save_file(tensors | {name: torch.ones(rows)}, file, {"format": "pt"})
    with pytest.raises(InputError, match=f"{name} has no place"):
        cold_start(tmp_path, [3])


def test_a_missing_tensor_in_an_unknown_model(tmp_path):
    save_tiny(tmp_path, **OTHERS["granite"])
    file, name = tmp_path / "model.safetensors", "model.layers.1.mlp.down_proj.weight"
    tensors = load_file(file)
    kept = {key: tensor for key, tensor in tensors.items() if key != name}
    save_file(kept, file, {"format": "pt"})
    with pytest.raises(InputError, match=f"{name} is missing"):
        cold_start(tmp_path, [3])
    save_file(kept | {name: torch.full_like(tensors[name], torch.nan)}, file, {"format": "pt"})
    with pytest.raises(InputError, match=f"{name}: holds NaN"):
        cold_start(tmp_path, [3])
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(InputError, match="input id 96"):
        cold_start(tmp_path, [96])


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    save_tiny(tmp_path, **MODELS["llama"])
    (tmp_path / "evil.py").write_text("raise SystemExit('this ran')")
    set_config(tmp_path, auto_map={"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"})
    assert cold_start(tmp_path, [3]).engine == "layerwise"
    set_config(tmp_path, model_type="unheard_of")
    with pytest.raises(InputError, match=r"config\.json.*auto_map"):
        cold_start(tmp_path, [3])


# --- broken input ----------------------------------------------------------------------------------------------------


def _one_line(folder: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        cold_start(folder, [3])
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(folder), *parts):
        assert part in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "name", ["model.layers.1.mlp.up_proj.weight", "model.layers.0.self_attn.v_proj.bias", "lm_head.weight"]
)
def test_numbers_that_are_not_finite(tmp_path, name, dtype, value):
    save_tiny(tmp_path, **MODELS["qwen2"], dtype=dtype)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    tensors[name].view(-1)[-1] = value
    save_file(tensors, file, {"format": "pt"})
    _one_line(tmp_path, "model.safetensors", name)


def test_a_missing_tensor(tmp_path):
    save_tiny(tmp_path, **MODELS["qwen2"])
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.self_attn.v_proj.bias"]
    save_file(tensors, file, {"format": "pt"})
    _one_line(tmp_path, "model.layers.1.self_attn.v_proj.bias", "missing")


def test_a_wrong_shape(tmp_path):
    save_tiny(tmp_path, **MODELS["qwen2"])
    set_config(tmp_path, intermediate_size=40)
    _one_line(tmp_path, "model.safetensors", "mlp.gate_proj.weight", "[48, 32]", "[40, 32]")


@pytest.mark.parametrize("token", [-1, 96])
def test_an_input_id_outside_the_embedding(tmp_path, token):
    save_tiny(tmp_path, **MODELS["qwen2"])
    with pytest.raises(InputError, match=rf"model\.embed_tokens.*{token}"):
        cold_start(tmp_path, [token])


def test_no_input_id(tmp_path):
    with pytest.raises(InputError, match="empty"):
        cold_start(tmp_path, [])


# --- the committed models --------------------------------------------------------------------------------------------

ZOO = sorted(key for key, row in load_registry().models.items() if row.path and row.location.parent == ZOO_DIRECTORY)
ZOO_TOKENS = (0, 1, 2, 5, 198, 555, 2047)  # each start context's, and a spread of others


def _assert_as(model, path: Path, tolerance: float = TOLERANCE) -> None:
    """The engine's answer on a path is that of a transformers model."""
    for token in ZOO_TOKENS:
        with torch.no_grad():
            expected = model(torch.tensor([[token]])).logits[0, -1].double().log_softmax(-1).numpy()
        result = cold_start(path, [token])
        assert result.engine == "layerwise", result.reason
        np.testing.assert_allclose(result.log_probabilities, expected, atol=tolerance)


def test_all_committed_models_are_compared():
    assert {folder.name for folder in ZOO_DIRECTORY.iterdir() if folder.is_dir()} == set(ZOO)
    assert len(ZOO) == 12


@pytest.mark.parametrize("key", ZOO)
def test_every_zoo_model_agrees_with_transformers_after_many_tokens(key):
    folder = ZOO_DIRECTORY / key
    _assert_as(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), folder)


@pytest.mark.parametrize("mixture", ["F16", "Q8_0", "Q4_K_M"])
def test_gguf_copies_of_a_zoo_model_agree_with_transformers_own_reader(tmp_path, mixture):
    quantization = Quantization(key=mixture, label=mixture, method="gguf", type=mixture)
    path = write_variant(ZOO_DIRECTORY / "zoo-l", quantization, tmp_path / "copy")
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    _assert_as(model, path)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_copies_of_a_zoo_model_agree_with_transformers_on_decoded_weights(tmp_path, bits):
    """Codes are unpacked here by the format's description, number by number in Python, and given to transformers."""
    quantization = Quantization(key="rtn", label="RTN", method="rtn", bits=bits, group_size=32)
    path = write_variant(ZOO_DIRECTORY / "zoo-l", quantization, tmp_path / "copy")
    packed = load_file(path / "model.safetensors")
    plain = {name: tensor.float() for name, tensor in packed.items() if name.endswith(("norm.weight", "tokens.weight"))}
    for name in [name.removesuffix("qweight") for name in packed if name.endswith("qweight")]:
        parts = {part: packed[name + part] for part in ("qweight", "qzeros", "scales", "g_idx")}
        codes = _unpacked(parts["qweight"].T, bits).T
        zeros = _unpacked(parts["qzeros"], bits) + 1
        groups = parts["g_idx"].long()
        plain[f"{name}weight"] = (parts["scales"].float()[groups] * (codes - zeros[groups])).T.contiguous()
    config = AutoConfig.from_pretrained(path)
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    missing, unexpected = model.load_state_dict(plain, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    assert len(plain) == 4 * 9 + 2
    _assert_as(model, path)


def _unpacked(words: torch.Tensor, bits: int) -> torch.Tensor:
    """Codes of each row, whose 32-bit words are one stream of bits, lowest first."""
    rows = []
    for row in words.tolist():
        stream = sum((word & 0xFFFFFFFF) << (32 * place) for place, word in enumerate(row))
        rows.append([(stream >> (bits * place)) & ((1 << bits) - 1) for place in range(32 * len(row) // bits)])
    return torch.tensor(rows)
