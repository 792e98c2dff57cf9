"""HQQ and torchao as transformers saves them, against the libraries themselves and a second writing of the layouts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from storage_formats import to_hqq, to_torchao
from tiny_models import save_contents, save_tiny

SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 4}
IDS = [3, 7, 1, 40, 3]
HQQ = {"quantization_config": {"quant_method": "hqq", "quant_config": {}, "skip_modules": ["lm_head"]}}
TORCHAO = {"quantization_config": {"quant_method": "torchao"}}


def _distributions(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _assert_read_as(folder: Path, expected: np.ndarray) -> None:
    np.testing.assert_allclose(_distributions(load_model(folder)), expected, atol=1e-4)
    for count in (1, len(IDS)):
        np.testing.assert_allclose(cold_start(folder, IDS[:count]).log_probabilities, expected[count - 1], atol=1e-4)


# --- HQQ -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("bits", [8, 4, 3, 2, 1])
@pytest.mark.parametrize("group", [16, 64])
def test_hqq_against_the_library(tmp_path, bits, axis, group):
    """What its own layer saves, and what its own quantizer decodes in float32."""
    library = pytest.importorskip("hqq.core.quantize", reason="hqq is not installed")
    torch.manual_seed(bits)
    layer = torch.nn.Linear(96, 48, bias=False)
    original = layer.weight.detach().clone().numpy()
    config = library.BaseQuantizeConfig(nbits=bits, group_size=group, axis=axis)
    packed = library.HQQLinear(layer, config, compute_dtype=torch.float32, device="cpu")
    expected = packed.dequantize().float().detach().numpy()
    folder = save_contents(tmp_path / "m", {f"m.{name}": value for name, value in packed.state_dict().items()}, HQQ)
    checkpoint = open_checkpoint(folder)
    assert list(checkpoint.names) == ["m.weight"] and checkpoint.count("m.weight") == 96 * 48
    np.testing.assert_allclose(checkpoint.weight("m.weight"), expected, rtol=1e-6, atol=1e-7)
    whole, opened = checkpoint.weight("m.weight"), checkpoint.open_weight("m.weight")
    np.testing.assert_array_equal(np.concatenate([opened.decode(row, row + 1) for row in range(48)]), whole)
    if bits == 8:
        np.testing.assert_allclose(whole, original, atol=2e-3)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("bits", [8, 4, 3, 2, 1])
def test_hqq_against_a_second_writing(tmp_path, bits, axis):
    """Groups that run over the ends of rows, too."""
    weight = torch.randn(28, 48)
    for group in (16, 32, 64):
        parts, restored = to_hqq(weight, bits, group, axis)
        stored = {f"m.{name}": value for name, value in parts.items()}
        found = open_checkpoint(save_contents(tmp_path / f"{group}", stored, HQQ)).weight("m.weight")
        np.testing.assert_array_equal(found, restored.numpy())


def test_hqq_seen_as_floats(tmp_path):
    """`view_as_float`: the same bytes under another type."""
    parts, restored = to_hqq(torch.randn(32, 64), 4)
    parts["W_q"] = parts["W_q"].view(torch.float16)
    stored = {f"m.{name}": value for name, value in parts.items()}
    checkpoint = open_checkpoint(save_contents(tmp_path, stored, HQQ))
    np.testing.assert_array_equal(checkpoint.weight("m.weight"), restored.numpy())
    assert checkpoint.count("m.weight") == 32 * 64


def test_a_model_whose_layers_are_hqqs(tmp_path):
    """Saved by the layers themselves, and run by them."""
    library = pytest.importorskip("hqq.core.quantize", reason="hqq is not installed")
    folder = save_tiny(tmp_path, gain=1.6, **SIZES)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    before = _distributions(model)
    bits = {"q_proj": 8, "k_proj": 4, "v_proj": 3, "o_proj": 2, "gate_proj": 4, "up_proj": 3, "down_proj": 8}
    for path, module in list(model.named_modules()):
        name = path.rpartition(".")[2]
        if name in bits:
            config = library.BaseQuantizeConfig(nbits=bits[name], group_size=32, axis=1)
            made = library.HQQLinear(module, config, compute_dtype=torch.float32, device="cpu")
            setattr(model.get_submodule(path.rpartition(".")[0]), name, made)
    expected = _distributions(model)
    config = json.loads((folder / "config.json").read_text())
    save_contents(folder, model.state_dict(), config | HQQ)
    assert np.abs(expected - before).max() > 0.05
    _assert_read_as(folder, expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts: parts.pop("scale"), "scale is missing"),
        (lambda parts: parts.pop("packing"), "packing is missing"),
        (lambda parts: parts.update(packing=torch.tensor(list(b"5bit"), dtype=torch.uint8)), "'5bit'.*not supported"),
        (lambda parts: parts.update(shape=torch.tensor([28, 50])), "do not fit"),
        (lambda parts: parts.update(shape=torch.tensor([0])), "no shape of a matrix"),
        (lambda parts: parts.update(axis=torch.tensor(2)), "along 2 is not supported"),
    ],
)
def test_hqq_that_does_not_fit_is_one_line(tmp_path, change, said):
    parts, _ = to_hqq(torch.randn(28, 48))
    change(parts)
    folder = save_contents(tmp_path, {f"m.{name}": value for name, value in parts.items()}, HQQ)
    with pytest.raises(InputError, match=said) as caught:
        open_checkpoint(folder).weight("m.weight")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


# --- torchao ---------------------------------------------------------------------------------------------------------


def _torchao(name: str):
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    by_group, by_axis = quantization.PerGroup(32), quantization.PerAxis(0)
    return {
        "int8": lambda: quantization.Int8WeightOnlyConfig(version=2),
        "int8, activations too": lambda: quantization.Int8DynamicActivationInt8WeightConfig(version=2),
        "float8": lambda: quantization.Float8WeightOnlyConfig(version=2),
        "intx of 4 bits": lambda: quantization.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=by_group),
        "intx of 3 bits": lambda: quantization.IntxWeightOnlyConfig(
            weight_dtype=torch.int3, granularity=by_axis, mapping_type=quantization.MappingType.ASYMMETRIC
        ),
    }[name]()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["int8", "int8, activations too", "float8", "intx of 4 bits", "intx of 3 bits"])
def test_torchao_as_transformers_saves_it(tmp_path, name, dtype):
    """Quantized and saved by transformers; the weights are those that the library's own tensors decode to."""
    from transformers import TorchAoConfig

    plain = save_tiny(tmp_path / "plain", gain=1.6, dtype=dtype, **SIZES)
    settings = TorchAoConfig(_torchao(name))
    model = AutoModelForCausalLM.from_pretrained(plain, dtype=dtype, quantization_config=settings).eval()
    folder = tmp_path / "stored"
    model.save_pretrained(folder)
    checkpoint, expected, quantized = open_checkpoint(folder), {}, 0
    for path, parameter in model.named_parameters():
        decoded = parameter.dequantize(torch.float32) if name in ("int8", "float8") and _is_packed(parameter) else None
        decoded = parameter.dequantize() if decoded is None and _is_packed(parameter) else decoded
        quantized += decoded is not None
        expected[path] = (parameter if decoded is None else decoded).detach().float()
        rounding = 1e-6 if dtype == torch.float32 else 2.0**-8  # the library's own result is rounded to bfloat16
        np.testing.assert_allclose(checkpoint.weight(path), expected[path].numpy(), rtol=rounding, atol=1e-7)
        assert checkpoint.count(path) == parameter.numel()
    assert quantized == 2 * 7
    if dtype == torch.float32:
        config = json.loads((plain / "config.json").read_text())
        restored = save_contents(tmp_path / "restored", expected, config)
        _assert_read_as(folder, _distributions(AutoModelForCausalLM.from_pretrained(restored, dtype=dtype).eval()))


