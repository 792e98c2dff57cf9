"""A variant is opened again as any other model, whatever architecture it has, before it is called done."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.load import load_model
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.quantized import quantize
from compressed_code.quantization.read_back import read_back
from compressed_code.quantization.record import read_record
from compressed_code.registry.quantizations import Quantization
from gguf_models import write_case
from proof_architectures import write_architecture
from storage_formats import store_layers, to_awq
from tiny_models import contents, save_contents, save_tiny

IDS = [3, 7, 1, 40]
SIZES = {"hidden_size": 64, "intermediate_size": 96, "vocab_size": 96}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 16}


def _all(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _reference(folder) -> np.ndarray:
    return _all(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())


def _rounding(bits: int, group_size: int | None = 32) -> Quantization:
    return Quantization(key="rtn", label="rtn", method="rtn", bits=bits, group_size=group_size)


def _assert_read_again(base, variant) -> None:
    """By both engines, as one model, which is close to its base and not the same."""
    before, after = _all(load_model(base)), _all(load_model(variant))
    assert 0 < np.median(np.abs(after - before)) < 0.2
    np.testing.assert_allclose(cold_start(variant, IDS).log_probabilities, after[-1], atol=1e-4)


@pytest.mark.parametrize("family", ["mixtral", "gpt_neox", "lfm2", "apertus", "nanochat"])
def test_packed_variants_of_many_architectures(tmp_path, family):
    base = write_architecture(tmp_path / "base", family)
    variant = write_variant(base, _rounding(8), tmp_path / "variant")
    assert read_record(variant)["layout"] == "GPTQ version 1"
    _assert_read_again(base, variant)


@pytest.mark.parametrize("family", ["jamba", "mamba", "mamba2", "falcon_mamba"])
def test_projections_of_a_few_columns_are_stored_decoded(tmp_path, family):
    """Step sizes of Mamba's states have a rank that no group divides and no layout holds."""
    base = write_architecture(tmp_path / "base", family)
    variant = write_variant(base, _rounding(8, None), tmp_path / "variant")
    assert read_record(variant)["stored"] == "dequantized"
    _assert_read_again(base, variant)
    narrow = any(shape[1] % 32 for shape in (matrix["shape"] for matrix in read_record(variant)["matrices"]))
    if narrow:
        with pytest.raises(InputError, match="not divisible by group size 32; choose whole rows"):
            write_variant(base, _rounding(8), tmp_path / "groups")


def test_more_experts_than_a_digit_counts(tmp_path):
    """Names of ten and more experts sort otherwise than their numbers."""
    base = save_tiny(tmp_path / "base", "qwen3_moe", gain=1.6, num_experts=32, **SIZES | EXPERTS)
    variant = write_variant(base, _rounding(8), tmp_path / "variant")
    _assert_read_again(base, variant)
    weights = {name for name in open_checkpoint(variant).names if ".experts." in name}
    assert len(weights) == 2 * 32 * 3
    for name in ("model.layers.0.mlp.experts.2.up_proj.weight", "model.layers.1.mlp.experts.31.down_proj.weight"):
        found, expected = (open_checkpoint(path).weight(name) for path in (variant, base))
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_gptq_of_a_mixture_names_what_it_cannot_do_and_the_way_out(tmp_path):
    """transformers runs all experts in one module, so that no text reaches a linear layer of one."""
    base = save_tiny(tmp_path / "base", "qwen3_moe", num_experts=4, **SIZES | EXPERTS)
    row = Quantization(key="gptq", label="gptq", method="gptq", bits=4, group_size=32, calibration="random")
    rows = np.random.default_rng(0).integers(1, 96, (4, 16)).tolist()
    with pytest.raises(Unavailable, match=r"experts\.0\.\w+_proj\.weight: is no linear layer .*; use rtn") as caught:
        write_variant(base, row, tmp_path / "variant", rows)
    assert "\n" not in str(caught.value) and str(base) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    _assert_read_again(base, write_variant(base, _rounding(8), tmp_path / "rtn"))


