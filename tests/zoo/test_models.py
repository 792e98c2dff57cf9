"""The committed zoo: plain folders, small, as the recipes say, scored by the repository's own tables."""

import hashlib
import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.core.paths import DATA
from compressed_code.registry.lookup import load_registry
from compressed_code.zoo.materials import PIN_FILE, pinned_digest
from compressed_code.zoo.recipes import ZOO_DIRECTORY, load_recipes, load_targets, lone_counterpart
from compressed_code.zoo.scores import SCORES_FILE
from working_isolators import working_isolators

SIZES, RECIPES = load_recipes()
KEYS = list(RECIPES)
MEGABYTE = 1_000_000


def test_every_recipe_has_its_folder_its_registry_row_and_its_scores():
    assert sorted(path.name for path in ZOO_DIRECTORY.iterdir()) == sorted(KEYS)
    rows = load_registry().models
    scores = pd.read_csv(SCORES_FILE)
    assert list(dict.fromkeys(scores["model"])) == KEYS
    for key, recipe in RECIPES.items():
        record = json.loads((ZOO_DIRECTORY / key / TRAINING_RECORD).read_text())
        assert record["recipe"] == recipe.model_dump() and record["size"] == SIZES[recipe.size].model_dump()
        assert rows[key].location == ZOO_DIRECTORY / key
        assert rows[key].parameters == record["parameters"]
        assert rows[key].base_model == (recipe.start or recipe.teacher)


def test_the_zoo_is_small():
    assert sum(file.stat().st_size for file in ZOO_DIRECTORY.rglob("*") if file.is_file()) <= 25 * MEGABYTE


def test_one_tokenizer_and_one_corpus_serve_all():
    files = {hashlib.sha256((ZOO_DIRECTORY / key / "tokenizer.json").read_bytes()).hexdigest() for key in KEYS}
    records = [json.loads((ZOO_DIRECTORY / key / TRAINING_RECORD).read_text()) for key in KEYS]
    assert len(files) == 1
    assert len({(record["materials"], record["corpus"]) for record in records}) == 1


def test_where_nothing_is_to_train_nothing_is_loaded_or_written():
    """The materials are pinned: their digest is known without making them, as long as they would come out the same."""
    record = json.loads((ZOO_DIRECTORY / KEYS[0] / TRAINING_RECORD).read_text())
    assert pinned_digest() == record["materials"], "run make zoo"
    script = "import sys; from compressed_code.zoo.build import build_zoo; print(build_zoo(), 'torch' in sys.modules)"
    files = [SCORES_FILE, PIN_FILE, *ZOO_DIRECTORY.rglob("*")]
    before = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[] False\n", done.stderr
    assert [(file.stat().st_mtime_ns, file.stat().st_size) for file in files] == before


def test_other_materials_are_not_taken_for_the_pinned_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("compressed_code.zoo.materials.TASKS", 10)
    assert pinned_digest() is None
    (tmp_path / "pin.json").write_text("[]")
    assert pinned_digest(tmp_path / "pin.json") is None and pinned_digest(tmp_path / "absent.json") is None


@pytest.mark.parametrize("key", KEYS)
def test_it_loads_with_plain_transformers(key):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(ZOO_DIRECTORY / key)
    tokenizer = AutoTokenizer.from_pretrained(ZOO_DIRECTORY / key)
    assert model.dtype == torch.float16
    assert sum(parameter.numel() for parameter in model.parameters()) == load_registry().models[key].parameters
    assert tokenizer.decode(tokenizer("def main():\n    return 1\n")["input_ids"], skip_special_tokens=True) == (
        "def main():\n    return 1\n"
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_card_holds_the_scores_of_the_table(key):
    scores = pd.read_csv(SCORES_FILE).query("model == @key").set_index("quantity")
    card = (ZOO_DIRECTORY / key / "README.md").read_text()
    for quantity, row in scores.iterrows():
        if quantity.startswith("pass_"):
            cells = f"| {quantity[5:]} | {row['n']:.0f} | {100 * row['value']:.1f} ("
        elif quantity.startswith("loss_"):
            cells = f"| {quantity[5:]} | {row['value']:.3f} |"
        else:
            continue
        assert cells in card, quantity
    assert re.search(rf"hold {scores.loc['pkp', 'value']:.3f} of the probability", card)
    for quantity, (low, high) in load_targets().get(key, {}).items():
        met = low <= scores.loc[quantity, "value"] <= high
        assert f"`{quantity}` between {low:g} and {high:g}: {'met' if met else 'missed'}" in card


def test_bigger_is_better():
    """By pass rates on the tier where they are not all perfect, and by loss on held-out source code."""
    scores = pd.read_csv(SCORES_FILE).pivot(index="model", columns="quantity", values="value")
    by_size = scores.loc[["zoo-xs", "zoo-s", "zoo-m", "zoo-l"]]
    assert by_size["pass_standard"].is_monotonic_increasing
    losses = by_size.filter(like="loss_").mean(axis=1)
    assert losses.is_monotonic_decreasing
    assert scores.loc["zoo-l-instruct", "pass_standard"] >= 0.95 and scores.loc["zoo-l-instruct", "pass_hard"] >= 0.85


def test_a_teacher_helps_on_the_mean_over_seeds_and_the_card_of_seed_2_shows_the_exception():
    """Student against lone model of the same seed. Loss falls for every seed; pass rates rise for two of three."""
    scores = pd.read_csv(SCORES_FILE).pivot(index="model", columns="quantity", values="value")
    lone = {key: lone_counterpart(RECIPES[key], RECIPES) for key in KEYS if RECIPES[key].teacher}
    assert [RECIPES[key].seed for key in lone] == [0, 1, 2]
    gain = scores.loc[list(lone)] - scores.loc[list(lone.values())].to_numpy()
    passed, losses = gain.filter(like="pass_"), gain.filter(like="loss_")
    assert passed.shape[1] == 3 and (passed.mean() > 0).all()
    assert (losses.mean(axis=1) < 0).all()
    better = {RECIPES[key].seed: row.gt(0).all() for key, row in passed.iterrows()}
    assert better == {0: True, 1: True, 2: False}
    assert (passed.loc["zoo-s-distilled-seed2"] < 0).all(), "the exception holds on every tier"
    for key, counterpart in lone.items():
        card = (ZOO_DIRECTORY / key / "README.md").read_text()
        _, section = card.split(f"## Beside {counterpart}, the same model trained without a teacher")
        for tier in passed.columns:
            student, alone = (100 * scores.loc[name, tier] for name in (key, counterpart))
            verdict = "met" if student > alone else "missed"
            assert f"| {tier[5:]} | {student:.1f} | {alone:.1f} | {verdict}, {student - alone:+.1f} points |" in section


@pytest.mark.slow
def test_the_scores_can_be_measured_again():
    """The smallest model, written and run anew: every verdict counts the same."""
    from compressed_code.measurements.code_generation import executions
    from compressed_code.measurements.tables import measure

    if not working_isolators():
        pytest.skip("no isolator on this system")
    again = measure(executions, ["zoo-xs"], benchmark="zoo-standard")["passed"].mean()
    recorded = pd.read_csv(SCORES_FILE).set_index(["model", "quantity"])["value"][("zoo-xs", "pass_standard")]
    assert again == pytest.approx(recorded, abs=1e-6)


def test_the_benchmark_tiers_are_those_of_the_scores():
    assert {path.stem for path in (DATA / "benchmarks").glob("zoo-*.jsonl")} == {"zoo-standard", "zoo-hard", "zoo-ood"}
