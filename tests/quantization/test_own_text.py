"""A model's own text is drawn once: the second call reads it, whatever process it is in, and it is the same text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.models.start_contexts import start_ids
from compressed_code.quantization import own_text as subject
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.calibration import sampled_rows
from compressed_code.quantization.own_text import FOLDER, own_text
from compressed_code.quantization.variants import ROW_LENGTH
from compressed_code.zoo.recipes import ZOO_DIRECTORY
from tiny_models import save_tiny

START = [1]
SHAPE = {"rows": 3, "length": 8}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"), gain=1.7, vocab_size=40, num_hidden_layers=1)


@pytest.fixture
def drawn(monkeypatch) -> list[dict]:
    """What was really drawn."""
    calls, draw = [], subject.calibration_rows

    def counting(source, **options):
        calls.append(options)
        return draw(source, **options)

    monkeypatch.setattr(subject, "calibration_rows", counting)
    return calls


def text_of(model: Path, directory: Path, **changed) -> list[list[int]]:
    options = {"start": START, **SHAPE, **changed}
    return own_text(model, fingerprint_of(model), options.pop("start"), **options, directory=directory)


def fingerprint_of(model: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex() for path in sorted(model.iterdir())}


def test_the_second_call_reads_what_the_first_one_drew(model, drawn, tmp_path):
    first = text_of(model, tmp_path)
    assert first == text_of(model, tmp_path) == sampled_rows(model, START, **SHAPE, seed=0)
    assert len(drawn) == 1 and len(list((tmp_path / FOLDER).iterdir())) == 1
    assert {type(token) for row in first for token in row} == {int}


@pytest.mark.parametrize("changed", [{"start": [1, 2]}, {"rows": 2}, {"length": 9}, {"seed": 1}])
def test_all_that_decides_the_text_decides_its_key(model, drawn, tmp_path, changed):
    text_of(model, tmp_path)
    asked = {**SHAPE, "start": START, "seed": 0, **changed}
    found = text_of(model, tmp_path, **changed)
    assert found == sampled_rows(model, asked["start"], asked["rows"], asked["length"], asked["seed"])
    assert len(drawn) == 2


def test_another_model_draws_its_own(model, drawn, tmp_path):
    other = save_tiny(tmp_path / "other", gain=1.2, vocab_size=40, num_hidden_layers=1)
    assert text_of(other, tmp_path) != text_of(model, tmp_path)
    assert len(drawn) == 2


def test_a_damaged_table_is_drawn_again(model, drawn, tmp_path, capsys):
    first = text_of(model, tmp_path)
    (file,) = (tmp_path / FOLDER).iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert text_of(model, tmp_path) == first
    assert len(drawn) == 2 and "damaged" in capsys.readouterr().err
    assert text_of(model, tmp_path) == first and len(drawn) == 2


def test_where_nothing_can_be_stored_it_is_drawn_each_time(model, drawn, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert text_of(model, tmp_path / "file") == text_of(model, tmp_path / "file")
    assert len(drawn) == 2 and "cannot be stored here" in capsys.readouterr().err


READS = """
import sys
from pathlib import Path
from compressed_code.quantization import own_text, variants

def no_draw(*arguments, **options):
    raise SystemExit("drawn again")

own_text.calibration_rows = no_draw
row = variants.Quantization(key="x", label="x", method="gptq", bits=4, calibration="self", calibration_rows=2, seed=3)
variants.variant = lambda base, quantization, rows, name: print(rows)
quantized = variants.quantized_variant(Path(sys.argv[1]), row)
"""


def test_a_row_that_is_calibrated_on_it_reads_it_in_another_process(tmp_path):
    base = ZOO_DIRECTORY / "zoo-xs"
    written = own_text(
        base,
        BaseCheckpoint(base).fingerprint(),
        start_ids(base, "document"),
        rows=2,
        length=ROW_LENGTH,
        seed=3,
        directory=tmp_path / "results",
    )
    environment = {**os.environ, COMPUTED_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", READS, str(base)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == written
