"""Guidelines against the table that they rest on: what they were read off, models left out, and pairs unlike it."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.comparison.guidelines import (
    AS_PREDICTED,
    COVERED,
    FEWER,
    MORE,
    NUMBERS,
    SAFE_TASK_KL,
    TOLERABLE,
    TOO_FEW,
    UNTRIED,
    PairNumbers,
    guidelines,
    in_a_sentence,
    where_tested,
)
from compressed_code.registry.lookup import load_registry
from compressed_code.statistics.intervals_and_tests import wilson_interval
from compressed_code.zoo.study_variants import load_study_variants


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study_variants()


@pytest.fixture(scope="module")
def parameters(study) -> dict[str, float]:
    models = load_registry().models
    return {base: models[base].parameters for base in study["base"].unique()}


def pair(**changed) -> PairNumbers:
    numbers = {"task_kl": 0.01, "text_kl": 0.05, "first_token_kl": 0.005, "bits_model": 6.0}
    return PairNumbers(**{"base_parameters": 1e6, "base_bits": 16.0, "numbers": numbers, **changed})


def test_the_bound_holds_for_every_variant_of_the_study(study):
    below = study[study["task_kl"] < SAFE_TASK_KL]
    assert len(below) > 10 and below["base"].nunique() > 3
    assert all(row.lost / (row.lost + row.kept) < TOLERABLE for row in below.itertuples())
    assert all(wilson_interval(row.lost, row.lost + row.kept)[1] < TOLERABLE for row in below.itertuples())


def test_intervals_hold_models_that_they_were_not_fitted_to(study, parameters):
    """Each model is predicted from the others alone, intervals included, which the study's own 90 % did not see."""
    held = {name: [] for name in NUMBERS}
    for base in study["base"].unique():
        others = study[study["base"] != base]
        for row in study[study["base"] == base].to_dict(orient="records"):
            numbers = {name: row[name] for name in NUMBERS}
            table = guidelines(pair(numbers=numbers), others, parameters).set_index("rule")
            share = (row["lost"] + 0.5) / (row["lost"] + row["kept"] + 1)
            for name in NUMBERS:
                held[name].append(table["low"][name] <= share <= table["high"][name])
    assert all(np.mean(inside) > COVERED - 0.15 for inside in held.values()), held


def test_fewer_bits_and_more_divergence_predict_more_loss(study, parameters):
    def predicted(**numbers) -> float:
        return guidelines(pair(numbers=numbers), study, parameters).set_index("rule")["predicted"][next(iter(numbers))]

    for name in ("task_kl", "text_kl", "first_token_kl"):
        assert predicted(**{name: 1e-4}) < predicted(**{name: 1e-2}) < predicted(**{name: 1.0})
    assert predicted(bits_model=5.0) > predicted(bits_model=8.0)


def test_what_was_measured_is_judged(study, parameters):
    def verdict(**programs) -> str:
        table = guidelines(pair(**programs), study, parameters).set_index("rule")
        return table["verdict"]["task_kl"]

    low, high = guidelines(pair(), study, parameters).set_index("rule").loc["task_kl", ["low", "high"]]
    assert 0 < low < high < 1
    inside = round(200 * (low + high) / 2)
    assert verdict() == UNTRIED
    assert verdict(lost=inside, kept=200 - inside) == AS_PREDICTED
    assert verdict(lost=200, kept=0) == MORE
    assert verdict(lost=0, kept=10**6) == FEWER
    assert verdict(lost=0, kept=0) == verdict(lost=5, kept=2) == TOO_FEW


def test_the_bound_speaks_below_itself_only(study, parameters):
    def row(value: float, lost: int) -> pd.Series:
        numbers = {"task_kl": value}
        return (
            guidelines(pair(numbers=numbers, lost=lost, kept=200 - lost), study, parameters)
            .set_index("rule")
            .loc["bound"]
        )

    assert row(SAFE_TASK_KL / 2, 2)["verdict"] == AS_PREDICTED
    assert row(SAFE_TASK_KL / 2, 60)["verdict"] == MORE
    assert row(SAFE_TASK_KL * 2, 2)["verdict"].startswith("says nothing")
    unmeasured = guidelines(pair(numbers={}), study, parameters).set_index("rule").loc["bound"]
    assert unmeasured["verdict"].startswith("not measured") and np.isnan(unmeasured["number"])


def test_what_is_unlike_the_study_is_an_extrapolation(study, parameters):
    def reasons(**changed) -> str:
        return guidelines(pair(**changed), study, parameters).set_index("rule")["extrapolation"]["first_token_kl"]

    assert reasons() == ""
    assert "a base of 135 million parameters, tested were 0.33 to 3.1" in reasons(base_parameters=134.8e6)
    assert "the base itself has 5.7 bits" in reasons(base_bits=5.74)
    assert "KL of the first token was" in reasons(numbers={"first_token_kl": 9.0})
    large = guidelines(pair(base_parameters=7e9), study, parameters)
    assert in_a_sentence(large).endswith("(extrapolated)")
    assert not in_a_sentence(guidelines(pair(), study, parameters)).endswith("(extrapolated)")
    assert where_tested(study, parameters) == "70 quantized variants of 7 models of 0.33 to 3.1 million parameters"


def test_classes_and_calibration_are_told_where_they_are_known(study, parameters):
    rows = {"value": [1.4, 0.9], "low": [1.1, 0.7], "high": [1.7, 1.1]}
    classes = pd.DataFrame({"group": ["string", "identifier"], **rows})
    table = guidelines(pair(classes=classes, calibration="random"), study, parameters)
    verdicts = dict(zip(table["says"], table["verdict"], strict=True))
    assert [verdicts[says] for says in verdicts if "strings" in says] == ["does not hold here"]
    assert [verdicts[says] for says in verdicts if "identifiers" in says] == ["holds here"]
    assert any("here: random" in says for says in verdicts)
    fewer = pair(classes=classes, numbers={"bits_model": 2.5})
    assert "classes" not in set(guidelines(fewer, study, parameters)["rule"])
