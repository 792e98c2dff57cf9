"""`score`: what a user sees."""

import argparse
import gzip
import json

import pytest

from compressed_code.benchmarks import scoring
from compressed_code.benchmarks.verdict_store import VerdictStore
from compressed_code.commands import score
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.sandbox import Verdict

TEST = "def check(candidate):\n    assert candidate(2) == {}\n"
TASKS = [
    {
        "task_id": f"t/{number}",
        "prompt": f"def times{number}(n):\n",
        "entry_point": f"times{number}",
        "canonical_solution": f"    return n * {number}\n",
        "test": TEST.format(2 * number),
    }
    for number in range(4)
]
SAMPLES = [
    {"task_id": task["task_id"], "completion": completion}
    for task in TASKS
    for completion in (task["canonical_solution"], "    return n * 3\n", "    return None * n\n", "    return (n\n")
]


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Score tasks and samples; returns what is printed."""
    monkeypatch.setitem(scoring.score.__kwdefaults__, "directory", tmp_path / "store")

    def run_command(tasks, samples, *arguments):
        files = []
        for name, rows in (("tasks", tasks), ("samples", samples)):
            files.append(tmp_path / f"{name}.jsonl")
            files[-1].write_text("".join(json.dumps(row) + "\n" for row in rows))
        parser = argparse.ArgumentParser()
        score.add_command(parser.add_subparsers())
        line = ["score", "--benchmark", str(files[0]), "--samples", str(files[1]), "--workers", "2", *arguments]
        options = parser.parse_args(line)
        try:
            options.run(options)
        except Unavailable as gap:
            pytest.skip(str(gap))
        return capsys.readouterr().out

    return run_command


def test_the_summary_holds_every_number(run, tmp_path):
    outcomes = tmp_path / "new" / "outcomes.jsonl.gz"
    arguments = ["--k", "1,2,10", "--format", "json", "--outcomes", str(outcomes)]
    summary = json.loads(run(TASKS, SAMPLES, *arguments))
    assert (summary["n_tasks"], summary["n_samples"]) == (4, 16)
    assert summary["pass@1"]["value"] == pytest.approx((3 * 0.25 + 0.5) / 4)
    assert summary["pass@2"]["value"] == pytest.approx((3 * 3 / 6 + 5 / 6) / 4)
    assert summary["pass@2"]["low"] <= summary["pass@2"]["value"] <= summary["pass@2"]["high"]
    assert summary["outcomes"] == {"passed": 5, "exception": 4, "syntax error": 4, "wrong answer": 3}
    assert summary["exceptions"] == {"TypeError": 4} and summary["syntax_valid"] == 0.75
    assert "pass@10" not in summary and list(summary["too_few_samples"]) == ["pass@10"]
    assert summary["isolation"] and summary["missing"] == [] and summary["excluded"] == {}
    rows = [json.loads(line) for line in gzip.decompress(outcomes.read_bytes()).splitlines()]
    assert [(row["task_id"], row["sample"]) for row in rows] == [(f"t/{i}", j) for i in range(4) for j in range(4)]
    assert [row["passed"] for row in rows[12:]] == [True, True, False, False]
    assert {"outcome", "seconds"} <= set(rows[0])


def test_the_answer_as_it_was_written_stays_with_its_outcome(run, tmp_path):
    raw = f"Sure:\n```python\n{SAMPLES[0]['completion']}```"
    outcomes = tmp_path / "outcomes.jsonl"
    run(TASKS[:1], [SAMPLES[0] | {"raw": raw}, SAMPLES[1]], "--outcomes", str(outcomes))
    first, second = map(json.loads, outcomes.read_text().splitlines())
    assert first["raw"] == raw and "raw" not in second


PLUS = {
    "task_id": "Mbpp/2",
    "prompt": '"""\nFind the shared elements.\nassert shared((1, 2), (2, 3)) == (2,)\n"""\n',
    "entry_point": "shared",
    "canonical_solution": "def shared(a, b):\n    return tuple(set(a) & set(b))\n",
    "contract": "  assert isinstance(a, tuple)\n",
    "base_input": [[[1, 2], [2, 3]]],
    "plus_input": [[[], [1]], [[4, 4], [4]]],
    "atol": 0,
}


def test_benchmarks_with_extra_tests_print_two_numbers(run, tmp_path):
    texts = [PLUS["canonical_solution"], "def shared(a, b):\n    return tuple(x for x in a if x in b)\n"]
    samples = [{"task_id": "Mbpp/2", "solution": text} for text in texts]
    outcomes = tmp_path / "outcomes.jsonl"
    text = run([PLUS], samples, "--k", "1", "--outcomes", str(outcomes))
    base, extra = text.index("base tests\npass@1     1.0000"), text.index("base + extra tests\npass@1     0.5000")
    assert base < extra
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert [row["passed"] for row in rows] == [True, True]
    assert [row["extra"]["outcome"] for row in rows] == ["passed", "wrong answer"]


def test_no_verdict_is_taken_from_what_was_measured_before(run, monkeypatch):
    """Other people's programs are judged anew each time, whatever lies among the results."""
    written = {sample["completion"] for sample in SAMPLES}

    def every_sample_passes(_, trials):
        samples = [trial for trial in trials if any(trial.program.endswith(text) for text in written)]
        return dict.fromkeys(samples, Verdict("passed", "", 0.0, 0.0))

    monkeypatch.setattr(VerdictStore, "known", every_sample_passes)
    assert json.loads(run(TASKS, SAMPLES, "--format", "json"))["outcomes"]["wrong answer"] == 3


