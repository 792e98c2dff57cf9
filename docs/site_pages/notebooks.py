"""Executed notebooks as pages: code folded, figures with their texts, outputs of programs and models made harmless."""

import ast
import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nh3

from compressed_code.core.paths import ROOT
from compressed_code.reproduction.claims import CLAIM_MIME, read_claims
from helpers import start_page
from helpers.figures import read_texts
from site_pages.markup import contents, escape, link, page, table
from site_pages.stage import Stage

PICTURES = ("image/png", "image/jpeg")
# What tables and claims are made of; scripts, styles, addresses and event handlers are none of it.
_TAGS = {
    "div",
    "span",
    "p",
    "br",
    "b",
    "strong",
    "em",
    "code",
    "pre",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
_ATTRIBUTES = {"table": {"class"}, "div": {"class"}, "th": {"colspan", "rowspan"}, "td": {"colspan", "rowspan"}}
_MARKS = {"holds": "✓", "does not hold": "✗", "not checked": "–"}


def executed_copies(notebooks: Path, executed: Path) -> dict[Path, Path | None]:
    """Every notebook in its order, with its executed copy where there is one."""
    found = sorted(notebooks.glob("[0-9][0-9]-*.ipynb"))
    return {path: copy if (copy := executed / path.name).is_file() else None for path in found}


def write_notebooks(copies: Mapping[Path, Path | None], figures: Path, stage: Stage) -> None:
    """Write a page for each notebook and the page that lists them.

    Args:
        copies: as `executed_copies` gives them.
        figures: the folder of saved figures, from where captions and alternative texts come.
        stage: where pages are written.
    """
    rows = []
    for path, copy in copies.items():
        source = _read(path)
        shown = staged(_read(copy) if copy else source, source, figures)
        stage.write(f"notebooks/{path.name}", json.dumps(shown, ensure_ascii=False, indent=1))
        verdicts = read_claims([copy])["verdict"].value_counts() if copy else {}
        claims = ", ".join(f"{count} {verdict.replace('holds', 'hold')}" for verdict, count in verdicts.items())
        rows.append([link(title_of(path), f"/notebooks/{path.name}"), question(source), claims or "not executed here"])
    listed = [f"notebooks/{path.stem}" for path in copies]
    text = (
        "Each notebook as it was executed. Code is folded; a click opens it, and a figure grows with a click. In"
        f" JupyterLab, where they can be run, {link('an explorer', '/docs/lab.md')} shows models beside each other."
    )
    stage.write(
        "notebooks/index.md",
        page("# Notebooks", text, table(["notebook", "question", "claims"], rows), contents(listed)),
    )


def staged(shown: Mapping[str, Any], source: Mapping[str, Any], figures: Path) -> dict[str, Any]:
    """A notebook as the site shows it.

    Args:
        shown: the executed copy, or the notebook itself where there is none.
        source: the notebook as it is now.
        figures: the folder of saved figures.

    Returns:
        A notebook without the cell that the runner injects, with a note where the copy is of an earlier version.
    """
    cells, heading = [], ""
    for cell in shown["cells"]:
        if "injected-parameters" in _tags(cell):
            continue
        if cell["cell_type"] == "markdown":
            heading = next(iter(re.findall(r"^#+ (.+)", "".join(cell["source"]), re.MULTILINE)), heading)
            cells.append(_cell("markdown", cell["source"]))
        elif cell["cell_type"] == "code":
            cells.append(_code_cell(cell, heading, figures))
    note = _note(shown, source)
    if note:
        cells.insert(1, _cell("markdown", f":::{{note}}\n{note}\n:::"))
    kept = {key: shown["metadata"][key] for key in ("kernelspec", "language_info") if key in shown["metadata"]}
    return {"cells": cells, "metadata": kept, "nbformat": 4, "nbformat_minor": 4}


def title_of(path: Path) -> str:
    """The first heading of a notebook, or its file's name."""
    return start_page.title_of(_read(path)) or path.stem


def question(notebook: Mapping[str, Any]) -> str:
    """The question that a notebook states, as Markdown for a cell of a table; empty where it states none."""
    return start_page.question_of(notebook).replace("|", "\\|")


def saved_figure(source: str) -> str | None:
    """The name under which a cell saves its figure, read from the call and not from its output.

    Example:
        >>> saved_figure('save_figure(bars(x), "01-overlap", data=x)')
        '01-overlap'
    """
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:  # IPython's own syntax
        return None
    saving = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "save_figure"]
    names = [argument.value for call in saving for argument in call.args[1:2] if isinstance(argument, ast.Constant)]
    return names[0] if names else None


