"""Notebooks on the site: outputs cannot run anything, figures have their texts, an old run is called one."""

import nbformat
import pytest

from compressed_code.core.paths import FIGURES, ROOT
from compressed_code.reproduction.claims import CLAIM_MIME, Claim
from helpers.figures import read_texts

pages = pytest.importorskip("site_pages.notebooks", reason="its tools are not installed; `make site` installs them")
claim_markup, harmless, question = pages.claim_markup, pages.harmless, pages.question
saved_figure, staged = pages.saved_figure, pages.staged

TABLE = '<table class="dataframe"><thead><tr><th>a</th></tr></thead><tbody><tr><td>1 &lt; 2</td></tr></tbody></table>'


def notebook(*cells) -> dict:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), *cells])


def code(source: str, *outputs: dict, tags: tuple[str, ...] = ()) -> dict:
    given = [nbformat.v4.new_output("display_data", data) for data in outputs]
    return nbformat.v4.new_code_cell(source, outputs=given, metadata={"tags": list(tags)})


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<td onclick="alert(1)">',
        '<a href="javascript:alert(1)">',
        "<style>@import url(https://example.org/x.css)</style>",
        "<svg><script>alert(1)</script></svg>",
        '<iframe src="https://example.org"></iframe>',
        "<table><tr><td><math><mtext></table><img src onerror=alert(1)>",
    ],
)
def test_markup_of_an_output_runs_and_fetches_nothing(markup):
    cleaned = harmless(f"<b>kept</b>{markup}{TABLE}")
    assert "<b>kept</b>" in cleaned and "1 &lt; 2" in cleaned
    for part in ("script", "onerror", "onclick", "javascript", "style", "img", "svg", "iframe", "http", "alert"):
        assert part not in cleaned


def test_a_table_stays_a_table():
    assert harmless(f"<div>\n<style scoped>a {{}}</style>\n{TABLE}</div>") == f"<div>\n\n{TABLE}</div>"


def test_outputs_of_other_kinds_are_left_out():
    cell = code("1", {"application/javascript": "alert(1)"}, {"image/svg+xml": "<svg/>", "text/plain": "figure"})
    shown = staged(notebook(cell), notebook(cell), FIGURES)
    (output,) = shown["cells"][1]["outputs"]
    assert output["data"] == {"text/plain": "figure"}


def test_a_warning_does_not_say_where_the_checkout_lies():
    cell = code("1")
    cell["outputs"] = [nbformat.v4.new_output("stream", text=f"{ROOT}/.venv/x.py:3: Warning\n")]
    (output,) = staged(notebook(cell), notebook(cell), FIGURES)["cells"][1]["outputs"]
    assert output["text"] == ".venv/x.py:3: Warning\n"


def test_a_claim_is_text_whatever_it_says():
    claim = Claim("<b>x</b>", "holds", "a<b", "1", "above 0", '"&"')
    markup = claim_markup(vars(claim))
    assert (
        "&lt;b&gt;x&lt;/b&gt;" in markup and "✓ holds" in markup and "a&lt;b 1, above 0 (&quot;&amp;&quot;)" in markup
    )
    cell = code("claim()", {CLAIM_MIME: vars(claim), "text/html": "<script>alert(1)</script>", "text/plain": "x"})
    (output,) = staged(notebook(cell), notebook(cell), FIGURES)["cells"][1]["outputs"]
    assert output["data"] == {"text/html": markup}
    assert "–" in claim_markup({**vars(claim), "verdict": "<unknown>", "number": ""})


def test_a_saved_figure_has_its_caption_and_alternative_text():
    svg = next(FIGURES.glob("*.svg"))
    saving = code(f'save_figure(\n    draw(x), "{svg.stem}", data=x\n)', {"image/png": "aGk="})
    other = code("draw(x)", {"image/png": "aGk="})
    cells = staged(notebook(saving, other), notebook(saving, other), FIGURES)["cells"]
    caption, alt = read_texts(svg)
    texts = cells[1]["metadata"]["mystnb"]
    assert texts["image"]["alt"] == alt and f"/figures/{svg.stem}.md" in texts["figure"]["caption"]
    assert caption[:10].replace(":", "\\:") in texts["figure"]["caption"]
    assert cells[2]["metadata"]["mystnb"] == {"image": {"alt": "Figure under the heading: Title"}}
    assert cells[1]["metadata"]["tags"] == ["hide-input"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('save_figure(a, "01-x", data=b)', "01-x"),
        ("save_figure(a, name, data=b)", None),
        ("print(\"save_figure(a, '01-x')\")", None),
        ("%matplotlib inline\nsave_figure(a, '01-x')", None),
        ("save_figure()", None),
    ],
)
def test_the_name_of_a_figure_is_read_from_the_call(source, name):
    assert saved_figure(source) == name


def test_a_run_of_an_earlier_version_and_no_run_are_called_that():
    ran, injected = code("x = 1", {"text/plain": "1"}), code("figures = 'x'", tags=("injected-parameters",))
    same = staged(notebook(ran, injected), notebook(code("x = 1")), FIGURES)
    assert [cell["source"] for cell in same["cells"]] == ["# Title", "x = 1"]
    old = staged(notebook(ran), notebook(code("x = 2")), FIGURES)
    assert "earlier version" in old["cells"][1]["source"]
    none = staged(notebook(code("x = 1")), notebook(code("x = 1")), FIGURES)
    assert "not executed" in none["cells"][1]["source"]


def test_the_question_of_a_notebook_is_found():
    cell = nbformat.v4.new_markdown_cell("**Question.** What | why?\n\n**Inputs.** None.")
    assert question(notebook(cell)) == "What \\| why?"
    assert question(notebook()) == ""
