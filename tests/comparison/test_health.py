"""Sound files of every form stay silent; of files that were broken in a known way, weight and cause are named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from compressed_code.comparison.changes import changes
from compressed_code.comparison.findings import findings
from compressed_code.comparison.health import weight_health
from compressed_code.comparison.stored_forms import FLOAT4, StoredForms, codebook, float8, grid, normal_float, plain
from compressed_code.comparison.tensor_errors import expected_error
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import DATA
from compressed_code.measurements.subjects.pairs import Pair
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.registry.quantizations import Quantization, load_quantizations
from compressed_code.tokenizers.files import open_tokenizer
from storage_formats import store_layers, to_awq, to_float8, to_gptq, to_int8, to_packed, write_gguf
from tiny_models import contents, save_contents, set_config

LAYERS = "model.layers.{}.{}.weight"
QUERY, VALUE, OUTPUT = (LAYERS.format(1, f"self_attn.{part}_proj") for part in "qvo")
UP, DOWN, NORM = LAYERS.format(2, "mlp.up_proj"), LAYERS.format(1, "mlp.down_proj"), LAYERS.format(2, "input_layernorm")
HEAD_SIZE = 16


def health(base: Path, candidate: Path):
    """The table of weights of a pair."""
    return weight_health.compute(Pair(base, candidate))


def told(base: Path, candidate: Path) -> dict[str, str]:
    """Weight → cause, of those that are not in line."""
    table = health(base, candidate)
    return {row.tensor: row.cause for row in table[table["state"] != "in line"].itertuples()}


def copied(base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(base, folder))


def rewritten(base: Path, folder: Path, change) -> Path:
    """A copy of a model whose tensors were changed by a function of them."""
    tensors, _ = contents(base)
    change(tensors)
    return save_contents(copied(base, folder), tensors)


def quantized(base: Path, folder: Path, bits: int = 4, group: int = 32, change=None) -> Path:
    """A copy in GPTQ's format; `change` is given the stored tensors."""
    tensors, config = contents(base)
    stored, _ = store_layers(tensors, lambda weight: to_gptq(weight, bits, group))
    if change:
        change(stored)
    settings = {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": False}
    return save_contents(copied(base, folder), stored, config | {"quantization_config": settings})


# --- sound


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_sound_gptq_files_are_in_line(tmp_path, base, bits):
    assert told(base, quantized(base, tmp_path / "candidate", bits)) == {}


@pytest.mark.parametrize(
    ("fields", "calibrated"),
    [
        ({"method": "rtn", "bits": 8}, False),
        ({"method": "rtn", "bits": 5, "group_size": 16}, False),
        ({"method": "rtn", "bits": 3, "symmetric": True}, False),
        ({"method": "rtn", "bits": 2, "group_size": 32, "embeddings": True}, False),
        ({"method": "gptq", "bits": 4, "group_size": 32, "calibration": "random"}, True),
        ({"method": "gptq", "bits": 2, "group_size": 32, "calibration": "random"}, True),
        ({"method": "gguf", "type": "Q4_0"}, False),
        ({"method": "gguf", "type": "Q2_K"}, False),  # whose rows do not divide: other types take its place
    ],
)
def test_sound_variants_of_our_own_are_in_line(tmp_path, base, fields, calibrated):
    rows = np.random.default_rng(0).integers(1, 420, (32, 64)).tolist() if calibrated else None
    candidate = write_variant(base, Quantization(key="t", label="T", **fields), tmp_path / "candidate", rows)
    assert told(base, candidate) == {}


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("tokens", [5, 40])
def test_a_file_calibrated_on_a_handful_of_tokens_is_sound(tmp_path, base, bits, tokens):
    """Its weights are further off than rounding puts them, since the few outputs that were seen are spared."""
    rows = [np.random.default_rng(1).integers(1, 420, tokens).tolist()]
    row = Quantization(key="t", label="T", method="gptq", bits=bits, group_size=32, calibration="random")
    assert told(base, write_variant(base, row, tmp_path / "candidate", rows)) == {}


def with_a_row_moved(tensor, error: float = 1.1):
    """Something that is no part of it is added to a row, larger than the row itself."""
    row = tensor[5].float()
    across = torch.randn(len(row), generator=torch.Generator().manual_seed(5))
    across -= (across @ row) / (row @ row) * row
    tensor[5] = (row + error * row.norm() / across.norm() * across).to(tensor.dtype)
    return tensor


def test_a_row_that_calibration_moved_far_is_whole_and_in_a_rounded_file_it_is_not(tmp_path, base):
    moved = rewritten(base, tmp_path / "moved", replaced(UP, with_a_row_moved))
    assert told(base, quantized(moved, tmp_path / "gptq")) == {}
    assert told(base, moved) == {UP: "rows damaged"}
    other = rewritten(base, tmp_path / "other", replaced(UP, with_noise_in_a_row))
    assert told(base, quantized(other, tmp_path / "other-gptq")) == {UP: "rows damaged"}


@pytest.mark.long
@pytest.mark.parametrize("model", ["zoo-s", "zoo-m"])
def test_every_way_to_quantize_a_zoo_model_is_sound(tmp_path, model):
    """All of the repository's rows, as far as what makes them is installed; calibrated on one short text."""
    path, found = DATA / "zoo" / model, {}
    text = open_tokenizer(path).encode(next(iter(load_programs(load_languages()["python"]).values())))[:60]
    for key, row in load_quantizations().items():
        try:
            variant = write_variant(path, row, tmp_path / key, [text] if row.calibration else None)
        except (InputError, Unavailable):  # a group that does not divide its rows; a library that is not here
            continue
        found[key] = told(path, variant)
    assert len(found) > 15 and {row.method for row in map(load_quantizations().get, found)} >= {"rtn", "gptq", "gguf"}
    assert {key: causes for key, causes in found.items() if causes} == {}


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q5_1, Kind.Q5_0, Kind.Q4_1, Kind.Q4_0, Kind.F16, Kind.BF16])
def test_sound_gguf_files_are_in_line(tmp_path, base, kind):
    tensors, config = contents(base)
    write_gguf(tmp_path / "model.gguf", tensors, config, kind)
    table = health(base, tmp_path / "model.gguf")
    assert set(table["state"]) == {"in line"}
    assert set(table.loc[table["rows"] > 1, "candidate_form"]) == {kind.name}


