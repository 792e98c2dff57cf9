"""Figures: one style, one way to save. Charts live in one module per notebook: table in, figure out.

A saved figure carries its words, its data and a short key of the measured tables that it may rest on (`origins`).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd

from helpers.errors import InputError
from helpers.figures.origins import note_saved
from helpers.project import FIGURES, ROOT
from helpers.store import short_key, tables_read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 7.0  # inches: the text width of a page

# Okabe & Ito's colour-blind-safe palette, without yellow, which is too light for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SEQUENTIAL = "cividis"

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

FLOAT_FORMAT = "%.6g"  # of numbers in CSV files

_TERMS = {
    "description": "{http://purl.org/dc/elements/1.1/}description",
    "title": "{http://purl.org/dc/elements/1.1/}title",
}


def series_style(number: int) -> tuple[str, str]:
    """Colour and marker of the n-th series; after the last colour the colours repeat with other markers."""
    return PALETTE[number % len(PALETTE)], MARKERS[(number + number // len(PALETTE)) % len(MARKERS)]


def use_style() -> None:
    """Apply the repository's style to every figure drawn from now on."""
    mpl.rcParams.update(STYLE)


def save_figure(
    figure: "Figure", name: str, *, data: pd.DataFrame, caption: str, alt: str, directory: Path = FIGURES
) -> Path | None:
    """Write a figure as SVG and PNG, with the data behind it as CSV; equal figures give equal bytes.

    Caption and alternative text travel inside the SVG (Dublin Core description and title), from where the gallery
    reads them. The caption ends with the key of the tables that this session has read so far. Where the figure goes is
    said, unless it is the repository's own folder of figures.

    Args:
        figure: drawn with `use_style`.
        name: `NN-slug`, NN being the notebook's number.
        data: what is drawn, one row per mark.
        caption: stands alone: what is shown, for what, n, what intervals are.
        alt: what a reader who cannot see the figure needs to know.

    Returns:
        Path of the SVG; `None` where there is no data, which is said and not drawn.

    Raises:
        InputError: caption or alt is empty.
    """
    for text, what in ((caption, "caption"), (alt, "alternative text")):
        if not text.strip():
            raise InputError(f"figure {name}: its {what} is empty")
    if data.empty:
        print(f"figure {name}: not drawn, nothing was measured for it")
        return None
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.svg"
    with mpl.rc_context(STYLE):
        figure.canvas.draw()
        figure.set_layout_engine("none")  # laid out once, not once per format
        figure.savefig(path, metadata={"Date": None, "Title": alt.strip(), "Description": _with_key(caption.strip())})
        figure.savefig(path.with_suffix(".png"))
    save_table(data, name, directory=directory)
    if directory.resolve() != FIGURES.resolve():
        print(f"figure {name}: {_shown(path)}")
    return path


def save_table(table: pd.DataFrame, name: str, *, directory: Path = FIGURES) -> Path:
    """Write a table that a notebook shows as CSV beside the figures, and note what it rests on."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.csv"
    table.to_csv(path, index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
    note_saved(name, directory, beside_boundary(table))
    return path


def beside_boundary(table: pd.DataFrame, relative: float = 1e-9) -> int:
    """How many numbers of a table print other digits in its CSV file when changed by so little, up or down.

    Rounding hides the noise of another machine but for such numbers.

    Example:
        >>> beside_boundary(pd.DataFrame({"x": [0.1234565, 0.123456, 0.5], "n": [1, 2, 3]}))
        1
    """
    values = table.select_dtypes("floating").to_numpy(dtype=float).ravel()
    values = values[np.isfinite(values)]
    return sum(FLOAT_FORMAT % (value * (1 - relative)) != FLOAT_FORMAT % (value * (1 + relative)) for value in values)


def read_texts(svg: Path) -> tuple[str, str]:
    """Caption and alternative text of a saved figure."""
    root = ElementTree.parse(svg).getroot()
    return tuple((root.find(f".//{_TERMS[term]}").text or "") for term in ("description", "title"))


def write_gallery(directory: Path = FIGURES) -> Path:
    """README.md of the figures' folder: every saved figure with its caption, in the order of names."""
    lines = [
        "# Figures",
        "",
        "Generated by `make figures`; each figure lies here as SVG, PNG and the CSV it was drawn from. The key that",
        "ends a caption stands for the tables behind it: `python -m helpers trace figures/NAME` prints the way back.",
        "",
    ]
    for svg in sorted(directory.glob("*.svg")):
        caption, alt = read_texts(svg)
        lines += [
            f"## {svg.stem}",
            "",
            f"![{alt}]({svg.stem}.png)",
            "",
            f"{_escape(caption)} ([data]({svg.stem}.csv))",
            "",
        ]
    path = directory / "README.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _with_key(caption: str) -> str:
    key = short_key(tables_read())
    return f"{caption} Key {key}." if key else caption


def _shown(path: Path) -> str:
    """A path as seen from the repository, where it lies in it."""
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _escape(text: str) -> str:
    """Text in which Markdown finds no emphasis."""
    return re.sub(r"([_*`])", r"\\\1", text)
