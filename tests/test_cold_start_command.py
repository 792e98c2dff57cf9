"""`cold-start` as a user calls it: formats, contexts, bad input in one line."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers.__main__ import BAD_INPUT, main
from helpers.cold_start import cold_start
from helpers.zoo.recipes import ZOO_DIRECTORY

MODEL = ZOO_DIRECTORY / "zoo-xs"


def run(capsys, *arguments) -> str:
    assert main(["cold-start", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_table_names_the_most_probable_tokens_and_the_input(capsys):
    out = run(capsys, "zoo-xs", "--top", 3).splitlines()
    assert out[0].split() == ["model", "context", "rank", "token_id", "token", "token_class", "probability"]
    assert len(out) == 5
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
    assert table["log_probability"].to_numpy().tobytes() == cold_start(MODEL, [1]).log_probabilities.tobytes()
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_ids_by_hand_and_a_quantized_variant(capsys):
    by_hand = run(capsys, "zoo-xs", "--input-ids", 5, "--format", "csv", "--top", 1).splitlines()
    best = int(cold_start(MODEL, [5]).log_probabilities.argmax())
    assert by_hand[1].split(",")[:4] == ["zoo-xs", "given", "1", str(best)]
    assert run(capsys, "zoo-xs+rtn-8-rows", "--format", "csv").startswith("model,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all"], "nowhere/at/all"),
        (["zoo-xs+rtn-9"], "'rtn-9' is not a row of quantizations.yml"),
        (["zoo-xs", "--top", "0"], "--top 0: must be at least 1"),
        (["zoo-xs", "--format", "parquet"], "name the file with --out"),
        (["zoo-xs", "--context", "bos", "--input-ids", "1"], "exclude each other"),
        (["zoo-xs", "--input-ids", "99999"], "99999"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert main(["cold-start", *arguments]) == BAD_INPUT
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 or error[-1].startswith("helpers cold-start:")
    assert message in error[-1]
