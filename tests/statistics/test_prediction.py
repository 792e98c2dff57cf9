"""Partial rank correlation against residuals, left-out errors against a law that holds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from compressed_code.statistics.prediction import (
    left_out_errors,
    partial_rank_correlation,
    rank_correlation_difference,
    rank_correlations,
)


def test_partial_correlation_is_that_of_what_the_third_does_not_explain():
    generator = np.random.default_rng(0)
    third = generator.normal(size=200)
    one, other = (third + generator.normal(size=200) for _ in range(2))
    ranks = [stats.rankdata(values) for values in (one, other, third)]
    fits = [stats.linregress(ranks[2], own) for own in ranks[:2]]
    rests = [own - fit.intercept - fit.slope * ranks[2] for own, fit in zip(ranks, fits, strict=False)]
    assert partial_rank_correlation(one, other, third) == pytest.approx(stats.pearsonr(*rests).statistic)
    assert abs(partial_rank_correlation(one, other, third)) < 0.2 < stats.spearmanr(one, other).statistic
    assert np.isnan(partial_rank_correlation(third**3, other, third))


def test_correlations_stand_alone_and_given_with_intervals_that_hold_them():
    generator = np.random.default_rng(1)
    bits = generator.uniform(2, 8, 60)
    table = pd.DataFrame({"bits": bits, "kl": np.exp(-bits), "noise": generator.normal(size=60), "loss": 9 - bits})
    found = rank_correlations(table, ["kl", "noise", "bits"], "loss", "bits", resamples=200)
    found = found.set_index(["predictor", "quantity"])
    assert found.loc[("kl", "alone"), "value"] == pytest.approx(1)
    assert found.loc[("bits", "alone"), "value"] == pytest.approx(-1) and ("bits", "given") not in found.index
    noise = found.loc[("noise", "alone")]
    assert noise["value"] == pytest.approx(stats.spearmanr(table["noise"], table["loss"]).statistic)
    assert noise["low"] < noise["value"] < noise["high"] and (found["rows"] == 60).all()


def test_a_law_that_holds_everywhere_leaves_no_error_and_a_method_of_its_own_law_is_found():
    kl = np.geomspace(0.01, 1, 24)
    tasks = 100_000
    lost = np.rint(tasks * expit(2 * np.log(kl) + 1)).astype(int)
    table = pd.DataFrame({"kl": kl, "method": np.tile(["a", "b", "c"], 8), "lost": lost, "kept": tasks - lost})
    errors = left_out_errors(table, ["kl"], "method", lost="lost", kept="kept")
    assert errors["rows"].eq(8).all() and (errors["error"] < 1).all()
    other = table["method"] == "c"
    table.loc[other, "lost"] = table.loc[other, "lost"] // 4
    table["kept"] = tasks - table["lost"]
    errors = left_out_errors(table, ["kl"], "method", lost="lost", kept="kept").set_index("method")
    assert errors.loc["c", "bias"] > 5 and errors["error"].idxmax() == "c"


def test_a_difference_of_rank_correlations_is_that_of_its_parts_and_its_interval_says_what_is_known():
    draw = np.random.default_rng(0)
    outcome = draw.normal(size=200)
    table = pd.DataFrame(
        {"y": outcome, "near": outcome + draw.normal(scale=0.1, size=200), "far": draw.normal(size=200)}
    )
    table["also"] = outcome + draw.normal(scale=0.1, size=200)
    value, low, high = rank_correlation_difference(table, "near", "far", "y")
    parts = [stats.spearmanr(table[name], table["y"]).statistic for name in ("near", "far")]
    assert value == pytest.approx(parts[0] - parts[1]) and 0 < low < value < high
    _, low, high = rank_correlation_difference(table, "near", "also", "y")
    assert low < 0 < high and high - low < 0.02
    assert all(map(np.isnan, rank_correlation_difference(table.head(3), "near", "far", "y")))
