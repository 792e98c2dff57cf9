"""Trends along model size: a straight line in the logarithm of the number of parameters, with its interval."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.cluster_intervals import cluster_intervals


def size_trend(
    losses: pd.DataFrame, parameters: Mapping[str, float], *, level: float = 0.95, points: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Loss per token against size: a value per model, and the least-squares line a + b · ln(parameters).

    Intervals are over clusters (`pair.EncodedText`), by the jackknife, which leaves out the same cluster of
    every model (`cluster_intervals`): they hold for other texts of the kind, not for other trainings.

    Args:
        losses: columns `model`, `cluster`, `nats`, `tokens`; every model has the same texts.
        parameters: model → number of weights, however they are counted.
        level: coverage of the intervals.
        points: of the line.

    Returns:
        Values: columns `model`, `parameters`, `value`, `low`, `high`, and `step`, `step_low`, `step_high`: the change
        per tenfold size from the model before, missing in the first row. Line: `parameters`, `value`, `low`, `high`,
        and, equal in all rows, `slope`, `slope_low`, `slope_high`: the change per tenfold size; `bend`, `bend_low`,
        `bend_high`: how much smaller in size the last step is than the first, above zero where the loss flattens.

    Raises:
        Unavailable: fewer than two sizes.
    """
    models = list(parameters)
    if len(models) < 2:
        raise Unavailable(f"a trend along size needs at least two sizes, and {len(models)} was measured")
    sizes = np.log10([parameters[model] for model in models])
    grid = np.linspace(sizes.min(), sizes.max(), points)
    fit = np.linalg.pinv(np.column_stack([sizes, np.ones(len(sizes))]))  # losses to slope and start

    def statistics(sums: pd.DataFrame) -> dict[str, np.ndarray]:
        measured = sums["nats"][models].to_numpy() / sums["tokens"][models].to_numpy()
        steps = np.diff(measured, axis=1) / np.diff(sizes)
        slope, start = fit @ measured.T
        named = {"value": measured, "step": steps, "line": np.outer(slope, grid) + start[:, None]}
        found = {f"{name} {place}": row for name, part in named.items() for place, row in enumerate(part.T)}
        return found | {"slope": slope, "bend": steps[:, -1] - steps[:, 0]}

    sums = losses.groupby(["cluster", "model"], sort=False, observed=True)[["nats", "tokens"]].sum().unstack("model")
    ends = cluster_intervals(sums, statistics, level)
    ends.insert(0, "value", pd.DataFrame(statistics(sums.sum().to_frame().T)).iloc[0])

    def bounds(name: str, count: int) -> pd.DataFrame:
        return ends.loc[[f"{name} {place}" for place in range(count)]].reset_index(drop=True)

    values = bounds("value", len(models))
    values.insert(0, "parameters", 10**sizes)
    values.insert(0, "model", models)
    steps = bounds("step", len(models) - 1)
    for column, end in (("step", "value"), ("step_low", "low"), ("step_high", "high")):
        values[column] = [np.nan, *steps[end]]
    line = bounds("line", points)
    line.insert(0, "parameters", 10**grid)
    for name in ("slope", "bend"):
        line[[name, f"{name}_low", f"{name}_high"]] = ends.loc[name].to_list()
    return values, line


def tenfold_change(parameters: ArrayLike, values: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Change of a number per tenfold size: slope of a straight line over trainings, with Student's interval.

    The interval holds for other trainings of these sizes, as far as their numbers lie about a line.

    Args:
        parameters: number of weights, [trainings].
        values: one number per training, [trainings].
        level: coverage of the interval.

    Returns:
        value, low, high; missing where there are fewer than three trainings or only one size.
    """
    sizes, numbers = np.log10(np.asarray(parameters, dtype=float)), np.asarray(values, dtype=float)
    if len(sizes) < 3 or np.ptp(sizes) == 0:
        return math.nan, math.nan, math.nan
    line = stats.linregress(sizes, numbers)
    half = stats.t.ppf((1 + level) / 2, len(sizes) - 2) * line.stderr
    return float(line.slope), float(line.slope - half), float(line.slope + half)