def test_the_table_says_the_same(run):
    text = run(TASKS, SAMPLES, "--k", "1,10")
    assert "16 samples of 4 tasks" in text and "pass@1     0.3125" in text
    assert "pass@10    left out: 4 tasks have too few samples (t/0, t/1, t/2, t/3)" in text
    assert "5  passed" in text and "4    TypeError" in text


def test_disputed_samples_are_named_with_their_reason(run):
    """The first sample makes itself equal to everything, which only the plain run believes."""
    forged = "    return type('Any', (int,), {'__eq__': lambda self, other: True})(0)\n"
    samples = [{"task_id": TASKS[0]["task_id"], "completion": "    return n * 0\n"}]
    samples += [{"task_id": task["task_id"], "completion": forged} for task in TASKS[1:]]
    summary = json.loads(run(TASKS, samples, "--k", "1", "--format", "json"))
    assert (summary["pass@1"]["value"], summary["pass@1"]["upper"]) == (0.25, 1.0)
    assert summary["outcomes"] == {"disputed": 3, "passed": 1} and summary["plain"] == summary["disputed_tasks"] == {}
    reasons = {(row["task_id"], row["reason"]) for row in summary["disputed"]}
    assert reasons == {(f"t/{number}", "wrong answer AssertionError") for number in (1, 2, 3)}
    text = run(TASKS, samples, "--k", "1")
    assert "pass@1     0.2500" in text and "1.0000 with the disputed" in text
    assert "disputed, since they pass in one process" in text and "t/1 #0: wrong answer AssertionError" in text


def test_tasks_that_cannot_be_judged_apart_have_a_line_of_their_own(run):
    """The test writes a file that the program reads: two processes that share no folder cannot do that."""
    files = TASKS[3] | {
        "canonical_solution": "    return int(open('three').read()) * n\n",
        "test": "def check(candidate):\n    open('three', 'w').write('3')\n    assert candidate(2) == 6\n",
    }
    samples = [*SAMPLES[:12], {"task_id": "t/3", "completion": files["canonical_solution"]}]
    summary = json.loads(run([*TASKS[:3], files], samples, "--k", "1", "--format", "json"))
    assert summary["excluded"] == {} and list(summary["disputed_tasks"]) == ["t/3"]
    assert summary["plain"] == {"pass@1": 1.0} and summary["pass@1"]["value"] == pytest.approx(0.25)
    text = run([*TASKS[:3], files], samples, "--k", "1")
    assert "of 1 tasks only the plain run counts, which can be forged: pass@1 1.0000 (t/3: " in text


def test_nothing_that_a_terminal_would_act_upon_is_printed(run):
    odd = [task | {"task_id": f"\x1b[31m{task['task_id']}\r"} for task in TASKS[:2]]
    samples = [{"task_id": odd[0]["task_id"], "completion": "    return n * 0\n"}]
    text = run(odd, samples, "--k", "1", "--partial")
    assert "\x1b" not in text and "\r" not in text and "\\x1b[31mt/1\\r" in text


