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
from safetensors.torch import save_file as save_torch
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.matrices import matrix as matrices
from compressed_code.checkpoints.matrices.float8 import value_table
from compressed_code.checkpoints.matrices.gptq import unpack
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from storage_formats import FLOAT8, Stored, finish, pack, store_layers, to_float8, to_gptq, write_gguf
from tiny_models import EXPERT_GROUPS, EXPERTS, contents, save_contents, save_tiny, set_config

STORIES = ROOT.parent / "shared" / "data" / "weights" / "stories260K-hf"
RANDOM = np.random.default_rng(0)
SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96}


def _tiny(folder: Path, family: str = "llama", **fields) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and config of a random model, saved in `folder`."""
    return contents(save_tiny(folder, family, gain=1.6, **SIZES | fields))


def _transformers(folder: Path) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(input_ids=torch.tensor([[3]])).logits[0, -1].log_softmax(-1).numpy()


# --- ordinary floats -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says how much of a file is mapped")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_weight_that_was_read_leaves_no_pages_of_its_file(tmp_path, dtype):
    """Else a model of float32 files takes its size twice."""

    def mapped_kilobytes() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssFile")).split()[1])

    folder = tmp_path / "model"
    save_tiny(folder, "llama", **SIZES | {"vocab_size": 60_000, "hidden_size": 256})
    tensors = {name: value.to(dtype) for name, value in contents(folder)[0].items()}
    save_torch(tensors, folder / "model.safetensors")
    checkpoint = open_checkpoint(folder)
    before = mapped_kilobytes()
    weight = checkpoint.weight("model.embed_tokens.weight")
    size = weight.size * dtype.itemsize // 1024
    assert size >= 30_000 and mapped_kilobytes() - before < size / 4
    np.testing.assert_array_equal(weight, tensors["model.embed_tokens.weight"].float().numpy())


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
    checkpoint = open_checkpoint(save_contents(tmp_path_factory.mktemp("float"), {**padding, "m.weight": matrix}, {}))
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
        checkpoint = open_checkpoint(
            save_contents(tmp_path / str(dtype), {"one.weight": values, "two.weight": wide}, {})
        )
        expected = values[:, 0].float().numpy()
        one = np.ones(1, np.float32)
        np.testing.assert_array_equal(checkpoint.product("one", one, tuple(values.shape)), expected)
        pair = np.array([1, 0], np.float32)
        np.testing.assert_array_equal(checkpoint.product("two", pair, tuple(wide.shape)), expected)


def test_bytes_are_counted_and_only_what_is_needed_is_read(tmp_path):
    matrix = torch.randn(100, 64).bfloat16()
    folder = save_contents(tmp_path / "c", {"m.weight": matrix, "n.weight": torch.randn(300, 300)}, {})
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


@pytest.mark.parametrize(("rows", "columns", "block_elements"), [(40, 48, 10**6), (33, 21, 70), (16, 1, 3), (5, 7, 1)])
def test_float8_matrix(tmp_path, monkeypatch, rows, columns, block_elements):
    monkeypatch.setattr(matrices, "BLOCK_ELEMENTS", block_elements)
    parts, restored = to_float8(torch.randn(rows, columns))
    stored = {f"m.{part}": value for part, value in parts.items()}
    checkpoint = open_checkpoint(save_contents(tmp_path / "f8", stored, {"quantization_config": FLOAT8}))
    vector = RANDOM.standard_normal(columns).astype(np.float32)
    shape = (rows, columns)
    np.testing.assert_allclose(checkpoint.product("m", vector, shape), restored.numpy() @ vector, rtol=1e-4, atol=1e-5)
    some = checkpoint.product("m", vector, shape, [(2, 5), (1, 4)])
    expected = restored.numpy()[[2, 3, 4, 1, 2, 3]] @ vector
    np.testing.assert_allclose(some, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(checkpoint.row("m", 4, shape), restored[4].numpy(), rtol=1e-6)


def test_deepseek_v3_in_float8(tmp_path):
    """As it is published: linear layers in float8, embedding, norms, router and head not."""
    fields = EXPERTS | EXPERT_GROUPS | {"kv_lora_rank": 24, "moe_intermediate_size": 20, "n_shared_experts": 1}
    tensors, config = _tiny(tmp_path / "plain", "deepseek_v3", **fields)
    _assert_read_as_stored(tmp_path / "float8", *store_layers(tensors, to_float8), config, FLOAT8)


def _assert_read_as_stored(folder: Path, stored: dict, restored: dict, config: dict, described: dict | None) -> None:
    """The engine's answer on the stored tensors is that of transformers on the numbers they stand for."""
    save_contents(folder, stored, config | ({"quantization_config": described} if described else {}))
    plain = save_contents(folder.with_name("restored"), restored, config)
    result = cold_start(folder, [3])
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain), atol=1e-4)


