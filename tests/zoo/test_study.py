"""The summary of models that are trained for their measurements only."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.cold_start.metrics import metric_table
from compressed_code.measurements.cold_start import cold_start_probabilities
from compressed_code.registry.languages import select_languages
from compressed_code.zoo import study
from compressed_code.zoo.mixtures import load_first_tokens
from compressed_code.zoo.recipes import ZOO_DIRECTORY, load_recipes, load_study, model_kind, seed_families
from compressed_code.zoo.scores import SCORES_FILE


@pytest.fixture
def trained(tmp_path):
    """Two models of the study, as if two of the zoo's had come out of their trainings."""
    keys = ["zoo-xs-tasks-0", "zoo-s-seed3"]
    for key, model in zip(keys, ("zoo-xs", "zoo-s"), strict=True):
        shutil.copytree(ZOO_DIRECTORY / model, tmp_path / "models" / key)
    return keys, tmp_path / "models", tmp_path


def test_a_row_says_what_a_model_is_and_begins_with(trained):
    keys, directory, _ = trained
    rows = [study.study_cold_start(key, load_study()[key], directory) for key in keys]
    table = pd.concat(rows, ignore_index=True).set_index("model")
    record = json.loads((directory / keys[0] / TRAINING_RECORD).read_text())
    assert list(table.index) == keys and table.loc[keys[0], "weights"] == record["weights"]
    tokens = cold_start_probabilities("zoo-xs")
    metrics = metric_table(tokens, select_languages(None), ["the"]).set_index("metric")["value"]
    assert table.loc[keys[0], "pkp"] == pytest.approx(metrics["pkp"], rel=1e-6)
    shares = load_first_tokens("base")
    probability = tokens.set_index("token_id")["probability"].reindex(shares.index)
    divergences = table.loc[keys[0], list(study.DIVERGENCES)].astype(float)
    reached = probability.sum()  # scipy compares what adds to 1; the rest of the mass costs its logarithm
    assert divergences["kl_base"] == pytest.approx(entropy(shares, probability) - np.log(reached), rel=1e-6)
    assert divergences.idxmin() == "kl_base"  # the mixture it was trained on
    assert table.loc[keys[0], "tasks_share"] == pytest.approx(0.5, abs=0.1)  # as the zoo's base models were trained


@pytest.mark.long
@pytest.mark.parametrize(("place", "model"), [(0, "zoo-xs"), (1, "zoo-s")])
def test_scores_are_those_of_the_zoo_and_the_distance_from_the_teacher(trained, place, model):
    """The second has a teacher, the first none."""
    keys, directory, _ = trained
    key, of_zoo = keys[place], pd.read_csv(SCORES_FILE)
    scores = study.study_scores(key, load_study()[key], directory)
    assert set(scores["model"]) == {key}
    of_teacher, of_family = (scores["quantity"].str.startswith(start) for start in ("teacher_", "pass_ood_"))
    own = scores[~of_teacher & ~of_family].drop(columns="model").reset_index(drop=True)
    known = of_zoo[of_zoo["model"] == model].drop(columns="model").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, known, check_dtype=False, rtol=1e-4, atol=1e-6)
    passed = scores["value"] * scores["n"]
    assert scores.loc[of_family, "n"].sum() == 320
    assert passed[of_family].sum() == pytest.approx(passed[scores["quantity"] == "pass_ood"].item())
    assert of_teacher.sum() == (len(study.BESIDE) + 1 if place else 0)
    if place:
        values = scores.set_index("quantity")["value"]
        teacher, student = (cold_start_probabilities(name)["probability"] for name in ("zoo-m", model))
        assert values["teacher_first_token_kl"] == pytest.approx(entropy(teacher, student), rel=1e-5)
        assert 0 < values["teacher_same_top_fraction"] < 1


@pytest.mark.slow
def test_a_model_that_starts_from_another_is_compared_with_it(trained):
    keys, directory, _ = trained
    recipe = load_study()[keys[0]].model_copy(update={"start": "zoo-xs"})  # whose copy it is
    scores = study.study_scores(keys[0], recipe, directory).set_index("quantity")["value"]
    assert scores[["start_kl_mean_nats", "start_ln_perplexity_ratio", "start_first_token_kl"]].abs().max() < 1e-12
    assert scores["start_same_top_fraction"] == 1


