"""Models opened through our own readers against transformers' own loading, on tiny random models."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from transformers import AutoModelForCausalLM

from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from storage_formats import FLOAT8, store_layers, to_float8, to_gptq, write_gguf
from tiny_models import contents, save_contents, tiny_model

SIZES = {
    **{"vocab_size": 80, "hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "max_position_embeddings": 64},
    "rms_norm_eps": 1e-5,
}
IDS = torch.tensor([[3, 7, 1, 79, 40, 3, 3, 12, 55, 0, 31]])


def build(folder: Path, family: str = "llama", dtype: torch.dtype = torch.float32, **fields):
    """Save a random model and return it as it was stored, in float32."""
    model = tiny_model(family, dtype=dtype, gain=1.6, **SIZES | fields)
    model.save_pretrained(folder)
    return model.float()


def logits(model) -> np.ndarray:
    with torch.inference_mode():
        return model(IDS).logits[0].numpy()


def edit(folder: Path, change) -> None:
    """Change the tensors of a folder."""
    tensors, config = contents(folder)
    change(tensors)
    save_contents(folder, tensors, config)


def store(folder: Path, how, description: dict) -> None:
    """Store the linear layers of a folder in another format."""
    tensors, config = contents(folder)
    save_contents(folder, store_layers(tensors, how)[0], config | {"quantization_config": description})


def as_gguf(folder: Path, kind: Kind = Kind.F32, **metadata) -> Path:
    path = folder / "m.gguf"
    write_gguf(path, *contents(folder), kind, metadata=metadata)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("model_type", "tied"), [("llama", True), ("qwen2", False), ("mistral", False)])
def test_a_plain_folder(tmp_path, model_type, tied, dtype):
    built = build(tmp_path, model_type, dtype, tie_word_embeddings=tied)
    model = load_model(tmp_path)
    assert model.dtype == torch.float32 and not model.training
    np.testing.assert_allclose(logits(model), logits(built), atol=1e-5)


@pytest.mark.parametrize("kind", [Kind.F32, Kind.BF16, Kind.Q8_0, Kind.Q4_0])
@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
        ("qwen2", {"tie_word_embeddings": True}),
        ("qwen3", {"head_dim": 128, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
    ],
)
def test_a_gguf_file_as_transformers_reads_it(tmp_path, model_type, fields, kind):
    build(tmp_path, model_type, **fields)
    path = as_gguf(tmp_path, kind)
    ours = load_model(path)
    if "mlp_bias" not in fields:  # transformers drops biases of a Llama
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32).eval()
        np.testing.assert_allclose(logits(ours), logits(theirs), atol=2e-5)
    if kind == Kind.F32:
        np.testing.assert_allclose(logits(ours), logits(load_model(tmp_path)), atol=2e-5)


def test_gguf_frequency_factors_stand_for_llama_3_scaling(tmp_path):
    scaling = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0}
    scaling |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    built = build(tmp_path, rope_parameters=scaling)
    default = 10000.0 ** -(torch.arange(0, 16, 2) / 16)
    factors = default / built.model.rotary_emb.inv_freq
    assert not torch.allclose(factors, torch.ones(8))
    edit(tmp_path, lambda tensors: tensors.update({"rope_freqs.weight": factors}))
    model = load_model(as_gguf(tmp_path))
    np.testing.assert_allclose(logits(model), logits(built), atol=2e-5)


def test_gguf_linear_scaling(tmp_path):
    built = build(tmp_path, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0})
    scaling = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    model = load_model(as_gguf(tmp_path, **scaling))
    np.testing.assert_allclose(logits(model), logits(built), atol=2e-5)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, "YaRN without"),
        ({"rope.scaling.type": "dynamic", "rope.scaling.factor": 4.0}, "dynamic"),
        ({"rope.scaling.attn_factor": 2.0}, "attn_factor"),
        ({"logit_scale": 2.0}, "logit_scale"),
        ({"attention.key_length": 8.0, "attention.value_length": 16.0}, "key_length"),
        ({"rope.dimension_count": 8}, "dimension_count"),
    ],
)
def test_gguf_metadata_that_is_not_understood(tmp_path, more, named):
    build(tmp_path)
    with pytest.raises(InputError, match=named):
        load_model(as_gguf(tmp_path, **more))


def test_block_float8_as_transformers_dequantizes_it(tmp_path):
    from transformers import FineGrainedFP8Config

    build(tmp_path, "qwen3")
    before = logits(load_model(tmp_path))
    store(tmp_path, to_float8, FLOAT8)
    config = FineGrainedFP8Config(weight_block_size=(16, 16), dequantize=True)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32).eval()
    ours = logits(load_model(tmp_path))
    np.testing.assert_allclose(ours, logits(theirs), atol=1e-4)
    assert np.abs(ours - before).max() > 1e-3


def store_as_gptq(folder: Path, bits: int) -> None:
    """Every layer, its groups out of order."""
    description = {"quant_method": "gptq", "bits": bits, "group_size": 32, "desc_act": True, "sym": True}
    store(folder, lambda weight: to_gptq(weight, bits, symmetric=True, shuffled=True), description)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_as_gptqmodel_s_torch_kernel_reads_it(tmp_path, monkeypatch, bits):
    from transformers import GPTQConfig

    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    build(tmp_path, num_key_value_heads=4)
    store_as_gptq(tmp_path, bits)
    ours = logits(load_model(tmp_path))
    config = GPTQConfig(bits=bits, group_size=32, desc_act=True, backend="torch")
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, quantization_config=config, device_map="cpu", dtype=torch.float32
    )
    for module in theirs.modules():
        if hasattr(module, "qweight"):
            module.scales = module.scales.float()  # or the kernel rounds each weight to float16
    np.testing.assert_allclose(ours, logits(theirs.eval()), atol=1e-4)


def test_biases_of_zero_that_gptq_writers_add(tmp_path):
    build(tmp_path, num_key_value_heads=4)
    name = "model.layers.1.mlp.up_proj.bias"
    store_as_gptq(tmp_path, 4)
    expected = logits(load_model(tmp_path))
    edit(tmp_path, lambda tensors: tensors.update({name: torch.zeros(96)}))
    np.testing.assert_array_equal(logits(load_model(tmp_path)), expected)
    edit(tmp_path, lambda tensors: tensors.update({name: torch.ones(96)}))
    with pytest.raises(InputError, match=r"up_proj\.bias has no place"):
        load_model(tmp_path)


NORM, UP = "model.layers.1.input_layernorm.weight", "model.layers.0.mlp.up_proj.weight"
BROKEN = {
    "missing vector": (lambda tensors: tensors.pop(NORM), NORM, "missing"),
    "missing matrix": (lambda tensors: tensors.pop(UP), UP, "missing"),
    "extra": (lambda tensors: tensors.update({"model.layers.0.attn.sinks.weight": torch.ones(4)}), "sinks", "no place"),
    "not finite": (lambda tensors: tensors[UP].view(-1)[5].fill_(torch.nan), UP, "NaN"),
}


@pytest.mark.parametrize("stored", ["plain", "float8", "gguf"])
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_tensors_are_named_in_one_line(tmp_path, broken, stored):
    change, name, problem = BROKEN[broken]
    build(tmp_path)
    edit(tmp_path, change)
    path = tmp_path
    if stored == "float8":
        store(tmp_path, to_float8, FLOAT8)
    if stored == "gguf":
        path = as_gguf(tmp_path)
    with pytest.raises(InputError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message and problem in message and str(path) in message
    assert name in message or stored == "gguf"


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match="holds neither"):
        load_model(tmp_path)
    for fields, problem in (({"auto_map": {"AutoConfig": "code.Config"}}, "auto_map"), ({}, "cannot open it")):
        save_contents(tmp_path, {"m.weight": torch.ones(2, 2)}, {"model_type": "nobody", **fields})
        with pytest.raises(InputError, match=problem):
            load_model(tmp_path)
    (tmp_path / "config.json").write_text(
        '{"quantization_config": {"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}}'
    )
    with pytest.raises(InputError, match="marlin"):
        load_model(tmp_path)
