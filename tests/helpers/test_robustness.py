"""The settings imitate other machines, change nothing else, and what they move is told per claim and column."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE, NOTEBOOKS
from compressed_code.core.reference_files import load_references
from helpers import robustness as subject
from helpers.robustness import changes_by_setting, claims_by_setting
from helpers.robustness_settings import REDUCED, SETTINGS, SHORT_PARAMETERS, SHORT_SETTINGS

BY_NAME = {setting.name: setting for setting in SETTINGS}

PROBE = """
import json, os
import numpy, threadpoolctl, torch
from numpy._core._multiarray_umath import __cpu_features__ as features
blas = [pool for pool in threadpoolctl.threadpool_info() if "openblas" in pool["prefix"]]
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "numpy": sorted(name for name, found in features.items() if found),
    "openblas": [pool["architecture"] for pool in blas],
    "threads": torch.get_num_threads(),
    "sum": float(torch.linspace(0, 1, 100_003).sin().sum()),
}))
"""


def probe(environment) -> dict:
    """What libraries make of an environment; a warning about it is an error."""
    command = [sys.executable, "-W", "error::ImportWarning", "-c", PROBE]
    finished = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.slow
def test_every_library_takes_the_setting_for_a_plain_processor():
    found = probe(BY_NAME["without-avx"].environment)
    assert found["torch"] == "DEFAULT" and found["threads"] == 1
    assert not {"AVX", "AVX2", "FMA3", "SSE42", "AVX512F"} & set(found["numpy"])
    plain = {"Katmai", "Prescott", "Core2", "Banias"}  # as OpenBLAS calls kernels without SSE4
    assert set(found["openblas"]) <= plain


@pytest.mark.slow
def test_the_threads_setting_gives_two_and_leaves_the_instruction_sets():
    (setting,), left_out = subject._possible([BY_NAME["threads"]])
    assert not left_out
    found = probe(setting.environment)
    assert found["threads"] == 2 and found["torch"] != "DEFAULT"


def test_a_setting_that_this_processor_cannot_have_is_left_out_by_name(monkeypatch):
    monkeypatch.setattr(subject, "instruction_sets", lambda: ("sse4_2", "avx"))
    possible, left_out = subject._possible(SETTINGS)
    assert "threads" not in [setting.name for setting in possible]
    assert left_out == ["threads: left out, this processor has no avx2"]


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

    for name, parameters in (*REDUCED.items(), *SHORT_PARAMETERS.items()):
        checked(NOTEBOOKS / name, parameters, NOTEBOOKS)
    assert any(setting.imitates_a_machine for setting in SHORT_SETTINGS)
    for setting in (*SETTINGS, *SHORT_SETTINGS):
        runs = subject._runs(setting, sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb")), NOTEBOOKS)
        assert runs, f"no notebook has a parameter of {setting.name}"
        for run in runs:
            checked(run.source, run.parameters, NOTEBOOKS)


TABLE = pd.DataFrame(
    [
        ("claim", "03", "bits cost", "reference", "2", "holds"),
        ("claim", "03", "bits cost", "without-avx", "2", "holds"),
        ("claim", "03", "bits cost", "draws", "1", "does not hold"),
        ("claim", "03", "seeds differ", "reference", "1", "holds"),
        ("claim", "03", "seeds differ", "draws", "", "not checked"),
        ("column", "03", "03-a: value", "without-avx", "0", "identical"),
        ("column", "03", "03-a: value", "draws", "0.03", "different"),
        ("column", "03", "03-a: low", "without-avx", "0", "identical"),
        ("column", "03", "03-a: low", "draws", "0", "identical"),
        ("file", "03", "03-a.svg", "draws", "", "differs"),
    ],
    columns=subject.COLUMNS,
)


def test_claims_are_counted_over_settings_and_what_moves_is_shown():
    assert claims_by_setting(TABLE).to_numpy().tolist() == [
        ["03", "bits cost", 2, 3, "draws"],
        ["03", "seeds differ", 1, 1, ""],
    ]
    assert changes_by_setting(TABLE, "column").to_dict("list") == {
        "name": ["03-a: value"],
        "without-avx": ["0"],
        "draws": ["0.03"],
    }
    assert changes_by_setting(TABLE, "file")["draws"].tolist() == ["differs"]


def test_the_short_form_objects_to_another_verdict_and_to_what_an_imitated_machine_moves():
    assert subject._not_robust(TABLE, ["without-avx"]) == [
        "03: bits cost (draws: does not hold, reference: holds, without-avx: holds)"
    ]
    moved = TABLE.replace({"setting": {"draws": "without-avx"}}).iloc[[6]]
    assert subject._not_robust(pd.concat([TABLE.iloc[[0]], moved]), ["without-avx"]) == [
        "03-a: value: moves by 0.03 under without-avx"
    ]


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
