"""What the documents tell a reader to type can be typed, and the numbers of the front page are those of its figures."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE, ROOT
from helpers.__main__ import _parameters
from helpers.notebook_parameters import checked

DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
# Targets → what runs them for real, on a small project where they take long here.
RUN_BY = {
    "env": "tests/test_torch_index.py",
    "figures": "tests/helpers/test_make.py",
    "format": "tests/helpers/test_make.py",
    "lab": "tests/helpers/test_make.py",
    "lint": ".ci/run",
    "lock": "tests/test_environment.py",
    "notebook": "tests/helpers/test_make.py",
    "release": "tests/test_releases.py",
    "robustness": "tests/helpers/test_robustness.py",
    "scaling": "tests/planning/test_scaling.py",
    "site": "tests/site_pages/test_site.py",
    "stored": "tests/helpers/test_stored_tier.py",
    "test": ".ci/run",
    "test-long": ".ci/run",
    "verify": "tests/helpers/test_verification.py",
    "zoo": "tests/zoo/test_training.py",
}
# The first only times, which no test may; the other is all that `.ci/run` runs, part by part.
NOT_RUN = ("bench", "test-all")
STORED = " STORED=path-or-URL"
VARIANT = "path/to/variant"
# Without a Hub it is a gap with a name: what the command's line holds → what its complaint names.
NEEDS_A_HUB = {"qwen2.5-1.5b": "qwen2.5-1.5b", "lock-models": "no Hub answers"}


def typed(document: str) -> list[str]:
    """The lines of a document that a reader types, without their comments."""
    lines = re.findall(r"^    ((?:make|\.venv/bin/\S+) .*|make)$", (ROOT / document).read_text(), flags=re.MULTILINE)
    return [re.split(r"\s#\s", line)[0].rstrip() for line in lines]


def make_commands() -> list[str]:
    """Every `make` line of the documents, those inside sentences too."""
    found = [line for document in DOCUMENTS for line in typed(document) if line.startswith("make ")]
    for document in DOCUMENTS:
        found += re.findall(r"`(make [^`]+)`", (ROOT / document).read_text())
    return sorted(set(found))


@pytest.mark.parametrize("command", make_commands())
def test_every_make_command_is_one_and_a_test_runs_it(command, tmp_path):
    """make itself reads the line and says what it would do, without an environment."""
    shutil.copy2(ROOT / "Makefile", tmp_path)
    for name in ("notebooks", "data", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry = f"{command.removesuffix(STORED)} --dry-run PYTHON=python3"  # which would unpack it
    done = subprocess.run(["sh", "-c", dry], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    targets = [word for word in shlex.split(command)[1:] if re.fullmatch(r"[a-z-]+", word)]
    assert targets, command
    for target in set(targets) - set(NOT_RUN):
        assert re.search(rf"\b{target}\b", (ROOT / RUN_BY[target]).read_text()), target


@pytest.mark.parametrize("command", [line for line in make_commands() if " P=" in line and "name=" not in line])
def test_parameters_in_the_documents_are_the_notebooks(command):
    number, text = re.fullmatch(r"make notebook N=(\d\d) P=\"(.*)\"", command).groups()
    (notebook,) = (ROOT / "notebooks").glob(f"{number}-*.ipynb")
    values = _parameters(text)
    assert values.keys() <= checked(notebook, values, ROOT).keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where a reader types: the commands, and small models under the names that the documents give."""
    place = tmp_path_factory.mktemp("typed")
    commands = place / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name, module in {"compressed-code": "-m compressed_code", "python": ""}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (commands / name).chmod(0o755)
    shutil.copytree(ROOT / "data" / "zoo" / "zoo-xs", place / "path" / "to" / "model")
    shutil.copy2(ROOT / "data" / "zoo" / "zoo-xs" / "tokenizer.json", place / "path" / "to")
    shutil.copytree(ROOT / "data" / "parallel-programs" / "python", place / "some")
    quantize = f"{commands}/compressed-code quantize path/to/model --method"
    made = f"{quantize} gguf --type Q8_0 --out made && mv made/*.gguf other.Q4_K_M.gguf"
    made += f" && {quantize} rtn --bits 4 --group-size 8 --out {VARIANT}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(["sh", "-c", made], cwd=place, env=environment, check=True, capture_output=True)
    return place