def _is_packed(parameter: torch.Tensor) -> bool:
    return hasattr(parameter, "qdata")


def _int4(folder: Path, weight: torch.Tensor, group: int = 32, **fields) -> tuple[Path, np.ndarray, dict]:
    """One layer in plain int4, with entries of its note replaced."""
    parts, restored, note = to_torchao(weight, group=group)
    stored = {f"m.{name}": value for name, value in parts.items()}
    save_contents(folder, stored, TORCHAO)
    note = json.dumps(json.loads(note) | fields)
    save_file(stored, folder / "model.safetensors", {"format": "pt", "m.weight": note, "tensor_names": '["m.weight"]'})
    return folder, restored.numpy(), stored


@pytest.mark.parametrize("group", [32, 96])
def test_plain_int4_of_torchao(tmp_path, group):
    """A second writing, and torchao's own decoding of unpacked numbers; its packing needs a kernel's library."""
    folder, restored, stored = _int4(tmp_path, torch.randn(40, 96), group)
    checkpoint = open_checkpoint(folder)
    np.testing.assert_allclose(checkpoint.weight("m.weight"), restored, rtol=1e-6, atol=1e-7)
    assert checkpoint.count("m.weight") == 40 * 96
    library = pytest.importorskip("torchao.prototype.gptq.api", reason="torchao is not installed")
    packed = stored["m._weight_qdata"].view(torch.uint8).int()
    numbers = torch.stack([packed & 15, packed >> 4], -1).reshape(40, 96)
    numbers = torch.where(numbers > 7, numbers - 16, numbers).to(torch.int8)
    scales, offsets = stored["m._weight_scale"], stored["m._weight_zero_point"]
    theirs = library._int4_row_dequantize_zp(numbers, scales, offsets, group)
    np.testing.assert_allclose(checkpoint.weight("m.weight"), theirs.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ({"_type": "Int4TilePackedTo4dTensor"}, "Int4TilePackedTo4dTensor is laid out for a kernel.*save the model"),
        ({"_type": "NVFP4Tensor"}, "NVFP4Tensor is laid out for a kernel"),
        ({"_data": []}, "broken header"),
        ({"_data": {"block_size": [1, 2, 3]}}, r"\[rows, columns\] are"),
    ],
)
def test_torchao_that_is_not_read_is_named(tmp_path, note, said):
    folder, _, _ = _int4(tmp_path, torch.randn(32, 64), **note)
    with pytest.raises(InputError, match=said) as caught:
        open_checkpoint(folder).weight("m.weight")
    assert "\n" not in str(caught.value) and "m._weight_qdata" in str(caught.value)


def test_torchao_without_its_header_is_named(tmp_path):
    parts, _, _ = to_torchao(torch.randn(32, 64))
    folder = save_contents(tmp_path, {f"m.{name}": value for name, value in parts.items()}, TORCHAO)
    with pytest.raises(InputError, match=r"the header says nothing of m\.weight"):
        open_checkpoint(folder).weight("m.weight")


def test_smoothed_activations_of_torchao_are_named(tmp_path):
    folder, _, stored = _int4(tmp_path, torch.randn(32, 64))
    stored["m._weight_act_pre_scale"] = torch.ones(64)
    note = json.dumps({"_type": "Int4Tensor", "_data": {"block_size": [1, 32]}})
    save_file(stored, folder / "model.safetensors", {"m.weight": note})
    with pytest.raises(InputError, match="scaled beforehand are not supported"):
        open_checkpoint(folder).weight("m.weight")
