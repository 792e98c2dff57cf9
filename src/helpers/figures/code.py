"""Charts of notebook 06: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.figures import PALETTE, WIDTH, series_style
from helpers.figures.parts import legend_above

OUTCOME_COLOURS = {
    "passed": "#009E73",
    "wrong answer": "#E69F00",
    "exception": "#D55E00",
    "syntax error": "#777777",
    "timeout": "#CC79A7",
    "memory": "#56B4E9",
    "output": "#0072B2",
    "crashed": PALETTE[-1],
}


def outcome_bars(shares: pd.DataFrame) -> Figure:
    """How programs end: one stacked bar per row.

    Args:
        shares: percent, rows named as they are to be labelled, columns out of `sandbox.Outcome`; a row adds to 100.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.3 * len(shares)))
    left = np.zeros(len(shares))
    for outcome in [name for name in OUTCOME_COLOURS if name in shares and shares[name].sum() > 0]:
        width = shares[outcome].to_numpy()
        bars = axis.barh(shares.index, width, left=left, color=OUTCOME_COLOURS[outcome], height=0.7, label=outcome)
        texts = [f"{value:.0f}" if value >= 4 else "" for value in width]
        axis.bar_label(
            bars, texts, label_type="center", fontsize=7, color="black" if outcome == "wrong answer" else "white"
        )
        left += width
    axis.invert_yaxis()
    axis.set(xlabel="programs (%)", xlim=(0, 100))
    axis.grid(visible=False)
    axis.tick_params(axis="y", length=0)
    legend_above(figure, axis)
    return figure


def pass_by_bits(table: pd.DataFrame, methods: Mapping[str, str], tiers: Mapping[str, str]) -> Figure:
    """pass@1 against the bits a weight really takes, a panel per tier, one colour and marker per method.

    Args:
        table: columns `method` (`parent` for the model as trained), `tier`, `bits`, `value`, `low`, `high`.
        methods: key → label, in drawing order.
        tiers: key → title of the panel.
    """
    figure, axes = plt.subplots(1, len(tiers), figsize=(WIDTH, 2.9), sharey=True, squeeze=False)
    for axis, (tier, title) in zip(axes[0], tiers.items(), strict=True):
        rows = table[table["tier"] == tier]
        for parent in rows[rows["method"] == "parent"].itertuples():
            axis.axhspan(parent.low, parent.high, color="#666666", alpha=0.18, linewidth=0, label="as trained")
        for number, (method, label) in enumerate(methods.items()):
            chosen = rows[rows["method"] == method].sort_values("bits")
            colour, marker = series_style(number)
            place = chosen["bits"] + 0.14 * (
                number - (len(methods) - 1) / 2
            )  # methods at equal bits stand side by side
            axis.vlines(place, chosen["low"], chosen["high"], color=colour)
            axis.plot(place, chosen["value"], marker, color=colour, markersize=4.5, label=label)
        axis.set(title=title, xlabel="effective bits per weight", ylim=(-0.03, 1.03))
    axes[0][0].set_ylabel("greedy pass@1")
    legend_above(figure, axes[0][0])
    return figure


def pass_at_k(rates: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """pass@k against k, one line per series with its intervals.

    Args:
        rates: columns `series`, `k`, `value`, `low`, `high`.
        labels: series → label, in drawing order.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    ks = sorted(rates["k"].unique())
    for number, (series, label) in enumerate(labels.items()):
        rows = rates[rates["series"] == series].sort_values("k")
        colour, marker = series_style(number)
        place = rows["k"] * 1.015 ** (number - (len(labels) - 1) / 2)  # so that intervals do not hide each other
        axis.vlines(place, rows["low"], rows["high"], color=colour)
        axis.plot(place, rows["value"], marker, linestyle="-", color=colour, markersize=4.5, label=label)
    axis.set(xscale="log", xlabel="k (samples per task)", ylabel="pass@k", ylim=(0, 1.03))
    axis.set_xticks(ks, [f"{k:g}" for k in ks])
    axis.minorticks_off()
    legend_above(figure, axis)
    return figure
