"""The environment files agree, the import layers hold, and importing the package stays light."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from compressed_code.core.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = re.findall(r"^([a-z0-9][^ =]*==[^\\\n]*?) *\\?$", LOCK, flags=re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_and_pip_pin_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    torch = [requirement for requirement in PYPROJECT["project"]["dependencies"] if requirement.startswith("torch==")]
    assert pip == [*torch, *PINS, "--editable=."]
    assert "python=3.11" in environment["dependencies"]


def test_every_declared_dependency_is_locked():
    declared = PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"]["dev"]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in declared}
    locked = {normal(pin.split("==")[0]) for pin in PINS}
    assert names - locked == {"torch"}  # its build depends on the machine; pyproject.toml pins its version
    for requirement in declared:
        if "==" in requirement and not requirement.startswith("torch"):
            assert requirement.split(";")[0].strip() in [pin.split(" ;")[0] for pin in PINS]


def test_the_lock_has_hashes_and_no_addresses():
    assert LOCK.count("--hash=sha256:") > len(PINS)
    assert not re.search(r"https?://|file:|--index|--find-links", LOCK + (ROOT / "environment.yml").read_text())


def test_the_running_environment_is_the_locked_one():
    from importlib.metadata import version

    for pin in PINS:
        requirement = pin.split(" ;")
        if len(requirement) == 1:
            name, locked = requirement[0].split("==")
            assert version(name) == locked


def test_imports_point_down_only():
    finished = subprocess.run([f"{sys.prefix}/bin/lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("torch", "transformers", "pandas", "matplotlib")
    code = f"import sys, helpers, compressed_code.__main__; print([name for name in {heavy} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_measuring_tokenizers_needs_no_torch():
    modules = "compressed_code.measurements.tokenizers, compressed_code.charts.tokenizers"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_of_the_documents_lead_somewhere(name):
    path = ROOT / name
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{name}: {target}"


def test_the_readme_names_every_folder():
    text = (ROOT / "README.md").read_text()
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path}
    assert {folder for folder in folders if not folder.startswith(".")} <= set(re.findall(r"`([a-z]+)/", text))
