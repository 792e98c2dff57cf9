"""Reading single tensors of a checkpoint: every storage format against an independent reading, and broken files."""

import json
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.matrices import matrix as matrices
from compressed_code.checkpoints.matrices.float8 import value_table
from compressed_code.checkpoints.matrices.gptq import unpack
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT

STORIES = ROOT.parent / "shared" / "data" / "weights" / "stories260K-hf"
RANDOM = np.random.default_rng(0)
LLAMA = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def _folder(folder: Path, tensors: dict, config: dict | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    stored = {name: torch.as_tensor(tensor).contiguous() for name, tensor in tensors.items()}
    save_torch(stored, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config or {}))
    return folder


def _tiny(folder: Path, model_type: str = "llama", **fields) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and config of a random model, saved in `folder`."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **{**LLAMA, **fields}))
    for name, parameter in model.named_parameters():
        parameter.data.normal_(1.0 if "norm" in name else 0.0, 0.2)
    model.save_pretrained(folder)
    return load_torch(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())


def _transformers(folder: Path, token: int = 3) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(input_ids=torch.tensor([[token]])).logits[0, -1].log_softmax(-1).numpy()


# --- ordinary floats -------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_products_of_every_float_type(tmp_path_factory, monkeypatch, data):
    """Any size, any block size, any rows, from tiny to huge numbers; against float64."""
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float16, torch.bfloat16]))
    magnitude = 10.0 ** data.draw(st.integers(-6, 4))
    matrix = (torch.randn(rows, columns) * magnitude).clamp(-6e4, 6e4).to(dtype)
    vector = (RANDOM.standard_normal(columns) * 10.0 ** data.draw(st.integers(-8, 8))).astype(np.float32)
    first = data.draw(st.integers(0, rows - 1))
    chosen = [(first, data.draw(st.integers(first + 1, rows))), (0, 1)]
    monkeypatch.setattr(matrices, "BLOCK_ELEMENTS", data.draw(st.sampled_from([1, 50, 10**6])))
    padding = {"a": torch.zeros(data.draw(st.integers(0, 3)), dtype=torch.uint8)}  # so that offsets are odd, too
    checkpoint = open_checkpoint(_folder(tmp_path_factory.mktemp("float"), {**padding, "m.weight": matrix}))
    full = matrix.double().numpy()
    rounding = 1e-6 * (np.abs(full) @ np.abs(vector))
    assert (np.abs(checkpoint.product("m", vector, (rows, columns)) - full @ vector) <= rounding).all()
    picked = np.concatenate([np.arange(*part) for part in chosen])
    product = checkpoint.product("m", vector, (rows, columns), chosen)
    assert (np.abs(product - full[picked] @ vector) <= rounding[picked]).all()
    np.testing.assert_array_equal(checkpoint.row("m", first, (rows, columns)), full[first].astype(np.float32))


def test_every_float16_and_bfloat16_number(tmp_path):
    """All 65,536 bit patterns that are finite, subnormal ones included, come out exactly."""
    words = np.arange(1 << 16, dtype=np.uint16)
    for dtype in (torch.float16, torch.bfloat16):
        values = torch.from_numpy(words.view(np.int16)).view(dtype)
        values = values[values.isfinite()].reshape(-1, 1)
        wide = torch.cat([values, torch.zeros_like(values)], dim=1)
        checkpoint = open_checkpoint(_folder(tmp_path / str(dtype), {"one.weight": values, "two.weight": wide}))
        expected = values[:, 0].float().numpy()
        one = np.ones(1, np.float32)
        np.testing.assert_array_equal(checkpoint.product("one", one, tuple(values.shape)), expected)
        pair = np.array([1, 0], np.float32)
        np.testing.assert_array_equal(checkpoint.product("two", pair, tuple(wide.shape)), expected)


