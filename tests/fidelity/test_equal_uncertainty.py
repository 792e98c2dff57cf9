"""Observed over expected changes: by hand, and 1 where groups differ in nothing but their uncertainty."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.fidelity.equal_uncertainty import changes_at_equal_uncertainty


def table(entropy, same_top, groups, clusters) -> pd.DataFrame:
    columns = {"entropy_base_nats": entropy, "same_top": same_top, "token_class": groups, "cluster": clusters}
    return pd.DataFrame(columns)


def test_by_hand():
    # Two bins: sure tokens change once in four, unsure ones three times in four.
    entropy = [0.1, 0.1, 0.1, 0.1, 3.0, 3.0, 3.0, 3.0]
    same = [True, True, True, False, True, False, False, False]
    groups = ["a", "a", "b", "b", "a", "b", "b", "b"]
    found = changes_at_equal_uncertainty(table(entropy, same, groups, list("xyxyxyxy")), bins=2).set_index("group")
    assert found["observed"].to_dict() == {"a": 0, "b": 4}
    assert found["expected"].to_dict() == {"a": 2 * 0.25 + 0.75, "b": 2 * 0.25 + 3 * 0.75}
    assert found.loc["b", "value"] == pytest.approx(4 / 2.75)
    assert found["tokens"].to_dict() == {"a": 3, "b": 5} and found["clusters"].eq(2).all()


def test_uncertainty_alone_is_no_effect_and_an_effect_is_found():
    generator, size = np.random.default_rng(0), 40_000
    groups = generator.choice(["sure", "unsure"], size)
    entropy = generator.gamma(2, np.where(groups == "sure", 0.4, 1.2))
    clusters = generator.integers(0, 17, size)
    changes = generator.random(size) < np.clip(entropy / 6, 0, 1)
    plain = changes_at_equal_uncertainty(table(entropy, ~changes, groups, clusters)).set_index("group")
    assert (plain["low"] < 1).all() and (plain["high"] > 1).all()
    assert plain["observed"].sum() == pytest.approx(plain["expected"].sum())
    more = changes | ((groups == "sure") & (generator.random(size) < 0.05))
    found = changes_at_equal_uncertainty(table(entropy, ~more, groups, clusters), comparisons=2).set_index("group")
    assert found.loc["sure", "low"] > 1 and found.loc["unsure", "high"] < 1


def test_a_group_of_one_cluster_or_without_expected_changes_has_no_number():
    found = changes_at_equal_uncertainty(table([1.0, 1.0, 2.0], [True] * 3, ["a", "a", "b"], ["x", "y", "x"]))
    assert found["value"].isna().all() and found["observed"].tolist() == [0, 0]
