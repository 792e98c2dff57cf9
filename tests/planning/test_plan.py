"""Plans, profiles, locked revisions: held against measured runs, and against a Hub on loopback."""

import re
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from compressed_code.__main__ import main
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.planning.costs import cold_start_seconds, fitted, generation_seconds, load_costs
from compressed_code.planning.gaps import find_gaps, told
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.locking import lock_models
from compressed_code.planning.plan import Machine, plan
from compressed_code.planning.profiles import find_profile
from compressed_code.registry.lookup import REGISTRY_FILE, load_registry
from helpers.notebook_parameters import read_parameters
from helpers.notebook_runs import find_notebooks
from helpers.profile_runs import run_profile
from hub_stand_in import Repository, running_hub

LARGE = Machine(10**15, 10**15)
PAPER = find_profile("paper")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ON_A_HUB = [name for name in PAPER.every_model() if load_registry().models[name].hub]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty Hub that this process and those it starts talk to."""
    with running_hub() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        for name, value in found.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        close_session()
        yield found
        close_session()


def _plan(machine: Machine = LARGE) -> pd.DataFrame:
    return plan(PAPER, load_registry(), load_layouts(), load_costs(), machine).set_index(["model", "measurement"])


# --- what it takes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measurement", ["cold_start", "generations"])
def test_costs_of_smaller_models_foretell_the_largest(measurement):
    """Fitted without it, the run of the largest model is foretold within a factor of two."""
    runs = load_costs()
    own = runs[runs["measurement"] == measurement].sort_values("weights")
    costs, largest = fitted(own.iloc[:-1], measurement), own.iloc[-1]
    if measurement == "cold_start":
        foretold = cold_start_seconds(costs, largest["work"])
    else:
        foretold = generation_seconds(costs, largest["weights"], largest["work"])
    assert 0.5 < foretold / largest["seconds"] < 2


def test_costs_are_found_again_in_runs_made_from_them():
    runs = pd.DataFrame({"measurement": "generations", "weights": [10**5, 10**6, 10**9], "work": [10, 1000, 7]})
    runs["seconds"] = [
        generation_seconds((3e-4, 2e-10), *pair) for pair in runs[["weights", "work"]].to_numpy().tolist()
    ]
    assert fitted(runs, "generations") == pytest.approx((3e-4, 2e-10))
    with pytest.raises(InputError, match="two sizes"):
        fitted(runs.iloc[:1], "generations")


def test_the_plan_of_the_paper():
    table = _plan()
    assert table.index.get_level_values("model").nunique() == len(ON_A_HUB)
    whole = table.xs("generations", level="measurement")
    assert whole.loc["deepseek-r1", "fetched_gb"] == pytest.approx(688.574839360)
    assert whole.loc["qwen2.5-7b", "memory_gb"] == pytest.approx(4 * 7.615616512)
    first = table.xs("cold_start", level="measurement")
    assert first.loc["deepseek-r1", "fetched_gb"] < 5 * 0.06 * 688.6  # of 256 experts eight
    assert (table[["fetched_gb", "hours"]] > 0).all(axis=None)
    assert (table["missing"] == "").sum() == 2 * sum(not load_registry().models[name].gated for name in ON_A_HUB)
    assert set(table["revision"]) == {"not locked"}  # until a machine with a Hub writes commits


def test_what_is_missing_is_said():
    small = _plan(Machine(memory=8 * 10**9, disk=10**10, no_hub="https://x (ConnectError)"))
    missing = small["missing"]
    assert missing.str.startswith("no hub").all()
    assert missing["llama-3.1-8b", "cold_start"] == "no hub; gated: accept its terms and set HF_TOKEN"
    assert missing["qwen2.5-7b", "generations"] == "no hub; memory: 30.5 GB, 8.0 free; disk: 15.2 GB, 10.0 free"
    assert missing["qwen2.5-7b", "cold_start"] == "no hub"
    able = _plan(Machine(10**15, 10**15, token=True))
    assert (able["missing"] == "").all()


def test_the_command_asks_once_and_downloads_nothing(hub, capsys):
    assert main(["plan", "--format", "csv"]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1 + 2 * len(ON_A_HUB)
    assert f"{len(ON_A_HUB)} models are not locked" in shown.err
    assert [(method, path) for method, path, *_ in hub.requests] == [("HEAD", "/")]
    assert main(["plan", "--profile", "papre"]) == 2
    assert "papre: no such profile; profiles.yml has paper" in capsys.readouterr().err


def test_profiles_name_parameters_of_notebooks():
    sources = find_notebooks(list(PAPER.notebooks))
    for source, given in zip(sources, PAPER.notebooks.values(), strict=True):
        assert set(given) <= set(read_parameters(source))
    told = [amount.left_out.split(".") for amount in PAPER.measured.values() if amount.left_out]
    known = dict(zip(PAPER.notebooks, map(read_parameters, sources), strict=True))
    assert told and all(known[notebook][parameter].names == "model" for notebook, parameter in told)


# --- revisions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def registry_file(tmp_path) -> Path:
    path = tmp_path / "models.yml"
    path.write_text(REGISTRY_FILE.read_text())
    return path


def test_locking_changes_revisions_and_nothing_else(hub, tmp_path, registry_file, capsys):
    rows = load_registry(registry_file).models
    for key in ("qwen2.5-7b", "qwen2.5-coder-7b-instruct-q2_k", "llama-3.1-8b"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "config.json").write_text(key)
        hub.repositories[rows[key].hub] = Repository(tmp_path / key, gated=rows[key].gated)
    before = registry_file.read_text().splitlines()
    answers = lock_models(registry_file)
    after = registry_file.read_text().splitlines()
    locked = {key for key, row in load_registry(registry_file).models.items() if row.hub and row.locked}
    assert locked == {
        "qwen2.5-7b",
        "llama-3.1-8b",
        *(key for key in rows if key.startswith("qwen2.5-coder-7b-instruct-")),
    }
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == len(locked) == 16
    assert all(
        old == '    revision: "main"' and re.fullmatch(r' {4}revision: "[0-9a-f]{40}"', new) for old, new in changed
    )
    assert load_registry(registry_file).models["qwen2.5-7b"].revision == hub.repositories["Qwen/Qwen2.5-7B"].commit
    assert "no such model" in answers["qwen2.5-14b"] and len(answers) == len(ON_A_HUB)
    assert len(hub.asked("QuantFactory")) == 1  # fourteen rows, one repository
    assert set(lock_models(registry_file)) == set(ON_A_HUB) - locked  # what is locked stays what it is


def test_a_named_row_is_locked_anew(registry_file):
    lock_models(registry_file, ["qwen2.5-7b"], lambda hub, revision: COMMIT)
    lock_models(registry_file, ["qwen2.5-7b"], lambda hub, revision: COMMIT[::-1])
    assert load_registry(registry_file).models["qwen2.5-7b"].revision == COMMIT[::-1]
    with pytest.raises(InputError, match=r"zoo-m: is no row of .* that names a Hub"):
        lock_models(registry_file, ["zoo-m"])


def test_a_row_whose_revision_cannot_be_replaced_leaves_the_file_alone(registry_file):
    text = registry_file.read_text() + '  mine: {label: Mine, hub: a/b, revision: "main"}\n'
    registry_file.write_text(text)
    with pytest.raises(InputError, match=r"models\.mine: has no line"):
        lock_models(registry_file, ["mine"], lambda hub, revision: COMMIT)
    assert registry_file.read_text() == text


def test_locking_without_a_hub_says_so_for_each_row(registry_file):
    def nothing(hub: str, revision: str) -> str:
        raise Unavailable(f"{hub}: the Hub does not deliver it")

    text = registry_file.read_text()
    answers = lock_models(registry_file, find=nothing)
    assert len(answers) == len(ON_A_HUB) and all("does not deliver" in answer for answer in answers.values())
    assert registry_file.read_text() == text


def test_the_command_without_a_hub_changes_nothing(monkeypatch, capsys):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    text = REGISTRY_FILE.read_text()
    assert main(["lock-models"]) == 2
    told_of = capsys.readouterr().err.splitlines()
    assert len(told_of) == 1 and "no Hub answers: http://127.0.0.1:9" in told_of[0]
    assert REGISTRY_FILE.read_text() == text


# --- figures with what there is --------------------------------------------------------------------------------------

READS = """\
from pathlib import Path
import pandas as pd
from helpers.figures import save_table