def test_bytes_are_counted_and_only_what_is_needed_is_read(tmp_path):
    matrix = torch.randn(100, 64).bfloat16()
    folder = _folder(tmp_path / "c", {"m.weight": matrix, "n.weight": torch.randn(300, 300)})
    header = 8 + struct.unpack("<Q", (folder / "model.safetensors").read_bytes()[:8])[0]
    checkpoint = open_checkpoint(folder)
    assert checkpoint.bytes_read == header
    checkpoint.row("m", 7, (100, 64))
    assert checkpoint.bytes_read == header + 128
    checkpoint.product("m", np.ones(64, np.float32), (100, 64), [(10, 20), (50, 60)])
    assert checkpoint.bytes_read == header + 128 + 20 * 128


# --- float8 ----------------------------------------------------------------------------------------------------------


def test_float8_values():
    codes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    np.testing.assert_array_equal(value_table(), codes.float().numpy())


def _to_float8(weight: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """float8 codes, scales and the matrix they stand for; block by block, in the plainest way."""
    codes = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
    scales = torch.empty(-(-weight.shape[0] // block), -(-weight.shape[1] // block))
    restored = torch.empty_like(weight)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            part = (slice(i * block, (i + 1) * block), slice(j * block, (j + 1) * block))
            scales[i, j] = weight[part].abs().max() / 448
            codes[part] = (weight[part] / scales[i, j]).to(torch.float8_e4m3fn)
            restored[part] = codes[part].float() * scales[i, j]
    return codes, scales, restored


@pytest.mark.parametrize(("rows", "columns", "block_elements"), [(40, 48, 10**6), (33, 21, 70), (16, 1, 3), (5, 7, 1)])
def test_float8_matrix(tmp_path, monkeypatch, rows, columns, block_elements):
    monkeypatch.setattr(matrices, "BLOCK_ELEMENTS", block_elements)
    codes, scales, restored = _to_float8(torch.randn(rows, columns), 16)
    config = {"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16]}}
    checkpoint = open_checkpoint(_folder(tmp_path / "f8", {"m.weight": codes, "m.weight_scale_inv": scales}, config))
    vector = RANDOM.standard_normal(columns).astype(np.float32)
    shape = (rows, columns)
    np.testing.assert_allclose(checkpoint.product("m", vector, shape), restored.numpy() @ vector, rtol=1e-4, atol=1e-5)
    some = checkpoint.product("m", vector, shape, [(2, 5), (1, 4)])
    expected = restored.numpy()[[2, 3, 4, 1, 2, 3]] @ vector
    np.testing.assert_allclose(some, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(checkpoint.row("m", 4, shape), restored[4].numpy(), rtol=1e-6)


def test_deepseek_v3_in_float8(tmp_path):
    """As it is published: linear layers in float8, embedding, norms, router and head not."""
    fields = {
        **{"num_key_value_heads": 4, "num_hidden_layers": 3, "kv_lora_rank": 24, "q_lora_rank": 24},
        **{"qk_rope_head_dim": 4, "qk_nope_head_dim": 6, "v_head_dim": 10, "n_routed_experts": 8},
        **{"num_experts_per_tok": 3, "moe_intermediate_size": 20, "n_shared_experts": 1},
        **{"first_k_dense_replace": 1, "n_group": 4, "topk_group": 2},
    }
    plain = tmp_path / "plain"
    tensors, config = _tiny(plain, "deepseek_v3", **fields)
    stored, restored = {}, {}
    for name, tensor in tensors.items():
        stored[name] = restored[name] = tensor
        if name.endswith(("_proj.weight", "_mqa.weight")):
            stored[name], stored[f"{name}_scale_inv"], restored[name] = _to_float8(tensor, 16)
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16]}
    result = cold_start(_folder(tmp_path / "float8", stored, config), [3])
    save_torch(restored, plain / "model.safetensors", {"format": "pt"})
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain), atol=1e-4)


# --- GPTQ ------------------------------------------------------------------------------------------------------------


def _pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes running down each column as one stream of bits, through Python's own integers."""
    columns = []
    for column in codes.T:
        stream = sum(int(code) << (bits * place) for place, code in enumerate(column))
        columns.append(np.frombuffer(stream.to_bytes(len(column) * bits // 8, "little"), np.int32))
    return np.stack(columns, axis=1)


def _round_to_gptq(weight: np.ndarray, bits: int, group: int) -> tuple[dict, np.ndarray]:
    """The parts of a layer rounded to the nearest code, group by group, and the matrix they stand for."""
    rows, columns = weight.shape
    by_group = weight.reshape(rows, -1, group).transpose(1, 2, 0)
    low, high = np.minimum(by_group.min(axis=1), 0), by_group.max(axis=1)
    scales = ((high - low) / ((1 << bits) - 1)).astype(np.float16)
    zeros = np.clip(np.rint(-low / scales), 1, (1 << bits) - 1).astype(int)
    steps = scales.astype(np.float32)[:, None]
    codes = np.clip(np.rint(by_group / steps) + zeros[:, None], 0, (1 << bits) - 1).astype(int)
    matrix = ((codes - zeros[:, None]) * steps).reshape(columns, rows).T.astype(np.float32)
    parts = {"qweight": _pack(codes.reshape(columns, rows), bits), "qzeros": _pack((zeros - 1).T, bits).T.copy()}
    return {**parts, "scales": scales, "g_idx": np.arange(columns, dtype=np.int32) // group}, matrix


def _to_gptq(
    rows: int, columns: int, bits: int, group: int, symmetric: bool, shuffled: bool
) -> tuple[dict, np.ndarray]:
    """The parts of a random GPTQ layer and the matrix [rows, columns] they stand for."""
    codes = RANDOM.integers(0, 1 << bits, (columns, rows))
    groups = np.arange(columns, dtype=np.int32) // group
    if shuffled:
        RANDOM.shuffle(groups)
    count = groups.max() + 1
    zeros = np.full((count, rows), 1 << (bits - 1)) if symmetric else RANDOM.integers(1, 1 << bits, (count, rows))
    scales = RANDOM.uniform(0.001, 0.4 / (1 << bits), (count, rows)).astype(np.float16)
    matrix = (scales.astype(np.float32)[groups] * (codes - zeros[groups])).T.astype(np.float32)
    parts = {"qweight": _pack(codes, bits), "qzeros": _pack((zeros - 1).T, bits).T.copy(), "scales": scales}
    return {**parts, "g_idx": groups}, matrix


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_unpacking(bits):
    codes = RANDOM.integers(0, 1 << bits, (64, 5))
    np.testing.assert_array_equal(unpack(_pack(codes, bits).view(np.uint32), bits), codes)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_llama_in_gptq(tmp_path, bits, symmetric, shuffled):
    plain = tmp_path / "plain"
    tensors, config = _tiny(plain, num_key_value_heads=4)
    stored, restored = {}, {}
    for name, tensor in tensors.items():
        if name.endswith("_proj.weight"):
            parts, matrix = _to_gptq(*tensor.shape, bits, 32, symmetric, shuffled)
            stored |= {name.replace("weight", part): value for part, value in parts.items()}
            restored[name] = torch.from_numpy(matrix).contiguous()
        else:
            stored[name] = restored[name] = tensor
    config["quantization_config"] = {"quant_method": "gptq", "bits": bits, "group_size": 32}
    result = cold_start(_folder(tmp_path / "gptq", stored, config), [3])
    save_torch(restored, plain / "model.safetensors", {"format": "pt"})
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain), atol=1e-4)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_in_small_blocks_and_chosen_rows(tmp_path, monkeypatch, bits):
    parts, matrix = _to_gptq(64, 160, bits, 64, False, True)
    config = {"quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": 64}}
    folder = _folder(tmp_path / "gptq", {f"m.{part}": value for part, value in parts.items()}, config)
    monkeypatch.setattr("compressed_code.checkpoints.matrices.gptq.BLOCK_ELEMENTS", 3000)
    vector = RANDOM.standard_normal(160).astype(np.float32)
    checkpoint = open_checkpoint(folder)
    np.testing.assert_allclose(checkpoint.product("m", vector, matrix.shape), matrix @ vector, atol=1e-4)
    picked = checkpoint.product("m", vector, matrix.shape, [(3, 9), (0, 1)])
    np.testing.assert_allclose(picked, np.r_[matrix[3:9], matrix[:1]] @ vector, atol=1e-4)
    np.testing.assert_allclose(checkpoint.row("m", 5, matrix.shape), matrix[5], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_against_gptqmodel(tmp_path, bits):
    """Packed by GPTQModel, zero points of 0 included, and unpacked by its torch layer."""
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization.config import QuantizeConfig
    from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module

    rows, columns, group = 64, 96, 32
    linear = torch.nn.Linear(columns, rows, bias=False)
    scales = torch.rand(rows, columns // group) * 0.01 + 0.01
    zeros = torch.randint(0, 1 << bits, (rows, columns // group)).float()
    groups = torch.randperm(columns).int() // group
    options = {"bits": bits, "group_size": group, "sym": False, "desc_act": True}
    layer = TorchLinear(**options, in_features=columns, out_features=rows)
    layer.pack_original(linear, scales, zeros, groups)
    layer.eval()
    kept = layer.scales
    layer.scales = layer.scales.float()
    expected = layer.dequantize_weight().T.float().numpy()
    layer.scales = kept
    convert_gptq_v2_to_v1_format_module(layer, QuantizeConfig(bits=bits, group_size=group))
    config = {"quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": group}}
    parts = {f"m.{part}": getattr(layer, part).contiguous() for part in ("qweight", "qzeros", "scales", "g_idx")}
    checkpoint = open_checkpoint(_folder(tmp_path / "gptq", parts, config))
    read = np.stack([checkpoint.row("m", row, (rows, columns)) for row in range(rows)])
    np.testing.assert_allclose(read, expected, atol=1e-6)


# --- GGUF ------------------------------------------------------------------------------------------------------------

GGUF_MODULES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def _gguf_name(name: str) -> str:
    outside = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    module, _, last = name.rpartition(".")
    if module in outside:
        return f"{outside[module]}.{last}"
    _, _, layer, inner = module.split(".", 3)
    return f"blk.{layer}.{GGUF_MODULES[inner]}.{last}"


def _write_gguf(
    path: Path,
    architecture: str,
    tensors: dict,
    kind: Kind,
    tokens: int = 2000,
    sizes: dict = LLAMA,
    **extra: float,
) -> dict[str, torch.Tensor]:
    """Write a GGUF copy, float16 where rows do not divide into blocks; returns the tensors it stands for."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_embedding_length(sizes["hidden_size"])
    writer.add_block_count(sizes["num_hidden_layers"])
    writer.add_feed_forward_length(sizes["intermediate_size"])
    writer.add_head_count(sizes["num_attention_heads"])
    writer.add_head_count_kv(sizes["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(sizes.get("rms_norm_eps", 1e-6))
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(sizes["hidden_size"] // sizes["num_attention_heads"])
    writer.add_context_length(128)
    if tokens:
        writer.add_token_list([f"token {i}" for i in range(tokens)])
    else:
        writer.add_tokenizer_model("none")
        writer.add_vocab_size(sizes["vocab_size"])
    for field, value in extra.items():
        writer.add_float32(f"{architecture}.{field}", value)
    restored = {}
    for name, tensor in tensors.items():
        values, use = tensor.numpy(), kind if tensor.ndim == 2 else Kind.F32
        if values.shape[-1] % gguf.GGML_QUANT_SIZES[use][0]:
            use = Kind.F16
        data = gguf.quants.quantize(values, use)
        writer.add_tensor(_gguf_name(name), data, raw_dtype=use)
        restored[name] = torch.from_numpy(gguf.quants.dequantize(data, use).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return restored


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q5_1, Kind.Q5_0, Kind.Q4_1, Kind.Q4_0])
def test_a_llama_in_gguf(tmp_path, kind):
    plain = tmp_path / "plain"
    tensors, _ = _tiny(plain)
    restored = _write_gguf(tmp_path / "m.gguf", "llama", tensors, kind)
    save_torch(restored, plain / "model.safetensors", {"format": "pt"})
    result = cold_start(tmp_path / "m.gguf", [3])
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain), atol=1e-4)


@pytest.mark.parametrize(("model_type", "tied"), [("qwen2", True), ("qwen3", False)])
def test_qwen_in_gguf(tmp_path, model_type, tied):
    plain = tmp_path / "plain"
    tensors, _ = _tiny(plain, model_type, tie_word_embeddings=tied, head_dim=16)
    restored = _write_gguf(tmp_path / "m.gguf", model_type, tensors, Kind.Q8_0)
    save_torch(restored, plain / "model.safetensors", {"format": "pt"})
    np.testing.assert_allclose(cold_start(tmp_path / "m.gguf", [3]).log_probabilities, _transformers(plain), atol=1e-4)


@pytest.mark.parametrize("kind", [Kind.Q2_K, Kind.Q3_K, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.IQ4_NL])
def test_k_quants_are_read_as_the_gguf_package_reads_them(tmp_path, kind):
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    stored = RANDOM.integers(0, 60, (6, 2 * block_bytes), dtype=np.uint8)  # small bytes: no infinite scale
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("output.weight", stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected = gguf.quants.dequantize(stored, kind)
    vector = RANDOM.standard_normal(2 * block_elements).astype(np.float32)
    product = open_checkpoint(tmp_path / "m.gguf").product("lm_head", vector, expected.shape)
    np.testing.assert_allclose(product, expected @ vector, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("given", [("v_proj", "o_proj"), ("v_proj",)])
def test_gguf_biases(tmp_path, given):
    """The file's tensors say whether there are biases; half of them is no model."""
    plain = tmp_path / "plain"
    tensors, _ = _tiny(plain, attention_bias=True)
    kept = {
        name: tensor for name, tensor in tensors.items() if "bias" not in name or any(part in name for part in given)
    }
    restored = _write_gguf(tmp_path / "m.gguf", "llama", kept, Kind.F16)
    if "o_proj" not in given:
        _fails(tmp_path / "m.gguf", "m.gguf", "o_proj.bias", "missing")
        return
    save_torch(tensors | restored, plain / "model.safetensors", {"format": "pt"})
    np.testing.assert_allclose(cold_start(tmp_path / "m.gguf", [3]).log_probabilities, _transformers(plain), atol=1e-4)


def test_a_gguf_file_goes_through_transformers(tmp_path):
    plain = tmp_path / "plain"
    tensors, _ = _tiny(plain, rope_theta=10000.0)
    permuted = dict(tensors)  # as converters do, so that rotary halves lie side by side
    for name, tensor in tensors.items():
        if "q_proj" in name or "k_proj" in name:
            permuted[name] = tensor.view(-1, 2, 8, 64).transpose(1, 2).reshape(tensor.shape).contiguous()
    _write_gguf(tmp_path / "m.gguf", "llama", permuted, Kind.F32, tokens=64)
    result = cold_start(tmp_path / "m.gguf", [3, 4])
    assert (result.engine, result.bytes_read) == ("transformers", (tmp_path / "m.gguf").stat().st_size)
    np.testing.assert_allclose(result.log_probabilities, cold_start(plain, [3, 4]).log_probabilities, atol=1e-4)


def test_gguf_metadata_that_changes_the_answer_is_not_understood(tmp_path):
    tensors, _ = _tiny(tmp_path / "plain")
    _write_gguf(tmp_path / "m.gguf", "llama", tensors, Kind.F16, logit_scale=2.0)
    with pytest.raises(UnsupportedArchitecture, match="logit_scale"):
        understand(open_checkpoint(tmp_path / "m.gguf").config)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [(Kind.F32, 1e-5), (Kind.F16, 5e-3), (Kind.Q8_0, 0.1), (Kind.Q4_0, 0.1)]
)
def test_gguf_against_llama_cpp(tmp_path, kind, tolerance):
    """llama.cpp rounds activations to the type of the weights (to 8 bits for quantized ones), hence the tolerances."""
    llama_cpp = pytest.importorskip(
        "llama_cpp", reason="llama-cpp-python is not installed; pip install '.[llama]' builds it"
    )
    tensors, _ = _tiny(tmp_path / "plain")
    _write_gguf(tmp_path / "m.gguf", "llama", tensors, kind, tokens=0)
    float32 = llama_cpp.GGML_TYPE_F32  # or the value would be rounded to float16 before it is used
    options = {"n_ctx": 16, "n_threads": 1, "type_k": float32, "type_v": float32, "logits_all": True}
    model = llama_cpp.Llama(str(tmp_path / "m.gguf"), **options, verbose=False)
    model.eval([3])
    logits = np.array(model.eval_logits[-1], np.float64)
    expected = logits - np.logaddexp.reduce(logits)
    np.testing.assert_allclose(cold_start(tmp_path / "m.gguf", [3]).log_probabilities, expected, atol=tolerance)


# --- quantized copies of real weights ---------------------------------------------------------------------------------


def _stored_as(how: str, weight: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """How a linear layer is stored (the last part of the names), and the matrix that stands for."""
    if how in ("bfloat16", "float16"):
        half = weight.to(getattr(torch, how))
        return {"weight": half}, half.float()
    if how == "float8":
        codes, scales, restored = _to_float8(weight, 16)
        return {"weight": codes, "weight_scale_inv": scales}, restored
    if weight.shape[0] % 32 or weight.shape[1] % 32:
        return {"weight": weight}, weight
    parts, matrix = _round_to_gptq(weight.numpy(), int(how[-1]), 32)
    return {name: torch.from_numpy(part) for name, part in parts.items()}, torch.from_numpy(matrix).contiguous()


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
@pytest.mark.parametrize("how", ["bfloat16", "float16", "float8", "gptq 2", "gptq 3", "gptq 4", "gptq 8"])
def test_copies_of_real_weights(tmp_path, how):
    tensors = load_torch(STORIES / "model.safetensors")
    config = json.loads((STORIES / "config.json").read_text())
    stored, restored = {}, {}
    for name, tensor in tensors.items():
        stored[name] = restored[name] = tensor
        if name.endswith("_proj.weight"):
            parts, restored[name] = _stored_as(how, tensor)
            del stored[name]
            stored |= {name.replace("weight", part): value for part, value in parts.items()}
    plain = _folder(tmp_path / "plain", restored, config)
    if how == "float8":
        config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [16, 16]}
    if how.startswith("gptq"):
        config["quantization_config"] = {"quant_method": "gptq", "bits": int(how[-1]), "group_size": 32}
    result = cold_start(_folder(tmp_path / "copy", stored, config), [1])
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain, 1), atol=1e-4)


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
@pytest.mark.parametrize("kind", [Kind.F32, Kind.Q8_0, Kind.Q4_0])
def test_gguf_copies_of_real_weights(tmp_path, kind):
    config = json.loads((STORIES / "config.json").read_text())
    tensors = load_torch(STORIES / "model.safetensors")
    restored = _write_gguf(tmp_path / "m.gguf", "llama", tensors, kind, sizes=config)
    plain = _folder(tmp_path / "plain", restored, config)
    result = cold_start(tmp_path / "m.gguf", [1])
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain, 1), atol=1e-4)


