"""Charts of notebooks 03 to 05: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import WIDTH, series_style


def divergence_by_bits(
    table: pd.DataFrame, methods: Mapping[str, str], axes_by: Mapping[str, str], reference: tuple[float, str]
) -> Figure:
    """Divergence from the base model against the bits a weight takes, one colour and marker per method.

    Args:
        table: columns `method`, `value`, `low`, `high` (nats), and those of `axes_by`.
        methods: key → label, in drawing order.
        axes_by: column of bits → axis label, a panel each.
        reference: a divergence to compare with, and what it is called; NaN where there is none.
    """
    figure, axes = plt.subplots(1, len(axes_by), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
    for axis, (column, title) in zip(axes[0], axes_by.items(), strict=True):
        for number, (method, label) in enumerate(methods.items()):
            rows = table[table["method"] == method]
            colour, marker = series_style(number)
            axis.vlines(rows[column], rows["low"], rows["high"], color=colour)
            axis.plot(rows[column], rows["value"], marker, color=colour, markersize=4.5, label=label)
        axis.set(yscale="log", xlabel=title)
        if np.isfinite(reference[0]):
            axis.axhline(reference[0], color="#666666", linestyle="--", linewidth=0.9)
            place, units = (1, reference[0]), ("axes fraction", "data")
            axis.annotate(reference[1], place, xycoords=units, ha="right", va="bottom", fontsize=7.5)
    axes[0][0].set_ylabel("KL (nats per token)")
    legend_above(figure, axes[0][0])
    return figure


def group_sizes(table: pd.DataFrame, ladder: pd.DataFrame) -> Figure:
    """Divergence by what groups of several sizes take, beside a ladder of whole bits in groups of one size.

    Args:
        table: columns `bits_quantized`, `value`, `low`, `high` and `size`, which is written beside its point.
        ladder: columns `bits_quantized`, `value`.
    """
    figure, axis = plt.subplots(figsize=(WIDTH * 0.72, 3.0))
    steps = ladder.sort_values("bits_quantized")
    axis.plot(steps["bits_quantized"], steps["value"], "-", color="#999999", label="whole bits, groups of 32", zorder=1)
    axis.vlines(table["bits_quantized"], table["low"], table["high"], color="#0072B2")
    axis.plot(
        table["bits_quantized"], table["value"], "o", color="#0072B2", markersize=4.5, label="three bits, by group"
    )
    for row in table.itertuples():
        beside = {"xytext": (-5, -2), "textcoords": "offset points", "ha": "right", "va": "top"}
        axis.annotate(row.size, (row.bits_quantized, row.value), **beside, fontsize=7.5)
    axis.set(yscale="log", xlabel="effective bits per quantized weight", ylabel="KL (nats per token)")
    legend_above(figure, axis)
    return figure
