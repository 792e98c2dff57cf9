"""Charts of notebook 02: table in, figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from compressed_code.charts.parts import class_bars, interval_panels, legend_above, value_heatmap
from compressed_code.charts.style import WIDTH, series_style

METRIC_TITLES = {
    "pkp": "PKP: probability of a keyword",
    "stp": "STP: probability of a symbol",
    "kap": "KAP: mean probability per keyword",
    "nlp": "NLP: probability of an English word",
    "entropy_nats": "entropy: nats",
}


def metric_panels(metrics: pd.DataFrame, labels: Mapping[str, str], noise: pd.DataFrame, *, y: str = "model") -> Figure:
    """Scalar cold-start metrics per model, a panel per metric, each point with how far another seed may lie.

    Args:
        metrics: columns `metric`, `value` and the one that `y` names; trainings of one recipe with other seeds are
            values of one row.
        labels: row → label, in drawing order.
        noise: `seed_noise.seed_noise` rows by metric.
        y: column that says the row.
    """
    names = [name for name in METRIC_TITLES if (metrics["metric"] == name).any()]
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 1.1 + 0.28 * len(labels)), sharey=True)
    differences = noise.set_index("metric")["difference"]
    for axis, name in zip(axes, names, strict=True):
        rows = metrics[metrics["metric"] == name]
        half = differences.get(name, 0.0)
        for number, model in enumerate(labels):
            values = rows.loc[rows[y] == model, "value"]
            centre = values.mean()
            axis.hlines(number, centre - half, centre + half, color="#E69F00", linewidth=5, alpha=0.45)
            axis.plot(values, np.full(len(values), number), "o", color="#0072B2", markersize=4, markerfacecolor="none")
        title, _, unit = METRIC_TITLES[name].partition(": ")
        axis.set(title=title, xlabel=unit.replace(" per ", "\nper ").replace(" of a", "\nof a"))
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_locator(plt.MaxNLocator(2))
    axes[0].set_yticks(range(len(labels)), list(labels.values()))
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    return figure


def class_mass_bars(masses: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Where the first token's probability lies: one stacked bar of token classes per model.

    Args:
        masses: `class_masses` rows with a `model` column.
    """
    grid = 100 * masses.pivot(index="model", columns="token_class", values="probability").reindex(list(labels))
    return class_bars(grid, "probability of the first token (%)", 0.3, labels)


def language_heatmap(
    masses: pd.DataFrame, labels: Mapping[str, str], languages: Mapping[str, str], *, y: str = "model"
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
    return value_heatmap(
        grid, "probability (%)", rows=labels, columns={token: token for token in top["token"]}, root=True
    )


def context_points(
    metrics: pd.DataFrame, labels: Mapping[str, str], contexts: Sequence[str], names: Sequence[str]
) -> Figure:
    """How metrics move with the start context: a panel per metric, contexts on the axis, a marker per model.

    Args:
        metrics: columns `model`, `context`, `metric`, `value`.
    """
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 2.9), sharey=True)
    offsets = np.linspace(-0.27, 0.27, len(labels))
    for axis, name in zip(axes, names, strict=True):
        rows = metrics[metrics["metric"] == name]
        for number, (model, label) in enumerate(labels.items()):
            values = rows[rows["model"] == model].set_index("context")["value"].reindex(list(contexts))
            colour, marker = series_style(number)
            axis.plot(
                values, np.arange(len(contexts)) + offsets[number], marker, color=colour, markersize=4, label=label
            )
        axis.set(xlabel=METRIC_TITLES[name].replace(": ", "\n").replace("probability of a", "p of a"))
        axis.grid(axis="y", visible=False)
        for boundary in np.arange(0.5, len(contexts) - 1):
            axis.axhline(boundary, color="#EEEEEE", linewidth=0.8, zorder=0)
    axes[0].set_yticks(range(len(contexts)), list(contexts))
    axes[0].set_ylim(len(contexts) - 0.5, -0.5)
    legend_above(figure, axes[0])
    return figure