FORMS = {
    "awq": (to_awq, {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}),
    "fp8": (to_float8, {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16]}),
    "int8": (
        to_int8,
        {
            "quant_method": "compressed-tensors",
            "format": "int-quantized",
            "config_groups": {
                "group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel", "symmetric": True}}
            },
        },
    ),
    "packed": (
        to_packed,
        {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {
                "group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32, "symmetric": False}}
            },
        },
    ),
}


@pytest.mark.parametrize("form", ["awq", "fp8", "int8"])
def test_sound_files_of_other_writers_are_in_line(tmp_path, base, form):
    store, settings = FORMS[form]
    tensors, config = contents(base)
    stored, _ = store_layers(tensors, store)
    candidate = save_contents(copied(base, tmp_path / "candidate"), stored, config | {"quantization_config": settings})
    assert told(base, candidate) == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_numbers_in_another_precision_are_in_line(tmp_path, base, dtype):
    def cast(tensors):
        tensors.update({name: tensor.to(dtype) for name, tensor in tensors.items()})

    assert told(base, rewritten(base, tmp_path / "candidate", cast)) == {}


def rescaled(tensors, *, undone: bool = True) -> None:
    """As AWQ does: factors moved from a norm, and from the rows of a matrix, into the columns that read them."""
    generator = torch.Generator().manual_seed(0)

    def move(before: str, *behind: str) -> None:
        factor = torch.exp(0.5 * torch.randn(len(tensors[before]), generator=generator)).half()
        if undone:
            tensors[before] = tensors[before] / (factor if tensors[before].ndim == 1 else factor[:, None])
        for name in behind:
            tensors[name] = tensors[name] * factor

    for layer in range(4):
        for norm, readers in {"input_layernorm": "qkv", "post_attention_layernorm": ("gate", "up")}.items():
            part = "self_attn" if norm == "input_layernorm" else "mlp"
            move(LAYERS.format(layer, norm), *(LAYERS.format(layer, f"{part}.{reader}_proj") for reader in readers))
        for first, second in (("self_attn.v_proj", "self_attn.o_proj"), ("mlp.up_proj", "mlp.down_proj")):
            move(LAYERS.format(layer, first), LAYERS.format(layer, second))


