"""Architecture × stored form × command: a part of the matrix here, the whole of it in the long tests."""

import pytest

from proof_architectures import ARCHITECTURES
from proof_forms import FORMS
from proof_matrix import BEGIN, COMMANDS, END, PAGE, REFUSED, Case, all_cases, declared_outcome, page_block, run_case
from proof_matrix import sampled_cases as sampled

SAMPLED = 40


@pytest.mark.parametrize("case", sampled(SAMPLED), ids=str)
def test_a_part_of_the_matrix(tmp_path, case):
    found = run_case(case, tmp_path)
    assert found == {command: declared_outcome(case.architecture, case.form, command) for command in case.commands}


# What ended in a traceback once: the texts of a model with several parts, float8 of a family without an engine of ours.
ONCE_A_TRACEBACK = (
    Case("llama4_text", "float32", ("fidelity", "generate")),
    Case("gemma2", "float8 in blocks", ("cold start", "generate")),
    Case("mixtral", "float8 for a matrix", ("cold start",)),
    Case("phi3", "torchao float8", ("cold start", "fidelity")),
)


@pytest.mark.parametrize("case", ONCE_A_TRACEBACK, ids=str)
def test_what_once_ended_in_a_traceback(tmp_path, case):
    assert run_case(case, tmp_path) == dict.fromkeys(case.commands, "yes")


@pytest.mark.long
@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_the_whole_matrix(tmp_path, case):
    found = run_case(case, tmp_path)
    assert found == {command: declared_outcome(case.architecture, case.form, command) for command in case.commands}


def test_the_matrix_is_as_large_as_it_says():
    assert len(ARCHITECTURES) >= 40 and len(FORMS) >= 30
    cases = all_cases()
    for command in COMMANDS:
        assert {case.architecture for case in cases if command in case.commands} == {*ARCHITECTURES}
        assert {case.form for case in cases if command in case.commands} == {*FORMS}
    assert {command for case in sampled(SAMPLED) for command in case.commands} == {*COMMANDS}
    for architecture, form, command in REFUSED:
        assert architecture in ("*", *ARCHITECTURES) and form in ("*", *FORMS) and command in ("*", *COMMANDS)


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not part of an installed package")
def test_the_page_says_what_the_matrix_finds():
    text = PAGE.read_text(encoding="utf-8")
    written = BEGIN + text.split(BEGIN)[1].split(END)[0] + END
    assert written == page_block(declared_outcome)