# --- broken files ----------------------------------------------------------------------------------------------------


def _fails(path: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        cold_start(path, [3])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_truncated_files(tmp_path):
    tensors, _ = _tiny(tmp_path)
    _write_gguf(tmp_path / "m.gguf", "llama", tensors, Kind.F16)
    for file in (tmp_path / "model.safetensors", tmp_path / "m.gguf"):
        content = file.read_bytes()
        path = tmp_path if file.suffix == ".safetensors" else file
        for length in (0, 5, 100, len(content) // 2, len(content) - 1):
            file.write_bytes(content[:length])
            _fails(path, str(file))
        file.write_bytes(content[: len(content) // 2])
        _fails(path, str(file), "tensor", "truncated")


def test_nonsense_instead_of_a_header(tmp_path):
    _tiny(tmp_path)
    for content in (b"\xff" * 100, b"\x05" + bytes(7) + b"[1,2]" + bytes(50), b"\x02" + bytes(7) + b"{a"):
        (tmp_path / "model.safetensors").write_bytes(content)
        _fails(tmp_path, "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    _fails(tmp_path, "broken header, or no safetensors file", "fetch or write it again")
    (tmp_path / "model.safetensors").write_bytes((10**6).to_bytes(8, "little") + b"{" * 100)
    _fails(tmp_path, "truncated in its header (108 bytes)")
    for content in (b"\xff" * 100, struct.pack("<IQQ", 3, 1, 1) + b"\xff" * 100):
        (tmp_path / "m.gguf").write_bytes(b"GGUF" + content)
        _fails(tmp_path / "m.gguf", "m.gguf", "truncated or broken GGUF header")


def test_broken_shards(tmp_path):
    tensors, _ = _tiny(tmp_path)
    AutoModelForCausalLM.from_pretrained(tmp_path).save_pretrained(tmp_path / "s", max_shard_size="30KB")
    shards = sorted((tmp_path / "s").glob("*.safetensors"))
    assert len(shards) > 1
    content = shards[-1].read_bytes()
    shards[-1].write_bytes(content[:-8])
    _fails(tmp_path / "s", shards[-1].name, "tensor", "truncated")
    save_torch({"other": tensors["lm_head.weight"]}, shards[-1])
    _fails(tmp_path / "s", shards[-1].name, "tensor", "missing")
    shards[-1].unlink()
    _fails(tmp_path / "s", shards[-1].name)


def test_broken_index(tmp_path):
    _tiny(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    _fails(tmp_path, "holds neither")
    for content in ("{", "[]", '{"weight_map": {"a": 3}}', '{"weight_map": {"a": "../model.safetensors"}}'):
        (tmp_path / "model.safetensors.index.json").write_text(content)
        _fails(tmp_path, "model.safetensors.index.json")


def test_broken_config(tmp_path):
    _fails(tmp_path, "config.json")
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        _fails(tmp_path, "config.json")


@pytest.mark.parametrize(
    "quantization",
    [
        {"quant_method": "awq", "bits": 4},
        {"quant_method": "gptq", "bits": 4, "checkpoint_format": "gptq_v2"},
        {"quant_method": "gptq", "bits": 4, "format": "gptq_v2"},
        {"quant_method": "gptq", "bits": 5},
        {"quant_method": "gptq", "bits": 4, "dynamic": {"-:.*gate.*": {}}},
        {"quant_method": "fp8"},
        {"quant_method": "fp8", "fmt": "e5m2", "weight_block_size": [128, 128]},
        {"bits": 4},
    ],
)
def test_unsupported_quantization(tmp_path, quantization):
    _, config = _tiny(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}))
    _fails(tmp_path, "config.json", "support")


def test_quantized_tensors_without_a_description(tmp_path):
    codes, scales, _ = _to_float8(torch.randn(64, 64), 16)
    tensors, config = _tiny(tmp_path)
    name = "model.layers.0.self_attn.v_proj.weight"
    save_torch(
        tensors | {name: codes[:32].clone(), f"{name}_scale_inv": scales[:2].clone()}, tmp_path / "model.safetensors"
    )
    _fails(tmp_path, name, "F8_E4M3")
    parts, _ = _to_gptq(32, 64, 4, 32, True, False)
    del tensors[name]
    named = {name.replace("weight", part): torch.from_numpy(value) for part, value in parts.items()}
    save_torch(tensors | named, tmp_path / "model.safetensors")
    _fails(tmp_path, "self_attn.v_proj.qweight", "quantization_config")
    named[name.replace("weight", "scales")][0, 0] = torch.nan
    save_torch(tensors | named, tmp_path / "model.safetensors")
    described = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(config | described))
    _fails(tmp_path, "self_attn.v_proj.qweight", "NaN")


def test_a_float_type_nobody_uses(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    save_file({"m.weight": np.zeros((2, 2))}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"m\.weight: type F64"):
        open_checkpoint(folder).product("m", np.ones(2, np.float32), (2, 2))
