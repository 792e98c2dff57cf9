"""Is a difference small enough not to matter? Two one-sided tests against a margin, and their power.

That a difference is not told from noise is no evidence of equality: few trainings see nothing. Equivalence is shown
where the whole interval lies inside a margin that was chosen for a reason (Schuirmann, J. Pharmacokinet. Biopharm. 15,
1987).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from scipy import integrate, stats

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.intervals_and_tests import holm
from compressed_code.statistics.seed_noise import seed_noise


@dataclass(frozen=True)
class SeedDesign:
    """What is known before two recipes are compared.

    Attributes:
        deviation: standard deviation over seeds, of both recipes alike.
        freedom: degrees of freedom it was estimated with.
        counts: trainings of each recipe.
    """

    deviation: float
    freedom: float
    counts: tuple[int, int]

    @property
    def standard_error(self) -> float:
        """Of the difference of the recipes' means."""
        return self.deviation * sum(1 / count for count in self.counts) ** 0.5

    def interval(self, difference: float, level: float = 0.95) -> tuple[float, float]:
        """Student's interval of the difference at this level."""
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.standard_error
        return difference - half, difference + half


def equivalence(difference: float, design: SeedDesign, margin: float, level: float = 0.05) -> pd.DataFrame:
    """Two one-sided t-tests of a difference against ±margin, and the ordinary test against 0.

    Args:
        difference: of the recipes' means.
        margin: largest difference that does not matter, above 0, in the unit of the difference.
        level: error level of each test.

    Returns:
        One row: `difference`; `low`, `high`: the 1 − 2·level interval, which lies inside the margin exactly where both
        tests reject; `margin`; `p_equivalent` (the larger of both); `p_different` (two-sided, against 0); `verdict`:
        "equivalent", "different" (only where not equivalent), or "undecided".

    Raises:
        ValueError: the margin is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin}: must be above 0")
    low, high = design.interval(difference, 1 - 2 * level)
    error, freedom = design.standard_error, design.freedom
    p_equivalent = float(stats.t.sf((margin - abs(difference)) / error, freedom)) if error > 0 else 0.0
    p_different = float(2 * stats.t.sf(abs(difference) / error, freedom)) if error > 0 else 1.0
    verdict = "equivalent" if p_equivalent < level else "different" if p_different < level else "undecided"
    row = (difference, low, high, margin, p_equivalent, p_different, verdict)
    columns = ["difference", "low", "high", "margin", "p_equivalent", "p_different", "verdict"]
    return pd.DataFrame([row], columns=columns)


def equivalence_power(design: SeedDesign, margin: float, *, difference: float = 0.0, level: float = 0.05) -> float:
    """How probable it is that `equivalence` shows equivalence where the true difference is this one; exact.

    The estimated deviation s follows σ·√(χ²/freedom), independent of the estimated difference. Given s, both tests
    reject where the difference lies within margin − t·s·c of 0, c·σ being the standard error; the probability of that
    is averaged over s (Phillips, J. Pharmacokinet. Biopharm. 18, 1990).

    Args:
        design: with the true deviation.
        margin, level: as in `equivalence`.
        difference: the true one.

    Returns:
        0 … 1.
    """
    error, freedom = design.standard_error, design.freedom
    quantile = float(stats.t.ppf(1 - level, freedom))
    largest = margin / (quantile * error)  # of s/σ: beyond it the interval is wider than the margin

    def density(ratio: float) -> float:
        return float(stats.chi.pdf(ratio * freedom**0.5, freedom) * freedom**0.5)

    def inside(ratio: float) -> float:
        reach = margin - quantile * ratio * error
        return float(stats.norm.cdf((reach - difference) / error) - stats.norm.cdf((-reach - difference) / error))

    # Beyond this the density has no mass left; a longer way would hide the peak from the integration.
    end = min(largest, float(stats.chi.ppf(1 - 1e-12, freedom)) / freedom**0.5)
    return integrate.quad(lambda ratio: density(ratio) * inside(ratio), 0, end, limit=200)[0]


def trainings_needed(deviation: float, margin: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """How many trainings of each of two equal recipes show equivalence with the given power; at least 2.

    Their deviation is estimated from these trainings alone, with 2·(n − 1) degrees of freedom.
    """
    count = 2
    while equivalence_power(SeedDesign(deviation, 2 * (count - 1), (count, count)), margin, level=level) < power:
        count += 1
    return count


def compare_families(
    table: pd.DataFrame, pairs: Iterable[tuple[str, str]], margins: Mapping[str, float], level: float = 0.05
) -> pd.DataFrame:
    """`equivalence` of recipes that were trained with several seeds, metric by metric, with the power of each test.

    Args:
        table: columns `model`, `family`, `metric`, `value`, a row per training and metric.
        pairs: first and second family; the difference is the first minus the second.
        margins: metric → largest difference that does not matter; other metrics are left out.
        level: error level of each test.

    Returns:
        Columns `first`, `second`, `metric`, those of `equivalence`, `p_holm` (of `p_different`, over the whole table,
        which decides the verdict "different" here), `trainings` ("3, 1"), `deviation` and `freedom`
        (`seed_noise.seed_noise`: pooled over all families with several seeds), `power` (of showing equivalence where
        the recipes are equal).

    Raises:
        Unavailable: nothing to compare.
    """
    family_of = dict(zip(table["model"], table["family"], strict=True))
    noise = seed_noise(table, family_of, ["metric"]).set_index("metric")
    values = {(family, metric): rows["value"] for (family, metric), rows in table.groupby(["family", "metric"])}
    rows = []
    for first, second in pairs:
        for metric, margin in margins.items():
            if metric not in noise.index or not {(first, metric), (second, metric)} <= set(values):
                continue
            one, other = values[first, metric], values[second, metric]
            spread = noise.loc[metric]
            design = SeedDesign(spread["deviation"], spread["freedom"], (len(one), len(other)))
            tested = equivalence(one.mean() - other.mean(), design, margin, level)
            power = equivalence_power(design, margin, level=level)
            known = {"trainings": f"{len(one)}, {len(other)}", "deviation": spread["deviation"]}
            tested = tested.assign(**known, freedom=spread["freedom"], power=power)
            tested[["first", "second", "metric"]] = first, second, metric
            rows.append(tested)
    if not rows:
        raise Unavailable("no two families were measured, or none with several seeds")
    stacked = pd.concat(rows, ignore_index=True)
    stacked["p_holm"] = holm(stacked["p_different"].tolist())
    not_different = (stacked["verdict"] == "different") & (stacked["p_holm"] >= level)
    stacked.loc[not_different, "verdict"] = "undecided"
    leading = ["first", "second", "metric"]
    return stacked[[*leading, *[column for column in stacked if column not in leading]]]
