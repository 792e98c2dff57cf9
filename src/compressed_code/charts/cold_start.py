"""Charts of notebook 02, whole distributions: table in, figure out. Those of keywords stand in `keywords`."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter

from compressed_code.charts.parts import legend_above, value_heatmap
from compressed_code.charts.style import FAMILY_COLOURS, MARKERS, PALETTE, WIDTH

METRIC_TITLES = {
    "pkp": "PKP: probability of a keyword",
    "stp": "STP: probability of a symbol",
    "nlp": "NLP: probability of an English word",
    "entropy_nats": "entropy: nats",
}


def mixture_rows(table: pd.DataFrame, labels: Mapping[str, str], floor: float, other: str) -> Figure:
    """How far models lie from the mixture that they were trained on, and from another one.

    Args:
        table: columns `model` (row), `family` (of `style.FAMILY_COLOURS`), `mixture` ("own" or "other"), `value` (nats,
            above 0); trainings of one recipe with other seeds are values of one row and stand below each other.
        labels: row → label, in drawing order.
        floor: divergence that is drawn as a line: what counting the rows would reach.
        other: what the other mixture is called in the legend.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.15 + 0.27 * len(labels)))
    places = {row: place for place, row in enumerate(labels)}
    looks = {"own": ("o", "the mixture it was trained on"), "other": ("D", other)}
    for kind, (marker, name) in looks.items():
        rows = table[(table["mixture"] == kind) & table["model"].isin(list(labels))]
        count = rows.groupby("model")["value"].transform("size")
        offset = (rows.groupby("model").cumcount() - (count - 1) / 2) * 0.5 / count
        colours = rows["family"].map(FAMILY_COLOURS)
        faces = colours if kind == "own" else "none"
        position = rows["model"].map(places) + offset
        axis.scatter(rows["value"], position, s=22, marker=marker, facecolors=faces, edgecolors=colours)
        axis.plot([], [], marker, color="#555555", markerfacecolor=None if kind == "own" else "none", label=name)
    axis.axvline(floor, color="#555555", linestyle=":", linewidth=1, label="counting the same rows")
    axis.set(xscale="log", xlabel="KL(mixture‖model) in nats, logarithmic axis")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="y", visible=False)
    axis.set_yticks(range(len(labels)), list(labels.values()))
    axis.set_ylim(len(labels) - 0.5, -0.5)
    legend_above(figure, axis)
    return figure


def metric_panels(
    metrics: pd.DataFrame,
    labels: Mapping[str, str],
    noise: pd.DataFrame,
    nulls: Mapping[str, str],
    *,
    y: str = "model",
) -> Figure:
    """Scalar cold-start metrics per model, a panel per metric, beside the mixture's and how far another seed may lie.

    Args:
        metrics: columns `metric`, `value` and the one that `y` names; trainings of one recipe with other seeds are
            values of one row.
        labels: row → label, in drawing order.
        noise: `seed_noise.seed_noise` rows by metric.
        nulls: row → the row of `metrics` that holds the metrics of its mixture.
        y: column that says the row.
    """
    names = [name for name in METRIC_TITLES if (metrics["metric"] == name).any()]
    height = 1.35 + 0.28 * len(labels)
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, height), sharey=True, squeeze=False)
    differences = noise.set_index("metric")["difference"]
    for axis, name in zip(axes[0], names, strict=True):
        rows = metrics[metrics["metric"] == name]
        for number, model in enumerate(labels):
            values = rows.loc[rows[y] == model, "value"]
            centre, half = values.mean(), differences.get(name, 0.0)
            first = {"label": "another seed (95 %)"} if number == 0 else {}
            axis.hlines(number, centre - half, centre + half, color="#E69F00", linewidth=5, alpha=0.45, **first)
            first = {"label": "a training"} if number == 0 else {}
            shape = {"color": "#0072B2", "markersize": 4, "markerfacecolor": "none"}
            axis.plot(values, np.full(len(values), number), "o", **shape, **first)
        marked = [(rows.loc[rows[y] == nulls.get(model), "value"].mean(), place) for place, model in enumerate(labels)]
        axis.plot(*zip(*marked, strict=True), "|", color="#000000", markersize=11, label="its training mixture")
        title, _, unit = METRIC_TITLES[name].partition(": ")
        axis.set(title=title, xlabel=unit.replace(" of a", "\nof a"))
        axis.grid(axis="y", visible=False)
        count = 2 if name == "nlp" else 3  # its numbers are long
        axis.xaxis.set_major_locator(plt.MaxNLocator(count, steps=[1, 2, 5, 10], min_n_ticks=count))
        axis.xaxis.set_major_formatter("{x:g}")
    axes[0][0].set_yticks(range(len(labels)), list(labels.values()))
    axes[0][0].set_ylim(len(labels) - 0.5, -0.5)
    legend_above(figure, axes[0][0])
    return figure


def language_heatmap(
    masses: pd.DataFrame,
    labels: Mapping[str, str],
    languages: Mapping[str, str],
    *,
    y: str = "model",
) -> Figure:
    """PKP per language and model, in percent; the mean, where several models make a row.

    Args:
        masses: columns `language`, `probability` and the one that `y` names.
        labels, languages: name → label, in drawing order.
        y: column that says the row.
    """
    grid = 100 * masses.groupby([y, "language"])["probability"].mean().unstack()
    return value_heatmap(grid, "PKP (%)", rows=labels, columns=languages, root=True)