def harmless(markup: str) -> str:
    """HTML of an output, reduced to tables and text."""
    return nh3.clean(markup, tags=_TAGS, attributes=_ATTRIBUTES, clean_content_tags={"script", "style"})


def claim_markup(claim: Mapping[str, str]) -> str:
    """A claim as one line; its colour is the site's, light or dark."""
    verdict = claim["verdict"] if claim["verdict"] in _MARKS else "not checked"
    kind = verdict.replace(" ", "-")
    rests_on = (
        f"{claim['quantity']} {claim['number']}, {claim['bound']} ({claim['because']})" if claim["number"] else ""
    )
    return (
        f'<div class="claim claim-{kind}"><span class="claim-mark">{_MARKS[verdict]} {verdict}</span> '
        f'{html.escape(claim["statement"])} <span class="claim-number">{html.escape(rests_on)}</span></div>'
    )


def _code_cell(cell: Mapping[str, Any], heading: str, figures: Path) -> dict[str, Any]:
    outputs = [output for given in cell.get("outputs", []) if (output := _output(given))]
    shown = _cell("code", cell["source"])
    shown |= {"outputs": outputs, "execution_count": cell.get("execution_count")}
    shown["metadata"]["tags"] = ["hide-input"]
    if any(kind in output.get("data", {}) for output in outputs for kind in PICTURES):
        shown["metadata"]["mystnb"] = _figure_texts(saved_figure("".join(cell["source"])), heading, figures)
    return shown


def _figure_texts(name: str | None, heading: str, figures: Path) -> dict[str, Any]:
    """What myst-nb sets beside a picture: alternative text, and the caption of a saved figure."""
    svg = figures / f"{name}.svg"
    if not name or not svg.is_file():
        return {"image": {"alt": f"Figure under the heading: {heading}"}}
    caption, alt = read_texts(svg)
    more = link("its data and where it comes from", f"/figures/{name}.md")
    return {"image": {"alt": alt}, "figure": {"caption": f"{escape(caption)} {more}"}}


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """An output without anything that a browser would run or fetch."""
    if output["output_type"] == "stream":  # what libraries say of their files says nothing of this machine
        return {**output, "text": "".join(output["text"]).replace(f"{ROOT}/", "")}
    if "data" not in output:
        return dict(output)
    data = output["data"]
    if CLAIM_MIME in data:
        kept = {"text/html": claim_markup(data[CLAIM_MIME])}
    else:
        kept = {kind: data[kind] for kind in (*PICTURES, "text/plain") if kind in data}
        if "text/html" in data:
            kept["text/html"] = harmless("".join(data["text/html"]))
    return {**output, "data": kept, "metadata": {}} if kept else None


def _note(shown: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    if not any(cell.get("outputs") for cell in shown["cells"]):
        return "This notebook was not executed where the site was built; `make figures` executes it."
    if list(_sources(shown)) != list(_sources(source)):
        return "This is a run of an earlier version of the notebook; `make figures` runs the present one."
    return ""


def _sources(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for cell in notebook["cells"]:
        if "injected-parameters" not in _tags(cell):
            yield cell["cell_type"], "".join(cell["source"])


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return cell.get("metadata", {}).get("tags", [])


def _cell(kind: str, source: str | list[str]) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
