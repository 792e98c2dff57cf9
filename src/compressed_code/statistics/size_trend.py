"""Trends along model size: a straight line in the logarithm of the number of parameters, with its interval."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from compressed_code.core.errors import Unavailable
from compressed_code.statistics.intervals_and_tests import draws_with_replacement, percentile_interval


def size_trend(
    losses: pd.DataFrame, parameters: Mapping[str, float], *, seed: int = 0, resamples: int = 1000, points: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Loss per token against size: a value per model, and the least-squares line a + b · ln(parameters).

    Intervals resample whole clusters (`pair.EncodedText`), the same ones for every model (percentile bootstrap, 95 %):
    they hold for other texts of the kind, not for other trainings.

    Args:
        losses: columns `model`, `cluster`, `nats`, `tokens`; every model has the same texts.
        parameters: model → number of weights.
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
    sums = losses.groupby(["cluster", "model"], sort=False, observed=True)[["nats", "tokens"]].sum().unstack("model")
    nats, tokens = sums["nats"][models].to_numpy(), sums["tokens"][models].to_numpy()
    sizes = np.log(np.array([parameters[model] for model in models], dtype=float))
    grid = np.linspace(sizes.min(), sizes.max(), points)
    drawn = draws_with_replacement(len(nats), seed=seed, resamples=resamples)
    measured = nats.sum(axis=0) / tokens.sum(axis=0)
    repeated = nats[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)
    slope, start = np.polyfit(sizes, measured, 1)
    lines = np.array([np.polyfit(sizes, values, 1) for values in repeated])
    predicted = lines[:, :1] * grid + lines[:, 1:]
    low, high = percentile_interval(repeated)
    values = pd.DataFrame({"model": models, "parameters": np.exp(sizes), "value": measured, "low": low, "high": high})
    low, high = percentile_interval(predicted)
    line = pd.DataFrame({"parameters": np.exp(grid), "value": slope * grid + start, "low": low, "high": high})
    tenfold = np.log10(np.exp(np.diff(sizes)))
    steps = np.diff(np.vstack([measured, repeated])) / tenfold
    for name, numbers in zip(("step", "step_low", "step_high"), _with_bounds(steps), strict=True):
        values[name] = [np.nan, *numbers]
    slopes = np.log(10) * np.concatenate([[slope], lines[:, 0]])
    line = line.assign(**dict(zip(("slope", "slope_low", "slope_high"), _with_bounds(slopes), strict=True)))
    bends = steps[:, -1] - steps[:, 0]
    return values, line.assign(**dict(zip(("bend", "bend_low", "bend_high"), _with_bounds(bends), strict=True)))


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


def _with_bounds(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What was measured (the first row) and its 95 % bounds over the resamples (the others)."""
    return drawn[0], *percentile_interval(drawn[1:])