def blind_spot_panels(
    table: pd.DataFrame,
    rows: Mapping[str, str],
    panels: Mapping[str, str],
    *,
    y: str = "row",
    panel: str = "panel",
) -> Figure:
    """A model and the same one with destroyed attention: a panel per quantity, perplexity on a logarithmic axis.

    Args:
        table: columns `value`, `low`, `high` and the two below.
        rows, panels: name → label, in drawing order; the panel `perplexity` is logarithmic, its values are written.
        y, panel: columns that say the row and the panel.
    """
    figure = interval_panels(table, rows, panels, y=y, panel=panel, logarithmic=["perplexity"])
    axis = figure.axes[list(panels).index("perplexity")]
    for place, row in enumerate(rows):
        value = table.loc[(table[panel] == "perplexity") & (table[y] == row), "value"].item()
        axis.annotate(f"{value:.0f}", (value, place), (0, 6), textcoords="offset points", ha="center")
    low, high = axis.get_xlim()
    steps = (1, 2, 5) if high < 10 * low else (1, 3) if high < 200 * low else (1,)
    axis.xaxis.set_major_locator(LogLocator(subs=steps))
    axis.xaxis.set_minor_locator(NullLocator())
    return figure


def rank_scatter(
    keywords: pd.DataFrame, labels: Mapping[str, str], correlations: pd.DataFrame, edge: float = np.inf
) -> Figure:
    """Keyword by keyword: how early the tokenizer merged it against its first-token probability.

    Args:
        keywords: columns `model`, `keyword`, `merge_rank`, `probability`.
        correlations: columns `model`, `before` (merge rank below which keywords count; infinity for all), `value`,
            `low`, `high` (Spearman and its interval) and `pairs`; written where `before` is infinite or the edge.
        edge: merge rank from which on keywords are set apart by colour and marker.
    """
    columns = min(len(labels), 4)
    lines = -(-len(labels) // columns)
    shape = {"figsize": (max(WIDTH * columns / 4, 3.0), 0.5 + 2.5 * lines), "squeeze": False}
    figure, axes = plt.subplots(lines, columns, sharex=True, sharey=True, **shape)
    written = correlations[correlations["before"].isin([np.inf, edge])].sort_values(
        "before", ascending=False, kind="stable"
    )
    early = keywords["merge_rank"] < edge
    sides = {f"merged before rank {edge:g}": early, f"merged from rank {edge:g} on": ~early}
    for axis, (model, label) in zip(axes.flat, labels.items(), strict=False):
        for number, (side, chosen) in enumerate(sides.items()):
            colour, marker = series_style(number)
            rows = keywords[chosen & (keywords["model"] == model)]
            axis.plot(
                rows["merge_rank"], rows["probability"], marker, color=colour, markersize=2.5, alpha=0.5, label=side
            )
        titles = [
            f"{f'all {row.pairs}' if np.isinf(row.before) else f'{row.pairs} before'}: "
            f"ρ {row.value:.2f} ({row.low:.2f} … {row.high:.2f})"
            for row in written[written["model"] == model].itertuples()
        ]
        axis.set_title("\n".join([label, *titles]), fontsize=6.3)
        axis.set_yscale("log")
        if np.isfinite(edge):
            axis.axvline(edge, color="#777777", linewidth=0.8, linestyle=":")
    for axis in axes.flat[len(labels) :]:
        axis.set_visible(False)
    for axis in axes.flat[max(len(labels) - columns, 0) : len(labels)]:  # nothing below
        axis.tick_params(labelbottom=True)
    figure.supxlabel("merge rank of the bare keyword", fontsize=8.5)
    figure.supylabel("first-token probability", fontsize=8.5)
    if np.isfinite(edge):
        legend_above(figure, axes[0][0])
    return figure


def leading_panels(
    shares: pd.DataFrame, contrasts: pd.DataFrame, entropies: pd.DataFrame, labels: Mapping[str, str]
) -> Figure:
    """Warm start: how often the grammar's next token leads, how far beyond chance, and how uncertain the models are.

    Args:
        shares: columns `model`, `start`, `value`, `low`, `high`, `chance`.
        contrasts: `warm_start.leading_contrasts`.
        entropies: columns `model`, `start`, `value`, `low`, `high`.
    """
    starts = {"document": "document start, keyword", "alone": "keyword alone"}
    panels = {
        "leads": "keywords after which the\ngrammar's next token leads (%)",
        "beyond": "the same minus chance\n(percentage points)",
        "entropy": "entropy of the\nnext token (nats)",
    }
    bounds = ["value", "low", "high"]
    percent = shares.assign(**{column: 100 * shares[column] for column in (*bounds, "chance")})
    beyond = contrasts[contrasts["contrast"].isin(list(starts))]
    beyond = beyond.assign(start=beyond["contrast"], **{column: 100 * beyond[column] for column in bounds})
    parts = {"leads": percent, "beyond": beyond, "entropy": entropies}
    table = pd.concat([part.assign(panel=panel) for panel, part in parts.items()])
    figure = interval_panels(table, labels, panels, starts, y="model", by="start", row_height=0.36)
    for number, start in enumerate(starts):
        rows = percent[percent["start"] == start].set_index("model").reindex(list(labels))
        position = np.arange(len(labels)) + np.linspace(-0.28, 0.28, len(starts))[number]
        figure.axes[0].plot(rows["chance"], position, "x", color="#000000", markersize=5)
    figure.axes[1].axvline(0, color="#777777", linewidth=0.8)
    return figure


def leading_caption(shares: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """What `leading_panels` shows, with the means over models; takes what it takes."""
    mean = 100 * contrasts[contrasts["model"] == "mean"].set_index("contrast")[["value", "low", "high"]]
    document, alone = (
        f"{value:.0f} ({low:.0f} to {high:.0f})"
        for value, low, high in mean.loc[["document", "alone"]].itertuples(index=False)
    )
    return (
        "What follows a single keyword. Left: how often the kind of token that the grammar wants leads, n ="
        f" {shares['cases'].max():.0f} pairs of language and keyword; crosses: chance, leading tokens dealt at random."
        f" Middle: share minus chance, in pairs; mean over the models drawn {document} points after the document"
        f" start, {alone} after the keyword alone. 95 % bootstrap intervals over {shares['keywords'].max():.0f}"
        " keywords. Right: median and quartiles over keywords."
    )


def leading_alt(shares: pd.DataFrame) -> str:
    """What `leading_panels` shows, for a reader who cannot see it."""
    rates = 100 * shares.groupby("start")[["value", "chance"]].mean()
    means = "; ".join(
        f"{row.value:.0f} % (chance {row.chance:.0f} %) for start {row.Index}" for row in rates.itertuples()
    )
    return (
        f"Three panels, models as rows, two markers each. The grammar's token leads, as a mean over models, in {means}."
    )


def level_lines(table: pd.DataFrame, levels: Sequence[str], noise: pd.Series) -> Figure:
    """PKP and STP by quantization level, a series per source, with the band of seed noise around the model as trained.

    Args:
        table: columns `level`, `metric`, `value`, `source`.
        levels: in drawing order.
        noise: metric → how far another seed may lie.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4), sharey=True)
    for axis, metric in zip(axes, ("pkp", "stp"), strict=True):
        rows = table[table["metric"] == metric]
        for number, (source, values) in enumerate(rows.groupby("source", sort=False)):
            colour, marker = series_style(number)
            by_level = values.set_index("level")["value"].reindex(list(levels))
            axis.plot(by_level, range(len(levels)), marker, color=colour, markersize=4.5, label=source)
            if "as trained" in values["level"].to_numpy() and metric in noise:
                centre = by_level["as trained"]
                axis.axvspan(centre - noise[metric], centre + noise[metric], color=colour, alpha=0.12, linewidth=0)
        axis.set(xlabel=METRIC_TITLES[metric].replace(": ", ", "))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(levels)), list(levels))
    axes[0].set_ylim(len(levels) - 0.5, -0.5)
    legend_above(figure, axes[0])
    return figure
