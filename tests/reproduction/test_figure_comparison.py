"""Committed figures and others: a number, file or whole table that differs is caught."""

import shutil
from pathlib import Path

import pytest

from compressed_code.core.paths import FIGURES, NOTEBOOKS
from compressed_code.reproduction.figure_comparison import compare_figures
from compressed_code.reproduction.table_comparison import load_tolerances
from compressed_code.reproduction.verification import by_file

TOLERANCES = load_tolerances()
NUMBERS = sorted(path.name[:2] for path in NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))


@pytest.fixture
def copied(tmp_path) -> Path:
    """A copy of the committed figures' data."""
    folder = tmp_path / "figures"
    folder.mkdir()
    for path in [*FIGURES.glob("*.csv"), *FIGURES.glob("*.svg")]:
        shutil.copy2(path, folder / path.name)
    return folder


def test_the_committed_figures_agree_with_themselves(copied):
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert comparison.different == 0 and comparison.deviations.empty
    assert set(comparison.files["verdict"]) == {"identical"}
    assert len(by_file(comparison)) == len(list(FIGURES.glob("*.csv")))


def test_one_altered_and_one_deleted_file_are_caught(copied):
    changed = copied / "01-coverage.csv"
    lines = changed.read_text().splitlines()
    cells = lines[5].split(",")
    cells[3] = str(int(cells[3]) + 1)
    changed.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:], ""]))
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert comparison.different == 1
    assert comparison.deviations[["file", "column"]].to_numpy().tolist() == [["01-coverage.csv", "covered"]]
    changed.unlink()
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert by_file(comparison).set_index("file").loc["01-coverage.csv", "note"] == "missing"
    assert compare_figures(copied, FIGURES, ["01"], TOLERANCES).different == 1  # surplus, seen from the other side
    assert compare_figures(FIGURES, copied, ["02"], TOLERANCES).different == 0
