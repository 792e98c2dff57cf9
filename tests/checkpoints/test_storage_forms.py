"""Every form in which quantizers store weights: against its own library, and whole models through both engines."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.matrices.bits import unpack_along
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from storage_formats import (
    FLOAT8,
    store_layers,
    to_awq,
    to_bitsandbytes,
    to_float4,
    to_float8,
    to_gptq,
    to_gptq_v2,
    to_int8,
    to_packed,
    to_static_float8,
)
from tiny_models import contents, save_contents, save_tiny, set_config

SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 4}
IDS = [3, 7, 1, 40, 3]


def packed_group(bits: int, symmetric: bool = True, **more) -> dict:
    """A description in compressed-tensors' words."""
    weights = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32, "symmetric": symmetric, **more}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}


def described(method: str, **more) -> dict:
    return {"quant_method": method, **more}


def compressed(name: str, **weights) -> dict:
    return described(
        "compressed-tensors", format=name, config_groups={"g": {"targets": ["Linear"], "weights": weights}}
    )


FORMS = {
    "awq gemm": (to_awq, described("awq", bits=4, group_size=32, version="gemm")),
    "awq gemv": (lambda w: to_awq(w, "gemv"), described("awq", bits=4, group_size=32, version="gemv")),
    "gptq v1": (lambda w: to_gptq(w, 4), described("gptq", bits=4, group_size=32)),
    "gptq v1 of 3 bits": (lambda w: to_gptq(w, 3), described("gptq", bits=3, group_size=32)),
    "gptq v2": (to_gptq_v2, described("gptq", bits=4, group_size=32, checkpoint_format="gptq_v2")),
    "auto-round": (
        lambda w: to_gptq(w, 4),
        described("auto-round", bits=4, group_size=32, packing_format="auto_round:auto_gptq"),
    ),
    "W4A16": (to_packed, packed_group(4)),
    "W4A16 with zero points": (lambda w: to_packed(w, zero_points=True), packed_group(4, symmetric=False)),
    "W8A16": (lambda w: to_packed(w, 8), packed_group(8)),
    "W8A8": (to_int8, compressed("int-quantized", num_bits=8, type="int", strategy="channel")),
    "float8 of compressed-tensors": (
        lambda w: to_static_float8(w, by_row=True),
        compressed("float-quantized", num_bits=8, type="float", strategy="channel"),
    ),
    "float8 of blocks": (to_float8, FLOAT8),
    "float8 of matrices": (
        lambda w: to_static_float8(w, "weight_scale_inv"),
        described("fp8", activation_scheme="static", weight_block_size=None),
    ),
    "float8 of rows": (lambda w: to_static_float8(w, by_row=True), described("fbgemm_fp8")),
    "float8 of ModelOpt": (to_static_float8, described("modelopt", quant_algo="FP8")),
    "int8 of bitsandbytes": (lambda w: to_int8(w, "SCB"), described("bitsandbytes", load_in_8bit=True)),
}


def build(folder: Path, form: str, family: str = "llama", **fields) -> tuple[Path, Path]:
    """A model in a form, and one of the numbers it stands for."""
    store, description = FORMS[form]
    tensors, config = contents(save_tiny(folder / "plain", family, gain=1.6, **SIZES | fields))
    stored, restored = store_layers(tensors, store)
    assert stored.keys() != tensors.keys() or any(stored[name].dtype != tensors[name].dtype for name in tensors)
    save_contents(folder / "restored", restored, config)
    return save_contents(folder / "stored", stored, config | {"quantization_config": description}), folder / "restored"


