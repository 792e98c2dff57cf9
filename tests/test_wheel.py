"""A wheel in a clean environment: the command works outside of the checkout and writes nothing beside itself."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from compressed_code.core.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """An environment that holds the wheel, and borrows what the wheel depends on from the running one."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("src", "data"):  # a copy, since a build leaves folders of its own in the source
        ignored = shutil.ignore_patterns("results", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, folder / "source"]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    place = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    install = ["--python", python, "install", "--no-deps", "--no-index", "--no-compile", wheel]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    (packages,) = place.glob("lib/python*/site-packages")
    # Only the folder: what stands in its own .pth files, our editable installation among it, is not followed.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(folder / "source")
    return place


@pytest.fixture
def run(clean, tmp_path):
    """Run a program of the clean environment in an empty folder, with a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}

    def started(program: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [clean / "bin" / program, *arguments]
        folder = tmp_path / "elsewhere"
        folder.mkdir(exist_ok=True)
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)

    return started


def test_the_library_is_the_installed_one_and_finds_its_data(clean, run):
    done = run(
        "python", "-c", "import compressed_code as cc; print(cc.__file__); print(len(cc.load_registry().models))"
    )
    assert done.returncode == 0, done.stderr
    module, models = done.stdout.splitlines()
    assert module.startswith(str(clean)) and int(models) > 0


def test_commands_work_outside_of_the_checkout(clean, run, tmp_path):
    before = sorted(clean.rglob("*"))
    coverage = run("compressed-code", "coverage", "zoo", "--language", "python", "--format", "csv")
    assert coverage.returncode == 0, coverage.stderr
    assert coverage.stdout.startswith("tokenizer,language,form,covered,total,missing\nzoo,python,bare,")
    cold_start = run("compressed-code", "cold-start", "zoo-xs", "--top", "1", "--format", "json")
    assert cold_start.returncode == 0, cold_start.stderr
    assert '"pkp"' in cold_start.stdout
    assert sorted(clean.rglob("*")) == before
    assert list((tmp_path / "cache" / "compressed-code" / "data" / "results").glob("cold_start/*.parquet"))


EACH_HELP = """
import sys
from compressed_code.__main__ import main
for command in sys.argv[1:]:
    try:
        code = main([command, "--help"])
    except SystemExit as end:
        code = end.code or 0
    print("exit code", code)
"""


def test_every_command_says_what_it_does(run):
    said = run("compressed-code", "--help")
    assert said.returncode == 0, said.stderr
    commands = ("coverage", "cold-start", "quantize", "fidelity", "generate", "score", "zoo")
    assert all(command in said.stdout for command in commands)
    told = run("python", "-c", EACH_HELP, *commands)
    assert told.returncode == 0, told.stderr
    assert [line for line in told.stdout.splitlines() if line.startswith("exit code ")] == ["exit code 0"] * 7


def test_what_needs_the_checkout_says_so(run):
    done = run("compressed-code", "zoo")
    assert done.returncode == 2
    assert done.stderr.startswith("compressed-code zoo: training the zoo: needs a checkout of the repository")
    assert len(done.stderr.splitlines()) == 1
