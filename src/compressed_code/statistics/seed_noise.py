"""How much a number moves when only the seed of a training changes: the noise that an effect has to beat."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from compressed_code.core.errors import Unavailable


def seed_noise(
    table: pd.DataFrame, family_of: Mapping[str, str], by: Sequence[str], level: float = 0.95
) -> pd.DataFrame:
    """Spread over seeds, pooled over the families that were trained with several.

    The standard deviation is pooled over families (each about its own mean), with Σ (seeds − 1) degrees of freedom.
    `difference` is how far two single trainings of one recipe lie apart at most, with probability `level`, if seeds act
    normally: t · s · √2 (Student). An effect between two single trainings that is smaller is not told from noise. For a
    recipe with one seed the difference is assumed, not measured.

    Args:
        table: columns `model`, `value`, and `by`.
        family_of: model → the model whose recipe it repeats (`registry.with_seeds`).
        by: columns that tell quantities apart, for example `["metric"]`.
        level: probability of the interval.

    Returns:
        Columns `by`, `deviation`, `freedom` (degrees of freedom), `difference`. Quantities of which no family has two
        seeds are left out.
    """
    rows = table[table["model"].isin(list(family_of))]
    rows = rows.assign(family=rows["model"].map(dict(family_of)))
    grouped = rows.groupby([*by, "family"], sort=False, observed=True)["value"]
    squares = grouped.agg(lambda values: ((values - values.mean()) ** 2).sum()).groupby(list(by), sort=False).sum()
    freedom = (grouped.size() - 1).groupby(list(by), sort=False).sum()
    known = freedom > 0
    deviation = np.sqrt(squares[known] / freedom[known])
    quantile = stats.t.ppf((1 + level) / 2, freedom[known])
    noise = pd.DataFrame(
        {"deviation": deviation, "freedom": freedom[known], "difference": quantile * deviation * 2**0.5}
    )
    return noise.reset_index()


def repeated_recipes(family_of: Mapping[str, str]) -> list[str]:
    """The recipes that were trained with several seeds, on which `seed_noise` rests; in order of appearance.

    Example:
        >>> repeated_recipes({"a": "a", "b": "b", "a1": "a"})
        ['a']
    """
    families = list(family_of.values())
    return [family for family in dict.fromkeys(families) if families.count(family) > 1]


def seed_effects(
    table: pd.DataFrame, treated: str, control: str, by: Sequence[str], level: float = 0.95
) -> pd.DataFrame:
    """Difference of two recipes that were each trained with several seeds, with Welch's interval over seeds.

    Args:
        table: columns `family` (recipe), `value` (one row per seed), and `by`.
        treated, control: the recipes compared.
        by: columns that tell quantities apart.
        level: coverage of the interval.

    Returns:
        Columns `by`, `value` (treated minus control, of the means), `low`, `high`, `p_value` (Welch's t-test),
        `deviation` (of a training, pooled over both recipes), `treated`, `control` (trainings of each).

    Raises:
        Unavailable: a recipe has fewer than two seeds.
    """
    rows = []
    for names, part in table.groupby(list(by), sort=False):
        one, other = (part.loc[part["family"] == family, "value"].to_numpy() for family in (treated, control))
        if min(len(one), len(other)) < 2:
            raise Unavailable(f"{treated} against {control}: an effect over seeds needs at least two seeds of each")
        test = stats.ttest_ind(one, other, equal_var=False)
        interval = test.confidence_interval(level)
        squares = sum(((values - values.mean()) ** 2).sum() for values in (one, other))
        deviation = (squares / (len(one) + len(other) - 2)) ** 0.5
        measured = (one.mean() - other.mean(), interval.low, interval.high, test.pvalue, deviation)
        rows.append((*names, *measured, len(one), len(other)))
    columns = [*by, "value", "low", "high", "p_value", "deviation", "treated", "control"]
    return pd.DataFrame(rows, columns=columns)


def seed_means(table: pd.DataFrame, by: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Mean over the seeds of each recipe, with Student's interval.

    Args:
        table: columns `by` (among them the recipe), `value`: one row per training.
        by: columns that tell groups apart.
        level: coverage of the interval.

    Returns:
        Columns `by`, `value`, `low`, `high` (missing for a single training), `trainings`.
    """
    grouped = table.groupby(list(by), sort=False)["value"]
    means = grouped.agg(value="mean", deviation="std", trainings="size").reset_index()
    freedom = (means["trainings"] - 1).where(means["trainings"] > 1)
    half = stats.t.ppf((1 + level) / 2, freedom) * means["deviation"] / means["trainings"] ** 0.5
    return means.assign(low=means["value"] - half, high=means["value"] + half)[
        [*by, "value", "low", "high", "trainings"]
    ]


def detectable_difference(counts: tuple[int, int], *, power: float = 0.8, level: float = 0.05) -> float:
    """Smallest true difference of two recipes that so many trainings tell from none with this power.

    In standard deviations of a training, which both recipes share: the effect at which the noncentral t distribution
    leaves Student's two-sided bounds with the given probability (Cohen, Statistical Power Analysis, 1988, chapter 2).

    Args:
        counts: trainings of each recipe, at least two.

    Example:
        >>> round(detectable_difference((3, 3)), 1), round(detectable_difference((15, 15)), 1)
        (3.1, 1.1)
    """
    freedom, scale = sum(counts) - 2, sum(1 / count for count in counts) ** 0.5
    bound = stats.t.ppf(1 - level / 2, freedom)

    def missing(difference: float) -> float:
        # The bound on the wrong side adds less than 1e-5 at any useful power.
        return float(stats.nct.sf(bound, freedom, difference / scale)) - power

    return float(optimize.brentq(missing, 0, 2 * bound * scale))
