"""Charts of notebook 06: table in, figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from compressed_code.charts.parts import legend_above
from compressed_code.charts.style import PALETTE, WIDTH, series_style

OUTCOME_COLOURS = {
    "passed": "#009E73",
    "disputed": "#F0E442",
    "wrong answer": "#E69F00",
    "exception": "#D55E00",
    "syntax error": "#777777",
    "timeout": "#CC79A7",
    "memory": "#56B4E9",
    "output": "#0072B2",
    "crashed": PALETTE[-1],
}
TURN_COLOURS = {"kept": "#009E73", "gained": "#0072B2", "lost": "#D55E00", "neither": "#777777"}


def outcome_bars(shares: pd.DataFrame) -> Figure:
    """How programs end: one stacked bar per row.

    Args:
        shares: percent, rows named as they are to be labelled, columns out of `sandbox.Outcome`; a row adds to 100.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.3 * len(shares)))
    _stack(axis, shares, OUTCOME_COLOURS)
    legend_above(figure, axis)
    return figure


def outcome_and_turn_bars(shares: pd.DataFrame, turns: pd.DataFrame) -> Figure:
    """How programs of two models end, and below, how many turned from one to the other.

    Args:
        shares: as of `outcome_bars`.
        turns: the same with columns out of `TURN_COLOURS`.
    """
    heights = [len(shares), len(turns)]
    size = (WIDTH, 1.9 + 0.3 * sum(heights))
    figure, axes = plt.subplots(2, figsize=size, height_ratios=heights, sharex=True, layout="constrained")
    for axis, part, colours in zip(axes, (shares, turns), (OUTCOME_COLOURS, TURN_COLOURS), strict=True):
        _stack(axis, part, colours)
        axis.legend(ncols=len(colours), loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=7)
    axes[0].set_xlabel("")
    return figure


def _stack(axis: Axes, shares: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """One stacked bar per row, in percent."""
    left = np.zeros(len(shares))
    for name in [name for name in colours if name in shares and shares[name].sum() > 0]:
        width = shares[name].to_numpy()
        bars = axis.barh(shares.index, width, left=left, color=colours[name], height=0.7, label=name)
        texts = [f"{value:.0f}" if value >= 4 else "" for value in width]
        axis.bar_label(
            bars, texts, label_type="center", fontsize=7, color="black" if name == "wrong answer" else "white"
        )
        left += width
    axis.invert_yaxis()
    axis.set(xlabel="programs (%)", xlim=(0, 100))
    axis.grid(visible=False)
    axis.tick_params(axis="y", length=0)


def pass_by_bits(table: pd.DataFrame, methods: Mapping[str, str], tiers: Mapping[str, str]) -> Figure:
    """pass@1 against the bits a weight really takes: a row of panels per method, a column per tier.

    Args:
        table: columns `method` (`base` for the unquantized model, drawn as a band), `tier`, `bits`, `value`, `low`,
            `high`.
        methods: key → label, in drawing order.
        tiers: key → title of the column.
    """
    size = (WIDTH, 0.8 + 1.1 * len(methods))
    figure, axes = plt.subplots(len(methods), len(tiers), figsize=size, sharex=True, sharey=True, squeeze=False)
    for number, (method, label) in enumerate(methods.items()):
        colour, marker = series_style(number)
        for axis, tier in zip(axes[number], tiers, strict=True):
            rows = table[table["tier"] == tier]
            for base in rows[rows["method"] == "base"].itertuples():
                axis.axhspan(base.low, base.high, color="#666666", alpha=0.25, linewidth=0)
            chosen = rows[rows["method"] == method].sort_values("bits", kind="stable")
            axis.vlines(chosen["bits"], chosen["low"], chosen["high"], color=colour)
            axis.plot(chosen["bits"], chosen["value"], marker, color=colour, markersize=4)
            axis.set(ylim=(-0.04, 1.04), yticks=[0, 0.5, 1])
        axes[number][0].set_ylabel(f"{label}\npass@1")
    for axis, title in zip(axes[0], tiers.values(), strict=True):
        axis.set_title(title)
    figure.supxlabel("effective bits per weight", fontsize=8.5)
    return figure


def unsolved_at_k(
    rates: pd.DataFrame,
    labels: Mapping[str, str],
    gaps: pd.DataFrame,
    pairs: Mapping[str, str],
    *,
    by: str = "series",
) -> Figure:
    """What k samples leave unsolved, a line per series, and what one of a pair leaves more than the other at that k.

    Near the ceiling a gap in pass@k shrinks by itself, so failures are drawn, on a logarithmic axis: a line that falls
    as steeply as another keeps its distance. Where no task is left a line ends at the foot of the axis.

    Args:
        rates: columns `k`, `value`, `low`, `high` (pass@k, 0 … 1), `tasks` and the one that `by` names.
        labels: series → label, in drawing order.
        gaps: columns `pair`, `k`, `value`, `low`, `high`: pass@k of one less that of the other.
        pairs: pair → label, in drawing order.
        by: column that says the series.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4), gridspec_kw={"width_ratios": (1.25, 1)})
    ks = sorted(rates["k"].unique())
    foot = 0.5 / rates["tasks"].max()
    for number, (series, label) in enumerate(labels.items()):
        rows = rates[rates[by] == series].sort_values("k", kind="stable")
        colour, marker = series_style(number)
        value, least, most = (np.maximum(1 - rows[name], foot) for name in ("value", "high", "low"))
        left.fill_between(rows["k"], least, most, color=colour, alpha=0.18, linewidth=0)
        left.plot(rows["k"], value, marker, linestyle="-", color=colour, markersize=4.5, label=label)
    left.set(yscale="log", ylim=(foot, 1), ylabel="tasks left unsolved (share)")
    for number, (pair, label) in enumerate(pairs.items(), start=len(labels)):
        rows = gaps[gaps["pair"] == pair].sort_values("k", kind="stable")
        colour, marker = series_style(number)
        places = rows["k"] * 1.04 ** (2 * (number - len(labels)) - len(pairs) + 1)  # side by side
        right.vlines(places, -100 * rows["high"], -100 * rows["low"], color=colour, linewidth=1.3)
        right.plot(places, -100 * rows["value"], marker, linestyle="none", color=colour, markersize=4.5, label=label)
    right.axhline(0, color="#444444", linewidth=0.8)
    right.set(ylabel="more left unsolved, same k (points)")
    for axis in (left, right):
        axis.set(xscale="log", xlabel="k (samples per task)")
        axis.set_xticks(ks, [f"{k:g}" for k in ks])
        axis.xaxis.set_minor_locator(NullLocator())
    entries = [part for axis in (left, right) for part in zip(*axis.get_legend_handles_labels(), strict=True)]
    legend_above(figure, left, {label: handle for handle, label in entries})
    return figure
