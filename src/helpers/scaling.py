"""Trends along model size: a straight line in the logarithm of the number of parameters, with its interval."""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def size_trend(
    losses: pd.DataFrame, parameters: Mapping[str, float], *, seed: int = 0, resamples: int = 1000, points: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Loss per token against size: a value per model, and the least-squares line a + b · ln(parameters).

    Intervals resample whole texts, the same ones for every model (percentile bootstrap, 95 %): they hold for other
    texts of the kind, not for other trainings.

    Args:
        losses: columns `model`, `document`, `nats`, `tokens`; every model has the same documents.
        parameters: model → number of weights.
        points: of the line.

    Returns:
        Values: columns `model`, `parameters`, `value`, `low`, `high`. Line: `parameters`, `value`, `low`, `high`, and,
        equal in all rows, `slope`, `slope_low`, `slope_high`: the change per tenfold size.
    """
    models = list(parameters)
    nats = losses.pivot(index="document", columns="model", values="nats")[models].to_numpy()
    tokens = losses.pivot(index="document", columns="model", values="tokens")[models].to_numpy()
    sizes = np.log(np.array([parameters[model] for model in models], dtype=float))
    grid = np.linspace(sizes.min(), sizes.max(), points)
    drawn = np.random.default_rng(seed).integers(len(nats), size=(resamples, len(nats)))
    measured = nats.sum(axis=0) / tokens.sum(axis=0)
    repeated = nats[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)
    slope, start = np.polyfit(sizes, measured, 1)
    lines = np.array([np.polyfit(sizes, values, 1) for values in repeated])
    predicted = lines[:, :1] * grid + lines[:, 1:]
    low, high = np.quantile(repeated, [0.025, 0.975], axis=0)
    values = pd.DataFrame({"model": models, "parameters": np.exp(sizes), "value": measured, "low": low, "high": high})
    low, high = np.quantile(predicted, [0.025, 0.975], axis=0)
    line = pd.DataFrame({"parameters": np.exp(grid), "value": slope * grid + start, "low": low, "high": high})
    per_tenfold = np.log(10) * np.array([slope, *np.quantile(lines[:, 0], [0.025, 0.975])])
    return values, line.assign(slope=per_tenfold[0], slope_low=per_tenfold[1], slope_high=per_tenfold[2])
