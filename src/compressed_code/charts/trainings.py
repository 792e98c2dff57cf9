"""Charts of recipes that were trained several times (notebooks 04 and 05): table in, figure out."""

from collections.abc import Collection, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import WIDTH, series_style


def training_points(
    trainings: pd.DataFrame,
    means: pd.DataFrame,
    rows: Mapping[str, str],
    panels: Mapping[str, str],
    lines: Mapping[str, str] | None = None,
    *,
    zero: Collection[str] = (),
    row_height: float = 0.55,
) -> Figure:
    """Every training as a point, and the mean over the seeds of its recipe with its interval.

    A recipe that was trained once is a point of its own, without an interval.

    Args:
        trainings: columns `family` (recipe), `quantity`, `value`; one row per training and quantity.
        means: the same columns and `low`, `high` (missing for a recipe with one training): a row per recipe.
        rows: recipe → label, in drawing order.
        panels: quantity → label of its axis, in drawing order.
        lines: further recipes, of which a mean is drawn as a vertical line through all rows → label.
        zero: panels in which a line marks 0.
        row_height: inches per row.
    """
    lines = lines or {}
    figure, axes = plt.subplots(
        1, len(panels), figsize=(WIDTH, 1.1 + row_height * len(rows)), sharey=True, squeeze=False
    )
    places = {row: place for place, row in enumerate(rows)}
    for axis, (quantity, title) in zip(axes[0], panels.items(), strict=True):
        points = trainings[(trainings["quantity"] == quantity) & trainings["family"].isin(list(rows))]
        count = points.groupby("family")["value"].transform("size")
        points, count = points[count > 1], count[count > 1]
        below = 0.12 + 0.3 * (points.groupby("family").cumcount() + 0.5) / count  # spread, so that none hides another
        drawn = points["family"].map(places).astype(float) + below
        axis.scatter(points["value"], drawn, s=9, color="#888888", linewidths=0, label="a training")
        centres = means[means["quantity"] == quantity].set_index("family")
        for number, row in enumerate(row for row in rows if row in centres.index):
            colour, marker = series_style(number)
            mean = centres.loc[row]
            place = places[row] - 0.12 * (points["family"] == row).any()
            axis.hlines(place, mean["low"], mean["high"], color=colour, linewidth=1.6)
            axis.plot(mean["value"], place, marker, color=colour, markersize=5.5)
        for row, label in lines.items():
            if row in centres.index:
                axis.axvline(centres.loc[row, "value"], color="#555555", linestyle=":", linewidth=1, label=label)
        if quantity in zero:
            axis.axvline(0, color="#555555", linewidth=0.9)
        axis.set(xlabel=title)
        axis.locator_params(axis="x", nbins=4)
        axis.grid(axis="y", visible=False)
    axes[0][0].plot([], [], "o-", color="#333333", markersize=5.5, label="mean over seeds, 95 %")
    axes[0][0].set_yticks(range(len(rows)), list(rows.values()))
    axes[0][0].set_ylim(len(rows) - 0.5, -0.5)
    legend_above(figure, axes[0][0])
    return figure


def effect_rows(
    effects: pd.DataFrame,
    groups: Mapping[str, Mapping[str, str]],
    reach: float,
    *,
    better: str,
    row_height: float = 0.3,
) -> Figure:
    """Effects in standard deviations of a training, a row each, beside what so many trainings see.

    Args:
        effects: columns `quantity`, `value`, `low`, `high` (standard deviations; above 0 is better).
        groups: heading → its quantities → their labels, in drawing order.
        reach: smallest effect that is seen with the power that the caller says; drawn as a band about 0.
        better: what lies on the right of 0.
    """
    labels = {name: label for part in groups.values() for name, label in part.items()}
    places = {name: place for place, name in enumerate(labels)}
    figure, axis = plt.subplots(figsize=(WIDTH, 1.0 + row_height * len(labels)))
    axis.axvspan(-reach, reach, color="#E69F00", alpha=0.2, linewidth=0)
    axis.axvline(0, color="#555555", linewidth=0.9)
    for number, (heading, part) in enumerate(groups.items()):
        colour, marker = series_style(number)
        rows = effects[effects["quantity"].isin(list(part))]
        position = rows["quantity"].map(places)
        axis.hlines(position, rows["low"], rows["high"], color=colour, linewidth=1.6)
        axis.plot(rows["value"], position, marker, color=colour, markersize=5.5, label=heading)
        if number:
            axis.axhline(min(places[name] for name in part) - 0.5, color="#DDDDDD", linewidth=0.8, zorder=0)
    axis.set(xlabel=f"difference in standard deviations of a training (right: {better})")
    axis.grid(axis="y", visible=False)
    axis.set_yticks(range(len(labels)), list(labels.values()))
    axis.set_ylim(len(labels) - 0.5, -0.5)
    legend_above(figure, axis)
    return figure


def trend_panels(
    table: pd.DataFrame, fits: pd.DataFrame, panels: Mapping[str, str], unit: str, repeats: pd.DataFrame
) -> Figure:
    """A quantity against model size, counted in several ways, with a fitted trend and its interval.

    Args:
        table: columns `panel`, `parameters`, `value`, `low`, `high`.
        fits: the same columns: the trend along a grid.
        panels: way of counting → label of the horizontal axis, in drawing order.
        unit: label of the vertical axis.
        repeats: columns `panel`, `parameters`, `value`: trainings of one size with several seeds.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.0), sharey=True, squeeze=False)
    for axis, (name, title) in zip(axes[0], panels.items(), strict=True):
        trend, rows, seeds = (part[part["panel"] == name] for part in (fits, table, repeats))
        axis.fill_between(trend["parameters"], trend["low"], trend["high"], color="#0072B2", alpha=0.15, linewidth=0)
        axis.plot(trend["parameters"], trend["value"], color="#0072B2", linewidth=0.9, label="straight line")
        axis.vlines(rows["parameters"], rows["low"], rows["high"], color="#D55E00")
        axis.plot(
            rows["parameters"],
            rows["value"],
            "o",
            color="#D55E00",
            markersize=4.5,
            markerfacecolor="none",
            label="model",
        )
        axis.plot(seeds["parameters"], seeds["value"], "x", color="#000000", markersize=5, label="another seed")
        axis.set(xscale="log", xlabel=title)
    axes[0][0].set(ylabel=unit)
    legend_above(figure, axes[0][0])
    return figure
