"""The command from end to end on tiny models, and every mistake a user can make in one line."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from compressed_code.commands import fidelity
from compressed_code.core.errors import InputError
from compressed_code.fidelity.pair import encode_document, token_fidelity
from compressed_code.fidelity.summary import KL_POINTS, fidelity_summary
from compressed_code.models.load import load_model
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from tiny_models import save_tiny

LANGUAGES = load_languages()


def run(*arguments) -> None:
    parser = argparse.ArgumentParser()
    fidelity.add_command(parser.add_subparsers())
    options = parser.parse_args(["fidelity", *map(str, arguments)])
    options.run(options)


def fails(*arguments) -> str:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def base(tmp_path, byte_level_tokenizer) -> Path:
    folder = save_tiny(tmp_path / "base", vocab_size=420, bos_token_id=0)
    byte_level_tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def candidate(base) -> Path:
    """The base model with its matrices rounded."""
    folder = Path(shutil.copytree(base, base.parent / "candidate"))
    tensors = load_file(folder / "model.safetensors")
    rounded = {name: (tensor * 30).round() / 30 for name, tensor in tensors.items()}
    save_file(rounded, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def programs(tmp_path) -> list[Path]:
    files = []
    for key in ("python", "rust"):
        for name, text in list(load_programs(LANGUAGES[key]).items())[:4]:
            files.append(tmp_path / f"{name}{LANGUAGES[key].extension}")
            files[-1].write_text(text, encoding="utf-8")
    return files


def test_json_holds_every_statistic_by_name(base, candidate, programs, capsys):
    run(base, candidate, "--text", *programs, "--format", "json")
    result = json.loads(capsys.readouterr().out)
    vocabulary = open_tokenizer(TokenizerSpec(key="t", label="t", path=str(base)))
    languages = [LANGUAGES["python"]] * 4 + [LANGUAGES["rust"]] * 4
    documents = [
        encode_document(vocabulary, language, file.read_text(), str(file))
        for language, file in zip(languages, programs, strict=True)
    ]
    tokens = token_fidelity(*(load_model(path, dtype="float64") for path in (base, candidate)), documents, [0])
    assert (result["tokens"], result["documents"]) == (len(tokens), 8)
    assert result["context"]["input_ids"] == [0]
    expected = fidelity_summary(tokens).set_index("statistic")
    assert set(expected.index) <= set(result["overall"])
    for name, row in expected.drop("keyword_rank_correlation_mean").iterrows():
        assert result["overall"][name] == pytest.approx(row["value"], rel=1e-5, abs=1e-9), name
    assert {f"kl_{point}_nats" for point in KL_POINTS} < set(result["overall"])
    overall = result["overall"]
    assert overall["kl_mean_nats_low"] < overall["kl_mean_nats"] < overall["kl_mean_nats_high"]
    assert overall["kl_mean_nats_standard_error"] > 0
    assert 0 < overall["keyword_rank_correlation_mean"] < 1
    assert set(result["by_language"]) == {"python", "rust"}
    assert {"keyword", "identifier", "operator"} < set(result["by_token_class"])
    for part in ("by_token_class", "by_language"):
        groups = result[part].values()
        assert sum(group["tokens"] for group in groups) == len(tokens)
        mean = sum(group["tokens"] * group["kl_mean_nats"] for group in groups) / len(tokens)
        assert mean == pytest.approx(overall["kl_mean_nats"], rel=1e-6)


def test_a_model_and_itself(base, programs, capsys):
    run(base, base, "--text", *programs, "--format", "json")
    overall = json.loads(capsys.readouterr().out)["overall"]
    assert overall["kl_max_nats"] == overall["delta_p_rms"] == overall["perplexity_difference"] == 0
    assert overall["same_top_fraction"] == overall["keyword_rank_correlation_mean"] == 1


def test_table_and_language_by_hand(base, candidate, tmp_path, capsys):
    file = tmp_path / "notes.txt"
    file.write_text("while True:\n    return None\n" * 3)
    run(base, candidate, "--text", file, "--language", "python")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("kl_p99_9_nats") for line in lines)
    assert any(line.startswith("keyword ") for line in lines)
    assert max(map(len, lines)) <= 80
    assert lines[-1].endswith("of 1 texts; no interval: fewer than 7")


def other_tokenizer(candidate: Path) -> None:
    tokenizer = json.loads((candidate / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    one, other = list(vocabulary)[10:12]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (candidate / "tokenizer.json").write_text(json.dumps(tokenizer))


def test_different_tokenizers_are_refused_by_id_and_done_by_bytes(base, candidate, programs, capsys):
    other_tokenizer(candidate)
    assert "the tokenizers differ (id" in fails(base, candidate, "--text", *programs)
    run(base, candidate, "--text", *programs, "--bytes", "--format", "json")
    result = json.loads(capsys.readouterr().out)
    assert result["bytes"] == sum(file.stat().st_size for file in programs)
    found = result["overall"]
    # a model that knows nothing needs log2(420) bits per token
    assert 0 < found["bits_per_byte_base"] < np.log2(420) + 1
    difference = found["bits_per_byte_candidate"] - found["bits_per_byte_base"]
    assert found["bits_per_byte_difference"] == pytest.approx(difference)
    run(base, candidate, "--text", *programs, "--bytes")
    assert "bits_per_byte_candidate" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [{"merges": [["a", "nobody"]]}, {"type": "Nobody"}, {"merges": "a b"}, {"unk_token": 3}, {"vocab": {"a": "1"}}],
)
def test_a_tokenizer_that_its_library_refuses_is_one_line(candidate, programs, change):
    path = candidate / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"] |= change
    path.write_text(json.dumps(content))
    said = fails(candidate, candidate, "--text", *programs)
    assert str(path) in said and "\n" not in said


def test_nothing_before_a_text(base, candidate, programs, capsys):
    """Each text's first token is read and not predicted; where bytes are compared that cannot be."""
    run(base, candidate, "--text", *programs, "--format", "json")
    usual = json.loads(capsys.readouterr().out)
    run(base, candidate, "--text", *programs, "--context", "none", "--format", "json")
    result = json.loads(capsys.readouterr().out)
    assert result["context"] == {"name": "none", "input_ids": [], "origin": "nothing, as was asked for"}
    assert result["tokens"] == usual["tokens"] - len(programs)
    run(base, base, "--text", *programs, "--context", "none")
    said = capsys.readouterr().out
    assert "each text follows no id (nothing, as was asked for)" in said
    assert "--bytes counts it" in fails(base, candidate, "--text", *programs, "--context", "none", "--bytes")


def test_bad_input_is_one_line(base, candidate, tmp_path, programs):
    def text(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    assert "empty.py: the text is empty" in fails(base, candidate, "--text", text("empty.py", b" \n"))
    assert "too short (" in fails(base, candidate, "--text", text("short.py", b"x = 1"))
    assert "notes.txt: its language is unknown" in fails(base, candidate, "--text", text("notes.txt", b"x = 1\n"))
    assert "latin.py: no UTF-8 text" in fails(base, candidate, "--text", text("latin.py", b"x = '\xe9'\n"))
    assert "'cobol' is not in" in fails(base, candidate, "--text", programs[0], "--language", "cobol")
    assert "nowhere" in fails(base, "./nowhere", "--text", programs[0])
    (candidate / "model.safetensors").write_bytes(b"broken")
    assert str(candidate) in fails(base, candidate, "--text", programs[0])
    missing = fails(base, candidate, "--text", tmp_path / "missing.py")
    assert f"{tmp_path}/missing.py: cannot be read" in missing and "check the name" in missing
