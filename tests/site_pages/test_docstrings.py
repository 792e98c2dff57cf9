"""Docstrings: what reStructuredText would take for markup stands as it is; code, examples and fields stay."""

from pathlib import Path

import pytest
from docutils.core import publish_doctree

from site_pages.docstrings import escaped, written_signature


@pytest.mark.parametrize(
    "text",
    [
        "the largest |x| of a row",
        "reads *.bin and *.safetensors of a folder",
        "columns mean_ and wrong_to_right_, each",
        "one |a ∩ b| / |a ∪ b|",
        "2*3 * 4, **kwargs",
    ],
)
def test_prose_is_shown_as_it_is_written(text):
    document = publish_doctree("\n".join(escaped([text])), settings_overrides={"report_level": 2, "halt_level": 2})
    assert document.astext() == text


def test_code_keeps_its_signs():
    assert escaped(["`*args` and `a_` in *x*"]) == ["`*args` and `a_` in \\*x\\*"]
    assert escaped(["` return` and `b `"]) == ["`␣return` and `b␣`"]


def test_what_is_laid_out_stays_so():
    assert escaped(["All doors:", "", "    cc.a*   one", "      b_", "", "and *more*"]) == [
        *("All doors:", "", "::", "", "    cc.a*   one", "      b_", "", "and \\*more\\*")
    ]
    assert escaped(["As here::", "", "    a*"]) == ["As here::", "", "    a*"]
    fields = [":param a: one", "", "    more of it"]
    assert escaped(fields) == fields


def test_a_signature_is_the_one_of_the_source():
    def written(a: "int | str", *rest: list[int], b: float = 2 * 0.5, **more: object) -> tuple[int, ...]: ...

    class Thing:
        def method(self, path: Path = Path("x")): ...

    assert written_signature(written) == (
        "(a: 'int | str', *rest: list[int], b: float=2 * 0.5, **more: object)",
        "tuple[int, ...]",
    )
    assert written_signature(Thing.method) == ("(path: Path=Path('x'))", "")
    assert written_signature(Thing) is None and written_signature(len) is None and written_signature(3) is None


def test_examples_fields_and_directives_are_left_alone():
    lines = [">>> a * b | c", "x_", "", ".. rubric:: a_", ":param x_: a_", "a_ b"]
    assert escaped(lines) == [*lines[:4], ":param x_: a\\_", "a\\_ b"]
