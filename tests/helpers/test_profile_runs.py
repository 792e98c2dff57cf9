"""`make figures PROFILE=paper` end to end against a Hub on loopback that has every model of the paper in small."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from compressed_code.core.paths import BUILD, ROOT
from compressed_code.planning.profiles import find_profile
from compressed_code.registry.lookup import load_registry
from compressed_code.reproduction.settings import reduced_parameters
from hub_stand_in import Repository, running_hub
from paper_models import write_paper_row

PAPER = find_profile("paper")
ROWS = load_registry().models
ON_A_HUB = [name for name in PAPER.every_model() if ROWS[name].hub]
REFUSED = "llama-3.1-8b"  # its terms are not accepted with this token
TOKEN = "hf_ThisIsNoRealTokenButLooksLikeOne02"
# One start context and a few variants of the zoo: the models of the paper are what is tried here.
SHORT = {
    "02": {"contexts": ["document", "bos"], "rounding": ["rtn-4-g32"], "gptq": ["gptq-3-g32"], "draws": [0]},
    "06": reduced_parameters()["06-code-generation.ipynb"],
}


def copy_of_the_project(folder: Path) -> Path:
    """What git tracks, with downloads linked; models of the Hub are cut by the tokenizer beside their own weights."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for name in ("corpus", "packages", "tokenizers"):
        if (BUILD / name).is_dir():
            (folder / "build").mkdir(exist_ok=True)
            (folder / "build" / name).symlink_to(BUILD / name)
    models = yaml.safe_load((folder / "data" / "models.yml").read_text())
    for name in ON_A_HUB:
        models["models"][name].pop("tokenizer", None)
    (folder / "data" / "models.yml").write_text(yaml.safe_dump(models, sort_keys=False))
    profiles = yaml.safe_load((folder / "data" / "profiles.yml").read_text())
    for notebook, values in SHORT.items():
        profiles["paper"]["notebooks"][notebook] |= values
    (folder / "data" / "profiles.yml").write_text(yaml.safe_dump(profiles, sort_keys=False))
    return folder


@pytest.mark.long
def test_every_notebook_of_the_profile_runs_and_names_its_gaps(tmp_path):
    """Exit code 0; first tokens of every model that can be had, programs and warm starts of those that fit."""
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
        command = [sys.executable, "-P", "-m", "helpers", "profile", "paper"]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    place = project / "build" / "profiles" / "paper"
    assert {path.name[:2] for path in (place / "notebooks").glob("0*.ipynb")} == set(PAPER.notebooks)
    left_out = {line.partition(":")[0]: line for line in (done.stdout + done.stderr).splitlines() if "left out" in line}
    assert "accept its terms" in left_out[REFUSED]
    wholly = {name for name in ON_A_HUB if name not in left_out}
    assert {"deepseek-r1", "deepseek-v3", "qwen2.5-72b-instruct"} <= set(left_out)
    assert all("memory: " in line or "disk: " in line for name, line in left_out.items() if name != REFUSED)
    found = {
        name: set(pd.read_csv(place / "figures" / f"{name}.csv")["model"]) & set(ON_A_HUB)
        for name in ("02-metrics", "02-warm-start", "06-near-ties")
    }
    assert found["02-metrics"] == set(ON_A_HUB) - {REFUSED}
    assert found["02-warm-start"] == found["06-near-ties"] == wholly and wholly