def test_changes_are_those_from_the_model_that_a_training_started_from():
    rows = [
        ("a", "pass_ood", 0.3),
        ("a2", "pass_ood", 0.5),
        ("a2", "start_first_token_kl", 0.01),
        ("b2", "pass_ood", 1.0),
    ]
    scores = pd.DataFrame(rows, columns=["model", "quantity", "value"])
    found = study.changes_from_start(scores, {"a2": "a", "b2": "b"})  # b was not measured
    assert found.set_index(["model", "quantity"])["value"].to_dict() == pytest.approx(
        {("a2", "pass_ood"): 0.2, ("a2", "first_token_kl"): 0.01}
    )


def test_further_trainings_are_those_of_the_same_recipe_and_teacher(monkeypatch):
    stored = pd.DataFrame(
        {"model": ["zoo-s-seed3", "zoo-s-distilled-seed3", "zoo-m-seed1"], "quantity": "pkp", "value": 0.5}
    )
    monkeypatch.setattr(study, "load_study_scores", stored.copy)
    called = {"zoo-s": "alone", "zoo-s-seed1": "alone", "zoo-s-distilled": "distilled"}
    found = study.further_trainings(called, teacher="zoo-m").set_index("model")["family"]
    assert found.to_dict() == {"zoo-s-seed3": "alone", "zoo-s-distilled-seed3": "distilled"}
    assert study.further_trainings(called, teacher="zoo-l").empty
    assert study.further_trainings({"zoo-s-seed3": "alone"}).empty  # it is not further than itself


@pytest.mark.slow
@pytest.mark.long
def test_rows_come_one_by_one_and_leave_with_their_recipe(trained, monkeypatch):
    keys, directory, folder = trained
    starts, scores = folder / study.STUDY_FILE.name, folder / study.STUDY_SCORES_FILE.name
    assert study.load_study_cold_starts(starts).empty and study.load_study_scores(scores).empty
    study.write_study(keys[1:], folder, directory)
    shutil.rmtree(directory / keys[1])  # as on another machine
    study.write_study(keys[:1], folder, directory)
    read, of_scores = study.load_study_cold_starts(starts), study.load_study_scores(scores)
    assert read["model"].tolist() == of_scores["model"].unique().tolist() == keys
    assert read[["start", "teacher"]].isna().all(axis=None)  # of models that need no other one
    recipes = load_study()
    changed = {**recipes, keys[1]: recipes[keys[1]].model_copy(update={"tokens": 1})}
    monkeypatch.setattr(study, "load_study", lambda: changed)
    study.write_study(keys[:1], folder, directory)
    assert study.load_study_cold_starts(starts)["model"].tolist() == keys[:1]
    assert study.load_study_scores(scores)["model"].unique().tolist() == keys[:1]


def test_a_study_has_no_key_of_the_zoo():
    assert not set(load_study()) & set(load_recipes()[1])


def test_seeds_of_one_recipe_are_a_family():
    recipes = {**load_recipes()[1], **load_study()}
    families = seed_families(recipes)
    expected = {
        "zoo-s-seed2": "zoo-s",
        "zoo-s-seed9": "zoo-s",
        "zoo-s-distilled-seed3": "zoo-s-distilled",
        "zoo-m-instruct-seed1": "zoo-m-instruct",  # which starts from another seed of zoo-m
        "zoo-xs-tasks-0-seed1": "zoo-xs-tasks-0",
        "zoo-m-longer": "zoo-m-longer",
        "zoo-s-long": "zoo-s-long",
    }
    assert {key: families[key] for key in expected} == expected
    kinds = [model_kind(recipes.get(key)) for key in ("zoo-s-long", "zoo-s-distilled", "zoo-l-instruct", "gpt2")]
    assert kinds == ["base", "distilled", "fine-tuned", "other"]
