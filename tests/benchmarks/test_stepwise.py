"""What an earlier run noted of canonical solutions is taken as it was written, or refused."""

import json
from dataclasses import asdict

import pytest

from compressed_code.benchmarks import stepwise
from compressed_code.benchmarks.execution import VerifiedTasks
from compressed_code.benchmarks.stepwise import Verified
from compressed_code.benchmarks.tasks import Task

NOTE = asdict(
    Verified(
        {"x/0": 0.5},
        ["x/0"],
        {"x/1": "its solution fails"},
        {"x/2": "its solution fails"},
        ["x/0"],
        {"x/0": "an object decides"},
    )
)


def test_a_note_is_read_as_it_was_written():
    assert Verified.noted(json.loads(json.dumps(NOTE))) == Verified(**NOTE)


@pytest.mark.parametrize(
    "note",
    [
        *(None, 5, [], {}, NOTE | {"more": 1}),
        *(
            NOTE | {"seconds": {"x/0": "fast"}},
            *(NOTE | {"seconds": {"x/0": seconds}} for seconds in (10**400, -1, float("nan"))),
            NOTE | {"heavy": 7},
            NOTE | {"failing": []},
            NOTE | {"void": {"a": "b"}},
        ),
    ],
)
def test_another_note_is_refused(note):
    with pytest.raises(ValueError):
        Verified.noted(note)


@pytest.mark.parametrize(
    ("usual", "larger", "expected"),
    [
        ("sound", None, ("", "", False, 1.0)),
        ("disputed", "sound", ("", "", True, 2.0)),  # its limit was in the way
        ("disputed", "disputed", ("", "usual", False, 1.0)),
        ("disputed", "failing", ("", "usual", False, 1.0)),
        ("failing", "sound", ("", "", True, 2.0)),
        ("failing", "disputed", ("", "larger", True, 2.0)),
        ("failing", "failing", ("larger", "", False, None)),
    ],
)
def test_what_the_usual_limits_do_not_confirm_is_asked_again_with_larger_ones(
    tmp_path, monkeypatch, usual, larger, expected
):
    task = Task("t", "def f():\n", "f", "    return 1\n", "", "assert f() == 1\n")
    found = {"usual": (usual, 1.0), "larger": (larger, 2.0)}

    def verify_tasks(tasks, sandbox, store):
        if not tasks:
            return VerifiedTasks([], {}, {}, {})
        outcome, seconds = found[sandbox]
        sound = outcome in ("sound", "disputed")
        return VerifiedTasks(
            tasks if sound else [],
            {} if sound else {"t": sandbox},
            {"t": seconds} if sound else {},
            {"t": sandbox} if outcome == "disputed" else {},
        )

    monkeypatch.setattr(stepwise, "verify_tasks", verify_tasks)
    monkeypatch.setattr(stepwise, "VerdictStore", lambda directory, sandbox: None)
    monkeypatch.setattr(stepwise, "_passing", lambda tasks, sandbox: set())  # it has no extra tests
    verified = stepwise.verify([task], "usual", "larger", tmp_path)
    facts = verified.failing.get("t", ""), verified.disputed.get("t", ""), "t" in verified.heavy
    assert (*facts, verified.seconds.get("t")) == expected
