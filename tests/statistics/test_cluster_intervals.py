"""Student's interval of a ratio over clusters: by hand, against scipy, and its coverage by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compressed_code.core.paths import FIGURES
from compressed_code.statistics.cluster_intervals import cluster_intervals, cluster_ratio_interval
from compressed_code.statistics.intervals_and_tests import ratio_interval


def test_by_hand():
    # ratio 6/4 = 1.5; departures (1 − 1.5·1, 5 − 1.5·3) / 2 = ∓0.25; their deviation 0.353553, error 0.25; t(0.975, 1)
    value, low, high = cluster_ratio_interval([1.0, 5.0], [1.0, 3.0])
    assert (value, low, high) == pytest.approx((1.5, 1.5 - 12.706205 * 0.25, 1.5 + 12.706205 * 0.25), abs=1e-5)


def test_equal_clusters_give_the_interval_of_a_mean():
    values = np.random.default_rng(0).normal(size=9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert cluster_ratio_interval(values, np.ones(9), 0.9)[1:] == pytest.approx((expected.low, expected.high))


def test_what_has_no_interval_is_refused():
    for numerators, denominators in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [0.0, 0.0])):
        with pytest.raises(ValueError, match=r"at least two|add to zero"):
            cluster_ratio_interval(numerators, denominators)


@pytest.mark.parametrize("clusters", [4, 7, 17])
def test_it_covers_normal_clusters_where_the_percentile_bootstrap_is_too_narrow(clusters):
    generator, draws, student, bootstrap = np.random.default_rng(1), 1500, 0, 0
    for number in range(draws):
        sizes = generator.uniform(800, 1600, clusters)
        totals = sizes * generator.normal(1.0, 0.3, clusters)
        _, low, high = cluster_ratio_interval(totals, sizes)
        student += low <= 1 <= high
        if number < 500:
            _, low, high = ratio_interval(totals, sizes, seed=number, resamples=400)
            bootstrap += low <= 1 <= high
    assert student / draws == pytest.approx(0.95, abs=0.02)
    assert bootstrap / 500 < student / draws


def test_it_covers_resampled_programs_of_the_blind_spot():
    """The measured programs are taken for all there are, and as many are drawn from them with replacement."""
    programs = pd.read_csv(FIGURES / "02-blind-spot-programs.csv")
    change = (programs["nats_destroyed"] - programs["nats_trained"]).to_numpy()
    tokens = programs["tokens"].to_numpy()
    true, generator, covered, draws = change.sum() / tokens.sum(), np.random.default_rng(2), 0, 20_000
    for drawn in generator.integers(len(programs), size=(draws, len(programs))):
        _, low, high = cluster_ratio_interval(change[drawn], tokens[drawn])
        covered += low <= true <= high
    assert covered / draws == pytest.approx(0.95, abs=0.02)


def of_totals(totals: pd.DataFrame) -> dict:
    mean = totals["nats"] / totals["tokens"]
    return {"mean": mean, "perplexity": np.exp(mean), "rms": np.sqrt(totals["squares"] / totals["tokens"])}


def drawn_clusters(generator: np.random.Generator, count: int) -> pd.DataFrame:
    """Clusters of different sizes and skewed means around 1, as divergences of programs are."""
    tokens = generator.uniform(800, 1600, count)
    means = generator.lognormal(-0.02, 0.2, count)
    return pd.DataFrame({"tokens": tokens, "nats": tokens * means, "squares": tokens * means**2})


def test_of_a_ratio_the_jackknife_is_nearly_the_linearised_interval():
    sums = drawn_clusters(np.random.default_rng(3), 17)
    _, low, high = cluster_ratio_interval(sums["nats"], sums["tokens"])
    found = cluster_intervals(sums, of_totals).loc["mean"]
    assert found.tolist() == pytest.approx([low, high], abs=0.03 * (high - low))
    equal = sums.assign(nats=sums["nats"] / sums["tokens"], tokens=1.0)
    expected = stats.ttest_1samp(equal["nats"], 0).confidence_interval()
    assert cluster_intervals(equal, of_totals).loc["mean"].tolist() == pytest.approx(list(expected))
    assert cluster_intervals(sums.iloc[:1], of_totals).empty


@pytest.mark.parametrize("count", [7, 17])
def test_the_jackknife_covers_ratios_and_functions_of_them(count):
    generator, draws = np.random.default_rng(4), 3000
    truth = {"mean": 1.0, "perplexity": np.e, "rms": np.exp(0.02)}  # of a log-normal with mean 1 and deviation 0.2
    covered = dict.fromkeys(truth, 0)
    for _ in range(draws):
        found = cluster_intervals(drawn_clusters(generator, count), of_totals)
        for name, value in truth.items():
            covered[name] += found.loc[name, "low"] <= value <= found.loc[name, "high"]
    assert {name: number / draws for name, number in covered.items()} == pytest.approx(
        dict.fromkeys(truth, 0.95), abs=0.02
    )