def top_token_heatmap(top: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Probability of the most probable first tokens, in percent, models × tokens.

    Args:
        top: columns `model`, `token` (as it is to be shown), `probability`, in drawing order of tokens.
    """
    # Two ids may spell the same bytes.
    grid = 100 * top.groupby(["model", "token"], sort=False)["probability"].sum().unstack()
    columns = {token: token for token in top["token"]}
    return value_heatmap(grid, "probability (%)", rows=labels, columns=columns, root=True)


def share_points(table: pd.DataFrame, looks: Mapping[str, str]) -> Figure:
    """Shares that models were trained on, against those that their first tokens tell; on the diagonal both agree.

    Args:
        table: columns `trained`, `told` (0 to 1) and `group`.
        looks: group → what it is called in the legend, in drawing order.
    """
    figure, axis = plt.subplots(figsize=(WIDTH * 0.62, WIDTH * 0.55))
    axis.plot([0, 1], [0, 1], ":", color="#555555", linewidth=1, label="as trained")
    for number, (group, name) in enumerate(looks.items()):
        rows = table[table["group"] == group]
        style = {"color": PALETTE[number], "markerfacecolor": "none", "markersize": 6}
        axis.plot(rows["trained"], rows["told"], MARKERS[number], label=name, **style)
    axis.set(xlim=(-0.04, 1), ylim=(-0.04, 1), xlabel="share of tasks in the training rows")
    axis.set_ylabel("share that first tokens tell")
    axis.set_aspect("equal")
    legend_above(figure, axis)
    return figure


def context_lines(
    metrics: pd.DataFrame, contexts: Mapping[str, str], names: Sequence[str], labels: Mapping[str, str]
) -> Figure:
    """How metrics move with the start context: a panel per metric, a line per training. Lines that cross interact.

    Args:
        metrics: columns `model`, `family` (of `style.FAMILY_COLOURS`), `context`, `metric`, `value`.
        contexts: name → label, in drawing order.
        names: of metrics, a panel each.
        labels: family → label in the legend.
    """
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 3.0), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        rows = metrics[metrics["metric"] == name]
        for place, (family, label) in enumerate(labels.items()):
            lines = rows[rows["family"] == family].pivot(index="context", columns="model", values="value")
            lines = lines.reindex(list(contexts))
            style = {"color": FAMILY_COLOURS[family], "markersize": 3.5, "linewidth": 0.8, "alpha": 0.8}
            for number, model in enumerate(lines):
                first = {"label": label} if number == 0 else {}
                axis.plot(range(len(contexts)), lines[model], MARKERS[place], linestyle="-", **style, **first)
        axis.set_title(METRIC_TITLES[name].replace(": ", ",\n"))
        axis.set_xticks(range(len(contexts)), list(contexts.values()))
        axis.set_xlim(-0.4, len(contexts) - 0.6)
        axis.grid(axis="x", visible=False)
    legend_above(figure, axes[0][0])
    return figure


def mixture_by_bits(table: pd.DataFrame, methods: Mapping[str, str], lines: Mapping[str, float]) -> Figure:
    """KL(mixture‖variant) against the bits that a weight takes, a marker per method, beside unquantized models.

    Args:
        table: columns `method`, `bits`, `value` (nats, above 0).
        methods: key → label, in drawing order.
        lines: label → divergence of an unquantized model, drawn across.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.1))
    for number, (method, label) in enumerate(methods.items()):
        rows = table[table["method"] == method].sort_values("bits", kind="stable")
        style = {"color": FAMILY_COLOURS["base"], "markersize": 4.5, "markerfacecolor": "none"}
        axis.plot(rows["bits"], rows["value"], MARKERS[number], label=label, **style)
    for label, value in lines.items():
        axis.axhline(value, color="#777777", linestyle="--", linewidth=0.9)
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
        axis.annotate(label, (1, value), (4, 0), **place)
    every = [*table["value"], *lines.values()]
    axis.set(xlabel="effective bits per quantized weight", ylabel="KL(mixture‖model) in nats,\nlogarithmic axis")
    axis.set(yscale="log")
    if every:
        axis.set_ylim(0.85 * min(every), 1.2 * max(every))
    axis.yaxis.set_major_locator(FixedLocator([0.02, 0.03, 0.05, 0.1, 0.2]))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())
    legend_above(figure, axis)
    return figure


def level_panels(table: pd.DataFrame, panels: Mapping[str, str], logarithmic: Sequence[str]) -> Figure:
    """What GGUF levels do to two models, each on axes of its own; K types and legacy types have markers of their own.

    Args:
        table: columns `panel`, `level` ("Q4_K_M"), `bits` (that the name says), `value`.
        panels: name → axis label, in drawing order.
        logarithmic: panels with a logarithmic axis.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 2.8), squeeze=False)
    kinds = {"K type": table["level"].str.contains("_K"), "legacy type": ~table["level"].str.contains("_K")}
    for axis, (panel, title) in zip(axes[0], panels.items(), strict=True):
        for number, (kind, chosen) in enumerate(kinds.items()):
            rows = table[chosen & (table["panel"] == panel)]
            colour = FAMILY_COLOURS["other"]
            axis.plot(rows["bits"], rows["value"], MARKERS[number], color=colour, markerfacecolor="none", label=kind)
        axis.set(xlabel="bits in the level's name", ylabel=title)
        axis.set_yscale("log" if panel in logarithmic else "linear")
        axis.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    legend_above(figure, axes[0][0])
    return figure
