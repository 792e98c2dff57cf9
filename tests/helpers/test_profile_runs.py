"""`make figures PROFILE=paper` end to end against a Hub on loopback that has every model of the paper in small."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from compressed_code.core.paths import BUILD, FIGURES, ROOT
from compressed_code.planning.profiles import find_profile
from compressed_code.registry.lookup import load_registry
from compressed_code.reproduction.settings import reduced_parameters
from hub_stand_in import Repository, running_hub
from paper_models import write_paper_row

PAPER = find_profile("paper")
ROWS = load_registry().models
ON_A_HUB = [name for name in PAPER.every_model() if ROWS[name].hub]
ORIGINAL = "Qwen/Qwen2.5-Coder-7B-Instruct"  # whose tokenizer cuts texts for its GGUF files, which cannot
REFUSED = "llama-3.1-8b"  # its terms are not accepted with this token
TOKEN = "hf_ThisIsNoRealTokenButLooksLikeOne02"
# The paper's models are what is tried here: beside them one model of the zoo, few variants, and so few tasks that it
# passes none.
MODELS = ["zoo-xs", *ON_A_HUB]
TASKS = 2
SHORT = {
    "02": {
        "models": MODELS,
        "contexts": ["document", "bos"],
        "blind": "zoo-xs",
        "quantized": "zoo-xs",
        "rounding": ["rtn-4-g32"],
        "gptq": ["gptq-3-g32"],
        "draws": [0],
    },
    "06": reduced_parameters()["06-code-generation.ipynb"]
    | {"models": MODELS, "base": "zoo-xs", "noisy": "zoo-xs", "general": "zoo-xs"},
}
# They need a variant that breaks 25 programs, and so few are written here.
TOO_FEW = {"06-first-departures.csv", "06-made-of.csv"}
# The command on a machine on which every model would fit; everything else is this one.
COMMAND = """
import sys
from dataclasses import replace
from helpers import __main__, profile_runs
here = profile_runs.this_machine()
profile_runs.this_machine = lambda: replace(here, memory=10**15, disk=10**15)
sys.exit(__main__.main(["profile", "paper"]))
"""


def copy_of_the_project(folder: Path) -> Path:
    """What git tracks, with downloads linked; models of the Hub have the tokenizer beside their own weights."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for name in ("corpus", "packages", "tokenizers"):
        if (BUILD / name).is_dir():
            (folder / "build").mkdir(exist_ok=True)
            (folder / "build" / name).symlink_to(BUILD / name)
    models = yaml.safe_load((folder / "data" / "models.yml").read_text())
    models["tokenizers"]["original"] = {"label": "of the GGUF files", "hub": ORIGINAL, "revision": "main"}
    for name in ON_A_HUB:
        models["models"][name].pop("tokenizer", None)
        if ROWS[name].file:
            models["models"][name]["tokenizer"] = "original"
    (folder / "data" / "models.yml").write_text(yaml.safe_dump(models, sort_keys=False))
    profiles = yaml.safe_load((folder / "data" / "profiles.yml").read_text())
    for notebook, values in SHORT.items():
        profiles["paper"]["notebooks"][notebook] |= values
    (folder / "data" / "profiles.yml").write_text(yaml.safe_dump(profiles, sort_keys=False))
    for tier in (folder / "data" / "benchmarks").glob("zoo-*.jsonl"):
        tier.write_text("".join(tier.read_text().splitlines(keepends=True)[:TASKS]))
    return folder


@pytest.mark.long
def test_every_notebook_of_the_profile_runs_and_names_its_gaps(tmp_path):
    """Exit code 0, every figure; first tokens, warm starts and programs of every model but the one that is refused."""
    project = copy_of_the_project(tmp_path / "project")
    with running_hub() as hub:
        seeds = {hub_id: number for number, hub_id in enumerate(dict.fromkeys(ROWS[name].hub for name in ON_A_HUB))}
        for name in ON_A_HUB:
            row = ROWS[name]
            place = write_paper_row(tmp_path / "hub" / row.hub.replace("/", "--"), row, seed=seeds[row.hub])
            hub.repositories[row.hub] = Repository(place, gated=row.gated, accepted=() if name == REFUSED else (TOKEN,))
        environment = {**os.environ, **hub.environment(tmp_path / "home", TOKEN), "OMP_NUM_THREADS": "1"}
        environment |= {"PYTHONPATH": str(project / "src")}
        environment.pop("COMPRESSED_CODE_COMPUTED", None)
        command = [sys.executable, "-P", "-c", COMMAND]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    place = project / "build" / "profiles" / "paper"
    assert {path.name[:2] for path in (place / "notebooks").glob("0*.ipynb")} == set(PAPER.notebooks)
    (left_out,) = [line for line in (done.stdout + done.stderr).splitlines() if "left out:" in line]
    assert left_out.startswith(f"{REFUSED}: left out: ") and "accept its terms" in left_out
    committed = {path.name for number in PAPER.notebooks for path in FIGURES.glob(f"{number}-*.csv")}
    assert committed - {path.name for path in (place / "figures").glob("*.csv")} == TOO_FEW
    measured = set(ON_A_HUB) - {REFUSED}
    found = {
        name: set(pd.read_csv(place / "figures" / f"{name}.csv")["model"]) & set(ON_A_HUB)
        for name in ("02-metrics", "02-warm-start", "06-pass-by-model", "06-near-ties")
    }
    assert found == dict.fromkeys(found, measured)
