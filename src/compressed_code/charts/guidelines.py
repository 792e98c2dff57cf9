"""Charts of notebook 07, what predicts lost programs: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import WIDTH, series_style

_SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)  # ticks of a logarithmic axis of shares


def damage_scatter(table: pd.DataFrame, panels: Mapping[str, str], methods: Mapping[str, str]) -> Figure:
    """Lost programs against numbers that need no program; both axes logarithmic.

    Args:
        table: columns `method`, `share` (above 0) and those that `panels` names (above 0).
        panels: column → title of its horizontal axis.
        methods: method → label, in drawing order.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
    for axis, (column, title) in zip(axes[0], panels.items(), strict=True):
        for number, (method, label) in enumerate(methods.items()):
            rows = table[table["method"] == method]
            colour, marker = series_style(number)
            axis.plot(
                rows[column], rows["share"], marker, color=colour, markerfacecolor="none", markersize=5, label=label
            )
        axis.set(xscale="log", xlabel=title)
        axis.xaxis.set_major_locator(LogLocator(numticks=6))
        axis.xaxis.set_minor_formatter(NullFormatter())
    _share_axis(axes[0][0])
    legend_above(figure, axes[0][0])
    return figure


def lost_by_bits(table: pd.DataFrame, methods: Mapping[str, str], limit: float) -> Figure:
    """Lost programs with their intervals by effective bits, a limit as a line; the vertical axis is logarithmic.

    Args:
        table: columns `method`, `bits`, `share`, `low`, `high` (above 0).
        methods: method → label, in drawing order.
        limit: share that is drawn as a line.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    axis.axhline(limit, color="#555555", linestyle=":", linewidth=1)
    axis.annotate(
        f"{100 * limit:g} %", (1, limit), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8
    )
    for number, (method, label) in enumerate(methods.items()):
        rows = table[table["method"] == method]
        colour, marker = series_style(number)
        axis.vlines(rows["bits"], rows["low"], rows["high"], color=colour, linewidth=1)
        axis.plot(rows["bits"], rows["share"], marker, color=colour, markersize=5, label=label)
    axis.set(xlabel="effective bits per quantized weight (codes, scales, zeros)")
    _share_axis(axis)
    legend_above(figure, axis)
    return figure


def _share_axis(axis: plt.Axes) -> None:
    axis.set(yscale="log", ylabel="programs lost (share of those\nthat passed), logarithmic")
    axis.yaxis.set_major_locator(FixedLocator(_SHARES))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axis.yaxis.set_minor_formatter(NullFormatter())
