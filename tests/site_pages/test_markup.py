"""Any text stands on a page as it is: nothing in it becomes markup."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from site_pages.markup import contents, directive, escape, link, page, table

PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)
SIGNS = st.text("<>&\"'`*_[](){}|\\#:~^$!-+=. ax", max_size=20)


def shown(markdown: str) -> str:
    """The plain text that a CommonMark reader shows, and an assertion that there was nothing but text."""
    tokens = [child for token in MarkdownIt("commonmark").parse(markdown) for child in token.children or [token]]
    kinds = {token.type for token in tokens}
    assert kinds <= {"paragraph_open", "paragraph_close", "text", "text_special"}, markdown
    return "".join(token.content for token in tokens if token.type.startswith("text"))


@given(PRINTED | SIGNS)
def test_a_text_is_shown_as_it_is(text):
    assert shown(escape(text)) == " ".join(text.split())


@given(st.lists(st.lists(PRINTED | SIGNS, min_size=2, max_size=2), min_size=1, max_size=3))
def test_a_cell_stays_in_its_column(rows):
    written = table(["a", "b"], [[escape(cell) for cell in row] for row in rows])
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    cells = [token for before, token in pairwise(tokens) if before.type == "td_open"]
    texts = ["".join(child.content for child in token.children) for token in cells]
    assert texts == [" ".join(cell.split()) for row in rows for cell in row]


def test_a_row_of_another_length_is_a_mistake():
    with pytest.raises(ValueError, match="a row of 1 cells under a header of 2"):
        table(["a", "b"], [["only"]])


def test_directives_hold_directives():
    inner = directive("card", "x", img_alt='a "b": c')
    outer = directive("grid", body=inner)
    assert inner.splitlines() == [":::{card} x", ':img-alt: "a \\"b\\": c"', ":::"]
    assert outer.splitlines()[0] == "::::{grid}" and outer.splitlines()[-1] == "::::"


def test_links_and_pages():
    assert link("a [b]", "/x y.md") == "[a \\[b\\]](</x y.md>)"
    assert page("# A", "", "b") == "# A\n\nb\n"


def test_contents_name_pages_by_their_own_titles_or_by_given_ones():
    assert contents(["a", "b/c"]).splitlines()[1:] == [":maxdepth: 1", ":hidden:", "", "/a", "/b/c", "```"]
    assert contents({"api/x.y": "y"}, hidden=False, depth=2).splitlines()[1:-1] == [":maxdepth: 2", "", "y </api/x.y>"]
