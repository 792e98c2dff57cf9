"""Models opened through our own readers against transformers' own loading, on tiny random models."""

import copy
import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model

SIZES = {
    "vocab_size": 80,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
}
IDS = torch.tensor([[3, 7, 1, 79, 40, 3, 3, 12, 55, 0, 31]])
GGUF_NAMES = {
    **{"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"},
    **{"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "q_proj": "attn_q", "k_proj": "attn_k"},
    **{"v_proj": "attn_v", "o_proj": "attn_output", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm"},
    **{"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"},
}
FLOAT8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16], "activation_scheme": "dynamic"}


def build(folder: Path, model_type: str = "llama", dtype: torch.dtype = torch.float32, **fields):
    """A random model in which every parameter matters; returns it in float32 as it was stored."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **{**SIZES, **fields}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2)
            parameter.copy_(parameter.to(dtype))
    copy.deepcopy(model).to(dtype).save_pretrained(folder)
    return model.eval()


def logits(model) -> np.ndarray:
    with torch.inference_mode():
        return model(IDS).logits[0].numpy()


def edit(folder: Path, change) -> Path:
    """Change the tensors of a folder and, if the change returns one, the quantization_config."""
    tensors = load_file(folder / "model.safetensors")
    described = change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    if described is not None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "quantization_config": described}))
    return folder


def write_gguf(path: Path, folder: Path, kind: Kind, **more) -> Path:
    """The folder's model as converters write it: rows of Q and K of a Llama permuted, a tokenizer beside it."""
    config = json.loads((folder / "config.json").read_text())
    architecture = config["model_type"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_context_length(64)
    if architecture == "qwen3":
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    else:
        writer.add_rope_dimension_count(config["head_dim"] if architecture == "llama" else 16)
    for name, value in more.items():
        (writer.add_string if isinstance(value, str) else writer.add_float32)(f"{architecture}.{name}", value)
    writer.add_token_list([f"token {i}" for i in range(config["vocab_size"])])
    for name, tensor in load_file(folder / "model.safetensors").items():
        *rest, module, last = name.split(".")
        values = tensor.numpy()
        if architecture == "llama" and module in ("q_proj", "k_proj"):
            values = values.reshape(-1, 2, 8, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)
        use = kind if tensor.ndim == 2 else Kind.F32
        layer = f"blk.{rest[2]}." if "layers" in rest else ""
        data = gguf.quants.quantize(np.ascontiguousarray(values), use)
        writer.add_tensor(f"{layer}{GGUF_NAMES.get(module, module)}.{last}", data, raw_dtype=use)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
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
    path = write_gguf(tmp_path / "m.gguf", tmp_path, kind)
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
    model = load_model(write_gguf(tmp_path / "m.gguf", tmp_path, Kind.F32))
    np.testing.assert_allclose(logits(model), logits(built), atol=2e-5)


def test_gguf_linear_scaling(tmp_path):
    built = build(tmp_path, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0})
    scaling = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    model = load_model(write_gguf(tmp_path / "m.gguf", tmp_path, Kind.F32, **scaling))
    np.testing.assert_allclose(logits(model), logits(built), atol=2e-5)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, "yarn"),
        ({"rope.scaling.attn_factor": 2.0}, "attn_factor"),
        ({"logit_scale": 2.0}, "logit_scale"),
        ({"attention.key_length": 8.0}, "key_length"),
        ({"attention.sliding_window": 8.0}, "sliding window"),
    ],
)
def test_gguf_metadata_that_is_not_understood(tmp_path, more, named):
    build(tmp_path)
    with pytest.raises(InputError, match=named):
        load_model(write_gguf(tmp_path / "m.gguf", tmp_path, Kind.F32, **more))


