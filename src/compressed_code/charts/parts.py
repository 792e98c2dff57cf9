"""Parts that charts of several notebooks share."""

import math
from collections.abc import Collection, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from compressed_code.charts.style import CELL_TEXT, SEQUENTIAL, WIDTH, series_style
from compressed_code.core.errors import Unavailable
from compressed_code.tokenizers.vocabulary import TOKEN_CLASSES

LEGEND_CHARACTERS = 108  # of the labels in a row of a page's width, six more for each marker
# One colour per token class: programming classes saturated, text classes light, the rest grey.
CLASS_COLOURS = {
    "keyword": "#D55E00",
    "operator": "#0072B2",
    "whitespace": "#009E73",
    "digits": "#E69F00",
    "word": "#BBD7EA",
    "mixed": "#CC79A7",
    "incomplete": "#777777",
    "control": "#333333",
    "padding": "#EEEEEE",
}


def class_bars(
    grid: pd.DataFrame, unit: str, row_height: float = 0.4, labels: Mapping[str, str] | None = None
) -> Figure:
    """One stacked bar of token classes per row.

    Args:
        grid: percent, a row per bar, columns out of `vocabulary.TOKEN_CLASSES`.
        unit: label of the axis.
        row_height: inches per bar.
        labels: row → label; rows without one are labelled with their names.
    """
    grid = grid.rename(index=labels or {})
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + row_height * len(grid)))
    left = np.zeros(len(grid))
    for token_class in [name for name in TOKEN_CLASSES if grid[name].sum() > 0]:
        width = grid[token_class].to_numpy()
        bars = axis.barh(grid.index, width, left=left, color=CLASS_COLOURS[token_class], height=0.7, label=token_class)
        dark = token_class not in ("word", "digits", "padding")
        texts = [f"{value:.1f}" if value >= 3 else "" for value in width]
        axis.bar_label(bars, texts, label_type="center", fontsize=7, color="white" if dark else "black")
        left += width
    axis.invert_yaxis()
    axis.set(xlabel=unit, xlim=(0, 100))
    axis.grid(visible=False)
    axis.tick_params(axis="y", length=0)
    legend_above(figure, axis)
    return figure


def legend_above(figure: Figure, axis: plt.Axes, entries: Mapping[str, Artist] | None = None) -> None:
    """Legend entries above the chart, in as many rows as keep it within the figure.

    Args:
        entries: label → what is drawn; by default all of the axis that have a label.
    """
    handles, labels = axis.get_legend_handles_labels()
    if entries is not None:
        handles, labels = list(entries.values()), list(entries)
    if not labels:
        return
    wide = sum(map(len, labels)) + 6 * len(labels)
    rows = math.ceil(wide / (LEGEND_CHARACTERS * figure.get_figwidth() / WIDTH))
    columns = -(-len(labels) // rows)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, columnspacing=1.1, handletextpad=0.4)


def headline(figure: Figure, text: str, band: float = 0.27) -> None:
    """The finding in bold above everything, left; the figure grows by a band of so many inches and is laid out before.

    constrained_layout knows no place for a title above an outside legend, so that the finished layout is moved down.
    """
    figure.get_layout_engine().set(w_pad=0.08)  # inches: labels at the edges keep clear of them
    figure.canvas.draw()
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    kept = height / (height + band)
    places = [(axis, axis.get_position(original=True)) for axis in figure.axes]
    figure.set_size_inches(width, height + band)
    for axis, place in places:
        axis.set_position((place.x0, place.y0 * kept, place.width, place.height * kept))
    for written in figure.texts:
        written.set_y(written.get_position()[1] * kept)
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, 0, 1, kept), transform=figure.transFigure)
    top = 1 - 0.06 / (height + band)
    figure.text(0.06 / width, top, text, ha="left", va="top", fontsize=10, fontweight="bold")


