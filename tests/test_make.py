"""make runs what is stale and nothing else. A copy of the project borrows this environment."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from helpers.project import ROOT

pytestmark = pytest.mark.slow
EXECUTED = "build/notebooks/08-x.ipynb"


@pytest.fixture
def project(tmp_path, write_notebook):
    """The project's Makefile and helpers with one tiny notebook in place of the real ones."""
    copy = tmp_path / "project"
    for folder in ("src", "data"):
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("results", "zoo", "*.egg-info", "__pycache__")
        )
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, copy / name)
    (copy / "notebooks").mkdir()
    source = "from helpers.claims import check\nfrom helpers.figures import save_table\nimport pandas as pd\n"
    source += "check('numbers are numbers', number == 1)\nsave_table(pd.DataFrame({'n': [number]}), '08-table')"
    write_notebook(copy / "notebooks" / "08-x.ipynb", "number = 1\nfigures = '../figures'", source)
    environment = copy / ".venv"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{copy / "src"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (environment / ".installed").touch()
    return copy


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment["PYTHONPATH"] = str(project / "src")
    return subprocess.run(["make", *arguments], cwd=project, capture_output=True, text=True, env=environment)


def age(path: Path) -> None:
    """Make a file look edited after everything else."""
    future = time.time() + 5
    os.utime(path, (future, future))


def runs(project: Path) -> bool:
    return "helpers run" in make(project, "--dry-run", "figures").stdout


def test_a_second_run_does_nothing_and_an_edit_reruns_exactly_what_depends_on_it(project):
    first = make(project, "figures")
    assert first.returncode == 0, first.stderr
    assert (project / EXECUTED).exists() and (project / "figures" / "08-table.csv").exists()
    started = time.perf_counter()
    second = make(project, "figures")
    assert "Nothing to be done" in second.stdout
    assert time.perf_counter() - started < 2
    age(project / "src" / "helpers" / "fertility.py")
    assert not runs(project), "the notebook does not import fertility"
    age(project / "src" / "helpers" / "claims.py")
    assert runs(project), "the notebook imports claims"


def test_a_deleted_figure_or_a_changed_input_reruns(project):
    assert make(project, "figures").returncode == 0
    (project / "figures" / "08-table.csv").rename(project / "kept.csv")
    assert runs(project)
    (project / "kept.csv").rename(project / "figures" / "08-table.csv")
    assert not runs(project)
    age(project / "data" / "keywords.yml")
    assert runs(project)


def test_a_failing_cell_fails_make_and_is_not_taken_for_done(project):
    notebook = project / "notebooks" / "08-x.ipynb"
    content = nbformat.read(notebook, as_version=4)
    content.cells[-1].source = "raise RuntimeError('broken on purpose')"
    nbformat.write(content, notebook)
    for _ in range(2):
        finished = make(project, "figures")
        assert finished.returncode != 0
        assert "08-x.ipynb, code cell 2" in finished.stderr and "broken on purpose" in finished.stderr
        assert not (project / EXECUTED).exists()


def test_one_notebook_runs_by_its_number_and_parameters_are_checked(project):
    assert make(project, "notebook", "N=08").returncode == 0
    assert make(project, "notebook", "N=08").stdout.count("helpers run") == 1
    missing = make(project, "notebook", "N=77")
    assert missing.returncode != 0 and "no notebook 77" in missing.stderr
    wrong = make(project, "notebook", "N=08", "P=numbr=[1, 2]")
    assert wrong.returncode != 0 and "unknown parameter 'numbr'" in wrong.stderr
    refuted = make(project, "notebook", "N=08", "P=number=2 ")
    assert refuted.returncode != 0 and "no longer true: numbers are numbers" in refuted.stderr


def test_help_comes_from_the_targets_own_comments(project):
    fragment = project / "build" / "notebooks" / "08-x.d"
    fragment.parent.mkdir(parents=True)
    fragment.write_text("build/notebooks/08-x.ipynb:\n")  # what an earlier run leaves
    said = make(project).stdout
    for target in ("figures", "test", "env", "notebook", "lab", "clean", "lint", "format", "bench"):
        assert f"\n{target}" in f"\n{said}"
    assert "run every notebook that is not up to date" in said
