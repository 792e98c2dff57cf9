"""make runs what is stale and nothing else. A copy of the project borrows this environment."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from compressed_code.core.paths import ROOT

pytestmark = pytest.mark.slow
EXECUTED = "build/notebooks/08-x.ipynb"
PARAMETERS = "number = 1\nfigures = '../build/custom'"
READS = """\
from compressed_code.registry.languages import load_languages
from compressed_code.registry.lookup import find_model, load_registry

registry = load_registry()
rows = [find_model("zoo-s+rtn-4-g32", registry), len(load_languages())]
"""
WRITES = """\
from pathlib import Path
import pandas as pd
from helpers.claims import Claims
from helpers.figures import save_table

claim = Claims()
claim("one is one", number, equals=1, quantity="number", because="it is")
save_table(pd.DataFrame({"n": [number]}), "08-table", directory=Path(figures))
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory, write_notebook):
    """The project's Makefile and packages with one tiny notebook in place of the real ones."""
    copy = tmp_path_factory.mktemp("template") / "project"
    for folder in ("src", "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("results", "zoo", "*.egg-info"))
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, copy / name)
    (copy / "notebooks").mkdir()
    write_notebook(copy / "notebooks" / "08-x.ipynb", PARAMETERS, READS, WRITES)
    environment = copy / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / ".installed").touch()
    return with_python(copy)


