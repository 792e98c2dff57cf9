"""Equivalence tests by hand, their power against published numbers and against simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.equivalence import (
    SeedDesign,
    compare_families,
    equivalence,
    equivalence_power,
    trainings_needed,
)
from compressed_code.statistics.intervals_and_tests import holm


def test_by_hand():
    # deviation 2 and 3 + 3 trainings: standard error 2·√(2/3) = 1.63299; t(0.95, 4) = 2.131847, published
    row = equivalence(1.0, SeedDesign(2.0, 4, (3, 3)), margin=5.0).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((1 - 3.481291, 1 + 3.481291), abs=1e-5)
    assert row["verdict"] == "equivalent" and row["p_equivalent"] < 0.05
    assert equivalence(1.0, SeedDesign(2.0, 4, (3, 3)), margin=4.48).iloc[0]["verdict"] == "undecided"
    assert equivalence(-1.0, SeedDesign(2.0, 4, (3, 3)), margin=4.49).iloc[0]["verdict"] == "equivalent"
    assert equivalence(-5.0, SeedDesign(2.0, 4, (3, 3)), margin=5.0).iloc[0]["verdict"] == "different"
    with pytest.raises(ValueError, match="above 0"):
        equivalence(1.0, SeedDesign(2.0, 4, (3, 3)), margin=0.0)


def test_both_tests_are_those_of_scipy():
    one, other = np.array([1.0, 1.4, 2.1]), np.array([0.9, 1.1, 1.9, 1.2])
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    design = SeedDesign((squares / 5) ** 0.5, 5, (3, 4))
    row = equivalence(one.mean() - other.mean(), design, margin=0.8).iloc[0]
    below = stats.ttest_ind(one - 0.8, other, alternative="less").pvalue
    above = stats.ttest_ind(one + 0.8, other, alternative="greater").pvalue
    assert row["p_equivalent"] == pytest.approx(max(below, above))
    assert row["p_different"] == pytest.approx(stats.ttest_ind(one, other).pvalue)


@pytest.mark.parametrize(("variation", "subjects", "power"), [(0.2, 20, 0.834680), (0.3, 40, 0.815845)])
def test_power_is_that_of_published_designs(variation, subjects, power):
    """Sample sizes of the 2×2 crossover as R's PowerTOST documents them: true ratio 0.95, limits 0.80 … 1.25.

    A crossover of n subjects has the standard error of two groups of n, and n − 2 degrees of freedom.
    """
    deviation = math.sqrt(math.log(1 + variation**2))
    design = SeedDesign(deviation, subjects - 2, (subjects, subjects))
    assert equivalence_power(design, math.log(1.25), difference=math.log(0.95)) == pytest.approx(power, abs=1e-6)


@pytest.mark.parametrize(("counts", "freedom", "margin"), [((3, 3), 4, 3.0), ((1, 1), 4, 4.0), ((5, 2), 9, 2.0)])
def test_power_is_that_of_simulated_trainings(counts, freedom, margin):
    generator, draws = np.random.default_rng(0), 40_000
    design = SeedDesign(1.0, freedom, counts)
    for true in (0.0, 0.5):
        differences = true + design.standard_error * generator.normal(size=draws)
        deviations = np.sqrt(generator.chisquare(freedom, draws) / freedom)
        half = stats.t.ppf(0.95, freedom) * deviations * design.standard_error
        shown = (np.abs(differences) + half < margin).mean()
        assert equivalence_power(design, margin, difference=true) == pytest.approx(shown, abs=4 * 0.5 / draws**0.5)


def test_the_error_at_the_margin_is_kept():
    design = SeedDesign(1.0, 20, (10, 10))
    assert equivalence_power(design, 2.0, difference=2.0) == pytest.approx(0.05, abs=0.001)


def test_more_trainings_are_needed_for_a_narrower_margin():
    needed = [trainings_needed(1.0, margin) for margin in (5.0, 3.0, 2.0, 1.0)]
    assert needed == sorted(needed) and needed[0] >= 2
    for count, margin in zip(needed, (5.0, 3.0, 2.0, 1.0), strict=True):
        powers = [equivalence_power(SeedDesign(1.0, 2 * (n - 1), (n, n)), margin) for n in (count - 1, count) if n > 1]
        assert powers[-1] >= 0.8 and all(power < 0.8 for power in powers[:-1])


def test_families_are_compared_by_their_means_and_the_pooled_noise():
    rows = [("a", "a", 1.0), ("a1", "a", 2.0), ("a2", "a", 3.0), ("b", "b", 2.5), ("c", "c", 9.0)]
    table = pd.DataFrame(rows, columns=["model", "family", "value"]).assign(metric="x")
    table = pd.concat([table, table.assign(metric="unasked")])
    compared = compare_families(table, [("a", "b"), ("b", "c"), ("a", "absent")], {"x": 5.0, "unmeasured": 1.0})
    assert compared[["first", "second", "metric", "trainings", "freedom"]].to_numpy().tolist() == [
        ["a", "b", "x", "3, 1", 2.0],
        ["b", "c", "x", "1, 1", 2.0],
    ]
    assert compared["difference"].tolist() == [-0.5, -6.5]
    alone = SeedDesign(1.0, 2, (3, 1))  # the deviation of 1, 2, 3
    pd.testing.assert_frame_equal(compared[list(equivalence(-0.5, alone, 5.0))][:1], equivalence(-0.5, alone, 5.0))
    assert compared["p_holm"].tolist() == pytest.approx(holm(compared["p_different"].tolist()))
    assert compared["power"].tolist() == pytest.approx(
        [equivalence_power(alone, 5.0), equivalence_power(SeedDesign(1.0, 2, (1, 1)), 5.0)]
    )
    # b and c differ by 6.5 deviations·√2: with two degrees of freedom p = 0.0441, and twice that after Holm
    assert compared["verdict"].tolist() == ["equivalent", "undecided"]
    assert equivalence(-6.5, SeedDesign(1.0, 2, (1, 1)), 5.0)["verdict"].item() == "different"
    with pytest.raises(Unavailable, match="no two families"):
        compare_families(table[table["family"] != "a"], [("b", "c")], {"x": 5.0})
