"""The interval of a ratio over clusters: by hand, against scipy, and its coverage by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compressed_code.core.paths import FIGURES
from compressed_code.statistics.cluster_intervals import LEAST_CLUSTERS, cluster_intervals, cluster_ratio_interval
from compressed_code.statistics.intervals_and_tests import draws_with_replacement, ratio_interval


def bootstrap_t(values: np.ndarray) -> float:
    """Standard errors that hold 95 % of the resampled means, by loops and numpy alone."""
    count, reached = len(values), []
    for drawn in draws_with_replacement(count, seed=0, resamples=999):
        own = values[drawn]
        error = own.std(ddof=1) / count**0.5
        reached.append(abs(own.mean() - values.mean()) / error if error else np.inf)
    return float(np.quantile(reached, 0.95, method="higher"))


def test_of_a_mean_it_is_the_symmetric_bootstrap_t_and_at_least_students():
    generator = np.random.default_rng(0)
    for values in (generator.normal(size=9), generator.lognormal(size=17), np.arange(40.0)):
        count, error = len(values), values.std(ddof=1) / len(values) ** 0.5
        _, low, high = cluster_ratio_interval(values, np.ones(count))
        assert (high - low) / 2 / error == pytest.approx(max(bootstrap_t(values), stats.t.ppf(0.975, count - 1)))
        assert (low + high) / 2 == pytest.approx(values.mean())


def test_at_other_levels_it_is_widened_as_much():
    values = np.random.default_rng(0).lognormal(size=9)
    widths = []
    for level in (0.9, 0.95, 0.999):
        student = stats.ttest_1samp(values, 0).confidence_interval(level)
        _, low, high = cluster_ratio_interval(values, np.ones(9), level)
        widths.append((high - low) / (student.high - student.low))
    assert widths == pytest.approx([widths[0]] * 3)
    assert widths[0] > 1


def test_a_value_without_spread_has_an_interval_of_no_width():
    assert cluster_ratio_interval(np.full(9, 0.1), np.full(9, 0.3)) == pytest.approx([1 / 3] * 3)
    assert cluster_ratio_interval(np.zeros(9), np.ones(9)) == (0, 0, 0)


def test_too_few_clusters_have_no_interval():
    for few in (1, 2, LEAST_CLUSTERS - 1):
        assert cluster_ratio_interval(np.arange(few) + 1.0, np.ones(few)) == pytest.approx(
            ((few + 1) / 2, np.nan, np.nan), nan_ok=True
        )
    # eight of nine agree: a third of the resamples hold nothing but them
    assert cluster_ratio_interval([0.0] * 8 + [1.0], np.ones(9)) == pytest.approx((1 / 9, np.nan, np.nan), nan_ok=True)


def test_what_has_no_ratio_is_refused():
    for numerators, denominators in (([], []), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [0.0, 0.0])):
        with pytest.raises(ValueError, match=r"at least one|add to zero"):
            cluster_ratio_interval(numerators, denominators)


@pytest.mark.parametrize("clusters", [7, 12, 17])
def test_it_covers_normal_clusters_where_the_percentile_bootstrap_is_too_narrow(clusters):
    generator, draws, covered, bootstrap = np.random.default_rng(1), 3000, 0, 0
    for number in range(draws):
        sizes = generator.uniform(800, 1600, clusters)
        totals = sizes * generator.normal(1.0, 0.3, clusters)
        _, low, high = cluster_ratio_interval(totals, sizes)
        covered += low <= 1 <= high
        if number < 300:
            _, low, high = ratio_interval(totals, sizes, seed=number, resamples=400)
            bootstrap += low <= 1 <= high
    assert covered / draws == pytest.approx(0.95, abs=0.02)
    assert bootstrap / 300 < covered / draws


def test_it_covers_resampled_programs_of_the_blind_spot():
    """The measured programs are taken for all there are, and as many are drawn from them with replacement."""
    programs = pd.read_csv(FIGURES / "02-blind-spot-programs.csv")
    change = (programs["nats_destroyed"] - programs["nats_trained"]).to_numpy()
    tokens = programs["tokens"].to_numpy()
    true, generator, covered, draws = change.sum() / tokens.sum(), np.random.default_rng(2), 0, 2000
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
    expected = cluster_ratio_interval(equal["nats"], equal["tokens"])
    assert cluster_intervals(equal, of_totals).loc["mean"].tolist() == pytest.approx(expected[1:])
    assert cluster_intervals(sums.iloc[: LEAST_CLUSTERS - 1], of_totals).empty


@pytest.mark.long
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
