"""Fragments of HTML: tables, charts, notices. Every text that is given is escaped here and nowhere else."""

import contextlib
import io
from collections.abc import Callable, Iterator
from html import escape
from math import sqrt
from typing import TYPE_CHECKING

from compressed_code.comparison.page_tables import PageCell, PageTable
from compressed_code.comparison.pictures import INK, for_a_page
from compressed_code.comparison.summary import number
from compressed_code.core.errors import in_one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARKEST = 0.6  # opacity of the ground of the largest number, under which text is read

# JupyterLab's own colours, light or dark as its theme is; the second value counts elsewhere.
STYLE = """<style>
.cc-answer { color: var(--jp-content-font-color1, #1c1e21); line-height: 1.45; }
.cc-answer table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .2rem 0 .8rem; }
.cc-answer caption { text-align: left; color: var(--jp-content-font-color2, #5d6470); padding: .3rem 0; }
.cc-answer th, .cc-answer td { padding: .15rem .6rem; text-align: left; border-bottom: 1px solid #8884; }
.cc-answer th.number, .cc-answer td.number { text-align: right; }
.cc-answer td { white-space: pre-wrap; overflow-wrap: anywhere; }
.cc-answer figure { margin: .5rem 0; max-width: 50rem; }
.cc-answer figure svg { width: 100%; height: auto; }
.cc-answer pre { white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; padding: .5rem .8rem;
  background: #8881; border: 1px solid #8884; margin: .2rem 0 .8rem; line-height: 1.5; }
.cc-answer .side { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.cc-answer .notice { border-left: .25rem solid #b7791f; padding: .1rem .6rem; margin: .3rem 0; }
.cc-answer mark { color: inherit; border-radius: .15rem; }
.cc-answer mark.lost { background: #e5393540; border-bottom: 2px solid #c62828; }
.cc-answer mark.gained { background: #2e9e4a40; border-bottom: 2px dotted #2e7d32; }
.cc-answer mark.other { background: #e0a02040; border-bottom: 2px dashed #b7791f; }
.cc-answer mark.apart { background: #2f7fd140; }
</style>"""


def digits(value: float) -> str:
    """Three digits, all of them written, so that numbers of one size line up.

    Example:
        >>> digits(23.0), digits(0.029), digits(100.0), digits(float("nan"))
        ('23.0', '0.0290', '100', '–')
    """
    return number(value, "#.3g").rstrip(".")


def answer_page(parts: str, notices: list[str] | None = None) -> str:
    """An answer with its style, notices first.

    Args:
        parts: HTML.
        notices: texts, a line each.
    """
    told = "".join(notice(line) for line in notices or [])
    return f'{STYLE}<div class="cc-answer">{told}{parts}</div>'


def notice(text: str) -> str:
    """A line that says what is missing or wrong."""
    return f'<div class="notice" role="status">{escape(in_one_line(text, 2000))}</div>'


def paragraph(text: str) -> str:
    """A sentence or two."""
    return f"<p>{escape(text)}</p>"


def listing(text: str) -> str:
    """A text as it stands, line by line."""
    return f"<pre>{escape(text)}</pre>"


def table_markup(table: PageTable, *, shaded: bool = False) -> str:
    """A table; its numbers line up right.

    Args:
        table: any.
        shaded: numbers stand on a ground that is darker the larger they are, by the square root, so that small ones
            stay apart; for numbers of one unit, none below 0.
    """
    kinds = ["number" if numeric else "text" for numeric in table.numeric]
    columns = zip(kinds, table.headings, strict=True)
    head = "".join(f'<th class="{kind}">{escape(text)}</th>' for kind, text in columns)
    largest = max((cell.value for row in table.rows for cell in row if cell.value is not None), default=0.0)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}"{_ground(cell, largest) if shaded else ""}>{escape(cell.text)}</td>'
            for kind, cell in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _ground(cell: PageCell, largest: float) -> str:
    if cell.value is None or not largest:
        return ""
    return f' style="background: rgba(47, 127, 209, {DARKEST * sqrt(cell.value / largest):.2f})"'


def side_by_side(parts: list[str]) -> str:
    """Parts beside each other, below each other where there is no room."""
    return f'<div class="side">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def chart(draw: "Callable[[], Figure]", alt: str) -> str:
    """A chart as SVG in the colours of the page.

    Args:
        draw: gives the figure, under the repository's style.
        alt: for a reader who cannot see it.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from compressed_code.charts.style import STYLE as FIGURES

    inks = dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], INK)
    page = {"grid.color": "#88888855", "savefig.transparent": True, "text.parse_math": False}
    with mpl.rc_context({**FIGURES, **inks, **page}):
        figure = draw()
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
        plt.close(figure)
    return f'<figure role="img" aria-label="{escape(alt)}">{for_a_page(written.getvalue())}</figure>'


@contextlib.contextmanager
def told() -> Iterator[list[str]]:
    """What is said on standard error meanwhile (models that were left out), line by line, for the reader to see."""
    lines: list[str] = []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield lines
    finally:
        lines += [line for line in said.getvalue().splitlines() if line.strip()]
