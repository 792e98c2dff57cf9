"""Charts of the explorer: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import WIDTH, series_style


def rank_curves(tokens: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Whole distributions: the probability of each token against its rank, a line per model, both axes logarithmic.

    Args:
        tokens: columns `model`, `probability`.
        labels: model → label, in drawing order.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    for number, (model, label) in enumerate(labels.items()):
        values = np.sort(tokens.loc[tokens["model"] == model, "probability"].to_numpy())[::-1]
        colour, marker = series_style(number)
        ranks = np.arange(1, len(values) + 1)
        shown = np.unique(np.geomspace(1, max(1, len(values)), 12).astype(int)) - 1  # equally far apart on the axis
        axis.plot(ranks, values, color=colour, marker=marker, markevery=shown.tolist(), markersize=4, label=label)
    axis.set(xscale="log", yscale="log", xlabel="rank of the token", ylabel="probability")
    legend_above(figure, axis)
    return figure


def moved_points(moved: pd.DataFrame, labels: tuple[str, str]) -> Figure:
    """What two models give the same tokens, joined by a line; the tokens that moved most stand first.

    Args:
        moved: `comparison.first_tokens.moved_tokens`.
        labels: of the two models.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.1 + 0.25 * len(moved)))
    places = np.arange(len(moved))
    axis.hlines(places, 100 * moved["base"], 100 * moved["candidate"], color="#888888", linewidth=1)
    for number, (side, label) in enumerate(zip(("base", "candidate"), labels, strict=True)):
        colour, marker = series_style(number)
        axis.plot(100 * moved[side], places, marker, color=colour, markersize=5, label=label)
    axis.set(xlabel="probability (%)")
    axis.set_yticks(places, list(moved["token"]))
    axis.set_ylim(len(moved) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    legend_above(figure, axis)
    return figure
