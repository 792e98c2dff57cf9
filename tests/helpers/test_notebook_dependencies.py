"""Which rows of data files make a notebook run again: the make-level test of it is among the long ones of test_make."""

import json
import os
import shutil

import pytest

from compressed_code.registry.lookup import load_registry
from helpers import notebook_dependencies as subject
from helpers.notebook_dependencies import touch_stale

PAST = 1_000_000_000


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Copies of both files of rows, which a test may edit, in place of the real ones."""
    copies = {}
    for name in ("REGISTRY_FILE", "QUANTIZATIONS_FILE"):
        original = getattr(subject, name)
        copies[name] = shutil.copy2(original, tmp_path / original.name)
        monkeypatch.setattr(subject, name, copies[name])
    models, quantizations = copies.values()
    monkeypatch.setattr(subject, "load_registry", lambda: load_registry(models))
    return models, quantizations


@pytest.fixture
def looked_up(files, tmp_path, monkeypatch):
    """The list of a notebook that looked up two rows of models, one that is not there, and a row of quantizations."""
    models, quantizations = files
    registry = load_registry(models)
    rows = subject.parse_rows(subject.Quantization, subject.read_yaml(quantizations), quantizations)
    noted = {
        str(models): {
            "models.zoo-s": registry.models.digest("zoo-s"),
            "models.absent": None,
            "tokenizers.zoo": registry.tokenizers.digest("zoo"),
        },
        str(quantizations): {"rtn-4-g32": rows.digest("rtn-4-g32")},
    }
    assert all(noted[str(models)][name] for name in ("models.zoo-s", "tokenizers.zoo")) and rows.digest("rtn-4-g32")
    path = tmp_path / "08-x.rows"
    path.write_text(json.dumps(noted))
    os.utime(path, (PAST, PAST))
    return path


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (lambda models, _: edit(models, "models:\n", "models:\n  mine: {label: Mine, path: data/mine}\n"), False),
        (
            lambda _, rows: rows.write_text(f"{rows.read_text()}rtn-7-mine: {{label: RTN 7, method: rtn, bits: 7}}\n"),
            False,
        ),
        (lambda _, rows: edit(rows, "rtn-2-g32: {label: RTN 2,", "rtn-2-g32: {label: Two bits,"), False),
        (lambda _, rows: edit(rows, "rtn-4-g32: {label: RTN 4,", "rtn-4-g32: {label: Four bits,"), True),
        (lambda models, _: edit(models, "models:\n", "models:\n  absent: {label: Mine, path: data/mine}\n"), True),
        (
            lambda models, _: edit(models, "models:\n", "models:\n  s2: {label: S, path: data/s, seed_of: zoo-s}\n"),
            True,
        ),
        (lambda models, _: models.write_text("models: 3\n"), True),
    ],
    ids=[
        *("a new model", "a new quantization", "another row", "the row"),
        *("a row that was missing", "a seed of the row", "no registry"),
    ],
)
def test_a_list_is_stale_when_a_row_of_it_says_something_else(files, looked_up, change, stale):
    assert touch_stale([looked_up]) == [] and looked_up.stat().st_mtime == PAST
    change(*files)
    assert touch_stale([looked_up]) == [looked_up] * stale
    assert (looked_up.stat().st_mtime > PAST) == stale


@pytest.mark.parametrize("content", ["", "[]", '{"data/models.yml": 3}'])
def test_a_list_that_cannot_be_read_is_stale(files, looked_up, content):
    looked_up.write_text(content)
    assert touch_stale([looked_up]) == [looked_up]