def logits(folder: Path) -> np.ndarray:
    """Of transformers, in float32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].numpy()


def distribution(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).double().log_softmax(-1).numpy()


@pytest.mark.parametrize("form", FORMS)
def test_every_engine_reads_the_numbers_that_a_form_stands_for(tmp_path, form):
    stored, restored = build(tmp_path, form)
    expected = logits(restored)
    with torch.inference_mode():
        loaded = load_model(stored)(torch.tensor([IDS])).logits[0].numpy()
    np.testing.assert_allclose(loaded, expected, atol=1e-4)
    one, several = cold_start(stored, IDS[:1]), cold_start(stored, IDS)
    assert (one.engine, several.engine) == ("layerwise", "transformers")
    np.testing.assert_allclose(one.log_probabilities, distribution(expected)[0], atol=1e-4)
    np.testing.assert_allclose(several.log_probabilities, distribution(expected)[-1], atol=1e-4)


OLDER = {
    "gptq v1": ("quantize_config.json", {"bits": 4, "group_size": 32, "desc_act": False}),
    "awq gemm": ("quant_config.json", {"w_bit": 4, "q_group_size": 32, "zero_point": True, "version": "GEMM"}),
    "float8 of ModelOpt": ("hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}}),
}


@pytest.mark.parametrize("form", OLDER)
def test_a_description_of_before_config_json_had_one(tmp_path, form):
    """As AutoGPTQ, AutoAWQ and ModelOpt wrote it beside a config that says nothing; one answer whatever is asked."""
    stored, restored = build(tmp_path, form)
    name, content = OLDER[form]
    (stored / name).write_text(json.dumps(content))
    set_config(stored, quantization_config=None)
    expected = distribution(logits(restored))
    with torch.inference_mode():
        loaded = load_model(stored)(torch.tensor([IDS])).logits[0].numpy()
    np.testing.assert_allclose(distribution(loaded), expected, atol=1e-4)
    for count in (1, 3, len(IDS)):
        np.testing.assert_allclose(cold_start(stored, IDS[:count]).log_probabilities, expected[count - 1], atol=1e-4)


@pytest.mark.parametrize("form", ["awq gemm", "W4A16", "float8 of blocks", "int8 of bitsandbytes"])
def test_experts_of_a_mixture_in_a_form(tmp_path, form):
    """Written expert by expert, merged by transformers."""
    fields = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 16}
    stored, restored = build(tmp_path, form, "qwen3_moe", **fields)
    expected = distribution(logits(restored))
    with torch.inference_mode():
        loaded = load_model(stored)(torch.tensor([IDS])).logits[0].numpy()
    np.testing.assert_allclose(distribution(loaded), expected, atol=1e-4)
    for count in (1, len(IDS)):
        found = cold_start(stored, IDS[:count])
        np.testing.assert_allclose(found.log_probabilities, expected[count - 1], atol=1e-4)


def test_gptq_with_other_settings_for_some_layers(tmp_path):
    """GPTQModel's `dynamic`: another width here, plain numbers there."""
    tensors, config = contents(save_tiny(tmp_path / "plain", gain=1.6, **SIZES))

    def width(name: str) -> int | None:
        return 8 if "down_proj" in name else None if "o_proj" in name else 4

    stored, restored = dict(tensors), dict(tensors)
    for name in [name for name in tensors if name.endswith("_proj.weight") and width(name)]:
        parts, restored[name] = to_gptq(stored.pop(name), width(name))
        stored |= {name.replace("weight", part): value for part, value in parts.items()}
    description = described("gptq", bits=4, group_size=32, dynamic={"+:.*down_proj": {"bits": 8}, "-:.*o_proj": {}})
    folder = save_contents(tmp_path / "stored", stored, config | {"quantization_config": description})
    expected = distribution(logits(save_contents(tmp_path / "restored", restored, config)))
    np.testing.assert_allclose(cold_start(folder, [3]).log_probabilities, expected[0], atol=1e-4)