def to_float8(tensors: dict) -> dict:
    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        rows, columns = (size // 16 for size in tensors[name].shape)
        blocks = tensors[name].view(rows, 16, columns, 16)
        scales = blocks.abs().amax((1, 3)) / 448
        tensors[name] = (blocks / scales[:, None, :, None]).view(tensors[name].shape).to(torch.float8_e4m3fn)
        tensors[f"{name}_scale_inv"] = scales
    return FLOAT8


def test_block_float8_as_transformers_dequantizes_it(tmp_path):
    from transformers import FineGrainedFP8Config

    build(tmp_path, "qwen3")
    before = logits(load_model(tmp_path))
    edit(tmp_path, to_float8)
    config = FineGrainedFP8Config(weight_block_size=(16, 16), dequantize=True)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32).eval()
    ours = logits(load_model(tmp_path))
    np.testing.assert_allclose(ours, logits(theirs), atol=1e-4)
    assert np.abs(ours - before).max() > 1e-3


def to_gptq(tensors: dict, bits: int) -> dict:
    """Every layer packed by GPTQModel's torch layer, in version 1, its groups out of order."""
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization.config import QuantizeConfig
    from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module

    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        rows, columns = tensors[name].shape
        linear = torch.nn.Linear(columns, rows, bias=False)
        linear.weight.data = tensors.pop(name)
        scales = torch.rand(rows, columns // 32) * 0.2 / (1 << bits) + 0.4 / (1 << bits)
        zeros = torch.full((rows, columns // 32), float(1 << (bits - 1)))
        groups = torch.randperm(columns).int() // 32
        layer = TorchLinear(bits=bits, group_size=32, sym=True, desc_act=True, in_features=columns, out_features=rows)
        layer.pack_original(linear, scales, zeros, groups)
        convert_gptq_v2_to_v1_format_module(layer, QuantizeConfig(bits=bits, group_size=32))
        for part in ("qweight", "qzeros", "scales", "g_idx"):
            tensors[name.replace("weight", part)] = getattr(layer, part)
    return {"quant_method": "gptq", "bits": bits, "group_size": 32, "desc_act": True, "sym": True}


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_as_gptqmodel_s_torch_kernel_reads_it(tmp_path, monkeypatch, bits):
    from transformers import GPTQConfig

    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    build(tmp_path, num_key_value_heads=4)
    edit(tmp_path, lambda tensors: to_gptq(tensors, bits))
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
    edit(tmp_path, lambda tensors: to_gptq(tensors, 4))
    expected = logits(load_model(tmp_path))
    edit(tmp_path, lambda tensors: tensors.update({name: torch.zeros(96)}))
    np.testing.assert_array_equal(logits(load_model(tmp_path)), expected)
    edit(tmp_path, lambda tensors: tensors.update({name: torch.ones(96)}))
    with pytest.raises(InputError, match=r"up_proj\.bias has no place"):
        load_model(tmp_path)


NORM, UP = "model.layers.1.input_layernorm.weight", "model.layers.0.mlp.up_proj.weight"
BROKEN = {
    "missing vector": (lambda tensors: tensors.pop(NORM) is None, NORM, "missing"),
    "missing matrix": (lambda tensors: tensors.pop(UP) is None, UP, "missing"),
    "extra": (lambda tensors: tensors.update({"model.layers.0.attn.sinks.weight": torch.ones(4)}), "sinks", "no place"),
    "not finite": (lambda tensors: tensors[UP].view(-1)[5].fill_(torch.nan).sum() == 0, UP, "NaN"),
}


@pytest.mark.parametrize("stored", ["plain", "float8", "gguf"])
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_tensors_are_named_in_one_line(tmp_path, broken, stored):
    change, name, problem = BROKEN[broken]
    build(tmp_path)

    def change_only(tensors):
        change(tensors)

    edit(tmp_path, change_only)
    path = tmp_path
    if stored == "float8":
        edit(tmp_path, to_float8)
    if stored == "gguf":
        path = write_gguf(tmp_path / "m.gguf", tmp_path, Kind.F32)
    with pytest.raises(InputError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message and problem in message and str(path) in message
    assert name in message or stored == "gguf"


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match="cannot open it"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "nobody", "auto_map": {"AutoConfig": "code.Config"}}')
    with pytest.raises(InputError, match="cannot open it"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text(
        '{"quantization_config": {"quant_method": "gptq", "checkpoint_format": "gptq_v2"}}'
    )
    with pytest.raises(InputError, match="gptq_v2"):
        load_model(tmp_path)
