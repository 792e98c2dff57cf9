"""Samples through the sandbox, against verdicts that others recorded."""

import json
from dataclasses import replace

import pytest

from compressed_code.benchmarks.completions import truncate
from compressed_code.benchmarks.execution import execute_samples, verify_tasks
from compressed_code.benchmarks.pass_rates import pass_rates
from compressed_code.benchmarks.samples import Sample
from compressed_code.benchmarks.tasks import Task, load_benchmark
from compressed_code.core.errors import Unavailable
from compressed_code.sandbox import Sandbox

REFLEXION = {  # file → how many it records as solved, and how many of these truly pass
    "reflexion_gpt-4_humaneval_py": (150, 150),
    "simple_gpt-4_humaneval_py_b": (134, 134),
    "simple_gpt-3.5-turbo_humaneval_py": (42, 42),
    "simple_gpt-4_humaneval_py": (141, 140),
    "simple_text-davinci-003_humaneval_py": (96, 93),
}
QUICK = (
    "reflexion_gpt-4_humaneval_py",
    "simple_text-davinci-003_humaneval_py",
)  # few time-outs, and verdicts that differ
CODET = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_code_solution.jsonl"
TASK = Task(
    "t/0",
    'def double(n):\n    """Return twice n."""\n',
    "double",
    "    return 2 * n\n",
    "",
    "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate('a') == 'aa'\n",
)


@pytest.fixture(scope="module")
def sandbox():
    try:
        with Sandbox() as opened:
            yield opened
    except Unavailable as gap:
        pytest.skip(str(gap))


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("completion", "outcome", "exception"),
    [
        (TASK.canonical_solution, "passed", ""),
        ("    return n + 2\n", "exception", "TypeError"),
        ("    return n\n", "wrong answer", None),
        ("    return m\n", "exception", "NameError"),
        ("    return (n\n", "syntax error", None),
        ("", "wrong answer", None),
        ("    while True: pass\n", "timeout", None),
    ],
)
def test_outcomes_are_told_apart(sandbox, completion, outcome, exception):
    # what runs until its limit has the least that a program is granted
    quick = {"t/0": 0.001} if outcome == "timeout" else None
    table = execute_samples([TASK], [Sample("t/0", 0, completion)], sandbox, solution_seconds=quick)
    (row,) = table.to_dict("records")
    assert (row["outcome"], row["passed"]) == (outcome, outcome == "passed")
    assert exception is None or row["exception"] == exception
    assert row["isolation"] == sandbox.isolation and row["seconds"] >= 0


