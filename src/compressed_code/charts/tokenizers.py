"""Charts of notebook 01: table in, figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from compressed_code.charts.parts import class_bars, legend_above
from compressed_code.charts.style import CELL_TEXT, SEQUENTIAL, WIDTH, series_style
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS

FORM_TITLES = {"bare": "bare: def", "space": "space-led: ·def", "newline": "newline-led: ↵def", "tab": "tab-led: ⇥def"}


def coverage_heatmap(coverage: pd.DataFrame, labels: Mapping[str, str], languages: Mapping[str, str]) -> Figure:
    """Share of keywords that are one token: a panel per form, tokenizers × languages; none of a form nobody holds.

    Args:
        coverage: `coverage_table` rows with a `tokenizer` column.
        labels, languages: key → label, in drawing order.
    """
    held = set(coverage.loc[coverage["covered"] > 0, "form"])
    forms = [form for form in KEYWORD_FORMS if form in held] or list(KEYWORD_FORMS)
    height = 1.1 + 0.27 * len(labels) * len(forms)
    figure, axes = plt.subplots(len(forms), 1, figsize=(WIDTH, height), sharex=True, squeeze=False)
    axes = axes[:, 0]
    for axis, form in zip(axes, forms, strict=True):
        table = coverage[coverage["form"] == form].assign(percent=lambda rows: 100 * rows["covered"] / rows["total"])
        grid = table.pivot(index="tokenizer", columns="language", values="percent")
        grid = grid.reindex(index=list(labels), columns=list(languages)).rename(index=labels, columns=languages)
        _percent_cells(grid, axis)
        axis.set(xlabel="", ylabel="", title=FORM_TITLES[form])
        axis.tick_params(axis="y", rotation=0, length=0)
        axis.tick_params(axis="x", length=0)
    axes[-1].set_xticks(
        axes[-1].get_xticks(), list(languages.values()), rotation=30, ha="right", rotation_mode="anchor"
    )
    bar = figure.colorbar(axes[0].collections[0], ax=list(axes), shrink=0.5, pad=0.015)
    bar.set_label("keywords that are one token (%)")
    bar.outline.set_visible(False)
    return figure


def rank_ranges(ranks: pd.DataFrame, labels: Mapping[str, str], languages: Mapping[str, str]) -> Figure:
    """Distribution of bare keywords' ranks: median, quartiles and 5–95 % range per language and tokenizer.

    Args:
        ranks: `keyword_ranks` rows of one form with a `tokenizer` column.
        labels, languages: key → label, in drawing order.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    offsets = np.linspace(-0.32, 0.32, len(labels))
    for number, (tokenizer, label) in enumerate(labels.items()):
        rows = ranks[ranks["tokenizer"] == tokenizer]
        spread = rows.groupby("language")["token_id"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
        spread = spread.reindex(list(languages))
        position = np.arange(len(languages)) + offsets[number]
        colour, marker = series_style(number)
        axis.vlines(position, spread[0.05], spread[0.95], color=colour, linewidth=0.9)
        axis.vlines(position, spread[0.25], spread[0.75], color=colour, linewidth=3.2, alpha=0.55)
        axis.plot(position, spread[0.5], marker, color=colour, markersize=4, label=label)
    axis.set_yscale("log")
    axis.set_xticks(range(len(languages)), list(languages.values()), rotation=30, ha="right", rotation_mode="anchor")
    axis.set(ylabel="rank of the bare keyword (token id)", xlim=(-0.6, len(languages) - 0.4))
    axis.grid(axis="x", visible=False)
    legend_above(figure, axis)
    return figure


def rank_ratio_points(
    ratios: pd.DataFrame, labels: Mapping[str, str], reference: str, words: Mapping[str, str]
) -> Figure:
    """How many times later the same words come than in the reference: one point with its interval per list and form.

    Args:
        ratios: `rank_ratios` rows with a column `words` that says the list.
        labels: key → label, in drawing order; the reference is skipped.
        reference: label of the reference tokenizer, for the axis.
        words: list of words → label, in drawing order.
    """
    rows = {
        (kind, form): f"{label},\n{FORM_TITLES[form].partition(':')[0]}"
        for kind, label in words.items()
        for form in KEYWORD_FORMS
        if ((ratios["words"] == kind) & (ratios["form"] == form)).any()
    }
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.55 * len(rows)))
    offsets = np.linspace(-0.28, 0.28, len(labels))
    for number, (tokenizer, label) in enumerate(labels.items()):
        own = ratios[ratios["tokenizer"] == tokenizer].set_index(["words", "form"])
        own = own.reindex(pd.MultiIndex.from_tuples(rows, names=["words", "form"]) if rows else own.index)
        if own["ratio"].isna().all():
            continue
        position = np.arange(len(rows)) + offsets[number]
        colour, marker = series_style(number)
        axis.hlines(position, own["low"], own["high"], color=colour, linewidth=1.2)
        axis.plot(own["ratio"], position, marker, color=colour, markersize=4.5, label=label)
    axis.axvline(1, color="#666666", linewidth=0.8, linestyle="--")
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks(range(len(rows)), list(rows.values()))
    axis.set_ylim(max(len(rows), 1) - 0.5, -0.5)  # none where there is nothing to compare with
    axis.set(xlabel=f"merge rank of the same word, ratio to {reference} (1 = same)")
    axis.grid(axis="y", visible=False)
    legend_above(figure, axis)
    return figure