# --- GPTQ ------------------------------------------------------------------------------------------------------------


def _spread(weight: torch.Tensor) -> torch.Tensor:
    """The matrix with rows moved away from 0, so that zero points lie anywhere."""
    return weight + weight.std() * 2 * torch.randn(len(weight), 1)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_unpacking(bits):
    codes = RANDOM.integers(0, 1 << bits, (64, 5))
    np.testing.assert_array_equal(unpack(pack(codes, bits).view(np.uint32), bits), codes)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_llama_in_gptq(tmp_path, bits, symmetric, shuffled):
    def store(weight: torch.Tensor) -> Stored:
        return to_gptq(weight if symmetric else _spread(weight), bits, symmetric=symmetric, shuffled=shuffled)

    tensors, config = _tiny(tmp_path / "plain", num_key_value_heads=4)
    described = {"quant_method": "gptq", "bits": bits, "group_size": 32}
    _assert_read_as_stored(tmp_path / "gptq", *store_layers(tensors, store), config, described)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_in_small_blocks_and_chosen_rows(tmp_path, monkeypatch, bits):
    parts, restored = to_gptq(_spread(torch.randn(64, 160) * 0.05), bits, 64, shuffled=True)
    matrix, config = restored.numpy(), {"quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": 64}}
    folder = save_contents(tmp_path / "gptq", {f"m.{part}": value for part, value in parts.items()}, config)
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
    checkpoint = open_checkpoint(save_contents(tmp_path / "gptq", parts, config))
    read = np.stack([checkpoint.row("m", row, (rows, columns)) for row in range(rows)])
    np.testing.assert_allclose(read, expected, atol=1e-6)


# --- GGUF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q5_1, Kind.Q5_0, Kind.Q4_1, Kind.Q4_0])
def test_a_llama_in_gguf(tmp_path, kind):
    _assert_gguf_is_read(tmp_path, *_tiny(tmp_path / "plain"), kind)


@pytest.mark.parametrize(("family", "tied"), [("qwen2", True), ("qwen3", False)])
def test_qwen_in_gguf(tmp_path, family, tied):
    _assert_gguf_is_read(tmp_path, *_tiny(tmp_path / "plain", family, tie_word_embeddings=tied, head_dim=16), Kind.Q8_0)


# Longer than the embedding, as in files that list tokens nobody trained.
TOKENS = [f"token {i}" for i in range(2000)]


def _assert_gguf_is_read(folder: Path, tensors: dict, config: dict, kind: Kind) -> None:
    restored = write_gguf(folder / "m.gguf", tensors, config, kind, tokens=TOKENS)
    plain = save_contents(folder / "restored", tensors | restored, config)
    result = cold_start(folder / "m.gguf", [3])
    assert result.engine == "layerwise"
    np.testing.assert_allclose(result.log_probabilities, _transformers(plain), atol=1e-4)


