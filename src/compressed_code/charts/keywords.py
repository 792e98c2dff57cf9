"""Charts of notebook 02 about single keywords: what begins rows, what was merged early, what follows."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compressed_code.charts.parts import interval_panels, legend_above
from compressed_code.charts.style import WIDTH, series_style

STARTS = {"document": "document start, keyword", "alone": "keyword alone"}


def keyword_panels(keywords: pd.DataFrame) -> Figure:
    """Keyword by keyword, its first-token probability: against the share of rows it begins, and against merge rank.

    Args:
        keywords: columns `probability`, `share` (of training rows that begin with it, 0 where none does) and
            `merge_rank`, of one model.
    """
    figure, (by_share, by_rank) = plt.subplots(1, 2, figsize=(WIDTH, 3.1), sharey=True)
    begins = keywords["share"] > 0
    sides = {"training rows begin with it": begins, "no training row begins with it": ~begins}
    for number, (side, chosen) in enumerate(sides.items()):
        rows, (colour, marker) = keywords[chosen], series_style(number)
        style = {"color": colour, "markersize": 3, "alpha": 0.6, "label": side}
        by_rank.plot(rows["merge_rank"], rows["probability"], marker, **style)
        if rows["share"].gt(0).any():
            by_share.plot(rows["share"], rows["probability"], marker, **style)
    if begins.any():
        ends = [keywords.loc[begins, "share"].min(), keywords.loc[begins, "share"].max()]
        by_share.plot(
            ends, ends, color="#777777", linestyle="--", linewidth=0.9, label="as often as rows begin with it"
        )
        by_share.set_xscale("log")
    by_share.set(yscale="log", ylabel="first-token probability,\nlogarithmic axis")
    by_share.set(xlabel="share of training rows that begin with it,\nlogarithmic axis")
    by_rank.set(xlabel="merge rank of the bare keyword\n(0 is the first merge)")
    handles = dict(zip(*reversed(by_share.get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(by_rank.get_legend_handles_labels()), strict=True))
    legend_above(figure, by_share, handles)
    return figure


def leading_panels(tests: pd.DataFrame, entropies: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Warm start: how often the grammar's next token leads beside chance, and how uncertain the models are.

    Args:
        tests: `warm_start.leading_permutations`.
        entropies: columns `model`, `start`, `value`, `low`, `high`.
    """
    panels = {
        "leads": "keywords after which the\ngrammar's next token leads (%)",
        "entropy": "entropy of the next token (nats)",
    }
    bounds = ["value", "low", "high"]
    percent = tests.assign(**{column: 100 * tests[column] for column in (*bounds, "chance")})
    table = pd.concat([percent.assign(panel="leads"), entropies.assign(panel="entropy")])
    figure = interval_panels(table, labels, panels, STARTS, y="model", by="start", row_height=0.36)
    for number, start in enumerate(STARTS):
        rows = percent[percent["start"] == start].set_index("model").reindex(list(labels))
        position = np.arange(len(labels)) + np.linspace(-0.28, 0.28, len(STARTS))[number]
        name = {"label": "chance: leading tokens dealt at random (lines: 95 %)"} if number == 0 else {}
        figure.axes[0].plot(rows["chance"], position, "x", color="#000000", markersize=5, **name)
    figure.legends[0].remove()
    legend_above(figure, figure.axes[0])
    return figure


def leading_caption(tests: pd.DataFrame) -> str:
    """What `leading_panels` shows, with the means over models; takes what it takes."""
    mean = tests[tests["model"] == "mean"].set_index("start")
    document, alone = (
        f"{100 * row.value:.0f} % against {100 * row.chance:.0f} % (p = {row.p_holm:.2g})"
        for row in mean.loc[["document", "alone"]].itertuples()
    )
    cases, keywords = tests["cases"].max(), tests["keywords"].max()
    return (
        "What follows a single keyword. Left: how often the kind of token that the grammar wants leads, n ="
        f" {cases} pairs of language and keyword. Crosses: chance, the leading tokens dealt at random over"
        f" {keywords} keywords; lines: the central 95 % of what is dealt, so that a marker to"
        f" the right of its line leads more often than by chance. Mean over the models drawn: {document} after the"
        f" document start, {alone} after the keyword alone; one-sided permutation test, Holm over both. Right: median"
        " and quartiles over keywords."
    )


def leading_alt(tests: pd.DataFrame) -> str:
    """What `leading_panels` shows, for a reader who cannot see it."""
    means = "; ".join(
        f"{100 * row.value:.0f} % (chance {100 * row.chance:.0f} %) for start {row.start}"
        for row in tests[tests["model"] == "mean"].itertuples()
    )
    return (
        f"Two panels, models as rows, two markers each. The grammar's token leads, as a mean over models, in {means}."
    )
