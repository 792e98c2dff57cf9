"""One way to save a figure or a table; the charts themselves are `compressed_code.charts`.

A saved figure carries its words, its data and a short key of the measured tables it may rest on
(`compressed_code.reproduction.figure_origins`).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from compressed_code.charts.parts import headline
from compressed_code.charts.style import STYLE
from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, ROOT
from compressed_code.core.table_store import short_key, tables_read
from compressed_code.reproduction.figure_origins import note_saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE_WORDS = 10  # at most: what a reader takes in beside the figure
FLOAT_FORMAT = "%.6g"  # of numbers in CSV files

_TERMS = {
    "description": "{http://purl.org/dc/elements/1.1/}description",
    "title": "{http://purl.org/dc/elements/1.1/}title",
}


def save_figure(
    figure: "Figure",
    name: str,
    *,
    data: pd.DataFrame,
    caption: str,
    alt: str,
    title: str = "",
    directory: Path = FIGURES,
) -> "Figure | None":
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
        title: the finding in at most ten words, drawn above the figure; none where it is empty.

    Returns:
        The figure, so that a cell that ends with this call shows it, once; `None` where there is no data, which is said
        and not drawn.

    Raises:
        InputError: caption or alt is empty, or the title is longer.
    """
    for text, what in ((caption, "caption"), (alt, "alternative text")):
        if not text.strip():
            raise InputError(f"figure {name}: its {what} is empty")
    if len(title.split()) > TITLE_WORDS:
        raise InputError(f"figure {name}: its title has more than {TITLE_WORDS} words: {title}")
    if data.empty:
        print(f"figure {name}: not drawn, nothing was measured for it")
        return None
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.svg"
    with mpl.rc_context(STYLE):
        figure.canvas.draw()
        if title:
            headline(figure, title)
        figure.set_layout_engine("none")  # laid out once, not once per format
        figure.savefig(path, metadata={"Date": None, "Title": alt.strip(), "Description": _with_key(caption.strip())})
        figure.savefig(path.with_suffix(".png"))
    path.write_text(numbered_marks(path.read_text(encoding="utf-8")), encoding="utf-8")
    save_table(data, name, directory=directory)
    if directory.resolve() != FIGURES.resolve():
        print(f"figure {name}: {_shown(path)}")
    plt.close(figure)  # else a notebook would show it a second time
    return figure


def numbered_marks(svg: str) -> str:
    """An SVG file whose markers and clips have numbers for names, in the order in which they appear.

    matplotlib names them by a hash of coordinates, whose last bit is another one on another processor, though the
    coordinates that it writes are the same.

    Example:
        >>> numbered_marks('<path id="m7528c843ba"/><use href="#m7528c843ba" clip-path="url(#p78817bbbfd)"/>')
        '<path id="m1"/><use href="#m1" clip-path="url(#p2)"/>'
    """
    names: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[0][0]}{len(names) + 1}")

    return re.sub(r"""(?<=["#])[mp][0-9a-f]{10}(?=[")])""", numbered, svg)


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
    directory.mkdir(parents=True, exist_ok=True)  # where nothing could be drawn, that is what it says
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