save_table(pd.DataFrame({"model": models}), "08-table", directory=Path(figures))
"""


@pytest.fixture
def profile(tmp_path, write_notebook):
    """A notebook that writes down its models, and a profile of it."""
    (tmp_path / "notebooks").mkdir()
    cell = "# models: any\nmodels = ['zoo-m']\nfigures = '../build/custom'"
    write_notebook(tmp_path / "notebooks" / "08-x.ipynb", cell, READS)
    (tmp_path / "profiles.yml").write_text("""\
small:
  label: Small
  notebooks:
    "08": {models: [zoo-m, qwen2.5-1.5b, llama-3.1-8b, deepseek-r1]}
  measured:
    generations: {times: 10, models: "08.models"}
""")
    places = {"notebooks": tmp_path / "notebooks", "profiles": tmp_path / "profiles.yml", "directory": tmp_path / "out"}

    def run(machine: Machine | None = None) -> tuple[list[str], list[str]]:
        lines = []
        (executed,) = run_profile("small", lines.append, machine=machine, **places)
        assert executed.is_file(), lines
        return lines, pd.read_csv(tmp_path / "out" / "small" / "figures" / "08-table.csv")["model"].tolist()

    return run


@pytest.mark.slow
def test_without_a_hub_every_model_is_one_line_and_the_figures_go_on(profile, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    lines, models = profile()
    assert models == ["zoo-m"]
    told_of = [line for line in lines if "left out" in line]
    assert [line.partition(":")[0] for line in told_of] == ["qwen2.5-1.5b", "llama-3.1-8b", "deepseek-r1"]
    assert all("no Hub answers: http://127.0.0.1:9 (ConnectError" in line and "\n" not in line for line in told_of)


@pytest.mark.slow
def test_with_a_hub_what_can_be_had_is_taken(profile, hub, tmp_path):
    for name, gated in (
        ("Qwen/Qwen2.5-1.5B", False),
        ("meta-llama/Llama-3.1-8B", True),
        ("deepseek-ai/DeepSeek-R1", False),
    ):
        hub.repositories[name] = Repository(tmp_path / "notebooks", gated=gated)
    lines, models = profile(Machine(10**11, 10**13))
    assert models == ["zoo-m", "qwen2.5-1.5b"]
    left = {line.partition(":")[0]: line for line in lines if "left out" in line}
    assert "gated; accept its terms" in left["llama-3.1-8b"] and "memory: 2684.1 GB" in left["deepseek-r1"]


def test_a_repository_is_asked_once_and_what_is_too_large_stays_for_what_streams():
    asked = []
    gaps = find_gaps(
        PAPER, load_registry(), load_layouts(), Machine(8 * 10**9, 10**11), lambda hub, _: asked.append(hub)
    )
    assert len(asked) == len({load_registry().models[name].hub for name in ON_A_HUB})
    assert gaps["cold_start"] == {} and "qwen2.5-1.5b" not in gaps["generations"]
    assert "deepseek-r1: left out: generations: memory: 2684.1 GB, 8.0 free; disk: 688.6 GB, 100.0 free" in told(gaps)
    left = PAPER.without(gaps)
    assert "deepseek-r1" in left["02"]["models"] and "deepseek-r1" not in left["06"]["models"]
    assert left["02"]["streamed"] == [name for name in PAPER.models("generations") if name in gaps["generations"]]
    assert "deepseek-r1" in left["02"]["streamed"] and "qwen2.5-1.5b" not in left["02"]["streamed"]