def test_gpt_oss_as_it_is_published(tmp_path):
    """Experts in MXFP4, input by output in the model, output by input in the file; against transformers' reading."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    fields = {"hidden_size": 64, "intermediate_size": 32, "num_local_experts": 4, "num_experts_per_tok": 2}
    fields |= {"head_dim": 16, "vocab_size": 64, "gain": 1.6}
    tensors, config = contents(save_tiny(tmp_path / "plain", "gpt_oss", **fields))
    stored, restored = dict(tensors), dict(tensors)
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        blocks, scales, values = to_float4(stored.pop(name).transpose(1, 2))
        stored |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        restored[name] = values.transpose(1, 2)
        theirs = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
        torch.testing.assert_close(theirs, restored[name])
    folder = save_contents(tmp_path / "stored", stored, config | {"quantization_config": described("mxfp4")})
    expected = distribution(logits(save_contents(tmp_path / "restored", restored, config)))
    with torch.inference_mode():
        loaded = load_model(folder)(torch.tensor([IDS])).logits[0].numpy()
    np.testing.assert_allclose(distribution(loaded), expected, atol=1e-4)
    np.testing.assert_allclose(cold_start(folder, IDS).log_probabilities, expected[-1], atol=1e-4)


# --- against the libraries themselves ---------------------------------------------------------------------------------


def weight_of(folder: Path, parts: dict, description: dict) -> np.ndarray:
    """A module "m" of these parts, decoded."""
    stored = {f"m.{part}": value for part, value in parts.items()}
    save_contents(folder, stored, {"quantization_config": description})
    return open_checkpoint(folder).weight("m.weight")


@pytest.mark.parametrize("group", [32, 64, -1])
def test_awq_against_gptqmodel(tmp_path, group):
    packing = pytest.importorskip("gptqmodel.quantization.awq.utils.packing_utils", reason="gptqmodel is not installed")
    size = 128 if group == -1 else group
    codes, zeros = torch.randint(0, 16, (128, 48), dtype=torch.int32), torch.randint(0, 16, (128 // size, 48)).int()
    scales = torch.rand(128 // size, 48).half() * 0.1 + 0.01
    qweight, qzeros = packing.pack_awq(codes, zeros, 4)
    expected = (codes - zeros.repeat_interleave(size, 0)).float() * scales.float().repeat_interleave(size, 0)
    parts = {"qweight": qweight, "qzeros": qzeros, "scales": scales}
    found = weight_of(tmp_path / "m", parts, described("awq", bits=4, group_size=group, version="gemm"))
    np.testing.assert_array_equal(found, expected.T.numpy())


SCHEMES = {
    "W4A16 in groups": ("pack-quantized", {"num_bits": 4, "strategy": "group", "group_size": 32}),
    "W4A16 in groups, zero points": (
        "pack-quantized",
        {"num_bits": 4, "strategy": "group", "group_size": 32, "symmetric": False},
    ),
    "W8A16 by row": ("pack-quantized", {"num_bits": 8, "strategy": "channel"}),
    "W3A16 by row, zero points": ("pack-quantized", {"num_bits": 3, "strategy": "channel", "symmetric": False}),
    "int8 by row": ("int-quantized", {"num_bits": 8, "strategy": "channel"}),
    "int8 for a matrix": ("int-quantized", {"num_bits": 8, "strategy": "tensor"}),
    "float8 for a matrix": ("float-quantized", {"num_bits": 8, "type": "float", "strategy": "tensor"}),
    "float8 by row": ("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel"}),
    "float8 in blocks": (
        "float-quantized",
        {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [32, 32]},
    ),
    "NVFP4": ("nvfp4-pack-quantized", {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_compressed_tensors_against_the_library(tmp_path, name):
    library = pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    assert library
    layout, fields = SCHEMES[name]
    arguments = QuantizationArgs(**fields)
    weight = torch.randn(64, 96) * 0.1 + 0.02
    group = {"tensor": None, "channel": 96, "block": None}.get(str(arguments.strategy), arguments.group_size)
    parts = {"weight": weight}
    if arguments.strategy == "tensor":
        low, high = weight.min().reshape(1), weight.max().reshape(1)
    elif arguments.strategy == "block":
        blocks = weight.reshape(2, 32, 3, 32)
        low, high = blocks.amin((1, 3)), blocks.amax((1, 3))
    else:
        grouped = weight.reshape(64, -1, group)
        low, high = grouped.amin(-1), grouped.amax(-1)
    if layout.startswith("nvfp4"):
        total = (448 * 6 / weight.abs().max()).reshape(1)
        scale = (grouped.abs().amax(-1) / 6 * total).to(torch.float8_e4m3fn).float()
        parts |= {"weight_scale": scale, "weight_global_scale": total}
    else:
        scale, zero = calculate_qparams(low, high, arguments)
        parts |= {"weight_scale": scale}
        if not arguments.symmetric:
            parts |= {"weight_zero_point": zero}
    scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
    compressor = BaseCompressor.get_value_from_registry(layout)
    stored = compressor.compress(dict(parts), scheme)
    expected = compressor.decompress(dict(stored), scheme)["weight"].float().numpy()
    found = weight_of(tmp_path / "m", stored, compressed(layout, **json.loads(arguments.model_dump_json())))
    rounding = 4e-3 if layout.startswith("nvfp4") else 1e-5  # those the library decodes to bfloat16
    np.testing.assert_allclose(found, expected, rtol=rounding, atol=1e-7)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_four_bits_of_bitsandbytes_against_the_library(tmp_path, kind, nested):
    functional = pytest.importorskip("bitsandbytes.functional", reason="bitsandbytes is not installed")
    weight = torch.randn(48, 96) * 0.1
    codes, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=nested, blocksize=64)
    parts = {"weight": codes, **{f"weight.{name}": value for name, value in state.as_dict(packed=True).items()}}
    expected = functional.dequantize_4bit(codes, state).numpy()
    description = described("bitsandbytes", load_in_4bit=True, bnb_4bit_quant_type=kind)
    found = weight_of(tmp_path / "m", parts, description)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_four_bits_of_bitsandbytes_by_hand(tmp_path):
    """Two blocks of four, upper half first: 0x1F is number 1 then number 15 of the table."""
    table = torch.linspace(-1, 1, 16)
    state = {"quant_type": "nf4", "blocksize": 4, "shape": [2, 4], "dtype": "float32"}
    parts = {
        "weight": torch.tensor([[0x1F], [0x80], [0xF0], [0x08]], dtype=torch.uint8),
        "weight.absmax": torch.tensor([2.0, 10.0]),
        "weight.quant_map": table,
        "weight.quant_state.bitsandbytes__nf4": torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8),
    }
    found = weight_of(tmp_path / "m", parts, described("bitsandbytes", load_in_4bit=True))
    expected = torch.stack([table[[1, 15, 8, 0]] * 2, table[[15, 0, 0, 8]] * 10])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)


def test_a_bias_beside_four_bits_of_bitsandbytes(tmp_path):
    """Qwen2's attention has biases: they lie beside the state of the codes and are plain numbers."""
    parts, restored = to_bitsandbytes(torch.randn(32, 64))
    stored = {f"m.{name}": value for name, value in parts.items()} | {"m.bias": torch.arange(32.0)}
    description = {"quantization_config": described("bitsandbytes", load_in_4bit=True)}
    checkpoint = open_checkpoint(save_contents(tmp_path, stored, description))
    np.testing.assert_array_equal(checkpoint.weight("m.bias"), np.arange(32.0))
    np.testing.assert_array_equal(checkpoint.vector("m.bias", 32), np.arange(32.0))
    np.testing.assert_allclose(checkpoint.weight("m.weight"), restored.numpy(), rtol=1e-6, atol=1e-7)