def test_other_numbers_than_were_meant_are_not_called_done(tmp_path):
    base = save_tiny(tmp_path / "base", **SIZES)
    written = write_variant(base, _rounding(8), tmp_path / "variant")
    name = "model.layers.0.mlp.up_proj.weight"

    class Meant:
        def __init__(self, values: np.ndarray) -> None:
            self.values = values

        def dequantized(self) -> np.ndarray:
            return self.values

    values = open_checkpoint(written).weight(name)
    read_back(written, {name: Meant(values)})
    with pytest.raises(InputError, match=rf"{name} reads back as other numbers"):
        read_back(written, {name: Meant(values[:, ::-1])})
    with pytest.raises(InputError, match=r"tensor other\.weight was not written"):
        read_back(written, {"other.weight": Meant(values)})


def test_a_model_that_others_quantized_is_a_base(tmp_path):
    """Decoded first: 8 bits of it are close to it, and its tokenizer goes along."""
    plain, file = write_case(tmp_path / "gguf", "llama")
    variant = quantize(str(file), "rtn", tmp_path / "of-gguf", bits=8, group_size=32).path
    assert 0 < np.abs(_all(load_model(variant)) - _reference(plain)).max() < 0.5
    base = save_tiny(tmp_path / "base", gain=1.6, num_key_value_heads=4, **SIZES)
    tensors, config = contents(base)
    stored, restored = store_layers(tensors, to_awq)
    described = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}}
    awq = save_contents(tmp_path / "awq", stored, config | described)
    expected = _reference(save_contents(tmp_path / "restored", restored, config))
    variant = quantize(str(awq), "rtn", tmp_path / "of-awq", bits=8, group_size=32).path
    assert 0 < np.abs(_all(load_model(variant)) - expected).max() < 0.5


@pytest.mark.parametrize("method", ["rtn", "gptq"])
@pytest.mark.parametrize("family", ["gpt_oss", "granitemoe", "llama4_text"])
def test_experts_in_one_tensor_are_refused_by_name(tmp_path, family, method):
    base = write_architecture(tmp_path / "base", family)
    calibration = {"calibration": "random"} if method == "gptq" else {}
    row = Quantization(key=method, label=method, method=method, bits=8, group_size=32, **calibration)
    rows = np.random.default_rng(0).integers(1, 64, (4, 16)).tolist() if calibration else ()
    with pytest.raises(InputError, match=r"tensor \S+ holds all experts at once.*stores them apart") as caught:
        write_variant(base, row, tmp_path / "variant", rows)
    assert "\n" not in str(caught.value) and str(base) in str(caught.value)
    assert not (tmp_path / "variant").exists()


def test_numbers_beyond_float16_stay_finite(tmp_path):
    base = save_tiny(tmp_path / "base", dtype=torch.bfloat16, **SIZES)
    tensors, config = contents(base)
    tensors["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e6
    save_contents(base, tensors, config)
    variant = write_variant(base, _rounding(6), tmp_path / "variant")
    stored = open_checkpoint(variant).weight("model.layers.0.mlp.up_proj.weight")
    assert np.isfinite(stored).all() and stored[0, 0] == pytest.approx(1e6, rel=0.01)
    assert "quantization_config" not in json.loads((variant / "config.json").read_text())


def test_the_eye_of_a_seeing_model_stays_bit_for_bit(tmp_path):
    """Its text is quantized; what it sees with, and what turns that into states of the text, is not."""
    eye = {"hidden_size": 32, "intermediate_size": 32, "patch_size": 14, "image_size": 28}
    parts = {
        "text_config": SIZES | {"num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16},
        "vision_config": eye | {"num_hidden_layers": 1, "num_attention_heads": 2},
        **{"mm_tokens_per_image": 4, "image_token_index": 95},
    }
    torch.manual_seed(0)
    base = tmp_path / "base"
    AutoModelForImageTextToText.from_config(AutoConfig.for_model("gemma3", **parts)).save_pretrained(base)
    variant = write_variant(base, _rounding(8, None), tmp_path / "variant")
    before, after = contents(base)[0], contents(variant)[0]
    seen = [name for name in before if "vision" in name or "projector" in name]
    assert len(seen) > 10 and all(torch.equal(before[name], after[name]) for name in seen)
    changed = {matrix["name"] for matrix in read_record(variant)["matrices"]}
    assert len(changed) == 2 * 7 and not changed & set(seen)
    _assert_read_again(base, variant)
