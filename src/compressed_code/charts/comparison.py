"""Charts of a comparison: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import WIDTH, series_style


def divergence_by_bytes(table: pd.DataFrame, noise: float, base_bytes: float) -> Figure:
    """What each candidate pays in divergence for the bytes that it saves.

    Args:
        table: a row per candidate: `label`, `bytes`, `value`, `low`, `high` (nats per token; ends may be missing).
        noise: divergence that rounding alone gives; NaN for none.
        base_bytes: size of the base.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    for number, row in enumerate(table.itertuples()):
        colour, marker = series_style(number)
        if np.isfinite(row.low) and np.isfinite(row.high):
            axis.vlines(row.bytes / 1e6, row.low, row.high, color=colour)
        axis.plot(row.bytes / 1e6, row.value, marker, color=colour, markersize=6, label=row.label)
    if np.isfinite(noise) and noise > 0:
        axis.axhline(noise, color="#888888", linestyle="--", linewidth=0.9)
        place, units = (0.995, noise), ("axes fraction", "data")
        axis.annotate("rounding to bfloat16 alone", place, xycoords=units, ha="right", va="bottom", fontsize=7.5)
    axis.axvline(base_bytes / 1e6, color="#888888", linestyle=":", linewidth=0.9)
    # Above the axis, where no candidate stands: one of the base's own size stands on its line.
    place, units = (base_bytes / 1e6, 1.01), ("data", "axes fraction")
    axis.annotate("base", place, xycoords=units, ha="center", va="bottom", fontsize=7.5)
    axis.set(xlabel="size of the weights (MB)", ylabel="KL (nats per token)")
    if (table["value"] > 0).any():
        axis.set_yscale("log")
        _plain_numbers(axis.yaxis)
    legend_above(figure, axis)
    return figure


def divergence_by_group(table: pd.DataFrame, group: str, labels: Mapping[str, str]) -> Figure:
    """Mean divergence of each group of tokens, one colour and marker per candidate.

    Args:
        table: columns `model`, the one that `group` names, `value`, `low`, `high` (nats per token).
        labels: candidate → label, in drawing order.
    """
    order = table.groupby(group, observed=True)["value"].max().sort_values(ascending=False).index.tolist()
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.26 * len(order)))
    offsets = np.linspace(-0.28, 0.28, len(labels)) if len(labels) > 1 else [0.0]
    for number, (candidate, label) in enumerate(labels.items()):
        rows = table[table["model"] == candidate]
        colour, marker = series_style(number)
        places = rows[group].map({name: place for place, name in enumerate(order)}).astype(float) + offsets[number]
        ends = rows[["low", "high"]].notna().all(axis=1)
        axis.hlines(places[ends], rows["low"][ends], rows["high"][ends], color=colour)
        axis.plot(rows["value"], places, marker, color=colour, markersize=4.5, label=label)
    axis.set_yticks(range(len(order)), order)
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlabel("KL (nats per token)")
    if (table["value"] > 0).all():
        axis.set_xscale("log")
        _plain_numbers(axis.xaxis)
    axis.grid(axis="y", visible=False)
    if len(labels) > 1:
        legend_above(figure, axis)
    return figure


def _plain_numbers(axis: Axis) -> None:
    """Numbers as they are at a logarithmic axis: formulas are text where names may hold $.

    They stand at 1 and 3 of each power of ten, within less than one power at round numbers.
    """
    left, right = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 3)) if right >= 10 * left else MaxNLocator(nbins=6))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
