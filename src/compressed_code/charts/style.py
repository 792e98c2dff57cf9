"""One style for every chart."""

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap

WIDTH = 7.0  # inches: the text width of a page


# Okabe & Ito's colour-blind-safe palette, without yellow, which is too light for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


MARKERS = ("o", "s", "^", "D", "v", "P", "X")


# One colour for each family of models, wherever models are told apart by what they are.
FAMILY_COLOURS = {"base": "#0072B2", "distilled": "#009E73", "fine-tuned": "#D55E00", "other": "#000000"}


# Cells of tables: so light at its end that dark numbers are read in every one.
SEQUENTIAL = LinearSegmentedColormap.from_list("light", ["#FFFFFF", "#C6DBEF", "#6BAED6"])
CELL_TEXT = "#111111"


STYLE = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "savefig.bbox": None,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "compressed-code",
    "svg.fonttype": "path",
}


def series_style(number: int) -> tuple[str, str]:
    """Colour and marker of the n-th series; after the last colour the colours repeat with other markers."""
    return PALETTE[number % len(PALETTE)], MARKERS[(number + number // len(PALETTE)) % len(MARKERS)]


def use_style() -> None:
    """Apply the repository's style to every figure drawn from now on."""
    mpl.rcParams.update(STYLE)