def test_every_sample_keeps_its_row_and_identical_programs_run_once(sandbox, monkeypatch):
    judged = []

    def counting(trials):
        judged.extend(trials)
        return Sandbox.judge(sandbox, trials)

    monkeypatch.setattr(sandbox, "judge", counting)
    other = Task("t/1", TASK.prompt, TASK.entry_point, "", "", "def check(candidate):\n    assert candidate(2) == 5\n")
    texts = [("t/0", TASK.canonical_solution), ("t/1", TASK.canonical_solution), ("t/0", "    return n\n")] * 3
    samples = [Sample(task_id, number // 3, text) for number, (task_id, text) in enumerate(texts)]
    samples.append(Sample("t/0", 9, TASK.prompt + TASK.canonical_solution, whole=True))
    table = execute_samples([TASK, other], samples, sandbox)
    assert table["task_id"].tolist() == [sample.task_id for sample in samples]
    assert table["sample"].tolist() == [sample.sample for sample in samples]
    assert table["passed"].tolist() == [True, False, False] * 3 + [True]
    assert len(judged) == 3


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("benchmark", ["humaneval", "zoo-standard", "zoo-hard", "zoo-ood"])
def test_all_canonical_solutions_pass(sandbox, benchmark, step):
    tasks = load_benchmark(benchmark)[::step]
    assert len(tasks) > 40
    sound, failing, seconds, disputed = verify_tasks(tasks, sandbox)
    assert failing == disputed == {} and sound == tasks
    assert list(seconds) == [task.task_id for task in tasks] and min(seconds.values()) > 0


def test_what_only_the_plain_run_passes_is_disputed(sandbox):
    """A program that makes itself pass, and a task whose test and solution share a file."""
    forged = "    class Any(int):\n        __eq__ = lambda self, other: True\n    return Any(0)\n"
    (row,) = execute_samples([TASK], [Sample("t/0", 0, forged)], sandbox).to_dict("records")
    assert (row["passed"], row["outcome"], row["reason"]) == (False, "disputed", "wrong answer AssertionError")
    test = "def check(candidate):\n    open('two', 'w').write('2')\n    assert candidate(2) == 4\n"
    files = Task("t/1", TASK.prompt, "double", "    return int(open('two').read()) * n\n", "", test)
    found = verify_tasks([TASK, files], sandbox)
    assert found.sound == [TASK, files] and found.failing == {} and found.disputed == {"t/1": "exception OSError"}


def test_a_task_whose_canonical_solution_fails_is_named(sandbox):
    broken = Task("t/1", TASK.prompt, TASK.entry_point, "    return None + n\n", "", TASK.test)
    assert verify_tasks([broken, TASK], sandbox)[:2] == ([TASK], {"t/1": "its solution fails (TypeError)"})


@pytest.mark.parametrize(
    "test",
    [
        "def check(candidate):\n    pass\n",
        "async def check(candidate):\n    assert candidate(2) == 5\n",
        "def check(candidate):\n    yield\n    assert candidate(2) == 5\n",
        "def check(candidate):\n    assert (candidate(2) == 5, 'always true')\n",
        "def check(candidate):\n    candidate(2) == 5\n",
        "if __name__ == '__main__':\n    assert double(2) == 5\n",
    ],
)
def test_a_task_whose_tests_let_everything_pass_is_named(sandbox, test):
    blind = Task("t/1", TASK.prompt, TASK.entry_point, TASK.canonical_solution, "", test)
    sound, failing, *_ = verify_tasks([blind, TASK], sandbox)
    assert sound == [TASK] and list(failing) == ["t/1"]
    assert "every answer" in failing["t/1"]


def test_a_test_of_truth_alone_is_a_test(sandbox):
    """An object is true, nothing is false: no answer but the right one passes both of these."""
    for negation in ("", "not "):
        test = f"def check(candidate):\n    assert {negation}candidate({0 if negation else 1})\n"
        task = Task("t/1", TASK.prompt, TASK.entry_point, TASK.canonical_solution, "", test)
        assert verify_tasks([task], sandbox).sound == [task]


@pytest.mark.parametrize(("solution_seconds", "outcome"), [(0.001, "timeout"), (0.15, "passed")])
def test_a_slow_task_gives_its_samples_more_time(sandbox, solution_seconds, outcome):
    """A program of 0.8 s has half a second where the task's solution is quick, 20 times the solution's time else."""
    slow = f"    import time\n    while time.process_time() < 0.8:\n        pass\n{TASK.canonical_solution}"
    table = execute_samples([TASK], [Sample("t/0", 0, slow)], sandbox, solution_seconds={"t/0": solution_seconds})
    assert table["outcome"].tolist() == [outcome]


def test_a_task_that_needs_what_is_not_here_is_named(sandbox):
    prompt = f"import no_such_module\n\n\n{TASK.prompt}"
    missing = Task("t/1", prompt, TASK.entry_point, TASK.canonical_solution, prompt, TASK.test)
    sound, failing, *_ = verify_tasks([TASK, missing], sandbox)
    assert sound == [TASK] and failing["t/1"].startswith("it imports no_such_module, which programs cannot see")


def test_a_solution_that_imports_what_no_test_asks_for_fails_as_any_other(sandbox):
    task = replace(TASK, canonical_solution=f"    import no_such_module\n{TASK.canonical_solution}")
    assert verify_tasks([task], sandbox).failing == {"t/0": "its solution fails (ModuleNotFoundError)"}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in REFLEXION]
)
def test_recorded_verdicts_are_reproduced(sandbox, shared_data, name):
    """Where the recorded number is higher, the original scorer let names of one task leak into the next."""
    rows = read_lines(shared_data / "recorded" / "reflexion" / f"{name}.jsonl")
    tasks = load_benchmark("humaneval")
    assert [row["task_id"] for row in rows] == [task.task_id for task in tasks]
    table = execute_samples(tasks, [Sample(row["task_id"], 0, row["solution"]) for row in rows], sandbox)
    recorded, passed = REFLEXION[name]
    assert sum(row["is_solved"] for row in rows) == recorded
    assert int(table["passed"].sum()) == passed
    differs = table[table["passed"] != [row["is_solved"] for row in rows]]
    assert len(differs) == recorded - passed
    assert (differs["exception"] == "NameError").all()


@pytest.mark.long
def test_recorded_verdicts_of_mbpp_are_reproduced_but_for_a_leaked_name(sandbox, shared_data):
    """One answer defines `sum`; the original scorer let it hide the builtin from every later program that calls it."""
    rows = read_lines(shared_data / "recorded" / "reflexion" / "simple_gpt-4_mbpp_py.jsonl")
    tasks = [Task(row["name"], row["prompt"], row["entry_point"], "", "", row["test"]) for row in rows]
    samples = [Sample(row["name"], 0, row["solution"], whole=True) for row in rows]
    table = execute_samples(tasks, samples, sandbox)
    differs = table[table["passed"] != [row["is_solved"] for row in rows]]
    leak = [row["entry_point"] for row in rows].index("sum")
    assert (int(table["passed"].sum()), sum(row["is_solved"] for row in rows), len(differs)) == (324, 318, 6)
    assert differs["passed"].all() and differs.index.min() > leak
    assert all("sum(" in rows[place]["solution"] for place in differs.index)


@pytest.mark.slow
@pytest.mark.long
def test_pass_rates_of_recorded_samples_are_the_published_ones(sandbox, shared_data):
    """16,400 samples of CodeGen-16B."""
    tasks = sorted(load_benchmark("humaneval"), key=lambda task: task.task_id)  # the order of the file's lines
    rows = read_lines(shared_data / "recorded" / "codet" / CODET)
    assert all(f"def {task.entry_point}(" in row["prompt"] for task, row in zip(tasks, rows, strict=True))
    samples = [
        Sample(task.task_id, number, truncate(text))
        for task, row in zip(tasks, rows, strict=True)
        for number, text in enumerate(row["samples"])
    ]
    assert len(samples) == 16_400
    seconds = verify_tasks(tasks, sandbox).seconds
    outcomes = execute_samples(tasks, samples, sandbox, solution_seconds=seconds)
    rates = pass_rates(outcomes, [1, 2, 10, 100]).set_index("k")
    measured = [round(100 * rates.loc[k, "value"], 2) for k in (1, 2, 10, 100)]
    assert measured == [22.12, 30.79, 50.38, 73.78]
