"""GPTQ over a whole model: against a plain walk that runs the model anew for every layer, and what does not suit it."""

import numpy as np
import pytest
import torch

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.models.double_precision import in_float64
from compressed_code.models.load import load_model
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.methods.gptq import error_feedback, gptq
from compressed_code.quantization.methods.gptq_layers import solve_with_gptq
from compressed_code.quantization.record import read_record
from compressed_code.registry.quantizations import Quantization, load_quantizations
from tiny_models import save_tiny

FAMILIES = ["llama", "qwen2", "gemma2", "olmo2", "gpt_neox"]


def row(bits: int, group_size: int | None = None, **fields) -> Quantization:
    described = {"key": "test", "label": "Test", "method": "gptq", "bits": bits, "group_size": group_size}
    return Quantization(**{**described, "calibration": "random", **fields})


SIZES = {
    **{"vocab_size": 60, "intermediate_size": 88, "num_attention_heads": 2, "head_dim": 16},
    **{"max_position_embeddings": 32, "pad_token_id": 0},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {family: save_tiny(tmp_path_factory.mktemp(family), family, **SIZES) for family in FAMILIES}


@pytest.fixture(scope="module")
def calibration():
    return np.random.default_rng(0).integers(1, 60, (12, 24)).tolist()


def walk(folder, names, quantization: Quantization, rows) -> dict:
    """Layers in the order of their first call; for each the model so far runs anew, row by row, and inputs add up."""
    found = {}
    with in_float64(), torch.inference_mode():
        model = load_model(folder).double()
        calls: list[str] = []
        hooks = [
            model.get_submodule(name).register_forward_pre_hook(lambda _, __, name=name: calls.append(name))
            for name in names
        ]
        model(torch.tensor(rows[:1]))
        for hook in hooks:
            hook.remove()
        for name in calls:
            layer, seen = model.get_submodule(name), []
            hook = layer.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0][0]))
            for ids in rows:
                model(torch.tensor([ids]))
            hook.remove()
            inputs = torch.cat(seen).numpy()
            matrix = gptq(
                layer.weight.numpy(),
                error_feedback(2 / len(inputs) * sum(np.outer(x, x) for x in inputs)),
                quantization.bits,
                quantization.group_size,
            )
            found[f"{name}.weight"] = matrix
            layer.weight.data = torch.from_numpy(matrix.dequantized()).double()
    return found


def assert_equal(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, matrix in expected.items():
        for part in ("codes", "scales", "zeros"):
            assert np.array_equal(getattr(found[name], part), getattr(matrix, part)), (name, part)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_pass_gives_the_codes_of_a_walk_over_layers(models, calibration, family):
    base = BaseCheckpoint(models[family])
    names = [name.removesuffix(".weight") for name in base.linear]
    found = solve_with_gptq(base, row(3, 8), calibration)
    assert_equal(found, walk(models[family], names, row(3, 8), calibration))


def test_rows_of_several_lengths_count_their_own_tokens_only(models, calibration):
    rows = [ids[: 5 + number] for number, ids in enumerate(calibration)]
    base = BaseCheckpoint(models["llama"])
    names = [name.removesuffix(".weight") for name in base.linear]
    assert_equal(solve_with_gptq(base, row(4), rows), walk(models["llama"], names, row(4), rows))


@pytest.mark.parametrize(("bits", "group_size"), [(5, 8), (6, None), (3, None), (2, 8)])
def test_any_width_and_group_size_that_divides_is_written(tmp_path, models, calibration, bits, group_size):
    folder = write_variant(models["llama"], row(bits, group_size), tmp_path / "variant", calibration)
    found = solve_with_gptq(BaseCheckpoint(models["llama"]), row(bits, group_size), calibration)
    written = load_model(folder)
    for name, matrix in found.items():
        assert np.array_equal(written.get_parameter(name).detach().numpy(), matrix.dequantized()), name
    assert "float64" in read_record(folder)["kernel"]


def test_what_does_not_suit_a_model_is_a_gap_that_says_what_would(models, calibration):
    with pytest.raises(Unavailable, match=r"down_proj.weight: 88 columns .* group size 32; choose 8 or whole rows"):
        BaseCheckpoint(models["llama"]).chosen(row(3, 32))
    with pytest.raises(Unavailable, match=r"row 0: 40 tokens are longer than the model's 32"):
        solve_with_gptq(BaseCheckpoint(models["llama"]), row(3), [[1] * 40])
    with pytest.raises(InputError, match=r"row 1: an id lies outside of the vocabulary of 60") as caught:
        solve_with_gptq(BaseCheckpoint(models["llama"]), row(3), [[1], [60]])
    assert not isinstance(caught.value, Unavailable)


def test_draws_of_a_calibrated_row_are_found_by_rule():
    rows = load_quantizations()
    assert rows["gptq-3-g32-seed0"] is rows["gptq-3-g32"]
    for method in ("gptq", "gptqmodel", "auto-gptq"):
        first, other = rows[f"{method}-3-g32"], rows[f"{method}-3-g32-seed12"]
        assert (other.key, other.seed) == (f"{method}-3-g32-seed12", 12)
        assert other.label == f"{first.label} (draw 12)"
        names = {"key", "label", "seed"}
        assert other.model_dump(exclude=names) == first.model_dump(exclude=names)
    for name in ("rtn-3-g32-seed1", "gptq-3-g32-seed01", "gptq-3-g32-seed-1", "gptq-3-g32-seed1-seed2", "x-seed1"):
        assert name not in rows
    assert not any("seed" in name for name in rows)


def test_a_draw_is_a_model_name():
    from compressed_code.registry.lookup import find_model, load_registry

    spec = find_model("zoo-l+gptqmodel-3-g32-seed3", load_registry())
    assert (spec.base_model, spec.quantization.seed, spec.quantization.method) == ("zoo-l", 3, "gptqmodel")
    assert spec.quantization.calibration == "corpus"
    with pytest.raises(InputError, match="is not a row of quantizations"):
        find_model("zoo-l+rtn-3-g32-seed3", load_registry())


def test_a_row_that_does_not_suit_a_model_is_left_out_by_measurements():
    from compressed_code.quantization.variants import quantized_variant

    with pytest.raises(Unavailable, match="not divisible by group size 32"):
        quantized_variant(ROOT / "data" / "zoo" / "zoo-xs", load_quantizations()["rtn-3-g32"])
