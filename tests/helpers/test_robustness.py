"""`robustness` runs every notebook under every setting, and goes on where it stopped."""

import pandas as pd
import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE, NOTEBOOKS
from compressed_code.core.reference_files import load_references
from compressed_code.reproduction.robustness import claims_by_setting
from compressed_code.reproduction.settings import load_settings, reduced_parameters
from helpers import robustness as subject

BY_NAME = {setting.key: setting for setting in load_settings()}


def test_a_setting_runs_the_notebooks_that_have_its_parameter(tmp_path, write_notebook):
    first = write_notebook(tmp_path / "08-x.ipynb", "seed = 0")
    second = write_notebook(tmp_path / "09-y.ipynb", "seed = 0\ndraws = [0, 1, 2]")
    runs = {name: subject._runs(setting, [first, second], tmp_path) for name, setting in BY_NAME.items()}
    assert {name: [run.source.stem for run in found] for name, found in runs.items()} == {
        "without-avx": ["08-x", "09-y"],
        "threads": ["08-x", "09-y"],
        "seeds": ["08-x", "09-y"],
        "draws": ["09-y"],
    }
    assert runs["draws"][0].parameters == {"draws": [3, 4, 5]}
    # Another arithmetic computes everything in a folder of its own; other parameters share what is stored.
    assert runs["without-avx"][0].environment[COMPUTED_VARIABLE] == str(tmp_path / "without-avx" / "computed")
    assert COMPUTED_VARIABLE not in runs["seeds"][0].environment


def test_the_reduced_parameters_and_the_settings_are_those_of_the_notebooks():
    from helpers.notebook_parameters import checked

    short = load_settings(short=True)
    for name, parameters in (*reduced_parameters().items(), *reduced_parameters(short=True).items()):
        checked(NOTEBOOKS / name, parameters, NOTEBOOKS)
    assert any(setting.imitates_a_machine for setting in short)
    for setting in (*load_settings(), *short):
        runs = subject._runs(setting, sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb")), NOTEBOOKS)
        assert runs, f"no notebook has a parameter of {setting.key}"
        for run in runs:
            checked(run.source, run.parameters, NOTEBOOKS)


@pytest.fixture
def small_project(tmp_path, monkeypatch, write_notebook):
    """One notebook with a seed, its committed figures, and folders to write to."""
    from helpers.run import run_notebook

    source = (
        "import numpy as np, pandas as pd\nfrom pathlib import Path\n"
        "from helpers.claims import Claims\nfrom helpers.figures import save_table\n"
        "drawn = np.random.default_rng(seed).normal(size=4)\n"
        "save_table(pd.DataFrame({'n': [4], 'mean': [drawn.mean()]}), '08-table', directory=Path(figures))\n"
        "Claims()('seed 0 alone', abs(drawn[0] - 0.12573), below=1e-4, quantity='distance', because='PCG64')"
    )
    notebook = write_notebook(tmp_path / "08-x.ipynb", "seed = 0\nfigures = '../build/custom'", source)
    figures, reference = tmp_path / "figures", tmp_path / "reference"
    reference.mkdir()
    (reference / "references.yml").write_text("other.csv: {kind: recorded, origin: x, sha256: '0'}\n")
    run_notebook(notebook, tmp_path / "build" / "notebooks" / "08-x.ipynb", {"figures": str(figures)})
    monkeypatch.setattr(subject, "find_notebooks", lambda: [notebook])
    for name, value in {
        "BUILD": tmp_path / "build",
        "FIGURES": figures,
        "FOLDER": tmp_path / "robustness",
        "ROBUSTNESS_FILE": reference / "robustness.csv",
    }.items():
        monkeypatch.setattr(subject, name, value)
    return tmp_path


@pytest.mark.slow
@pytest.mark.long
def test_what_settings_move_is_written_and_a_second_run_computes_nothing(small_project):
    said = []
    found = subject.robustness(said.append)
    assert len(said) == 3 and not found.failed  # the notebook has no draws
    assert claims_by_setting(found.table).to_numpy().tolist() == [["08", "seed 0 alone", 3, 4, "seeds"]]
    columns = found.table[found.table["kind"] == "column"].set_index(["setting", "name"])["verdict"]
    assert columns["without-avx", "08-table: mean"] == columns["threads", "08-table: mean"] == "identical"
    assert (columns["seeds", "08-table: n"], columns["seeds", "08-table: mean"]) == ("identical", "different")
    written = pd.read_csv(small_project / "reference" / "robustness.csv", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(written, found.table.astype(str), check_dtype=False)
    assert load_references(small_project / "reference")["robustness.csv"].kind == "machine"
    again = subject.robustness(said.append)
    assert len(said) == 3, "resumable: nothing runs again"
    pd.testing.assert_frame_equal(again.table, found.table)
