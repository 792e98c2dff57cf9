"""The gallery, and a page for each saved figure or table: large, with its data and the way back to its origin."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.reproduction.figure_origins import Origin, read_origin, read_provenance_of
from helpers.figures import read_texts
from site_pages.markup import contents, directive, escape, link, page, table
from site_pages.stage import Stage

LONGEST_TABLE = 150  # rows that a page shows; the file has all


def write_figures(figures: Path, notebooks: Mapping[str, str], stage: Stage) -> None:
    """Write the gallery, the pages that it leads to and the files behind them.

    Args:
        figures: the folder of saved figures; every table there has a figure or stands alone.
        notebooks: number of a notebook → link to its page.
        stage: where pages are written.
    """
    names = sorted(path.stem for path in figures.glob("*.csv"))
    parts = ["# Figures", "Every figure and table that the notebooks save; each leads to its data and its origin."]
    for number in sorted({name[:2] for name in names}):
        of_notebook = [name for name in names if name.startswith(f"{number}-")]
        drawn = [name for name in of_notebook if (figures / f"{name}.svg").is_file()]
        alone = [name for name in of_notebook if name not in drawn]
        parts.append(f"## {notebooks.get(number, number)}")
        if drawn:
            parts.append(directive("grid", "1 2 2 3", "\n".join(_card(name, figures) for name in drawn), gutter="3"))
        if alone:
            parts.append("Tables: " + ", ".join(link(name, f"/figures/{name}.md") for name in alone))
    for name in names:
        for ending in ("csv", "svg", "png"):
            if (figures / f"{name}.{ending}").is_file():
                stage.copy(figures / f"{name}.{ending}", f"figures/{name}.{ending}")
        stage.write(f"figures/{name}.md", _figure_page(name, figures, notebooks))
    stage.write("figures/index.md", page(*parts, contents(f"figures/{name}" for name in names)))


def _card(name: str, figures: Path) -> str:
    _, alt = read_texts(figures / f"{name}.svg")
    options = {"img_top": f"/figures/{name}.png", "img_alt": alt, "link": f"/figures/{name}", "link_type": "doc"}
    return directive("grid-item-card", escape(name), **options)


def _figure_page(name: str, figures: Path, notebooks: Mapping[str, str]) -> str:
    svg = figures / f"{name}.svg"
    parts = [f"# {escape(name)}"]
    if svg.is_file():
        caption, alt = read_texts(svg)
        parts.append(directive("figure", f"/figures/{svg.name}", escape(caption), alt=alt))
    files = [ending for ending in ("svg", "png", "csv") if (figures / f"{name}.{ending}").is_file()]
    downloads = " · ".join(link(ending.upper(), f"/figures/{name}.{ending}") for ending in files)
    parts.append(f"Drawn by {notebooks[name[:2]]}. {downloads}" if name[:2] in notebooks else downloads)
    parts += _data(figures / f"{name}.csv")
    parts += _origin(name, figures)
    return page(*parts)


def _data(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="") as text:
        header, *rows = list(csv.reader(text)) or [[]]
    yield "## Data"
    if not header or len(rows) > LONGEST_TABLE:
        yield f"{len(rows):,} rows: {', '.join(map(escape, header))}. The CSV file has them."
    else:
        yield table(header, ([escape(cell) for cell in row] for row in rows))


def _origin(name: str, figures: Path) -> Iterator[str]:
    yield "## Where it comes from"
    try:
        origin = read_origin(name, figures)
    except InputError as error:
        yield escape(error)
        return
    yield f"Key {escape(origin.key)}: it may rest on these {len(origin.tables)} measured tables."
    yield _tables(origin)
    made = read_provenance_of(name, figures)
    if made:
        where = link("packages and machine", "/provenance.md")
        yield f"Drawn at commit {escape(made['commit'])}; {where}."


def _tables(origin: Origin) -> str:
    rows = []
    for one in origin.tables:
        parameters = ", ".join(f"{name} {value}" for name, value in one.parameters.items())
        rows.append([escape(cell) for cell in (one.measurement, one.subject, parameters, one.key)])
    return table(["measurement", "subject", "parameters", "key"], rows)
