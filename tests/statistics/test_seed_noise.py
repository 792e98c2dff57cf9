"""Pooled seed noise by hand and against simulation."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.statistics.seed_noise import repeated_recipes, seed_noise


def test_by_hand():
    table = pd.DataFrame(
        {"model": ["a", "a1", "a2", "b", "b1", "c"], "value": [1.0, 2.0, 3.0, 10.0, 12.0, 99.0], "metric": "pkp"}
    )
    family = {"a": "a", "a1": "a", "a2": "a", "b": "b", "b1": "b", "c": "c"}
    row = seed_noise(table, family, ["metric"]).iloc[0]
    assert row["freedom"] == 3  # two from a, one from b, none from c
    assert row["deviation"] == pytest.approx(((2 + 2) / 3) ** 0.5)
    assert row["difference"] == pytest.approx(3.182446 * 2**0.5 * (4 / 3) ** 0.5, rel=1e-6)  # t(0.975, 3), published
    assert repeated_recipes(family) == ["a", "b"]
    assert seed_noise(table[table["model"] == "c"], family, ["metric"]).empty


def test_the_difference_of_two_seeds_is_covered_as_promised():
    generator = np.random.default_rng(0)
    names = [f"{family}{seed}" for family in "ab" for seed in range(3)]
    family = {name: name[0] for name in names}
    inside = 0
    for _ in range(400):
        values = generator.normal(size=6)
        table = pd.DataFrame({"model": names, "value": values, "metric": "x"})
        inside += (
            abs(np.diff(generator.normal(size=2))[0]) <= seed_noise(table, family, ["metric"])["difference"].item()
        )
    assert 0.92 < inside / 400 < 0.98


def test_inside_the_noise_of_a_seed_is_no_equality():
    """The band is wide: with two recipes of three seeds a true shift of three deviations is missed more often than not.

    Simulated with the two recipes that the notebooks have; the prose of notebooks 02 and 05 says so.
    """
    generator = np.random.default_rng(1)
    names = [f"{family}{seed}" for family in "ab" for seed in range(3)]
    family = {name: name[0] for name in names}
    inside = 0
    for _ in range(400):
        table = pd.DataFrame({"model": names, "value": generator.normal(size=6), "metric": "x"})
        shifted = 3 + np.diff(generator.normal(size=2))[0]
        inside += abs(shifted) <= seed_noise(table, family, ["metric"])["difference"].item()
    assert 0.55 < inside / 400 < 0.72


def test_no_family_with_several_seeds_has_no_noise():
    table = pd.DataFrame({"model": ["a", "b"], "value": [1.0, 2.0], "metric": "x"})
    noise = seed_noise(table, {"a": "a", "b": "b"}, ["metric"])
    assert noise.empty and list(noise) == ["metric", "deviation", "freedom", "difference"]