def with_python(project: Path) -> Path:
    """Give a project its command: this Python with the project's own packages."""
    python = project / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{project / "src"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return project


@pytest.fixture
def project(template, tmp_path) -> Path:
    """A project of which nothing was made yet."""
    return with_python(shutil.copytree(template, tmp_path / "project"))


@pytest.fixture(scope="module")
def first_run(template, tmp_path_factory) -> tuple[Path, Path, str]:
    """A project whose figures were made, a copy of it, and what was said."""
    made = with_python(shutil.copytree(template, tmp_path_factory.mktemp("made") / "project"))
    done = make(made, "figures")
    assert done.returncode == 0, done.stderr
    return made, shutil.copytree(made, made.with_name("kept")), done.stdout


@pytest.fixture
def made(first_run) -> Path:
    """The project as its figures were made; always at the same place, since rows that were read name their files."""
    place, kept, _ = first_run
    shutil.rmtree(place)
    return shutil.copytree(kept, place)


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment["PYTHONPATH"] = str(project / "src")
    return subprocess.run(["make", *arguments], cwd=project, capture_output=True, text=True, env=environment)


def age(path: Path) -> None:
    """Make a file look edited after everything else."""
    future = time.time() + 5
    os.utime(path, (future, future))


def runs(project: Path) -> bool:
    return "helpers run" in make(project, "--dry-run", "figures/README.md").stdout


def change(path: Path, before: str, after: str) -> None:
    """Edit a file so that it is newer than everything else."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    age(path)


def test_a_second_run_does_nothing_and_an_edit_reruns_exactly_what_depends_on_it(first_run, made):
    project, said = made, first_run[2]
    assert "claims of 1 notebook: 1 hold, 0 do not hold on this machine, 0 not checked" in said
    assert (project / EXECUTED).exists() and (project / "figures" / "08-table.csv").exists()
    assert (project / "figures" / "README.md").exists()
    second = make(project, "figures")
    assert second.returncode == 0 and "is up to date" in second.stdout and "claims" not in second.stdout
    age(project / "src" / "compressed_code" / "tokenizers" / "fertility.py")
    assert not runs(project), "the notebook does not import fertility"
    age(project / "src" / "helpers" / "claims.py")
    assert runs(project), "the notebook imports claims"


def test_a_list_of_rows_that_was_touched_reruns(made):
    """What `helpers rows` does to it is tested in test_notebook_dependencies, and both together below."""
    age((made / EXECUTED).with_suffix(".rows"))
    assert runs(made)


def test_a_deleted_figure_or_a_changed_input_reruns(made):
    project = made
    (project / "figures" / "08-table.csv").rename(project / "kept.csv")
    assert runs(project)
    (project / "kept.csv").rename(project / "figures" / "08-table.csv")
    assert not runs(project)
    age(project / "data" / "english-words.txt")
    assert not runs(project), "the notebook does not read the words"
    age(project / "data" / "keywords.yml")
    assert runs(project)
    assert make(project, "figures").returncode == 0
    (project / "data" / "keywords.yml").rename(project / "kept.yml")
    assert runs(project), "what was read is gone"


@pytest.mark.long
def test_a_row_reruns_what_looked_it_up(made):
    project = made
    models, quantizations = project / "data" / "models.yml", project / "data" / "quantizations.yml"
    assert not runs(project)
    with models.open("a") as file:
        file.write("  mine: {label: Mine, path: data/mine}\n")
    with quantizations.open("a") as file:
        file.write("rtn-7-mine: {label: RTN 7, method: rtn, bits: 7}\n")
    age(models)
    assert not runs(project), "nobody has looked up the new rows"
    change(quantizations, "rtn-2-g32: {label: RTN 2,", "rtn-2-g32: {label: Two bits,")
    assert not runs(project), "nobody has looked up this row"
    change(quantizations, "rtn-4-g32: {label: RTN 4,", "rtn-4-g32: {label: Four bits,")
    assert runs(project) and runs(project), "a dry run settles nothing"
    change(quantizations, "rtn-4-g32: {label: Four bits,", "rtn-4-g32: {label: RTN 4,")
    assert make(project, "figures").returncode == 0
    assert not runs(project)
    change(models, "  mine: {label: Mine,", "  mine: {seed_of: zoo-s, label: Mine,")
    assert runs(project), "a seed of a model that was looked up counts as part of its row"


def test_a_failing_notebook_is_named_and_the_others_go_on(made, write_notebook):
    project = made
    shutil.copy(project / "notebooks" / "08-x.ipynb", project / "notebooks" / "09-y.ipynb")
    notebook = project / "notebooks" / "08-x.ipynb"
    content = nbformat.read(notebook, as_version=4)
    content.cells[-1].source = "raise RuntimeError('broken on purpose')"
    nbformat.write(content, notebook)
    age(notebook)
    (project / "figures" / "README.md").unlink()
    for _ in range(2):
        finished = make(project, "figures")
        assert finished.returncode != 0
        assert "08-x.ipynb, code cell 3 (under 'Title'): RuntimeError: broken on purpose" in finished.stderr
        assert "claims of 2 notebooks: 1 hold" in finished.stdout
        assert "did not run to the end\n  08-x: code cell 3 (under 'Title'): RuntimeError: broken" in finished.stdout
        assert not (project / EXECUTED).exists()
        assert (project / "build" / "notebooks" / "09-y.ipynb").exists()
        assert (project / "figures" / "README.md").exists()


@pytest.mark.long
def test_one_notebook_runs_by_its_number_and_parameters_are_checked(project):
    for number in ("08", "8"):
        planned = make(project, "--dry-run", "notebook", f"N={number}")
        assert planned.stdout.count("helpers run notebooks/08-x.ipynb build/notebooks/08-x.ipynb") == 1, number
    finished = make(project, "notebook", "N=8")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("08-x.ipynb: done in") == 1
    assert "claims of 1 notebook: 1 hold" in finished.stdout
    assert (project / "figures" / "08-table.csv").exists()
    for absent in ("N=77", "N=", "N=0"):
        missing = make(project, "notebook", absent)
        assert missing.returncode != 0 and "make notebook: no notebook" in missing.stderr
    wrong = make(project, "notebook", "N=08", "P=numbr=[1, 2]")
    assert wrong.returncode != 0 and "unknown parameter 'numbr'" in wrong.stderr
    before = (project / "figures" / "08-table.csv").stat().st_mtime
    refuted = make(project, "notebook", "N=08", "P=number=2 ")
    assert refuted.returncode == 0 and "0 hold, 1 do not hold on this machine" in refuted.stdout
    assert "figures are in build/custom" in refuted.stderr
    assert (project / "build" / "custom" / "08-table.csv").read_text() == "n\n2\n"
    assert (project / "figures" / "08-table.csv").stat().st_mtime == before


def test_help_comes_from_the_targets_own_comments(project):
    fragment = project / "build" / "notebooks" / "08-x.d"
    fragment.parent.mkdir(parents=True)
    fragment.write_text("build/notebooks/08-x.ipynb:\n")  # what an earlier run leaves
    said = make(project).stdout
    targets = (
        "env figures notebook verify robustness lab test test-long test-all lint format lock bench zoo study clean"
    )
    for target in targets.split():
        assert f"\n{target} " in f"\n{said}"
    assert "run every notebook that is not up to date" in said


@pytest.mark.parametrize(("given", "jobs", "threads"), [([], "-j2", "1"), (["-j3"], "-j3", "1"), (["-j1"], "-j1", "7")])
def test_notebooks_run_side_by_side_with_one_thread_each(given, jobs, threads, project):
    (project / ".venv" / "bin" / "python").write_text('#!/bin/sh\necho "$1 $2 $3: $OMP_NUM_THREADS $MAKEFLAGS"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment |= {"OMP_NUM_THREADS": "7"} if threads == "7" else {}
    if threads != "7":
        environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(["make", *given, "figures"], cwd=project, capture_output=True, text=True, env=environment)
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("-m helpers run")]
    assert said.startswith(f"-m helpers run: {threads} ") and f" {jobs} " in said, done.stdout
