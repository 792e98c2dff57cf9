"""Charts of notebook 06: table in, figure out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.figures import PALETTE, WIDTH
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
