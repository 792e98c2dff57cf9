"""The code inside chat-style answers."""

import ast
import textwrap

import pytest

from compressed_code.benchmarks.chat_answers import extract_code
from compressed_code.benchmarks.tasks import load_benchmark

PROMPT = 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """Return the sum of a and b."""\n'
BODY = "    return a + b\n"
FUNCTION = f"def add(a, b):\n{BODY}"
WRONG = "def add(a, b):\n    return a - b\n"


def result(code, name="add", arguments=(2, 3)):
    namespace = {}
    exec(code, namespace)
    return namespace[name](*arguments)


def code_of(answer, prompt=PROMPT, entry_point="add"):
    return extract_code(answer, prompt, entry_point)


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
    assert result(PROMPT + code_of(answer)) == 5


def test_a_bare_header_is_closed_before_the_function_is_defined_again():
    header = "def add(a, b):\n"
    assert result(header + code_of(f"```\n{FUNCTION}```", header)) == 5


def test_words_without_code_stay_what_they_are():
    assert code_of("I cannot do this.") == "I cannot do this."
    assert code_of("") == ""


@pytest.mark.parametrize("wrap", ["{solution}", "```python\n{prompt}{solution}```", "```\n{solution}\n```"])
def test_every_canonical_solution_survives_its_wrapping(wrap):
    for task in load_benchmark("humaneval"):
        solution = task.canonical_solution
        code = extract_code(wrap.format(prompt=task.prompt, solution=solution), task.prompt, task.entry_point)
        assert ast.dump(ast.parse(task.prompt + code)) == ast.dump(ast.parse(task.prompt + solution)), task.task_id


DOCUMENTED = '''def add(a, b):
    """Add.

    ```
    add(1, 2)
    ```
    """
    return a + b
'''
WORDS = "Write a function that adds two numbers."


@pytest.mark.parametrize("prompt", [PROMPT, f'"""{WORDS}"""\n', ""], ids=["header", "words", "nothing"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(f"```sh\npip install numpy\n```\n```python\n{FUNCTION}```", id="a shell's fence first"),
        pytest.param(f"```\nadd(2, 3)  # 5\n```\nis what it does:\n```python\n{FUNCTION}```", id="a call first"),
        pytest.param(f"```python\n{FUNCTION}```\nUse it:\n```python\nprint(add(2, 3))\n```", id="a call last"),
        pytest.param(
            f"<think>\n```python\n{WRONG}```\nNo.</think>\n```python\n{FUNCTION}```", id="a draft in a thought"
        ),
        pytest.param(f"<think>A sum.</think>\n\n{FUNCTION}", id="no fence after a thought"),
        pytest.param(f"A sum.</think>{FUNCTION}", id="a thought that the template began"),
        pytest.param(f"```python\n{DOCUMENTED}```\nDone.", id="a fence in a docstring"),
        pytest.param(f"````python\n{DOCUMENTED}````", id="a longer fence around it"),
        pytest.param(f"```python\n{WRONG}```\nWait, that subtracts.\n```python\n{FUNCTION}```", id="a correction"),
        pytest.param(f"{FUNCTION}```\n\nIn this code, add returns the sum.", id="a lone fence at the end"),
        pytest.param(f"from typing import List\n\n{FUNCTION}```\n\nIt adds.\n", id="imports and a lone fence"),
        pytest.param("```python\nadd = lambda a, b: a + b\n```", id="a lambda"),
        pytest.param("```python\nimport operator\n\nadd: object = operator.add\n```", id="a name that is set"),
        pytest.param(f"```python\nclass Helper:\n    pass\n\n\n{FUNCTION}```", id="a helper before it"),
        pytest.param(f"Here it is:\n\n{FUNCTION}", id="words before code without a fence"),
        pytest.param(f"{FUNCTION}\nThis function adds.\n", id="words behind code without a fence"),
        pytest.param(f"<think>A sum.</think>\nHere:\n\n{FUNCTION}\nIt adds.", id="words around it after a thought"),
        pytest.param(f"<thinking>\n```python\n{WRONG}```\n</thinking>\n{FUNCTION}", id="a thought by another name"),
        pytest.param(f"<THINK>\n{WRONG}</THINK>\n{FUNCTION}", id="a thought in capitals"),
        pytest.param(
            f"<think>a</think>\n```python\n{WRONG}```\n<think>b</think>\n```python\n{FUNCTION}```", id="two thoughts"
        ),
        pytest.param(f"The tag <think> is not used.\n```python\n{FUNCTION}```", id="a thought only spoken of"),
        pytest.param(
            "<think>a</think>```python\ndef add(a, b):\n    s = '</think>'\n    return a + b\n```", id="a tag"
        ),
        pytest.param(f"```python\n{FUNCTION}```<|im_end|>", id="a token behind the fence"),
        pytest.param(f"```python\n{FUNCTION}``` That is it.", id="words behind the fence's end"),
        pytest.param(f"```\npython\n{FUNCTION}```", id="the language on a line of its own"),
        pytest.param(f"[BEGIN]\n{FUNCTION}[DONE]", id="the marks of MBPP's protocol"),
        pytest.param(f"Sure.\n[PYTHON]\n{FUNCTION}[/PYTHON]\n[TESTS]\n[/TESTS]", id="the marks of Code Llama"),
        pytest.param(
            "```python\nimport operator\n```\nand\n```python\ndef add(a, b):\n    return operator.add(a, b)\n```",
            id="an import in a fence before",
        ),
        pytest.param(
            f"```python\ndef plus(a, b):\n{BODY}```\nso\n```python\ndef add(a, b):\n    return plus(a, b)\n```",
            id="a helper in a fence before",
        ),
        pytest.param(
            f"```python\n{FUNCTION}```\nUse it:\n```python\nfrom solution import add\nadd(2, 3)\n```",
            id="an import last",
        ),
        pytest.param(f"```python\nif True:\n{textwrap.indent(FUNCTION, '    ')}```", id="within a condition"),
        pytest.param("```python\nadd, sub = (lambda a, b: a + b), None\n```", id="one of several names that are set"),
        pytest.param(f"```python\r\n{FUNCTION}```".replace("\n", "\r\n"), id="line ends of Windows"),
    ],
)
def test_the_entry_point_is_what_is_looked_for(prompt, answer):
    assert result(prompt + code_of(answer, prompt)) == 5


def test_a_thought_that_never_ends_is_no_answer():
    assert code_of(f"<think>\n```python\n{FUNCTION}```") == ""


def test_a_body_is_found_among_other_fences():
    answer = f"```bash\nls\n```\n```\n{BODY}```\n```\n>>> add(2, 3)\n5\n```"
    assert result(PROMPT + code_of(answer)) == 5


def test_code_that_was_cut_off_is_still_the_answer():
    answer = "```python\ndef add(a, b):\n    total = a\n    for n in range("
    assert code_of(answer) == "def add(a, b):\n    total = a\n    for n in range("


@pytest.mark.parametrize(
    "answer",
    ["So call add:\n" + "x = add\n" * 500 + "and so on.", "```python\nx = (1\n```\n" * 500, "```\nx\n```\n" * 500],
    ids=["lines", "fences that close nothing", "fences"],
)
def test_an_answer_that_repeats_itself_is_not_read_for_ever(answer, monkeypatch):
    read, parse = [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda text: read.append(len(text)) or parse(text))
    code_of(answer)
    assert sum(read) < 300 * len(answer)
