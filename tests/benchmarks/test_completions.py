"""Where a completion ends, and the code inside chat-style answers."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.benchmarks.completions import STOP_SEQUENCES, extract_code, truncate
from compressed_code.benchmarks.tasks import load_benchmark

PROMPT = 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """Return the sum of a and b."""\n'
BODY = "    return a + b\n"
FUNCTION = f"def add(a, b):\n{BODY}"


def result(code, name="add", arguments=(2, 3)):
    namespace = {}
    exec(code, namespace)
    return namespace[name](*arguments)


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("    return 1\n", "    return 1\n"),
        ("    return 1\n\n\ndef g():\n    pass\n", "    return 1\n\n"),
        ("    return 1\n# note\nclass A:\n", "    return 1"),
        ("    x = 1\n    if x:\n        return\nif __name__:\n", "    x = 1\n    if x:\n        return"),
        ("    return '# no stop, nor a def inside a line'\n", "    return '# no stop, nor a def inside a line'\n"),
        ("\nprint(1)", ""),
        ("", ""),
    ],
)
def test_a_completion_is_cut_at_the_earliest_stop(completion, kept):
    assert truncate(completion) == truncate(completion, STOP_SEQUENCES) == kept


@given(st.text("\nabcdef# ", max_size=40), st.lists(st.text("\nabdef#", min_size=1, max_size=3), max_size=4))
def test_truncation_leaves_the_longest_prefix_free_of_stops(completion, stop):
    kept = truncate(completion, stop)
    assert completion.startswith(kept) and not any(text in kept for text in stop)
    rest = completion[len(kept) :]
    assert rest == "" or any(rest.startswith(text) for text in stop)
    assert truncate(kept, stop) == kept


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(BODY, id="plain body"),
        pytest.param(FUNCTION, id="plain function"),
        pytest.param(PROMPT + BODY, id="the prompt repeated"),
        pytest.param(f"Sure!\n\n```python\n{PROMPT}{BODY}```\nThis adds.", id="the prompt repeated in a fence"),
        pytest.param(f"```py\n{FUNCTION}```", id="function in a fence"),
        pytest.param(f"```python\n{FUNCTION}", id="fence left open"),
        pytest.param(f"~~~\n{FUNCTION}~~~\n", id="tilde fence"),
        pytest.param(f"Run this:\n```sh\npip install it\n```\nThen\n```python\n{FUNCTION}\n```", id="second fence"),
        pytest.param(f"```\n{BODY}```", id="body in a fence"),
        pytest.param("```\nreturn a + b\n```", id="body without indentation"),
        pytest.param("return a + b", id="first line without indentation"),
        pytest.param("total = 0\n    total += a\n    return total + b", id="only the first line lost it"),
        pytest.param("total = a\nif b:\n    total += b\nreturn total", id="all lines lost it"),
        pytest.param(f"import math\n\n{FUNCTION}", id="imports before the function"),
        pytest.param(
            f"1. First:\n   ```python\n   def add(a, b):\n       {BODY.strip()}\n   ```\n", id="in a list item"
        ),
    ],
)
def test_code_of_an_answer_runs_behind_the_prompt(answer):
    assert result(PROMPT + extract_code(answer, PROMPT)) == 5


def test_a_bare_header_is_closed_before_the_function_is_defined_again():
    header = "def add(a, b):\n"
    assert result(header + extract_code(f"```\n{FUNCTION}```", header)) == 5


def test_words_without_code_stay_what_they_are():
    assert extract_code("I cannot do this.", PROMPT) == "I cannot do this."
    assert extract_code("", PROMPT) == ""


@pytest.mark.parametrize("wrap", ["{solution}", "```python\n{prompt}{solution}```", "```\n{solution}\n```"])
def test_every_canonical_solution_survives_its_wrapping(wrap):
    for task in load_benchmark("humaneval"):
        solution = task.canonical_solution
        code = extract_code(wrap.format(prompt=task.prompt, solution=solution), task.prompt)
        assert ast.dump(ast.parse(task.prompt + code)) == ast.dump(ast.parse(task.prompt + solution)), task.task_id