@pytest.mark.parametrize("bits", [None, 8, 4, 3])
def test_weights_that_are_rescaled_together_are_in_line(tmp_path, base, bits):
    candidate = rewritten(base, tmp_path / "plain", rescaled)
    assert told(base, quantized(candidate, tmp_path / "candidate", bits) if bits else candidate) == {}


def test_factors_that_nothing_undoes_are_told(tmp_path, base):
    candidate = rewritten(base, tmp_path / "candidate", lambda tensors: rescaled(tensors, undone=False))
    assert set(told(base, candidate).values()) == {"column scales"}


def test_two_levels_of_one_original_are_in_line(tmp_path, base):
    """A base that is quantized itself lost something to the original from which the candidate was made."""
    paths = [
        write_variant(base, Quantization(key="t", label="T", method="gguf", type=kind), tmp_path / kind)
        for kind in ("Q8_0", "Q4_1", "Q4_0")
    ]
    assert told(paths[0], paths[1]) == told(paths[1], paths[2]) == told(paths[1], paths[0]) == {}


# --- broken, in plain numbers


def swap(one: str, other: str):
    def change(tensors):
        tensors[one], tensors[other] = tensors[other], tensors[one]

    return change


def replaced(name: str, function):
    def change(tensors):
        tensors[name] = function(tensors[name].clone())

    return change


def with_zero_rows(tensor):
    tensor[8:24] = 0
    return tensor


def with_noise_in_a_row(tensor):
    tensor[5] = torch.randn(tensor.shape[1], generator=torch.Generator().manual_seed(5)).to(tensor.dtype)
    return tensor


def with_nan(tensor):
    tensor[3, 3] = torch.nan
    return tensor


def interleaved(tensor):
    """As converters to GGUF lay the rows of q and k."""
    return tensor.reshape(-1, 2, HEAD_SIZE // 2, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)


def heads_turned(tensor):
    return tensor.reshape(4, HEAD_SIZE, -1)[[0, 2, 1, 3]].reshape(tensor.shape)


def random_like(tensor):
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(9)).mul(0.125).to(tensor.dtype)