def test_tasks_without_samples_are_an_error_unless_a_part_is_wanted(run):
    with pytest.raises(InputError, match=r"2 of 4 tasks have no sample \(t/2, t/3\); .* --partial"):
        run(TASKS, SAMPLES[:8])
    summary = json.loads(run(TASKS, SAMPLES[:8], "--partial", "--format", "json"))
    assert summary["n_tasks"] == 2 and summary["missing"] == ["t/2", "t/3"]
    assert "2 tasks have no sample and do not count: t/2, t/3" in run(TASKS, SAMPLES[:8], "--partial")


def test_a_task_whose_canonical_solution_fails_is_excluded_by_name(run):
    broken = [*TASKS[:3], TASKS[3] | {"canonical_solution": "    return 0\n"}]
    summary = json.loads(run(broken, SAMPLES, "--format", "json"))
    assert summary["n_tasks"] == 3 and list(summary["excluded"]) == ["t/3"]
    assert "excluded, since they cannot be scored here: t/3: its solution fails (wrong answer)" in run(broken, SAMPLES)
    nothing = [task | {"canonical_solution": "    return -1\n"} for task in TASKS]
    with pytest.raises(InputError, match="none of its tasks can be scored here"):
        run(nothing, SAMPLES)


def test_a_place_that_cannot_be_written_is_named_before_the_work(run, tmp_path):
    with pytest.raises(InputError, match="no file can be written there"):
        run(TASKS, SAMPLES, "--outcomes", str(tmp_path))
    with pytest.raises(InputError, match="no file can be written there"):
        run(TASKS, SAMPLES, "--outcomes", "/dev/null")


@pytest.mark.parametrize("name", ["samples.jsonl", "tasks.jsonl", "samples.jsonl.gz"])
def test_the_outcomes_cannot_take_the_place_of_what_is_scored(run, tmp_path, name):
    with pytest.raises(InputError, match=f"{name.removesuffix('.gz')}: .* would be lost; .* --outcomes"):
        run(TASKS, SAMPLES, "--outcomes", str(tmp_path / name))
    assert len((tmp_path / "samples.jsonl").read_text().splitlines()) == len(SAMPLES)


@pytest.mark.parametrize("arguments", [["--k", "0"], ["--k", "1,x"], ["--k", ""], ["--workers", "0"]])
def test_numbers_that_are_none_are_refused(run, arguments):
    with pytest.raises(SystemExit):
        run(TASKS, SAMPLES, *arguments)


def test_what_turned_since_another_model_is_counted_and_drawn(run, tmp_path):
    """Both files have one sample a task: the first passes 0 to 2, the second 1 to 3."""
    right = {task["task_id"]: task["canonical_solution"] for task in TASKS}

    def samples(passed: range) -> list[dict]:
        wrong = "    return None\n"
        return [{"task_id": name, "completion": right[name] if i in passed else wrong} for i, name in enumerate(right)]

    before, figure = tmp_path / "before.jsonl", tmp_path / "turned.svg"
    before.write_text("".join(json.dumps(row) + "\n" for row in samples(range(3))))
    arguments = ["--against", str(before), "--figure", str(figure)]
    assert f"against {before}: 1 lost and 1 gained of 4 samples, exact McNemar p = 1" in run(
        TASKS, samples(range(1, 4)), *arguments
    )
    drawn = figure.read_text()
    assert "From before.jsonl to samples.jsonl: 2 kept, 1 lost, 1 gained, 0 neither." in drawn
    found = json.loads(run(TASKS, samples(range(1, 4)), "--against", str(before), "--format", "json"))["against"]
    assert {name: found[name] for name in ("kept", "lost", "gained", "neither")} == {
        "kept": 2, "lost": 1, "gained": 1, "neither": 0
    }  # fmt: skip
    with pytest.raises(InputError, match=r"holds other samples than"):
        run(TASKS, SAMPLES, "--against", str(before))
    with pytest.raises(InputError, match=r"is the file of --samples"):
        run(TASKS, SAMPLES, "--against", str(tmp_path / "samples.jsonl"))
