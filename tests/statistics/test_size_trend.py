"""The fitted trend against a line that is known, and the interval against its promise."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.seed_noise import seed_effects
from compressed_code.statistics.size_trend import size_trend, tenfold_change


def losses(noise: float, seed: int = 0) -> tuple[pd.DataFrame, dict[str, float]]:
    generator = np.random.default_rng(seed)
    parameters = {"a": 1e5, "b": 1e6, "c": 1e7}
    rows = []
    for cluster in range(60):
        tokens = int(generator.integers(50, 150))
        shared = generator.normal(0, noise)
        for model, size in parameters.items():
            rows.append((model, cluster, tokens * (5 - 0.4 * np.log10(size) + shared), tokens))
    return pd.DataFrame(rows, columns=["model", "cluster", "nats", "tokens"]), parameters


def test_an_exact_line_is_found():
    values, line = size_trend(*losses(0.0))
    assert values["value"].tolist() == pytest.approx([3.0, 2.6, 2.2])
    assert line["slope"].iloc[0] == pytest.approx(-0.4)
    assert line["slope_low"].iloc[0] == pytest.approx(-0.4) and line["slope_high"].iloc[0] == pytest.approx(-0.4)
    assert line["value"].iloc[[0, -1]].tolist() == pytest.approx([3.0, 2.2])


def test_texts_shared_by_all_models_move_the_level_and_not_the_slope():
    values, line = size_trend(*losses(0.5))
    assert (values["high"] - values["low"] > 0.1).all()
    assert line["slope_high"].iloc[0] - line["slope_low"].iloc[0] < 1e-9


def test_a_loss_that_flattens_is_told_from_a_line():
    straight, parameters = losses(0.5)
    assert straight.groupby("model").size().tolist() == [60] * 3
    _, line = size_trend(straight, parameters)
    assert line["bend"].iloc[0] == pytest.approx(0) and abs(line["bend_high"].iloc[0]) < 1e-9
    flattening = straight.assign(nats=straight["nats"] + 0.1 * straight["tokens"] * (straight["model"] == "c"))
    values, line = size_trend(flattening, parameters)
    assert values["step"].iloc[1:].tolist() == pytest.approx([-0.4, -0.3]) and np.isnan(values["step"].iloc[0])
    assert line["bend"].iloc[0] == pytest.approx(0.1) and line["bend_low"].iloc[0] > 0.09


def test_translations_of_one_program_are_one_draw():
    once, parameters = losses(0.5)
    both = pd.concat([once, once])  # a second translation of each, which behaves alike
    for found, expected in zip(size_trend(both, parameters), size_trend(once, parameters), strict=True):
        pd.testing.assert_frame_equal(found, expected)


def test_seed_effects_against_a_published_example():
    """Welch's test as scipy documents and as computed by hand from means and variances."""
    table = pd.DataFrame({"family": ["x"] * 3 + ["y"] * 3, "value": [4.0, 5.0, 6.0, 1.0, 3.0, 5.0], "metric": "m"})
    row = seed_effects(table, "x", "y", ["metric"]).iloc[0]
    error = (1 / 3 + 4 / 3) ** 0.5
    freedom = (1 / 3 + 4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    assert row["value"] == pytest.approx(2.0)
    assert freedom == pytest.approx(2.941, abs=1e-3)
    quantile = 3.2203  # t(0.975) at 2.941 degrees of freedom, between the tables' 3.182 (3) and 4.303 (2)
    assert (row["high"] - row["low"]) / 2 == pytest.approx(quantile * error, rel=1e-3)
    with pytest.raises(Unavailable, match="two seeds"):
        seed_effects(table.iloc[2:], "x", "y", ["metric"])


def test_the_change_per_tenfold_size_by_hand():
    # slope 2 and residuals (1, −2, 1)/6·… : values 0, 1.5, 4 at 0, 1, 2: slope 2, residuals 1/6, −1/3, 1/6
    # error √(Σr² / 1 / Σx²) = √((1/36 + 1/9 + 1/36) / 2) = 0.288675; t(0.975, 1) = 12.706205
    change = tenfold_change([1, 10, 100], [0.0, 1.5, 4.0])
    assert change == pytest.approx((2.0, 2 - 12.706205 * 0.288675, 2 + 12.706205 * 0.288675), abs=1e-5)
    assert np.isnan(tenfold_change([1, 10], [0.0, 1.0])).all() and np.isnan(tenfold_change([5, 5, 5], [0, 1, 2])).all()


def test_the_interval_of_the_change_covers_other_trainings():
    generator, sizes, covered = np.random.default_rng(0), [1e5, 3e5, 3e5, 3e5, 1e6, 3e6], 0
    for _ in range(2000):
        _, low, high = tenfold_change(sizes, -0.6 * np.log10(sizes) + 0.1 * generator.normal(size=6))
        covered += low <= -0.6 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)
