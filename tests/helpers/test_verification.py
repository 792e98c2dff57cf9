"""`verify` catches an altered number, a claim that fails, a definition that changed and a notebook that stops."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compressed_code.core.paths import ROOT


@pytest.fixture
def project(tmp_path, write_notebook):
    """Both packages with one tiny notebook, whose committed table rests on a definition of theirs."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("results", "zoo", "*.egg-info")
    for folder in ("src", "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    (copy / "notebooks").mkdir()
    source = (
        "import pandas as pd\n"
        "from helpers.claims import Claims\n"
        "from helpers.figures import save_table\n"
        "from compressed_code.statistics.intervals_and_tests import wilson_interval\n"
        "low, high = wilson_interval(8, 10)\n"
        "Claims()('a proportion is uncertain', high - low, above=0, quantity='width', because='theory')\n"
        "from pathlib import Path\n"
        "save_table(pd.DataFrame({'low': [low], 'high': [high]}), '08-table', directory=Path(figures))"
    )
    write_notebook(copy / "notebooks" / "08-x.ipynb", "figures = '../build/custom'", source)
    (copy / "figures").mkdir()
    (copy / "figures" / "08-table.csv").write_text("low,high\n0.490162,0.943318\n")  # Wilson 1927, 8 of 10
    return copy


def verify(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "helpers", "verify", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=environment)


@pytest.mark.slow
@pytest.mark.long
def test_verify_passes_and_catches_a_number_a_claim_and_a_definition(project):
    passed = verify(project, "--notebook", "08")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert passed.stdout.count("agrees: 2 identical") == 1 and "Claims: 1 holds" in passed.stdout
    committed = project / "figures" / "08-table.csv"
    committed.write_text("low,high\n0.490162,0.943918\n")
    altered = verify(project, "--resume", "--notebook", "8")
    assert altered.returncode == 1 and "differs: 1 identical, 0 within, 1 different" in altered.stdout
    assert "08-x: done" not in altered.stdout, "what an interrupted verification has is kept"
    committed.write_text("low,high\n0.490162,0.943318\n")
    definition = project / "src" / "compressed_code" / "statistics" / "intervals_and_tests.py"
    definition.write_text(
        definition.read_text().replace("level: float = 0.95) -> tuple", "level: float = 0.9) -> tuple")
    )
    changed = verify(project, "--resume", "--notebook", "08")
    assert changed.returncode == 1 and "0 identical, 0 within, 2 different" in changed.stdout
    assert "08-x: done" in changed.stdout, "the definition is newer than the executed copy"


@pytest.mark.slow
@pytest.mark.long
def test_a_claim_that_fails_and_a_notebook_that_stops_are_errors(project):
    """Both in one run; that each is one by itself: tests/reproduction/test_verification.py."""
    notebook = project / "notebooks" / "08-x.ipynb"
    source = notebook.read_text()
    notebook.write_text(source.replace("above=0", "above=1"))
    stops = source.replace("wilson_interval(8, 10)", "wilson_interval(8, 0)").replace("08-table", "09-table")
    notebook.with_name("09-y.ipynb").write_text(stops)
    found = verify(project, "--notebook", "08", "09")
    assert found.returncode == 1 and "Claims: 1 does not hold" in found.stdout
    assert "09-y: failed:" in found.stdout and "ValueError" in found.stdout


@pytest.mark.slow
def test_bad_input_is_one_line(project):
    refused = verify(project, "--notebook", "77")
    assert refused.returncode == 2 and "no notebook 77; there are 08" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    (project / "data" / "tolerances.yml").write_text("arithmetic: {relativ: 1}\n")
    refused = verify(project)
    assert refused.returncode == 2 and "tolerances.yml: arithmetic" in refused.stderr
