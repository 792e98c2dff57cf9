"""What a program uses is counted whoever does the work, and what the machine takes from it is not."""

import os
import time

import pytest
from tests.busy_processor import busy_processor

from compressed_code.sandbox import Limits, Sandbox, Trial
from compressed_code.sandbox.inside import watch
from compressed_code.sandbox.inside.processes import CONTENTION, Running, Usage
from compressed_code.sandbox.inside.turn import Turn
from working_isolators import working_isolators

TEST = "assert f() == 1\n"
SLEEPER = "import time\ntime.sleep(9)\ndef f(): return 1\n"
SLEEPS = {
    "by itself": "time.sleep({})",
    "waiting for a thread": "threading.Event().wait({})",
    "waiting for a descriptor": "select.select([], [], [], {})",
    "waiting for a child": "_ = os.wait() if os.fork() else os._exit(time.sleep({}) or 0)",
}
# Children of which nobody learns when they end; each works for a tenth of a second.
UNNOTICED = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range({children}):
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.1: pass
        os._exit(0)
    try:
        os.waitpid(child, 0)
    except OSError:
        pass
def f(): return 1
"""


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def isolation(request):
    if request.param not in working_isolators():
        pytest.skip(f"{request.param} does not work on this machine")
    return request.param


def judge(isolation, program, stages=("plain",), **limits):
    with Sandbox(isolation, workers=1, limits=Limits(**limits)) as opened:
        (found,) = opened.judge([Trial(program, "", TEST, "f")], stages)
    return found


@pytest.mark.parametrize("stages", [("plain",), ("apart",)])
def test_the_work_of_children_that_nobody_waits_for_counts(isolation, stages):
    found = judge(isolation, UNNOTICED.format(children=4), stages)
    assert found.outcome == "passed" and found.cpu_seconds >= 0.4
    assert judge(isolation, UNNOTICED.format(children=20), stages, cpu_seconds=0.5).outcome == "timeout"


@pytest.mark.parametrize("seconds", [0.5, 3.0, 60.0])
def test_the_kernels_own_limit_is_far_behind_the_servers(isolation, seconds):
    """A kill by the kernel is taken for one for lack of memory, and it counts a tenth too much on a busy machine."""
    program = "import resource\ndef f(): return resource.getrlimit(resource.RLIMIT_CPU)\n"
    least = 1.9 * CONTENTION * seconds
    with Sandbox(isolation, workers=1, limits=Limits(cpu_seconds=seconds)) as opened:
        (found,) = opened.judge([Trial(program, "", f"assert {least} < min(f()) == max(f()) < 99 + 2 * {least}", "f")])
    assert found.outcome == "passed"


def test_sleeping_counts_as_working_does(isolation):
    found = judge(isolation, SLEEPER, cpu_seconds=0.5)
    assert found.outcome == "timeout" and found.cpu_seconds < 0.5
    assert judge(isolation, "import time\ntime.sleep(0.6)\ndef f(): return 1\n", cpu_seconds=6.0).outcome == "passed"


@pytest.mark.parametrize("stages", [("plain",), ("apart",)])
@pytest.mark.parametrize("sleep", SLEEPS)
def test_what_sleeps_longer_than_its_limit_is_ended_in_either_verdict(isolation, sleep, stages):
    """Whatever it sleeps by, and whether it is loaded or called, each for less than the limit."""
    for seconds, outcome in ((0.9, "timeout"), (0.1, "passed")):
        line = SLEEPS[sleep].format(seconds)
        program = f"import os, select, threading, time\n{line}\ndef f():\n    {line}\n    return 1\n"
        assert judge(isolation, program, stages, cpu_seconds=1.0).outcome == outcome


def test_the_work_of_its_judge_is_no_sleep_of_the_program(isolation):
    test = "import time\nwhile time.process_time() < 1.2: pass\nassert f() == 1\n"
    with Sandbox(isolation, workers=1, limits=Limits(cpu_seconds=1.0)) as opened:
        (found,) = opened.judge([Trial("def f(): return 1\n", "", test, "f")], ("apart",))
    assert found.outcome == "passed"


def test_sleepers_sleep_side_by_side():
    """They are timed out at their own limit and are not repeated: each of them costs that, and no more."""
    if not working_isolators():
        pytest.skip("nothing isolates programs here")
    with Sandbox(workers=4, limits=Limits(cpu_seconds=1.0)) as opened:
        found = list(opened.judge([Trial(SLEEPER, "", TEST, "f")] * 8))
    assert [each.outcome for each in found] == ["timeout"] * 8
    assert all(each.wall_seconds >= 1.0 for each in found)


def test_a_busy_machine_takes_no_time_from_a_program(isolation):
    """Three processes of the same program share one processor: each waits for two thirds of the time."""
    own = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, own[:1])
    try:
        with Sandbox(isolation, workers=3, limits=Limits(cpu_seconds=3.0)) as opened:
            work = "import time\nwhile time.process_time() < 1.2: pass\ndef f(): return 1\n"
            started = time.monotonic()
            found = list(opened.judge([Trial(work, "", TEST, "f")] * 3, ("plain",)))
            wall = time.monotonic() - started
    finally:
        os.sched_setaffinity(0, own)
    assert [each.outcome for each in found] == ["passed"] * 3
    assert wall > 3.0  # longer than the limit of each


def test_time_in_which_several_processes_wait_passes_once():
    """Else a program whose children wait for each other could sleep for as long as all of them together."""
    running = Running(0)
    running.start -= 100.0
    running.note(Usage(0.0, dict.fromkeys(range(15), 20.0), 0))
    assert 79.9 < running.own_seconds() < 90.0
    running.note(Usage(0.0, dict.fromkeys(range(15), 20.0), 0))  # none waited since
    running.note(Usage(0.0, dict.fromkeys(range(15, 30), 30.0), 0))  # others did, also before the first look
    assert 69.9 < running.own_seconds() < 80.0
    running.note(Usage(0.0, {30: 1e9}, 0))  # longer than there was
    assert running.own_seconds() < 10.0


def test_all_that_one_process_waited_counts():
    """When it waited between two looks is not known, so that such times may seem to be the same."""
    running = Running(0)
    running.start -= 100.0
    for seconds in (10.0, 30.0, 50.0):
        running.note(Usage(0.0, {1: seconds}, 0))
    assert 49.9 < running.own_seconds() < 60.0 and running.slept_seconds < 60.0


@pytest.mark.parametrize(("worked", "waited"), [(5, True), (6, False)])
def test_what_is_ready_and_did_not_work_has_waited_since_the_last_look(worked, waited):
    running = Running(0)
    running.start -= 10.0
    running.note(Usage(0.0, {1: 0.0}, 0, {1: 5}))
    running.noted -= 4.0
    running.note(Usage(0.0, {1: 0.0}, 0, {1: worked}))
    stalled = sum(end - begin for begin, end in running.stalls)
    assert stalled >= 4.0 if waited else stalled == 0.0
    assert running.slept_seconds == pytest.approx(running.noted - running.start - stalled)  # the last stall included


def test_what_is_not_its_turn_is_no_sleep(tmp_path):
    with (tmp_path / "turn").open("w+b") as file:
        turn = Turn(file.fileno())
        turn.write(2.0)  # before it was there
        running = Running(0, turn=turn)
        running.start -= 1000.0
        turn.write(5.0)
        running.note(Usage(0.5, {}, 0))
    assert running.slept_seconds == pytest.approx(2.5) and running.others_seconds > 900.0


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(("plain",), marks=pytest.mark.long),
        pytest.param(("apart",), marks=pytest.mark.long),
        ("plain", "apart"),
    ],
)
def test_a_starved_machine_changes_no_verdict(isolation, stages):
    """With a quarter of a processor the program needs more wall time than its limit, and so does its judge."""
    program = "def f():\n    import time\n    while time.process_time() < 0.6: pass\n    return 1\n"
    with busy_processor():
        assert judge(isolation, program, stages, wall_seconds=1.5).outcome == "passed"


def test_a_sleeper_gains_no_time_from_a_starved_machine(isolation):
    with busy_processor():
        found = judge(isolation, SLEEPER, ("plain", "apart"), cpu_seconds=0.5, wall_seconds=1.0)
    assert found.outcome == "timeout" and found.wall_seconds < 9


def test_memory_on_the_swap_counts(tmp_path):
    """A program can send its pages there (MADV_PAGEOUT), and then has more than is in memory."""
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text(f"7 (a) S 1 {'0 ' * 9}1 1 0 0 0 0 1 0")
    (folder / "status").write_text("Name:\ta\nVmRSS:\t    1000 kB\nVmPTE:\t      20 kB\nVmSwap:\t    3000 kB\n")
    proc = os.open(tmp_path, os.O_RDONLY)
    try:
        assert watch.tree_usage(proc, 1, waits=False).resident == 4020 * 1024
    finally:
        os.close(proc)


def test_every_thread_waits_for_itself(tmp_path):
    """As one process 14 threads that wait for each other had waited 14 times as long, and a program could sleep so long
    beyond its limit: 27 s where a second was allowed."""
    for place in ("7", "7/task/7", "7/task/8", "7/task/9"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        state = "R" if place.endswith("8") else "S"
        (tmp_path / place / "stat").write_text(f"7 (a) {state} 1 {'0 ' * 9}1 1 0 0 0 0 3 0")
        (tmp_path / place / "status").write_text("VmRSS:\t 1000 kB\n")
        (tmp_path / place / "schedstat").write_text("5000 2000000000 3\n")
    proc = os.open(tmp_path, os.O_RDONLY)
    try:
        used = watch.tree_usage(proc, 1)
    finally:
        os.close(proc)
    assert used.waiting_seconds == {7: 2.0, 8: 2.0, 9: 2.0} and used.ready == {8: 5000}
