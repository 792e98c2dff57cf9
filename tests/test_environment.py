"""The environment files agree, the import layers hold, and importing the package stays light."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from compressed_code.core.paths import COMPUTED_VARIABLE, ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins_of(lock: str) -> list[str]:
    """What a locked list pins, markers included, without hashes."""
    return re.findall(r"^([a-z0-9][^ =]*==[^\\\n]*?) *\\?$", lock, flags=re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements: Iterable[str]) -> set[str]:
    return {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in requirements}


PINS = pins_of(LOCK)
CONDITIONLESS = {f"{normal(pin.split('==')[0])}==" for pin in PINS if " ;" not in pin}
SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def test_conda_and_pip_pin_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    torch = [requirement for requirement in PYPROJECT["project"]["dependencies"] if requirement.startswith("torch==")]
    assert pip == [*torch, *PINS, "--editable=."]
    assert "python=3.11" in environment["dependencies"]


def test_every_declared_dependency_is_locked():
    extras = PYPROJECT["project"]["optional-dependencies"]
    declared = PYPROJECT["project"]["dependencies"] + extras["dev"] + extras["cluster"]
    # torch's build depends on the machine; pyproject.toml pins its version
    assert names_of(declared) - names_of(PINS) == {"torch"}
    for requirement in declared:
        if "==" in requirement and not requirement.startswith("torch"):
            assert requirement.split(";")[0].strip() in [pin.split(" ;")[0] for pin in PINS]


def test_the_lock_of_the_site_has_what_the_environment_lacks_and_no_more():
    lock = (ROOT / "docs" / "requirements.lock").read_text()
    pins = pins_of(lock)
    declared = names_of(PYPROJECT["project"]["optional-dependencies"]["site"])
    assert declared - names_of(PINS) <= names_of(pins)
    assert not names_of(pins) & {"torch", "triton"}
    # what the environment has on some Pythons only stands in both, at one version
    assert not set(pins) & set(PINS)
    assert all(f"{normal(pin.split('==')[0])}==" not in CONDITIONLESS for pin in pins)
    versions = {normal(pin.split("==")[0]): pin.split(" ;")[0] for pin in PINS}
    assert all(versions.get(normal(pin.split("==")[0]), pin.split(" ;")[0]) == pin.split(" ;")[0] for pin in pins)
    assert lock.count("--hash=sha256:") >= len(pins) > 0
    assert not re.search(r"https?://|file:|--index|--find-links", lock)


def test_binder_gets_the_locked_versions_and_no_torch():
    wanted = (ROOT / "binder" / "requirements.in").read_text()
    given = pins_of((ROOT / "binder" / "requirements.txt").read_text())
    assert names_of(line for line in wanted.splitlines() if not line.startswith("#")) <= names_of(given)
    assert {pin.split(" ;")[0] for pin in given} <= {pin.split(" ;")[0] for pin in PINS}
    heavy = {"torch", "transformers", "accelerate", "gptqmodel", "optimum", "peft", "hqq", "auto-gptq"}
    declared = names_of(PYPROJECT["project"]["dependencies"])
    assert declared - names_of(given) == heavy, "a new dependency goes to binder/requirements.in, or to this list"
    assert all(os.access(ROOT / "binder" / name, os.X_OK) for name in ("postBuild", "start"))


@pytest.mark.parametrize("named", [True, False])
def test_binder_unpacks_the_tables_that_are_named_and_its_kernels_find_them(named, tmp_path):
    """With a python that says what it was asked for, in place of the one that Binder has."""
    for folder in ("binder", "docs/jupyterlab"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    if named:
        (tmp_path / "binder" / "stored.txt").write_text("https://example.org/tables.tar.xz#sha256=ab\n")
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@" >> asked\necho unpacked/here\n')
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["binder/postBuild"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    install, start, prefix, *unpack = (tmp_path / "asked").read_text().splitlines()
    assert install.startswith("-m pip install") and "--no-deps" in install
    assert start == "-m helpers start" and "sys.prefix" in prefix
    settings = tmp_path / "unpacked" / "here" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert settings.read_bytes() == (ROOT / "docs" / "jupyterlab" / "overrides.json").read_bytes()
    assert unpack == ["-m helpers unpack https://example.org/tables.tar.xz#sha256=ab"] * named
    told = ["binder/start", "sh", "-c", f"echo ${COMPUTED_VARIABLE}"]
    done = subprocess.run(told, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "unpacked/here" * named


@pytest.mark.parametrize("name", [".devcontainer/devcontainer.json", ".github/workflows/pages.yml"])
def test_what_other_services_run_is_there(name):
    """Every `make` target that a container or a workflow names; both files are what their services parse."""
    text = (ROOT / name).read_text()
    assert json.loads(text) if name.endswith("json") else yaml.safe_load(text)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = re.findall(r"\bmake ([a-z-]+)", text)
    assert named and set(named) <= targets


@pytest.mark.long
def test_the_pip_section_of_the_conda_environment_installs_in_a_fresh_python(tmp_path):
    """conda itself cannot be had everywhere; its file is read as conda reads it, and pip does the rest.

    All of it is resolved together. Then everything is installed but torch, whose builds take up to 4 GB and of which
    only name and version are left there, and a command runs in the new environment.
    """
    python = shutil.which("python3.11")
    if not python:
        pytest.skip("python3.11, which environment.yml names, is not installed")
    subprocess.run([python, "-m", "venv", tmp_path / "fresh"], check=True)
    fresh = tmp_path / "fresh" / "bin" / "python"
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    torch, *rest, checkout = pip

    def run(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([fresh, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)

    def install(*options: object, requirements: list[str]) -> subprocess.CompletedProcess:
        (tmp_path / "requirements.txt").write_text("\n".join(requirements))
        return run(
            "pip", "--quiet", "--disable-pip-version-check", "install", *options, "-r", tmp_path / "requirements.txt"
        )

    done = install("--dry-run", requirements=pip[:-1])
    if "(from versions: none)" in done.stderr:
        pytest.skip("no package index is in reach")
    assert done.returncode == 0, done.stderr
    site = Path(subprocess.run([fresh, "-c", SITE], capture_output=True, text=True, check=True).stdout.strip())
    stand_in = site / f"torch-{torch.split('==')[1]}.dist-info"
    stand_in.mkdir()
    (stand_in / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {torch.split('==')[1]}\n")
    done = install("--no-deps", "--no-compile", requirements=rest)
    assert done.returncode == 0, done.stderr
    assert checkout == "--editable=."
    done = run("pip", "check")
    assert done.returncode == 0, done.stdout
    (site / "checkout.pth").write_text(str(ROOT / "src"))  # as an editable install leaves it, without writing into ROOT
    done = run("compressed_code", "coverage", "zoo", "--language", "python", "--format", "csv")
    assert done.returncode == 0 and "python" in done.stdout, done.stderr


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


WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers", "accelerate", "gptqmodel", "optimum", "peft", "hqq", "auto_gptq"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_what_opens_on_binder_needs_nothing_that_binder_lacks():
    """Everything that the notebooks import, which run there on stored tables, and the commands' own frame."""
    notebooks = [json.loads(path.read_text())["cells"] for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))]
    code_cells = [cell for cells in notebooks for cell in cells if cell["cell_type"] == "code"]
    lines = [line for cell in code_cells for line in "".join(cell["source"]).splitlines()]
    imports = [line for line in lines if re.match(r"(import|from) ", line)]
    code = "\n".join([WITHOUT_TORCH, *imports, "import compressed_code.__main__"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert imports and done.returncode == 0, done.stderr


PAGES = sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md", *PAGES])
def test_links_of_the_documents_lead_somewhere(name):
    path = ROOT / name
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
        place = path.parent / target if target else path
        assert place.exists(), f"{name}: {target}"
        if heading:  # GitHub's anchors: lower case, blanks as hyphens, no other sign
            lines = re.findall(r"^#+ (.*)$", place.read_text(), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}
            assert heading in anchors, f"{name}: {target}#{heading}"


def test_the_readme_names_every_folder():
    text = (ROOT / "README.md").read_text()
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    folders = {path.split("/")[0] for path in tracked if "/" in path}
    assert {folder for folder in folders if not folder.startswith(".")} <= set(re.findall(r"`([a-z]+)/", text))
