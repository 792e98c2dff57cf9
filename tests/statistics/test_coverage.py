"""How often the intervals of the figures hold what they say, at the numbers of clusters, tasks and trainings they have.

What was measured is taken for all there is, as much is drawn from it with replacement, and the interval of each draw is
asked whether it holds the value of the whole. 95 % are meant; two points off is the most that is let pass.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compressed_code.benchmarks.pass_rates import difference_interval
from compressed_code.core.paths import FIGURES
from compressed_code.statistics.cluster_intervals import LEAST_CLUSTERS, cluster_ratio_interval
from compressed_code.statistics.intervals_and_tests import ratio_interval, wilson_interval
from compressed_code.statistics.seed_noise import seed_effects

pytestmark = pytest.mark.long
LEAST, MOST = 0.93, 0.97


def programs_of_figures() -> Iterator[tuple[tuple[str, str], np.ndarray, np.ndarray]]:
    """(statistic, token class), and of each variant the sums of the programs and their tokens."""
    programs = pd.read_csv(FIGURES / "03-programs.csv")
    programs["sum"] = programs["value"] * programs["tokens"]
    for (statistic, _), own in programs.groupby(["statistic", "pair"]):
        for token_class, rows in own.groupby("token_class"):
            yield (statistic, token_class), rows["sum"].to_numpy(), rows["tokens"].to_numpy(float)
        whole = own.groupby("cluster")[["sum", "tokens"]].sum()
        yield (statistic, "all"), whole["sum"].to_numpy(), whole["tokens"].to_numpy(float)


def test_of_programs_by_class_of_token():
    """Means over the variants; of single ones a few lie as low as the mean of Student's own interval."""
    generator, draws, covered = np.random.default_rng(5), 1000, {}
    for group, sums, tokens in programs_of_figures():
        assert len(sums) >= LEAST_CLUSTERS
        drawn = generator.integers(len(sums), size=(draws, len(sums)))
        ends = np.array([cluster_ratio_interval(sums[places], tokens[places])[1:] for places in drawn])
        low, high = ends[np.isfinite(ends).all(axis=1)].T  # one that has no interval promises nothing
        true = sums.sum() / tokens.sum()
        covered.setdefault(group, []).append(np.mean((low <= true) & (true <= high)))
    means = {group: float(np.mean(shares)) for group, shares in covered.items()}
    assert min(means.values()) >= LEAST, means
    assert max(means.values()) <= MOST, means


def test_of_paired_tasks():
    """Flips of notebook 06: the interval of the difference at each measured share of lost and gained tasks."""
    flips = pd.read_csv(FIGURES / "06-flips-tests.csv")
    generator, held = np.random.default_rng(6), []
    for lost, gained, pairs in flips[["lost", "gained", "pairs"]].drop_duplicates().itertuples(index=False):
        shares = [lost / pairs, gained / pairs, 1 - (lost + gained) / pairs]
        true = shares[1] - shares[0]
        drawn = generator.multinomial(int(pairs), shares, size=400)
        intervals = [difference_interval(int(one), int(other), int(pairs)) for one, other, _ in drawn]
        held.append(np.mean([low <= true <= high for low, high in intervals]))
    assert LEAST <= np.mean(held) <= MOST, held
    assert min(held) >= LEAST - 0.02, held  # of the binomial's steps where three or four tasks turn


def test_of_shares_of_tasks():
    rates = pd.read_csv(FIGURES / "06-pass-by-model.csv").query("0 < value < 1")
    generator, held = np.random.default_rng(7), []
    for value, tasks in rates[["value", "tasks"]].itertuples(index=False):
        drawn = generator.binomial(int(tasks), value, size=400)
        held.append(np.mean([low <= value <= high for low, high in (wilson_interval(n, tasks) for n in drawn)]))
    assert LEAST <= np.mean(held) <= MOST, held


def test_of_repetition_the_bootstrap_over_hundreds_of_programs():
    """A mean of 640 skewed shares, most of them none, as the shares of repeated n-grams are."""
    generator, held = np.random.default_rng(8), 0
    population = np.where(generator.random(640) < 0.2, generator.random(640) ** 2, 0.0)
    for number in range(1000):
        drawn = generator.choice(population, 640)
        _, low, high = ratio_interval(drawn, np.ones(640), seed=number, resamples=1000)
        held += low <= population.mean() <= high
    assert LEAST <= held / 1000 <= MOST


def test_of_ten_trainings_a_side():
    """Notebook 04: Welch's interval of the difference of two recipes, and Student's of the mean of one."""
    trainings = pd.concat([pd.read_csv(FIGURES / f"04-{name}.csv") for name in ("agreement", "pass")])
    recipes, draws, generator = ["distilled", "alone"], 20_000, np.random.default_rng(9)
    effects = seed_effects(trainings, *recipes, ["quantity"]).set_index("quantity")
    for quantity, rows in trainings.groupby("quantity"):
        measured = [rows.loc[rows["family"] == recipe, "value"].to_numpy() for recipe in recipes]
        assert min(map(len, measured)) >= 10
        drawn = [generator.choice(values, (draws, len(values))) for values in measured]
        # All draws in one call; the figures' own intervals are the same test's.
        own = stats.ttest_ind(*measured, equal_var=False).confidence_interval()
        assert effects.loc[quantity, ["low", "high"]].tolist() == pytest.approx([own.low, own.high])
        with np.errstate(invalid="ignore", divide="ignore"):
            welch = stats.ttest_ind(*drawn, axis=1, equal_var=False).confidence_interval()
        difference = measured[0].mean() - measured[1].mean()
        shares = [np.mean((welch.low <= difference) & (difference <= welch.high))]
        for values, again in zip(measured, drawn, strict=True):
            half = stats.t.ppf(0.975, len(values) - 1) * again.std(axis=1, ddof=1) / len(values) ** 0.5
            shares.append(np.mean(np.abs(again.mean(axis=1) - values.mean()) <= half))
        assert min(shares) >= LEAST and max(shares) <= MOST, (quantity, shares)
