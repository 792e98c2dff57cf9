"""Verdicts that are kept: a run that finds them gives what a run without them gives."""

from dataclasses import replace

import pandas as pd
import pytest

from compressed_code.benchmarks import verdict_store
from compressed_code.benchmarks.execution import execute_samples, verify_tasks
from compressed_code.benchmarks.samples import Sample
from compressed_code.benchmarks.tasks import Task
from compressed_code.benchmarks.verdict_store import FOLDER, VerdictStore
from compressed_code.core.errors import Unavailable
from compressed_code.core.table_store import write_table
from compressed_code.sandbox import Limits, Sandbox, Trial, Verdict

TASK = Task(
    "t/0",
    'def double(n):\n    """Return twice n."""\n',
    "double",
    "    return 2 * n\n",
    "",
    "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate('a') == 'aa'\n",
)
SETTLED = ["    return 2 * n\n", "    return n\n", "    return m\n", "    return (n\n", "    return '\udcff'\n"]
UNSETTLED = ["    while True: pass\n", "    import os; os._exit(1)\n"]
SAMPLES = [Sample("t/0", number, text) for number, text in enumerate([*SETTLED, *UNSETTLED, *SETTLED])]
TRIAL = Trial("program", "setup", "test", "entry")
PASSED = Verdict("passed", "", 0.01, 0.02)


@pytest.fixture(scope="module")
def sandbox():
    try:
        with Sandbox(workers=1) as opened:
            yield opened
    except Unavailable as gap:
        pytest.skip(str(gap))


@pytest.fixture
def judged(sandbox, monkeypatch):
    """The trials that really ran."""
    trials = []

    def counting(given):
        trials.extend(given)
        return Sandbox.judge(sandbox, given)

    monkeypatch.setattr(sandbox, "judge", counting)
    return trials


def results(table):
    """What does not depend on the time a program took."""
    return table.drop(columns="seconds").to_dict("records")


def test_a_run_that_finds_verdicts_gives_what_a_run_without_them_gives(sandbox, judged, tmp_path):
    quick = {"t/0": 0.001}  # what runs until its limit has the least that a program is granted
    alone = results(execute_samples([TASK], SAMPLES, sandbox, solution_seconds=quick))
    assert {row["outcome"] for row in alone} == {
        "passed", "wrong answer", "exception", "syntax error", "timeout", "crashed",
    }  # fmt: skip
    for number, expected in enumerate([[*SETTLED, *UNSETTLED], UNSETTLED, UNSETTLED]):
        judged.clear()
        store = VerdictStore(tmp_path, sandbox)
        share = {"t/0": 0.03} if number == 2 else quick  # another share of the limits
        assert results(execute_samples([TASK], SAMPLES, sandbox, store=store, solution_seconds=share)) == alone
        assert [trial.program for trial in judged] == [TASK.prompt + text for text in expected]


def test_canonical_solutions_are_found_again_too(sandbox, judged, tmp_path):
    broken = replace(TASK, task_id="t/1", canonical_solution="    return None + n\n")
    first = verify_tasks([TASK, broken], sandbox, VerdictStore(tmp_path, sandbox))
    judged.clear()
    assert verify_tasks([TASK, broken], sandbox, VerdictStore(tmp_path, sandbox)) == first
    assert first.failing == {"t/1": "its solution fails (TypeError)"} and judged == []


@pytest.mark.parametrize(
    "changed", [{"prompt": "def double(n):\n"}, {"setup": "SIX = 6\n"}, {"test": "assert double(2) == 4\n"}]
)
def test_another_task_is_judged_anew(sandbox, judged, tmp_path, changed):
    for task in (TASK, replace(TASK, **changed)):
        judged.clear()
        table = execute_samples([task], SAMPLES[:2], sandbox, store=VerdictStore(tmp_path, sandbox))
        assert table["passed"].tolist() == [True, False] and len(judged) == 2


class Described:
    """What a store wants to know of a sandbox."""

    def __init__(self, limits=Limits(), packages=(), isolation="bubblewrap"):  # noqa: B008 frozen
        self.limits, self.packages, self.isolation = limits, packages, isolation


@pytest.mark.parametrize(
    "other",
    [
        Described(limits=Limits(memory_bytes=1 << 28)),
        Described(limits=Limits(cpu_seconds=2.0)),
        Described(packages=("numpy",)),
        Described(isolation="namespaces"),
    ],
)
def test_verdicts_of_another_sandbox_are_not_taken(tmp_path, other):
    VerdictStore(tmp_path, Described()).keep({TRIAL: PASSED})
    assert VerdictStore(tmp_path, Described()).known([TRIAL]) == {TRIAL: PASSED}
    assert VerdictStore(tmp_path, other).known([TRIAL]) == {}