@pytest.mark.parametrize("kind", [Kind.Q2_K, Kind.Q3_K, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.IQ4_NL])
def test_k_quants_are_read_as_the_gguf_package_reads_them(tmp_path, kind):
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    stored = RANDOM.integers(0, 60, (6, 2 * block_bytes), dtype=np.uint8)  # small bytes: no infinite scale
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_embedding_length(512)
    writer.add_head_count(4)
    writer.add_tensor("output.weight", stored, raw_dtype=kind)
    finish(writer)
    expected = gguf.quants.dequantize(stored, kind)
    vector = RANDOM.standard_normal(2 * block_elements).astype(np.float32)
    product = open_checkpoint(tmp_path / "m.gguf").product("lm_head", vector, expected.shape)
    np.testing.assert_allclose(product, expected @ vector, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("given", [("v_proj", "o_proj"), ("v_proj",)])
def test_gguf_biases(tmp_path, given):
    """The file's tensors say whether there are biases; half of them is no model."""
    plain = tmp_path / "plain"
    tensors, config = _tiny(plain, attention_bias=True)
    kept = {
        name: tensor for name, tensor in tensors.items() if "bias" not in name or any(part in name for part in given)
    }
    restored = write_gguf(tmp_path / "m.gguf", kept, config, Kind.F16)
    if "o_proj" not in given:
        _fails(tmp_path / "m.gguf", "m.gguf", "o_proj.bias", "missing")
        return
    save_contents(plain, tensors | restored, config)
    np.testing.assert_allclose(cold_start(tmp_path / "m.gguf", [3]).log_probabilities, _transformers(plain), atol=1e-4)


def test_a_gguf_file_goes_through_transformers(tmp_path):
    plain = tmp_path / "plain"
    write_gguf(tmp_path / "m.gguf", *_tiny(plain, rope_theta=10000.0), Kind.F32)
    result = cold_start(tmp_path / "m.gguf", [3, 4])
    assert result.engine == "transformers"
    np.testing.assert_allclose(result.log_probabilities, cold_start(plain, [3, 4]).log_probabilities, atol=1e-4)


def test_gguf_metadata_that_changes_the_answer_is_not_understood(tmp_path):
    write_gguf(tmp_path / "m.gguf", *_tiny(tmp_path / "plain"), Kind.F16, metadata={"logit_scale": 2.0})
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
    write_gguf(tmp_path / "m.gguf", *_tiny(tmp_path / "plain"), kind, tokens=[])
    float32 = llama_cpp.GGML_TYPE_F32  # or the value would be rounded to float16 before it is used
    options = {"n_ctx": 16, "n_threads": 1, "type_k": float32, "type_v": float32, "logits_all": True}
    model = llama_cpp.Llama(str(tmp_path / "m.gguf"), **options, verbose=False)
    model.eval([3])
    logits = np.array(model.eval_logits[-1], np.float64)
    expected = logits - np.logaddexp.reduce(logits)
    np.testing.assert_allclose(cold_start(tmp_path / "m.gguf", [3]).log_probabilities, expected, atol=tolerance)


# --- quantized copies of real weights ---------------------------------------------------------------------------------


def _stored_as(how: str, weight: torch.Tensor) -> Stored:
    if how in ("bfloat16", "float16"):
        half = weight.to(getattr(torch, how))
        return {"weight": half}, half.float()
    if how == "float8":
        return to_float8(weight)
    if weight.shape[0] % 32 or weight.shape[1] % 32:
        return {"weight": weight}, weight
    return to_gptq(weight, int(how[-1]))


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
@pytest.mark.parametrize("how", ["bfloat16", "float16", "float8", "gptq 2", "gptq 3", "gptq 4", "gptq 8"])
def test_copies_of_real_weights(tmp_path, how):
    tensors, config = contents(STORIES)
    described = {
        "float8": {"quant_method": "fp8", "weight_block_size": [16, 16]},
        "gptq": {"quant_method": "gptq", "bits": int(how[-1]), "group_size": 32},
    }
    copy = store_layers(tensors, lambda weight: _stored_as(how, weight))
    _assert_read_as_stored(tmp_path / "copy", *copy, config, described.get(how.split()[0]))


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
@pytest.mark.parametrize("kind", [Kind.F32, Kind.Q8_0, Kind.Q4_0])
def test_gguf_copies_of_real_weights(tmp_path, kind):
    _assert_gguf_is_read(tmp_path, *contents(STORIES), kind)


# --- broken files ----------------------------------------------------------------------------------------------------


def _fails(path: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        cold_start(path, [3])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_truncated_files(tmp_path):
    write_gguf(tmp_path / "m.gguf", *_tiny(tmp_path), Kind.F16)
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
    held = json.loads((tmp_path / "s" / "model.safetensors.index.json").read_text())["weight_map"]
    *others, left_out = sorted(name for name, file in held.items() if file == shards[-1].name)
    save_torch({name: tensors[name] for name in others}, shards[-1])
    _fails(tmp_path / "s", shards[-1].name, f"tensor {left_out} is missing")
    save_torch({"other": tensors["lm_head.weight"]}, shards[-1])
    _fails(tmp_path / "s", shards[-1].name, "holds tensor other", "does not name", "fetch")
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
        {"quant_method": "gptq", "bits": 4, "format": "marlin"},
        {"quant_method": "gptq", "bits": 5},
        {"quant_method": "fp8", "weight_block_size": [128]},
        {"quant_method": "fp8", "fmt": "e5m2", "weight_block_size": [128, 128]},
        {"bits": 4},
    ],
)
def test_unsupported_quantization(tmp_path, quantization):
    set_config(save_tiny(tmp_path), quantization_config=quantization)
    _fails(tmp_path, "config.json", "support")


def test_quantized_tensors_without_a_description(tmp_path):
    tensors, _ = _tiny(tmp_path)
    name = "model.layers.0.self_attn.v_proj.weight"
    weight = tensors.pop(name)

    def save(parts: dict) -> None:
        save_contents(tmp_path, tensors | {name.replace("weight", part): value for part, value in parts.items()})

    save(to_float8(weight)[0])
    _fails(tmp_path, name, "F8_E4M3")
    parts, _ = to_gptq(weight, 4)
    save(parts)
    _fails(tmp_path, "self_attn.v_proj.", "quantization_config")
    parts["scales"][0, 0] = torch.nan
    save(parts)
    set_config(tmp_path, quantization_config={"quant_method": "gptq", "bits": 4})
    _fails(tmp_path, "self_attn.v_proj.qweight", "NaN")


def test_a_float_type_nobody_uses(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    save_file({"m.weight": np.zeros((2, 2))}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"m\.weight: type F64"):
        open_checkpoint(folder).product("m", np.ones(2, np.float32), (2, 2))