BROKEN = {
    "zeroed": (replaced(UP, torch.zeros_like), {UP: "zeroed"}),
    "rows zeroed": (replaced(DOWN, with_zero_rows), {DOWN: "rows zeroed"}),
    "rows damaged": (replaced(UP, with_noise_in_a_row), {UP: "rows damaged"}),
    "not finite": (replaced(UP, with_nan), {UP: "not finite"}),
    "exchanged": (swap(UP, UP.replace("layers.2", "layers.3")), {UP: "exchanged", UP.replace("2", "3"): "exchanged"}),
    "norms": (swap(NORM, NORM.replace("2", "0")), {NORM: "exchanged", NORM.replace("2", "0"): "exchanged"}),
    "kinds": (swap(VALUE, OUTPUT), {VALUE: "exchanged", OUTPUT: "exchanged"}),
    "copied": (lambda tensors: tensors.update({UP: tensors[UP.replace("up", "gate")].clone()}), {UP: "exchanged"}),
    "rotary order": (replaced(QUERY, interleaved), {QUERY: "rotary order"}),
    "heads": (replaced(VALUE, heads_turned), {VALUE: "heads exchanged"}),
    "rows": (replaced(UP, lambda tensor: tensor.roll(7, 0)), {UP: "rows out of order"}),
    "columns": (replaced(DOWN, lambda tensor: tensor.flip(1)), {DOWN: "columns out of order"}),
    "transposed": (replaced(OUTPUT, lambda tensor: tensor.T), {OUTPUT: "transposed"}),
    "scale": (replaced(UP, lambda tensor: tensor * 1.5), {UP: "scale"}),
    "sign": (replaced(DOWN, torch.neg), {DOWN: "sign"}),
    "row scales": (
        replaced(UP, lambda tensor: tensor * torch.linspace(0.5, 2, len(tensor))[:, None].half()),
        {UP: "row scales"},
    ),
    "column scales": (
        replaced(UP, lambda tensor: tensor * torch.linspace(0.5, 2, tensor.shape[1]).half()),
        {UP: "column scales"},
    ),
    "unrelated": (replaced(UP, random_like), {UP: "unrelated"}),
    "embedding": (
        replaced("model.embed_tokens.weight", lambda tensor: tensor.roll(1, 0)),
        {"model.embed_tokens.weight": "rows out of order"},
    ),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_weight_that_was_broken_is_named_with_its_cause(tmp_path, base, way):
    change, expected = BROKEN[way]
    candidate = rewritten(base, tmp_path / "candidate", change)
    assert told(base, candidate) == expected
    found = findings(health(base, candidate), changes(base, candidate))
    assert found.health == "broken"
    assert all(any(cause in sentence for sentence in found.sentences) for cause in expected.values())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("way", ["exchanged", "rotary order", "heads", "rows", "scale", "sign", "unrelated"])
def test_it_is_named_below_the_noise_of_quantization_too(tmp_path, base, way, bits):
    change, expected = BROKEN[way]
    broken = rewritten(base, tmp_path / "broken", change if way != "scale" else replaced(UP, lambda tensor: tensor * 4))
    assert told(base, quantized(broken, tmp_path / "candidate", bits)) == expected


# --- broken in the stored form


def test_zero_points_of_the_other_version_of_gptq(tmp_path, base):
    """Version 1 keeps them less one; read as version 2, every group is shifted by a step."""
    candidate = set_config(
        quantized(base, tmp_path / "candidate"),
        quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"},
    )
    found = told(base, candidate)
    assert set(found.values()) == {"zero points"} and len(found) == 4 * 7


def test_scales_of_zero(tmp_path, base):
    def change(stored):
        stored[DOWN.replace("weight", "scales")] *= 0

    assert told(base, quantized(base, tmp_path / "candidate", change=change)) == {DOWN: "zeroed"}


def test_scales_that_belong_to_other_groups(tmp_path, base):
    def change(stored):
        name = DOWN.replace("weight", "scales")
        factors = 0.3 + 2 * torch.rand(stored[name].shape, generator=torch.Generator().manual_seed(0))
        stored[name] = stored[name] * factors.half()

    assert told(base, quantized(base, tmp_path / "candidate", change=change)) == {DOWN: "group scales"}


def test_codes_in_another_order_of_their_bits(tmp_path, base):
    """The upper and the lower half of a byte exchanged: neighbouring inputs change places."""

    def change(stored):
        name = UP.replace("weight", "qweight")
        words = stored[name].numpy().view(np.uint8)
        stored[name] = torch.from_numpy((words >> 4 | words << 4).view(np.int32))

    assert told(base, quantized(base, tmp_path / "candidate", change=change)) == {UP: "columns out of order"}


# --- other models


def test_another_models_weights_are_told_once(tmp_path, base, make_base):
    found = findings(health(base, make_base(tmp_path / "other", seed=1)), changes(base, base))
    assert found.health == "broken"
    assert len(found.sentences) <= 2 and "another model's" in found.sentences[0]


def test_training_is_no_damage_but_a_broken_weight_among_it_is_found(tmp_path, base):
    def train(tensors):
        generator = torch.Generator().manual_seed(0)
        for name, tensor in tensors.items():
            tensors[name] = (
                tensor + 0.03 * tensor.float().std() * torch.randn(tensor.shape, generator=generator)
            ).half()

    trained = rewritten(base, tmp_path / "trained", train)
    found = findings(health(base, trained), changes(base, trained))
    assert found.health == "changed" and len(found.sentences) == 1
    broken = rewritten(trained, tmp_path / "broken", BROKEN["exchanged"][0])
    table = health(base, broken)
    assert set(table.loc[table["state"] == "out of line", "tensor"]) == set(BROKEN["exchanged"][1])
    assert findings(table, changes(base, broken)).health == "broken"


def test_a_norm_that_training_moved_as_a_whole_is_no_damage(tmp_path, base):
    def train(tensors, scale):
        generator = torch.Generator().manual_seed(0)
        for name, tensor in tensors.items():
            noise = torch.randn(tensor.shape, generator=generator)
            tensors[name] = (tensor + 0.3 * tensor.float().std(correction=0) * noise).half()
        tensors[NORM] = (scale * contents(base)[0][NORM].float()).half()

    trained = rewritten(base, tmp_path / "trained", lambda tensors: train(tensors, 0.9))
    found = findings(health(base, trained), changes(base, trained))
    assert found.health == "changed" and len(found.sentences) == 1
    halved = rewritten(base, tmp_path / "halved", lambda tensors: train(tensors, 0.5))
    found = findings(health(base, halved), changes(base, halved))
    assert found.health == "broken" and found.sentences[0].startswith(f"scale: {NORM}")


def test_another_size_is_not_compared_weight_by_weight(tmp_path, base, make_base):
    small = make_base(tmp_path / "small", hidden_size=32, intermediate_size=48)
    assert findings(health(base, small), changes(base, small)).health == "not compared"


def test_a_missing_weight_is_told(tmp_path, base):
    candidate = rewritten(base, tmp_path / "candidate", lambda tensors: tensors.pop(UP))
    found = findings(health(base, candidate), changes(base, base))
    assert found.health == "broken" and f"{UP} is missing" in found.sentences[0]


def test_a_head_that_is_the_embedding_in_one_file_only(tmp_path, make_base):
    tied = make_base(tmp_path / "tied", tie_word_embeddings=True)
    untied = rewritten(
        tied, tmp_path / "untied", lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()})
    )
    assert told(tied, untied) == told(untied, tied) == {}
    other = rewritten(tied, tmp_path / "other", lambda t: t.update({"lm_head.weight": -t["model.embed_tokens.weight"]}))
    assert told(tied, other) == {"lm_head.weight": "sign"}