def test_float4_of_modelopt_and_of_compressed_tensors(tmp_path):
    """Groups of 16 with float8 scales and one factor, groups of 32 with powers of two."""
    weight = torch.randn(32, 64) * 0.1
    codes, exponents, restored = to_float4(weight, 16)
    parts = {"weight": codes.reshape(32, 32), "weight_scale_2": torch.tensor(0.5), "input_scale": torch.tensor(9.0)}
    parts["weight_scale"] = torch.exp2(exponents.float() - 127).to(torch.float8_e4m3fn)
    found = weight_of(tmp_path / "modelopt", parts, described("modelopt", quant_algo="NVFP4"))
    np.testing.assert_array_equal(found, restored.numpy() * 0.5)
    codes, exponents, restored = to_float4(weight, 32)
    parts = {"weight_packed": codes.reshape(32, 32), "weight_scale": exponents}
    fields = {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32}
    found = weight_of(tmp_path / "mxfp4", parts, compressed("mxfp4-pack-quantized", **fields))
    np.testing.assert_array_equal(found, restored.numpy())


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_codes_along_rows(data):
    bits, count = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 70))
    codes = np.array([data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=count, max_size=count))])
    stream = sum(int(code) << (bits * place) for place, code in enumerate(codes[0]))
    words = np.frombuffer(stream.to_bytes(-(-count * bits // 32) * 4, "little"), np.uint32)[None]
    np.testing.assert_array_equal(unpack_along(words, bits, count), codes)


# --- words -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "quanto": ({"quant_method": "quanto"}, "'quanto' is not supported", "gptq"),
    "aqlm": ({"quant_method": "aqlm"}, "'aqlm' is not supported", "use the model it was made from"),
    "a text": ("gptq", "no JSON object", "config.json"),
    "AWQ of another layout": (described("awq", bits=4, version="marlin"), "layout 'marlin'", "gemm"),
    "AWQ of 8 bits": (described("awq", bits=8), "8 bits", "4 are"),
    "GPTQ of another layout": (described("gptq", bits=4, checkpoint_format="marlin"), "'marlin'", "save"),
    "sparse": (compressed("pack-quantized") | {"sparsity_config": {"format": "sparse-24"}}, "sparse-24", "dense"),
    "another format": (compressed("marlin-24"), "'marlin-24'", "pack-quantized"),
    "ModelOpt's own": (described("modelopt", quant_algo="W4A8_AWQ"), "W4A8_AWQ", "NVFP4"),
    "AutoRound's own": (described("auto-round", packing_format="auto_round:fp8"), "auto_round:fp8", "auto_gptq"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("opened", [lambda folder: cold_start(folder, [3]), load_model])
def test_what_is_not_read_is_refused_by_name_everywhere(tmp_path, name, opened):
    description, *words = REFUSED[name]
    tensors, config = contents(save_tiny(tmp_path))
    save_contents(tmp_path, tensors, config | {"quantization_config": description})
    with pytest.raises(InputError) as caught:
        opened(tmp_path)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in (*words, str(tmp_path)))


@pytest.mark.parametrize("content", ["{", "[]", '"gptq"'])
def test_a_broken_older_description(tmp_path, content):
    save_tiny(tmp_path)
    (tmp_path / "quantize_config.json").write_text(content)
    with pytest.raises(InputError, match=r"quantize_config\.json"):
        cold_start(tmp_path, [3])


@pytest.mark.parametrize(("form", "part"), [("awq gemm", "scales"), ("W4A16", "weight_scale"), ("gptq v2", "qzeros")])
def test_a_missing_part_is_named(tmp_path, form, part):
    stored, _ = build(tmp_path, form)
    tensors, config = contents(stored)
    del tensors[f"model.layers.0.self_attn.v_proj.{part}"]
    save_contents(stored, tensors, config)
    with pytest.raises(InputError, match=rf"v_proj.*: {part} is missing"):
        cold_start(stored, [3])


@pytest.mark.parametrize("part", ["weight_scale", "weight_scale_inv", "input_scale"])
def test_a_scale_without_its_weight_is_told(tmp_path, part):
    """It stands beside nothing, so it is a tensor without a place; a scale of the cache belongs to no weight."""
    stored, restored = build(tmp_path, "float8 of rows")
    tensors, config = contents(stored)
    save_contents(stored, tensors | {"model.layers.0.self_attn.k_scale": torch.ones(1)}, config)
    np.testing.assert_allclose(cold_start(stored, [3]).log_probabilities, distribution(logits(restored))[0], atol=1e-4)
    save_contents(stored, tensors | {f"model.layers.0.mlp.extra_proj.{part}": torch.ones(1)}, config)
    for opened in (load_model, lambda folder: cold_start(folder, [3])):
        with pytest.raises(InputError, match=rf"extra_proj\.{part} has no place"):
            opened(stored)
