"""make stored packs what figures rest on; make figures STORED= draws them from it, and runs no model."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compressed_code.core.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.long]
PARAMETERS = "model = 'zoo-xs'\nrow = 'rtn-4-g8'\nfigures = '../build/custom'"
MEASURES = """\
from compressed_code.measurements.fidelity import fidelity_by, stored_size
from compressed_code.measurements.tables import measure

sizes = measure(stored_size, [model, f"{model}+{row}"])
divergence = fidelity_by(f"{model}+{row}", ["language"], translations=1)
"""
WRITES = """\
from pathlib import Path
from helpers.figures import save_table

save_table(sizes, "08-sizes", directory=Path(figures))
save_table(divergence, "08-divergence", directory=Path(figures))
"""
ARCHIVE = "build/stored-tables.tar.xz"


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_notebook) -> Path:
    """The project with one small model, one notebook, and figures and archive as `make stored` has left them."""
    copy = tmp_path_factory.mktemp("tier") / "project"
    ignored = shutil.ignore_patterns("results", "zoo-[sml]*", "*.egg-info")
    for folder in ("src", "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, copy / name)
    (copy / "notebooks").mkdir()
    write_notebook(copy / "notebooks" / "08-x.ipynb", PARAMETERS, MEASURES, WRITES)
    environment = copy / ".venv"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{copy / "src"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (environment / ".installed").touch()
    done = make(copy, "stored")
    assert done.returncode == 0, done.stderr
    assert f"{ARCHIVE}: " in done.stdout and "sha256" in done.stdout
    return copy


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment["PYTHONPATH"] = str(project / "src")
    return subprocess.run(["make", *arguments], cwd=project, env=environment, capture_output=True, text=True)


@pytest.fixture
def fresh(project, tmp_path) -> Path:
    """The project as a fresh clone, with the archive beside it."""
    clone = tmp_path / "clone"
    shutil.copytree(project, clone, symlinks=True, ignore=shutil.ignore_patterns("build", "results", "figures"))
    python = clone / ".venv" / "bin" / "python"
    python.write_text(python.read_text().replace(str(project), str(clone)))
    shutil.copy2(project / ARCHIVE, tmp_path / "tables.tar.xz")
    return clone


def test_figures_of_stored_tables_are_the_same_bytes_and_no_model_is_run(project, fresh):
    for name in ("torch", "transformers"):  # what makes a variant, and what runs one
        (fresh / "src" / f"{name}.py").write_text("raise ImportError('not here')\n")
    done = make(fresh, "figures", "STORED=../tables.tar.xz")
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr
    written = {path.name for path in (project / "figures").glob("08-*")}
    assert {"08-sizes.csv", "08-divergence.csv", "08-tables.json"} == written
    for name in written:
        assert (fresh / "figures" / name).read_bytes() == (project / "figures" / name).read_bytes()
    assert not (fresh / "data" / "results").exists()
    assert not list((fresh / "build" / "variants").glob("[!.]*"))  # at most locks


def test_what_the_archive_lacks_is_left_out_by_name(fresh):
    notebook = fresh / "notebooks" / "08-x.ipynb"
    notebook.write_text(notebook.read_text().replace("translations=1", "translations=2"))
    done = make(fresh, "figures", "STORED=../tables.tar.xz")
    assert done.returncode == 0, done.stderr
    assert "zoo-xs+rtn-4-g8: not among the stored tables of version" in done.stderr
    assert not (fresh / "figures" / "08-divergence.csv").exists()


def test_a_damaged_archive_stops_before_a_notebook_runs(fresh):
    archive = fresh.parent / "tables.tar.xz"
    archive.write_bytes(archive.read_bytes()[:-9])
    done = make(fresh, "figures", "STORED=../tables.tar.xz")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert line.startswith("helpers unpack: ../tables.tar.xz: is damaged")
    assert not list((fresh / "build").glob("notebooks/*"))