# --- what a form costs


@pytest.mark.parametrize(("bits", "group"), [(8, 32), (4, 32), (4, None), (2, 16)])
def test_the_cost_of_a_grid_is_that_of_rounding_to_it(bits, group):
    values = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    rounded = round_to_nearest(values, bits, group).dequantized()
    expected = np.linalg.norm(rounded - values) / np.linalg.norm(values)
    assert expected_error(values, plain("F32"), grid("", bits, group)) == pytest.approx(expected, rel=1e-6)


def test_the_cost_of_the_base_s_own_form_is_seen_on_its_grid():
    """Numbers that were rounded already would be rounded to themselves; a fresh original of their kind tells."""
    values = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    form = grid("", 4, 32)
    fresh = expected_error(values, plain("F32"), form)
    assert expected_error(form.rounding(values), form, plain("F32")) == pytest.approx(fresh, rel=0.15)


def test_floats_of_eight_and_four_bits_cost_what_their_definition_says():
    values = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    # Of a float with m bits behind the point, an error evenly spread in ± 2^-(m+1) of the leading power of two.
    assert expected_error(values, plain("F32"), float8("")) == pytest.approx(2**-4 / 3**0.5 / 1.4, rel=0.15)
    # arXiv 2305.14314 and its appendix: nf4 is the better of the two on normal numbers.
    nf4, fp4 = (expected_error(values, plain("F32"), codebook("", table, 64)) for table in (normal_float(), FLOAT4))
    assert 0.08 < nf4 < 0.1 < fp4 < 0.15
    assert len(normal_float()) == 16 and normal_float()[0] == -1 and normal_float()[-1] == 1 and 0 in normal_float()


def test_the_form_of_a_variant_that_is_stored_decoded_is_the_record_s(tmp_path, base):
    row = Quantization(key="t", label="T", method="rtn", bits=5, group_size=16)
    forms = StoredForms(write_variant(base, row, tmp_path / "candidate"))
    assert forms.of(UP).name == "rtn, 5 bits, groups of 16" and forms.of("model.embed_tokens.weight").is_plain
    record = json.loads((tmp_path / "candidate" / "compression.json").read_text())
    assert record["stored"] == "dequantized"