def composition_bars(composition: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Vocabulary make-up: one stacked bar of class shares per tokenizer.

    Args:
        composition: `class_counts` rows with a `tokenizer` column.
    """
    grid = 100 * composition.pivot(index="tokenizer", columns="token_class", values="share").reindex(list(labels))
    return class_bars(grid, "share of the vocabulary (%)", labels=labels)


def overlap_heatmap(overlap: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Jaccard overlap between vocabularies: programming tokens above the diagonal, all tokens below it.

    Args:
        overlap: columns `tokens` ("all" or "programming"), `first`, `second`, `jaccard`, both orders of a pair.
        labels: key → label, in drawing order.
    """
    names = list(labels)
    every, programming = (
        100
        * overlap[overlap["tokens"] == part]
        .pivot(index="first", columns="second", values="jaccard")
        .reindex(index=names, columns=names)
        .to_numpy(float)
        for part in ("all", "programming")
    )
    grid = pd.DataFrame(np.triu(programming, 1) + np.tril(every, -1), index=list(labels.values()), columns=names)
    grid = grid.mask(np.eye(len(names), dtype=bool)).rename(columns=labels)
    figure, axis = plt.subplots(figsize=(WIDTH * 0.8, 1.2 + 0.36 * len(labels)))
    _percent_cells(grid, axis)
    axis.set(xlabel="", ylabel="", title="above the diagonal: programming tokens; below: all tokens")
    axis.tick_params(length=0)
    axis.tick_params(axis="y", rotation=0)
    axis.set_xticks(axis.get_xticks(), list(labels.values()), rotation=30, ha="right", rotation_mode="anchor")
    bar = figure.colorbar(axis.collections[0], ax=axis, pad=0.015)
    bar.set_label("shared tokens,\n|A∩B| / |A∪B| (%)")
    bar.outline.set_visible(False)
    return figure


def fertility_panels(
    fertility: pd.DataFrame, measures: Sequence[str], labels: Mapping[str, str], languages: Mapping[str, str]
) -> Figure:
    """Fertility per language and tokenizer with 95 % intervals over programs; one panel per measure.

    Args:
        fertility: `fertility_table` rows with columns `tokenizer` and `language`; a tokenizer that has no row of a
            measure, as the one that others are compared with, has no point there.
        measures: which ones, in drawing order; each is the label of its axis.
    """
    figure, axes = plt.subplots(1, len(measures), figsize=(WIDTH, 4.3), sharey=True)
    offsets = np.linspace(-0.3, 0.3, len(labels))
    for axis, measure in zip(axes, measures, strict=True):
        for number, (tokenizer, label) in enumerate(labels.items()):
            rows = fertility[(fertility["tokenizer"] == tokenizer) & (fertility["measure"] == measure)]
            rows = rows.set_index("language").reindex(list(languages))
            position = np.arange(len(languages)) + offsets[number]
            colour, marker = series_style(number)
            axis.hlines(position, rows["low"], rows["high"], color=colour, linewidth=1)
            axis.plot(rows["value"], position, marker, color=colour, markersize=3.6, label=label)
        axis.set(xlabel=measure)
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(languages)), list(languages.values()))
    axes[0].invert_yaxis()
    for boundary in np.arange(0.5, len(languages) - 1):
        for axis in axes:
            axis.axhline(boundary, color="#EEEEEE", linewidth=0.8, zorder=0)
    legend_above(figure, axes[0])
    return figure


def _percent_cells(grid: pd.DataFrame, axis: plt.Axes) -> None:
    """Percentages written in the cells of a table, on one scale of colours for every panel."""
    look = {"annot": True, "fmt": ".0f", "annot_kws": {"size": 7.5, "color": CELL_TEXT}, "cbar": False}
    sns.heatmap(grid, ax=axis, vmin=0, vmax=100, cmap=SEQUENTIAL, linewidths=0.4, **look)
