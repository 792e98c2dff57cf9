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


@pytest.fixture
def trained(tmp_path):
    """The first two models of the study, as if two of the zoo's had come out of their trainings."""
    keys = list(load_study())[:2]
    for key, model in zip(keys, ("zoo-xs", "zoo-s"), strict=True):
        shutil.copytree(ZOO_DIRECTORY / model, tmp_path / "models" / key)
    return keys, tmp_path / "models", tmp_path / "summary.csv"


def test_a_row_says_what_a_model_is_and_begins_with(trained):
    keys, directory, path = trained
    table = study.write_study_cold_starts(keys, path, directory).set_index("model")
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
    read = study.load_study_cold_starts(path).set_index("model")
    absent = ["start", "teacher"]  # of a model that needs no other one
    assert read[absent].isna().all(axis=None) and table[absent].isna().all(axis=None)
    pd.testing.assert_frame_equal(read.drop(columns=absent), table.drop(columns=absent), check_dtype=False, rtol=1e-8)


def test_rows_come_one_by_one_and_leave_with_their_recipe(trained, monkeypatch):
    keys, directory, path = trained
    assert study.load_study_cold_starts(path).empty
    study.write_study_cold_starts(keys[1:], path, directory)
    shutil.rmtree(directory / keys[1])  # as on another machine
    table = study.write_study_cold_starts(keys[:1], path, directory)
    assert table["model"].tolist() == keys
    recipes = load_study()
    changed = {**recipes, keys[1]: recipes[keys[1]].model_copy(update={"tokens": 1})}
    monkeypatch.setattr(study, "load_study", lambda: changed)
    assert study.write_study_cold_starts(keys[:1], path, directory)["model"].tolist() == keys[:1]


def test_a_study_has_no_key_of_the_zoo():
    assert not set(load_study()) & set(load_recipes()[1])


def test_seeds_of_one_recipe_are_a_family():
    recipes = {**load_recipes()[1], **load_study()}
    families = seed_families(recipes)
    expected = {
        "zoo-s-seed2": "zoo-s",
        "zoo-s-seed14": "zoo-s",
        "zoo-s-distilled-seed3": "zoo-s-distilled",
        "zoo-m-instruct-seed1": "zoo-m-instruct",  # which starts from another seed of zoo-m
        "zoo-xs-tasks-0-seed1": "zoo-xs-tasks-0",
        "zoo-m-longer": "zoo-m-longer",
        "zoo-s-long": "zoo-s-long",
    }
    assert {key: families[key] for key in expected} == expected
    kinds = [model_kind(recipes.get(key)) for key in ("zoo-s-long", "zoo-s-distilled", "zoo-l-instruct", "gpt2")]
    assert kinds == ["base", "distilled", "fine-tuned", "other"]