@pytest.mark.long
@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_other_command_runs(document, folder, open_packaged, tmp_path):
    """In its order, in one folder. Stand-ins: zoo-xs for a reader's model and zoo-s for a Hub's, Q8_0 for Q4_K_M."""
    if "coverage qwen2.5 " in (ROOT / document).read_text():
        open_packaged("qwen2.5")
    environment = {**os.environ, COMPUTED_VARIABLE: str(folder / "computed"), "PYTHONPATH": str(ROOT / "src")}
    folder = shutil.copytree(folder, tmp_path / "typed")
    for line in [line for line in typed(document) if not line.startswith("make")]:
        if "quantize" in line:  # whose own comes in its place
            shutil.rmtree(folder / VARIANT)
        command = line.replace("OWNER/NAME", "zoo-s").replace("--group-size 32", "--group-size 8")
        place = ROOT if "helpers" in line else folder
        command = command.replace(".venv/bin/", f"{folder}/.venv/bin/") if place == ROOT else command
        complaint = next((named for words, named in NEEDS_A_HUB.items() if words in line), None)
        if complaint:
            environment["HF_HUB_OFFLINE"] = "1"
        done = subprocess.run(["sh", "-c", command], cwd=place, env=environment, capture_output=True, text=True)
        if complaint:
            assert done.returncode == 2 and complaint in done.stderr and "Traceback" not in done.stderr
        else:
            assert done.returncode == 0, (line, done.stderr)
        if "score" in line:
            assert re.search(r"pass@1", done.stdout), done.stdout
            assert float(re.search(r"pass@1\D+(\d\.\d+)", done.stdout)[1]) > 0.5  # an example that succeeds


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "figures" / f"{name}.csv")


def divergence_by_bits() -> str:
    kl = table("03-divergence-by-bits").set_index("row")["value"]
    four, three, two = (kl[f"rtn-{bits}-g32"] for bits in (4, 3, 2))
    return f"{four:.3f} nats a token at four bits, {three:.3f} at three and {two:.3f} at two"


def programs() -> str:
    ends = table("06-outcomes").set_index("variant")
    passed, broken = ends["passed"], ends["syntax error"]
    return (
        f"{passed['RTN 4']:.1f} % pass at four bits, as good as unquantized ({passed['unquantized']:.1f} %), and"
        f" {passed['RTN 3']:.1f} % at three; at two bits {broken['RTN 2']:.1f} % are no valid Python"
    )


def predictors() -> str:
    found = table("07-predictors").query("panel == 'used alone'").set_index("predictor")
    task, pkp = found.loc["task_kl"], found.loc["pkp_change"]
    assert pkp["low"] < 0 < pkp["high"] < task["low"]  # "does not"
    return (
        f"Among {task['rows']:.0f} variants of three to five bits the divergence on solutions of tasks ranks them as"
        f" lost programs do (correlation {task['value']:.2f}); the change of the paper's PKP does not"
        f" ({pkp['value']:.2f})"
    )


def distillation() -> str:
    kl = table("04-agreement").query("quantity == 'kl_mean_nats'").groupby("family")["value"].mean()
    return (
        f"Students lie {kl['distilled']:.2f} nats from their teacher; the same students trained alone lie"
        f" {kl['alone']:.2f} away"
    )


@pytest.mark.parametrize(
    ("figure", "sentence"),
    [
        ("03-divergence-by-bits", divergence_by_bits),
        ("06-outcomes", programs),
        ("07-lost-programs", predictors),
        ("04-agreement", distillation),
    ],
)
def test_the_findings_of_the_front_page_are_those_of_its_figures(figure, sentence):
    text = (ROOT / "README.md").read_text()
    assert f"figures/{figure}.png" in text
    assert sentence() in text


def test_each_bit_costs_about_four_times_as_much():
    kl = table("03-divergence-by-bits").set_index("row")["value"]
    steps = [kl[f"rtn-{bits - 1}-g32"] / kl[f"rtn-{bits}-g32"] for bits in (6, 5, 4, 3)]
    assert all(3.5 < step < 6.5 for step in steps)


def test_the_front_page_counts_what_there_is():
    text = (ROOT / "README.md").read_text()
    notebooks = sorted(path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    assert re.findall(r"^\| \[(\d\d)\]\(notebooks/", text, flags=re.MULTILINE) == notebooks
    largest = table("05-loss-by-size")["parameters"].max()
    assert f"up to {largest / 1e6:.0f} million weights" in text
    variants = {
        entry["subject"]
        for entry in pd.read_json(ROOT / "figures" / "03-tables.json", typ="series")["tables"]
        if entry["measurement"] == "variant_record"
    }
    assert f"{len(variants)} variants of one model" in text


def test_versions_in_the_documents_are_those_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Python {project['requires-python'].replace('>=', '≥ ')}," in (ROOT / "README.md").read_text()
    (torch,) = [line.partition("==")[2] for line in project["dependencies"] if line.startswith("torch==")]
    assert f"make: torch {torch}+cpu" in " ".join((ROOT / "docs" / "running.md").read_text().split())