def test_verdicts_of_another_judge_are_not_taken(tmp_path, monkeypatch):
    VerdictStore(tmp_path, Described()).keep({TRIAL: PASSED})
    monkeypatch.setattr(verdict_store, "judge_source", lambda: "an edited module")
    assert VerdictStore(tmp_path, Described()).known([TRIAL]) == {}


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"anything": [1]}),
        pd.DataFrame([["t", "passed", "", 0.1, 0.1]], columns=["outcome", "trial", "exception", "cpu", "wall"]),
        *(
            pd.DataFrame(rows, columns=verdict_store._COLUMNS)
            for rows in (
                [["t", "forged", "", 0.1, 0.1]],
                [["t", ["passed"], "", 0.1, 0.1]],
                [[["t"], "passed", "", 0.1, 0.1]],
                [["t", "exception", "\x1b[2J", 0.1, 0.1]],
                [["t", "exception", None, 0.1, 0.1]],
                [["t", "passed", "", "fast", 0.1]],
                [["t", "passed", "", float("nan"), 0.1]],
                [["t", "passed", "", 0.1, -1.0]],
                [["t", "wrong answer", "", 0.1, 0.1], ["t", "passed", "", 0.1, 0.1]],
            )
        ),
    ],
)
def test_a_table_of_something_else_is_removed(tmp_path, capsys, table):
    """Under the right name, with the right provenance and a digest of its own."""
    store = VerdictStore(tmp_path, Described())
    write_table(tmp_path, FOLDER, store._key, table, store._judge)
    assert store.known([TRIAL]) == {}
    assert "measuring again" in capsys.readouterr().err and not list((tmp_path / FOLDER).iterdir())
    store.keep({TRIAL: PASSED})
    assert store.known([TRIAL]) == {TRIAL: PASSED}


@pytest.mark.parametrize("field", ["limits", "packages", "isolation", "source", "python"])
def test_verdicts_whose_provenance_is_another_are_not_taken(tmp_path, capsys, field):
    """They stand under the right name, as a copied or edited file may."""
    store = VerdictStore(tmp_path, Described())
    store._judge[field] = ["another"]
    store.keep({TRIAL: PASSED})
    assert VerdictStore(tmp_path, Described()).known([TRIAL]) == {}
    assert "is another table" in capsys.readouterr().err and not list((tmp_path / FOLDER).iterdir())


@pytest.mark.parametrize("part", ["program", "setup", "test", "entry_point"])
def test_every_part_of_a_trial_decides_its_key(tmp_path, part):
    store = VerdictStore(tmp_path, Described())
    store.keep({TRIAL: PASSED})
    assert store.known([replace(TRIAL, **{part: "another"}), replace(TRIAL, share=0.1)]) == {
        replace(TRIAL, share=0.1): PASSED
    }


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("timeout", "", 0.1, 0.1),
        Verdict("memory", "", 0.1, 0.1),
        Verdict("output", "", 0.1, 0.1),
        Verdict("crashed", "", 0.0, 0.0),
        Verdict("passed", "", 0.4, 0.4),  # with a sixth of the limit it could as well have been too late
        Verdict("exception", "TimeoutError", 0.1, 9.0),
    ],
)
def test_what_another_run_may_find_otherwise_is_not_kept(tmp_path, verdict):
    store = VerdictStore(tmp_path, Described())
    store.keep({TRIAL: verdict})
    assert store.known([TRIAL]) == {}


def test_several_writers_add_up(tmp_path):
    trials = [replace(TRIAL, program=str(number)) for number in range(6)]
    first, second = (VerdictStore(tmp_path, Described()) for _ in range(2))
    first.keep(dict.fromkeys(trials[:4], PASSED))
    second.keep(dict.fromkeys(trials[2:], PASSED))  # what another process found at the same time
    assert set(first.known(trials)) == set(second.known(trials)) == set(trials)


def test_a_damaged_table_is_removed_and_its_programs_run_again(sandbox, judged, tmp_path):
    expected = results(execute_samples([TASK], SAMPLES[:4], sandbox, store=VerdictStore(tmp_path, sandbox)))
    (file,) = (tmp_path / FOLDER).iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    verdict_store._verdicts.cache_clear()  # as in another process
    judged.clear()
    assert results(execute_samples([TASK], SAMPLES[:4], sandbox, store=VerdictStore(tmp_path, sandbox))) == expected
    assert len(judged) == 4 and len(list((tmp_path / FOLDER).iterdir())) == 1


def test_a_place_that_cannot_be_written_costs_no_verdict(sandbox, tmp_path):
    (tmp_path / "file").write_text("")
    store = VerdictStore(tmp_path / "file", sandbox)
    assert execute_samples([TASK], SAMPLES[:2], sandbox, store=store)["passed"].tolist() == [True, False]
