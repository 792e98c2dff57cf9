"""`cold-start` as a user calls it: formats, contexts, bad input in one line."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from compressed_code.__main__ import main
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.command_line import BAD_INPUT
from compressed_code.quantization.gguf import write_gguf
from compressed_code.zoo.recipes import ZOO_DIRECTORY

MODEL = ZOO_DIRECTORY / "zoo-xs"


def run(capsys, *arguments) -> str:
    assert main(["cold-start", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_table_names_the_most_probable_tokens_and_the_input(capsys):
    out = run(capsys, "zoo-xs", "--top", 3).splitlines()
    assert out[0].split() == ["model", "context", "rank", "token_id", "token", "token_class", "probability"]
    assert len(out) == 9 and max(map(len, out[:8])) <= 80
    shares = dict(zip(out[5].split(), out[6].split(), strict=True))
    (entry,) = json.loads(run(capsys, "zoo-xs", "--top", 3, "--format", "json"))
    for name in ("pkp", "stp", "kap", "nlp"):
        assert float(shares[name]) == pytest.approx(entry["metrics"][name], rel=1e-4)
    assert "input ids 0 (the BOS token, which the tokenizer adds); layerwise;" in out[-1]


def test_json_holds_metrics_and_input_ids(capsys):
    (entry,) = json.loads(run(capsys, MODEL, "--format", "json", "--top", 2))
    probabilities = np.exp(cold_start(MODEL, [0]).log_probabilities.astype(float))
    assert entry["input_ids"] == [0] and entry["engine"] == "layerwise"
    assert len(entry["top"]) == 2
    assert entry["top"][0]["probability"] == pytest.approx(probabilities.max())
    assert sum(entry["class_mass"].values()) == pytest.approx(1, abs=1e-6)
    assert 0 < entry["metrics"]["pkp"] < 1 and entry["metrics"]["padding"] == 0


def test_parquet_holds_the_whole_distribution(capsys, tmp_path):
    path = tmp_path / "out.parquet"
    run(capsys, "zoo-xs", "--context", "eos", "--format", "parquet", "--out", path)
    table = pd.read_parquet(path)
    assert list(table) == ["model", "context", "token_id", "log_probability"]
    assert table["log_probability"].dtype == np.float32
    assert (
        table["log_probability"].to_numpy().tobytes() == cold_start(MODEL, [1], "float64").log_probabilities.tobytes()
    )
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_ids_by_hand_and_a_quantized_variant(capsys):
    by_hand = run(capsys, "zoo-xs", "--input-ids", 5, "--format", "csv", "--top", 1).splitlines()
    best = int(cold_start(MODEL, [5]).log_probabilities.argmax())
    assert by_hand[1].split(",")[:4] == ["zoo-xs", "given", "1", str(best)]
    assert run(capsys, "zoo-xs+rtn-8-rows", "--format", "csv").startswith("model,")


def test_a_folder_that_quantize_wrote(capsys, tmp_path):
    """`--method gguf` leaves one GGUF file, a record and what cuts texts; the folder is as good as the file."""
    folder = tmp_path / "copy"
    assert main(["quantize", "zoo-xs", "--method", "gguf", "--type", "Q8_0", "--out", str(folder)]) == 0
    capsys.readouterr()
    assert {file.name for file in folder.iterdir()} == {"model.gguf", "compression.json", "tokenizer.json"}
    by_folder = run(capsys, folder, "--format", "csv", "--top", 5).replace(str(folder), "m")
    by_file = run(capsys, folder / "model.gguf", "--format", "csv", "--top", 5)
    assert by_folder == by_file.replace(str(folder / "model.gguf"), "m")
    text = tmp_path / "a.py"
    text.write_text("def main():\n    for item in range(10):\n        print(item)\n")
    assert main(["fidelity", "zoo-xs", str(folder), "--text", str(text), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["kl_mean_nats"] < 0.01


def _with_wide_tokenizer(folder):
    """A copy of a model whose tokenizer has one entry more than its output layer has rows."""
    shutil.copytree(MODEL, folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    extra = {"id": 2048, "content": "<more>", "special": True, "single_word": False}
    content["added_tokens"].append({**extra, "lstrip": False, "rstrip": False, "normalized": False})
    path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("output", ["table", "csv", "json", "parquet"])
def test_a_tokenizer_of_another_model_is_refused_in_every_format(capsys, tmp_path, output):
    folder, out = _with_wide_tokenizer(tmp_path / "m"), tmp_path / "out"
    assert main(["cold-start", str(folder), "--format", output, "--out", str(out)]) == BAD_INPUT
    (error,) = capsys.readouterr().err.splitlines()
    assert "the tokenizer has 2,049 entries but the output layer 2,048 rows" in error
    assert not out.exists()


def test_a_whole_distribution_needs_no_tokenizer(capsys, tmp_path):
    """Nor does anything that parquet holds; that nothing was compared is said."""
    folder, out = tmp_path / "m", tmp_path / "out"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(MODEL / name, folder)
    given = ["cold-start", str(folder), "--input-ids", "5", "--out", str(out), "--format"]
    assert main([*given, "csv"]) == BAD_INPUT
    capsys.readouterr()
    assert main([*given, "parquet"]) == 0
    assert "not compared with a tokenizer" in capsys.readouterr().err
    assert len(pd.read_parquet(out)) == 2048


def test_a_place_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "out.csv"):
        assert main(["cold-start", "zoo-xs", "--out", str(place)]) == BAD_INPUT
        (error,) = capsys.readouterr().err.splitlines()
        assert f"{place}: " in error and "--out" in error
    out = tmp_path / "absent" / "out.csv"
    assert main(["cold-start", "zoo-xs", "--format", "csv", "--out", str(out)]) == 0 and out.stat().st_size > 0
    assert [path.name for path in out.parent.iterdir()] == ["out.csv"]
    assert main(["cold-start", "zoo-xs", "--out", "/proc/out.csv"]) == BAD_INPUT
    (error,) = capsys.readouterr().err.splitlines()
    assert "--out /proc/out.csv: cannot be written" in error and ".part" not in error


def test_a_hub_out_of_reach_is_told_once(capsys, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["cold-start", "someone/model"]) == BAD_INPUT
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("cold_start: left out someone/model: ") and "connect" in first
    assert second.startswith("compressed-code cold-start: none of the models")


def test_a_truncated_gguf_file_is_one_line(capsys, tmp_path):
    path = tmp_path / "m.gguf"
    write_gguf(MODEL, path, "Q8_0")
    content = path.read_bytes()
    for length in (3, 10, 1000, len(content) // 3, len(content) - 1):
        path.write_bytes(content[:length])
        assert main(["cold-start", str(path)]) == BAD_INPUT
        (error,) = capsys.readouterr().err.splitlines()
        assert str(path) in error
    types = content.index(b"tokenizer.ggml.token_type") + len(b"tokenizer.ggml.token_type")
    path.write_bytes(content[: types + 8] + b"\xff" * 7 + content[types + 15 :])  # the length of that array
    assert main(["cold-start", str(path)]) == BAD_INPUT
    assert "truncated or broken GGUF header" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all"], "nowhere/at/all"),
        (["zoo_s"], "zoo_s: no such file or folder, nor a Hub id OWNER/NAME[@REVISION]"),
        (["zoo_s"], "nor a key of data/models.yml; did you mean zoo-s"),
        (["Zoo-L-instruct"], "did you mean zoo-l-instruct"),
        (["zoo-xs+gptq-4-g33"], "did you mean gptq-4-g32"),
        (["zzz"], "nor a key of data/models.yml, which has"),
        (["zoo-xs+rtn-9"], "'rtn-9' is not a row of quantizations.yml"),
        (["zoo-xs", "--top", "0"], "--top 0: must be at least 1"),
        (["zoo-xs", "--format", "parquet"], "name the file with --out"),
        (["zoo-xs", "--context", "bos", "--input-ids", "1"], "exclude each other"),
        (["zoo-xs", "--input-ids", "99999"], "99999"),
        (["zoo-xs", "--context", "none"], "--context none: a first token follows at least one id"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert main(["cold-start", *arguments]) == BAD_INPUT
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 or error[-1].startswith("compressed-code cold-start:")
    assert message in error[-1]
    assert len(error[-1]) < 250
