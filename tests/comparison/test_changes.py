"""What was changed is read from the files: settings, tokenizer, template, and nothing where nothing was."""

import json
import shutil
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType as Kind

from compressed_code.comparison.changes import changes, chat_template, model_facts, same_vocabulary
from compressed_code.comparison.findings import findings
from compressed_code.comparison.health import weight_health
from compressed_code.measurements.subjects.pairs import Pair
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.quantizations import Quantization
from storage_formats import write_gguf
from tiny_models import contents, set_config


def found(base: Path, candidate: Path) -> dict[tuple[str, str], str]:
    """(part, field) → effect."""
    return {(row.part, row.field): row.effect for row in changes(base, candidate).itertuples()}


@pytest.fixture
def candidate(base, tmp_path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "candidate"))


def test_nothing_differs_in_a_copy_nor_in_a_file_of_another_form(base, candidate, tmp_path):
    assert found(base, candidate) == {}
    gguf = write_variant(base, Quantization(key="t", label="T", method="gguf", type="Q8_0"), tmp_path / "gguf")
    # A GGUF file names control tokens in its own way; what is computed is the same.
    assert {part for part, _ in found(base, gguf)} <= {"tokenizer"}
    assert same_vocabulary(base, gguf)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}, "rope_parameters"),
        ({"rms_norm_eps": 1e-3}, "rms_norm_eps"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"num_hidden_layers": 3}, "num_hidden_layers"),
    ],
)
def test_settings_that_change_every_number_are_named(base, candidate, fields, name):
    set_config(candidate, **fields)
    assert found(base, candidate)["settings", name] == "changes every number"
    told = findings(weight_health.compute(Pair(base, candidate)), changes(base, candidate))
    assert told.health == "suspect" and any(name in sentence for sentence in told.sentences)


def test_a_longer_context_alone_is_no_reason_for_suspicion(base, candidate):
    set_config(candidate, max_position_embeddings=4096)
    assert found(base, candidate)["settings", "max_position_embeddings"] == "felt by longer texts only"
    assert findings(weight_health.compute(Pair(base, candidate)), changes(base, candidate)).health == "sound"


def rewrite(folder: Path, change) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def test_tokens_that_mean_something_else(base, candidate):
    def change(tokenizer):
        vocabulary = tokenizer["model"]["vocab"]
        one, other = list(vocabulary)[300:302]
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]

    rewrite(candidate, change)
    assert any(field.startswith("token ") for part, field in found(base, candidate) if part == "tokenizer")
    assert not same_vocabulary(base, candidate)


def test_the_same_tokens_cut_otherwise(base, candidate):
    """Another rule before the merges: blanks go with the word behind them or stand alone."""

    def change(tokenizer):
        rule = {"type": "Split", "pattern": {"Regex": r"\s|\S+"}, "behavior": "Isolated", "invert": False}
        alphabet = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [rule, alphabet]}

    rewrite(candidate, change)
    assert found(base, candidate) == {("tokenizer", "cuts of a text"): "the models read the same text as other tokens"}


def test_another_chat_template_and_another_end(base, candidate):
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ messages }}"}
    (candidate / "tokenizer_config.json").write_text(json.dumps(settings))
    assert set(found(base, candidate)) == {("template", "chat template"), ("tokenizer", "eos")}
    (candidate / "chat_template.jinja").write_text("{{ other }}")
    assert chat_template(candidate) == "{{ other }}" and chat_template(base) == ""


def test_facts_of_a_file(base, tmp_path):
    tensors, config = contents(base)
    write_gguf(tmp_path / "model.gguf", tensors, config, Kind.Q4_0)
    facts = model_facts(tmp_path / "model.gguf")
    count = sum(tensor.numel() for tensor in tensors.values())
    matrices = sum(tensor.numel() for tensor in tensors.values() if tensor.ndim == 2)
    assert (facts["family"], facts["parameters"]) == ("llama", count)
    assert facts["forms"] == pytest.approx({"Q4_0": matrices / count, "F32": 1 - matrices / count})
    assert facts["effective_bits"] == pytest.approx((4.5 * matrices + 32 * (count - matrices)) / count)