def interval_panels(
    table: pd.DataFrame,
    rows: Mapping[str, str],
    panels: Mapping[str, str],
    series: Mapping[str, str] | None = None,
    *,
    y: str = "row",
    panel: str = "panel",
    by: str = "series",
    low: str | None = "low",
    high: str | None = "high",
    draw: str = "draw",
    noise: Mapping[str, tuple[float, float]] | None = None,
    logarithmic: Collection[str] = (),
    zero: Collection[str] = (),
    row_height: float = 0.3,
) -> Figure:
    """Values with their intervals: a panel per quantity, rows on the axis, one colour and marker per series.

    Args:
        table: columns `value`, and those named below. Several values of one row and series (seeds) are drawn as
            several points.
        rows, panels, series: name → label, in drawing order; a panel's label is its axis label.
        y, panel, by: columns that say the row, the panel and the series; not needed where there is only one.
        low, high: columns of the intervals' ends; none where all values are exact. Where an end is missing, no
            interval is drawn.
        draw: column that says the draw; where the table has it, draws of one row lie side by side.
        noise: panel → range that is drawn as a band: what an effect has to leave.
        logarithmic: panels with a logarithmic axis.
        zero: panels in which zero, no change, is marked by a line.
        row_height: inches per row.

    Raises:
        Unavailable: no row or no panel.
    """
    if not rows or not panels:
        raise Unavailable("nothing was measured that could be drawn")
    height = 0.9 + row_height * len(rows) + (0.25 if series and len(series) > 1 else 0)
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, height), sharey=True, squeeze=False)
    offsets = np.linspace(-0.28, 0.28, len(series)) if series and len(series) > 1 else [0.0]
    table = table if y in table or len(rows) > 1 else table.assign(**{y: next(iter(rows))})
    table = table[table[y].isin(list(rows))].reset_index(drop=True)
    for axis, (quantity, title) in zip(axes[0], panels.items(), strict=True):
        if noise and quantity in noise:
            axis.axvspan(*noise[quantity], color="#E69F00", alpha=0.25, linewidth=0)
        if quantity in zero:
            axis.axvline(0, color="#444444", linewidth=0.8)
        # One panel alone shows all there is, whether a column says so or not.
        drawn = table[table[panel] == quantity] if panel in table or len(panels) > 1 else table
        for number, (name, label) in enumerate((series or {"": ""}).items()):
            colour, marker = series_style(number)
            chosen = drawn[drawn[by] == name] if series else drawn
            # As numbers even where a series has no row, whose places pandas would take for text.
            places = chosen[y].astype(object).map({row: place for place, row in enumerate(rows)}).astype(float)
            position = places + offsets[number]
            if draw in chosen:
                position += _side_by_side(chosen[y].astype(object), 0.5 / len(offsets))
            if low and high:
                ends = chosen[[low, high]].dropna()
                axis.hlines(position[ends.index], ends[low], ends[high], color=colour)
            axis.plot(chosen["value"], position, marker, color=colour, markersize=4.5, label=label)
        axis.set(xlabel=title, xscale="log" if quantity in logarithmic else "linear")
        if quantity in logarithmic:
            left, right = axis.get_xlim()
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 3) if right < 200 * left else (1,)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="y", visible=False)
        for boundary in np.arange(0.5, len(rows) - 1) if len(offsets) > 1 else ():
            axis.axhline(boundary, color="#EEEEEE", linewidth=0.8, zorder=0)
    axes[0][0].set_yticks(range(len(rows)), list(rows.values()))
    axes[0][0].set_ylim(len(rows) - 0.5, -0.5)
    if len(offsets) > 1:
        legend_above(figure, axes[0][0])
    return figure


def _side_by_side(rows: pd.Series, width: float) -> pd.Series:
    """How far each value lies from the middle of its row, so that several of one row share `width` (rows apart)."""
    grouped = rows.groupby(rows, sort=False)
    count = grouped.transform("size")
    return (grouped.cumcount() - (count - 1) / 2) * width / count


def cell_text(value: float) -> str:
    """A number of two digits that fits into a cell of a table; empty for a missing one.

    Example:
        >>> [cell_text(value) for value in (88.2, 9.5, 0.081, 0.00054, -1.1e-05, float("nan"))]
        ['88', '9.5', '0.081', '5e-4', '-1e-5', '']
    """
    if pd.isna(value):
        return ""
    text = f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.2g}"
    if len(text.lstrip("-")) <= 5:
        return text
    digit, _, exponent = f"{value:.0e}".partition("e")
    return f"{digit}e{int(exponent)}"


def value_heatmap(
    grid: pd.DataFrame,
    unit: str,
    *,
    rows: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    root: bool = False,
) -> Figure:
    """Values written in the cells of a table.

    Args:
        grid: the table.
        unit: label of the colour bar.
        rows, columns: name → label, in drawing order; without them all are shown under their names.
        root: colour by square root, so that small values stay apart.
    """
    grid = grid if rows is None else grid.reindex(index=list(rows)).rename(index=rows)
    grid = grid if columns is None else grid.reindex(columns=list(columns)).rename(columns=columns)
    scale = np.sqrt if root else np.asarray
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.27 * len(grid)))
    texts = grid.map(cell_text)
    colours = pd.DataFrame(scale(grid.to_numpy(float)), index=grid.index, columns=grid.columns)
    look = {"annot_kws": {"size": 7, "color": CELL_TEXT}, "cmap": SEQUENTIAL, "cbar": False, "linewidths": 0.4}
    sns.heatmap(colours, ax=axis, annot=texts, fmt="", **look)
    axis.set(xlabel="", ylabel="")
    axis.tick_params(length=0)
    axis.tick_params(axis="y", rotation=0)
    axis.set_xticks(axis.get_xticks(), list(grid.columns), rotation=35, ha="right", rotation_mode="anchor")
    bar = figure.colorbar(axis.collections[0], ax=axis, pad=0.015)
    if root:
        ticks = [tick for tick in (0.1, 1, 5, 10, 20, 40, 80) if grid.min().min() <= tick <= grid.max().max()]
        bar.set_ticks(np.sqrt(ticks), labels=[f"{tick:g}" for tick in ticks])
    bar.set_label(unit)
    bar.outline.set_visible(False)
    return figure
