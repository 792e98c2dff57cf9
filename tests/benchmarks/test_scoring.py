"""`score`: samples of a file or a table, against tests that may import packages."""

import json
from pathlib import Path

import pandas as pd
import pytest

from compressed_code.benchmarks.scoring import score
from compressed_code.benchmarks.tasks import imported_packages, load_benchmark
from compressed_code.core.errors import InputError
from compressed_code.sandbox import Sandbox
from working_isolators import working_isolators

pytestmark = pytest.mark.skipif(not working_isolators(), reason="nothing isolates programs here")

NUMPY_TEST = """import numpy as np
import os.path


def check(candidate):
    from json import loads

    assert np.allclose(candidate(2, 0.5), 2.5)
"""


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Verdicts of canonical solutions are kept apart from the user's."""
    monkeypatch.setitem(score.__kwdefaults__, "directory", tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def benchmark(tmp_path):
    """Two tasks in HumanEval's format; the tests of the first import numpy, as HumanEval+'s do."""
    rows = [
        {"task_id": "t/0", "prompt": "def add(a, b):\n", "entry_point": "add", "test": NUMPY_TEST}
        | {"canonical_solution": "    return a + b\n"},
        {"task_id": "t/1", "prompt": "def one():\n", "entry_point": "one", "canonical_solution": "    return 1\n"}
        | {"test": "def check(candidate):\n    assert candidate() == 1\n"},
    ]
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def answers(**columns) -> pd.DataFrame:
    right = {"task_id": ["t/0", "t/1"], "completion": ["    return a + b\n", "    return 2\n"]}
    return pd.DataFrame(right | columns)


def test_packages_that_tests_import_are_there(benchmark):
    assert imported_packages(load_benchmark(benchmark)) == ["numpy"]
    scores = score(answers(), benchmark, [1, 2])
    assert scores.outcomes["outcome"].tolist() == ["passed", "wrong answer"]
    assert scores.pass_rates[["k", "value", "tasks"]].to_numpy().tolist() == [[1, 0.5, 2]]
    assert list(scores.too_few_samples) == [2] and scores.excluded == {}
    assert scores._repr_html_().startswith("<table")
    summary = json.loads(json.dumps(scores.summary()))
    assert (summary["n_tasks"], summary["pass@1"]["value"], summary["missing"]) == (2, 0.5, [])


def test_only_a_benchmark_s_own_solutions_are_not_judged_again(benchmark, store, monkeypatch):
    judged, judge = [], Sandbox.judge

    def counting(sandbox, trials):
        trials = list(trials)
        judged.extend(trials)
        return judge(sandbox, trials)

    monkeypatch.setattr(Sandbox, "judge", counting)
    found = []
    for _ in range(2):
        judged.clear()
        found.append(score(answers(), benchmark, [1]).outcomes.drop(columns="seconds"))
    assert [trial.program for trial in judged] == ["def add(a, b):\n    return a + b\n", "def one():\n    return 2\n"]
    assert found[0].equals(found[1])


def test_packages_can_be_forbidden(benchmark):
    scores = score(answers(), benchmark, [1], packages=[])
    assert list(scores.excluded) == ["t/0"] and scores.excluded["t/0"].startswith("it imports numpy, which programs")


@pytest.mark.parametrize(("module", "excluded"), [("__main__", []), ("this_is_no_package", ["t/0"])])
def test_a_test_may_import_what_every_python_has(benchmark, tmp_path, module, excluded):
    path = tmp_path / "importing.jsonl"
    path.write_text(Path(benchmark).read_text().replace("import numpy as np", f"import {module}, math as np"))
    path.write_text(path.read_text().replace("np.allclose", "np.isclose"))
    assert list(score(answers(), str(path), [1]).excluded) == excluded


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (answers().drop(columns="completion"), "the table has no column 'completion'; it has task_id"),
        (answers(model=["a", "b"]), "several models; score the rows of one"),
        (answers(task_id=["t/0", "u/1"]), "no task has the id u/1"),
        (answers().head(1), r"1 of 2 tasks have no sample \(t/1\)"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(benchmark, table, message):
    with pytest.raises(InputError, match=message):
        score(table, benchmark, [1])


def test_a_part_can_be_scored(benchmark):
    scores = score(answers().tail(1), benchmark, [1], partial=True)
    assert scores.missing == ["t/0"] and scores.pass_rates["tasks"].tolist() == [1]


ANNOTATED = """from __future__ import annotations

from dataclasses import dataclass, field

LIMIT: int = 10


@dataclass
class Box:
    values: "list[int]" = field(default_factory=list)


def most(box: Box) -> int:
    return min(LIMIT, len(box.values))


def fill(numbers):
"""


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
def test_a_prompt_may_hold_annotated_names_and_dataclasses(tmp_path, first):
    prompt = first + ANNOTATED.partition("\n")[2]
    test = "def check(candidate):\n    assert candidate([1, 2]) == 2 and LIMIT == 10 and most(Box([5])) == 1\n"
    row = {"task_id": "t/0", "prompt": prompt, "entry_point": "fill", "test": test}
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(row | {"canonical_solution": "    return most(Box(numbers))\n"}) + "\n")
    table = pd.DataFrame({"task_id": ["t/0"] * 2, "completion": ["    return 2\n", "    return 3\n"]})
    scores = score(table, str(path), [1])
    assert scores.excluded == {} and scores.outcomes["passed"].tolist() == [True, False]


def test_extra_tests_that_check_nothing_leave_the_base_to_decide(tmp_path):
    """As three of MBPP+'s in MBPP's form would, did reading not make them assert what they compare."""
    row = {"task_id": 1, "text": "One.", "code": "def one():\n    return 1", "test_list": ["assert one() == 1"]}
    rows = [row | {"test": "one()\n"}, row | {"task_id": 2, "test": "assert one() == 2\n"}, row | {"task_id": 3}]
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    texts = ["def one():\n    return 1\n", "def one():\n    return 2\n"]
    table = pd.DataFrame({"task_id": ["1", "1", "2", "3"], "completion": [*texts, texts[0], texts[0]]})
    scores = score(table, str(path), [1])
    assert scores.excluded == {} and scores.void == ["1"]
    assert scores.outcomes["passed"].tolist() == [True, False, True, True]


def test_extra_tests_that_their_own_solution_fails_are_left_out_and_the_base_tests_stay(tmp_path):
    """As HumanEval/32's in HumanEval's form, which unpack a number. No program could pass them."""
    row = {"task_id": 1, "text": "One.", "code": "def one():\n    return 1", "test_list": ["assert one() == 1"]}
    rows = [row | {"test": "assert one() + 1 == 2\n"}, row | {"task_id": 2, "test": "assert [*one()] == [1]\n"}]
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    texts = ["def one():\n    return 1\n", "def one():\n    return 1.0 or 2\n"]
    table = pd.DataFrame({"task_id": ["1", "2", "2"], "completion": [*texts, texts[1].replace("1.0", "0")]})
    scores = score(table, str(path), [1])
    assert scores.excluded == {} and scores.extra_excluded == {"2": "its solution fails (TypeError)"}
    assert scores.outcomes["passed"].tolist() == [True, True, False]
    assert scores.extra_outcomes[["task_id", "passed"]].to_numpy().tolist() == [["1", True]]
    assert (scores.pass_rates["value"].item(), scores.extra_pass_rates["value"].item()) == (0.75, 1.0)
    assert scores.summary()["excluded_extra_tests"] == {"2": "its solution fails (TypeError)"}


# The ends of two tests of MBPP+ in MBPP's form: one asks the solution after the program has had the arguments, one
# compares and asserts nothing.
LATE = """
def assertion(out, exp, atol):
    assert out == exp
def ref_func(items):
    return sorted(items)
inputs = [[[3, 1, 2]], [[2, 1]]]
for i, inp in enumerate(inputs):
    assertion(f(*inp), ref_func(*inp), 0)
"""
UNSAID = """
def assertion(out, exp, atol):
    if isinstance(out, bool):
        exact_match = out == exp
    else:
        exact_match = exp == (out is not None)

inputs, results = [[[2, 1]], [[]]], [True, False]
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion(f(*inp), exp, 0)
"""


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [
        (LATE, "def f(items): return sorted(items)\n", "def f(items): return items.clear() or []\n"),
        (UNSAID, "def f(items): return max(items, default=None)\n", "def f(items): return 0\n"),
        (UNSAID, "def f(items): return bool(items)\n", "def f(items): return True\n"),
    ],
)
def test_exported_tests_assert_what_they_mean(tmp_path, test, right, wrong):
    row = {"task_id": 7, "text": "", "code": right, "test_list": ["assert f([1]) is not None"], "test": test}
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{json.dumps(row)}\n")
    samples = pd.DataFrame({"task_id": ["7", "7"], "completion": [right, wrong]})
    assert score(samples, str(path), [1]).extra_outcomes["passed"].tolist() == [True, False]
