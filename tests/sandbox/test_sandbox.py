"""Verdicts of the sandbox on programs whose verdict is known, with every isolator of this machine and with none."""

import os
import re
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.sandbox import STAGES, Limits, Sandbox, Trial, Verdict, available_isolators, isolators, jail
from compressed_code.sandbox.inside import syscall_filter
from compressed_code.sandbox.inside.accepted import PASSED_PLAIN
from compressed_code.sandbox.jail import Dead, Jail
from compressed_code.sandbox.series import Series
from compressed_code.sandbox.worker import Assignment, Result, Worker
from working_isolators import working_isolators

LIMITS = Limits(cpu_seconds=1.0, wall_seconds=20.0)
GOOD = Trial("def two():\n    return 2\n", "", "assert two() == 2\n", "two")
BAD = Trial("def two():\n    return 3\n", "", "assert two() == 2\n", "two")


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces", "none"])
def opened(request):
    if request.param != "none" and request.param not in working_isolators():
        pytest.skip(f"{request.param} does not work on this machine")
    with Sandbox(request.param, workers=2, limits=LIMITS) as opened:
        assert opened.isolation == request.param
        yield opened


def verdict(opened, program, test, entry_point="f", setup="", stages=("apart",), share=1.0):
    (found,) = opened.judge([Trial(program, setup, test, entry_point, share)], stages)
    return found.outcome, found.exception


def passes(opened, program, test, **more):
    assert verdict(opened, program, test, **more) == ("passed", "")


# Looks through the frames of its server, whose names are those of its process, for what became of a run.
LOOKS_FOR_RUNS = """
import sys

def runs():
    frame, found = sys._getframe(), []
    while frame:
        found += [name for name, value in frame.f_locals.items() if type(value) is dict and "own_seconds" in value]
        frame = frame.f_back
    return found

found = runs()
def f(): return found
"""


def test_nothing_of_the_plain_run_is_in_the_memory_of_the_judged_one(opened, monkeypatch):
    """Else a program could learn its test in the one and tell the other, by how long the former took."""
    if opened.isolation == "none":
        pytest.skip("protects nothing")
    monkeypatch.setattr("compressed_code.sandbox.series.has_senses", lambda program: False)  # plain comes first
    trials = [Trial(LOOKS_FOR_RUNS, "", f"assert f() == [], {number}\n", "f") for number in range(4)]
    assert [found.outcome for found in opened.judge(trials)] == ["passed"] * 4


def test_a_program_whose_test_hands_it_a_clock_is_judged_first(opened, monkeypatch):
    stages, send = [], Worker.send
    monkeypatch.setattr(Worker, "send", lambda self, task: stages.append(tuple(task.stages)) or send(self, task))
    test = "import datetime\nassert f(datetime.datetime(2024, 1, 1)) == 2024\n"
    trial = Trial("def f(day): return day.year\n", "", test, "f")
    assert [found.outcome for found in opened.judge([trial, GOOD])] == ["passed"] * 2
    assert stages == [("apart",), STAGES, ("plain",)]


@pytest.mark.parametrize(
    ("program", "outcome", "exception"),
    [
        ("def f(x):\n    return x + 1\n", "passed", ""),
        ("def f(x):\n    return x\n", "wrong answer", "AssertionError"),
        ("def f(x):\n    return None\n", "wrong answer", "AssertionError"),
        ("def f(x):\n    return y\n", "exception", "NameError"),
        ("def g(x):\n    return x + 1\n", "exception", "NameError"),
        ("f = 3\n", "exception", "TypeError"),
        ("def f():\n    return 2\n", "exception", "TypeError"),
        ("def f(x):\n    assert x > 9\n", "exception", "AssertionError"),
        ("class Odd(ValueError): pass\ndef f(x):\n    raise Odd('x')\n", "exception", "Odd"),
        ("import missing_package\n", "exception", "ModuleNotFoundError"),
        ("def f(x):\nreturn x\n", "syntax error", "IndentationError"),
        ("def f(x:\n", "syntax error", "SyntaxError"),
        ("def f(x):\n    while True: pass\n", "timeout", ""),
        ("def f(x):\n    return [0] * 10**11\n", "memory", "MemoryError"),
        ("def f(x):\n    while True: print('x' * 10**5)\n", "timeout", ""),
        ("import os\ndef f(x):\n    os._exit(0)\n", "crashed", ""),
        ("import os\ndef f(x):\n    os.abort()\n", "crashed", ""),
        ("def f(x):\n    return f(x)\n", "exception", "RecursionError"),
    ],
)
@pytest.mark.parametrize("stages", [STAGES, ("apart",)])
def test_outcomes(opened, program, outcome, exception, stages):
    test = "def check(candidate):\n    assert candidate(1) == 2\n"
    share = 0.2 if outcome == "timeout" else 1.0  # of what runs until its limit
    assert verdict(opened, program, test, stages=stages, share=share) == (outcome, exception)


def test_an_answer_that_is_too_large_is_said(opened):
    assert verdict(opened, "def f():\n    return 'x' * 10**7\n", "assert f() == 2\n") == ("output", "")


def test_programs_of_the_demonstration_kind_do_not_run_their_demonstration(opened):
    passes(opened, "def f():\n    return 1\nif __name__ == '__main__':\n    input()\n", "assert f() == 1\n")


@pytest.mark.parametrize("isolation", ["bubblewrap", "namespaces", "none"])
def test_packages_that_are_named_can_be_imported_and_no_others(isolation):
    if isolation != "none" and isolation not in working_isolators():
        pytest.skip(f"{isolation} does not work on this machine")
    # Loaded once, not for every program: it is there before the program asks for it.
    program = "import sys\nassert 'numpy' in sys.modules\n"
    program += "import numpy as np\ndef mean(items):\n    return float(np.mean(items))\n"
    test = "import numpy as np\ndef check(candidate):\n    assert np.allclose(candidate([1, 2]), np.float64(1.5))\n"
    other = "def mean(items):\n    import pandas\n    return 1.5\n"
    with Sandbox(isolation, workers=1, limits=LIMITS, packages=["numpy"]) as opened:
        found = list(opened.judge([Trial(program, "", test, "mean"), Trial(other, "", test, "mean")]))
    assert found[0].passed
    if isolation != "none":  # without a jail the whole folder of packages is in reach
        assert (found[1].outcome, found[1].exception) == ("exception", "ModuleNotFoundError")


NUMPY_ANSWERS = """
import numpy as np
items = np.array([1, 2, 3])
ANSWERS = {
    "sum": items.sum(), "mean": items.mean(), "all": (items > 0).all(), "small": np.float32(0.1),
    "list": list(2 * items), "array": 2.0 * items, "matrix": np.arange(6, dtype=np.int8).reshape(2, 3),
    "text": np.array(["a", "bc"]), "nothing": np.zeros(0), "objects": np.array([None]),
}
def answer(kind):
    return ANSWERS[kind]
"""


@pytest.mark.parametrize(
    "test",
    [
        "assert answer('sum') == 6 and abs(answer('sum') - 6) < 1e-6",
        "assert answer('all') == True and bool(answer('all')) is True",
        "assert answer('list') == [2, 4, 6] and isinstance(answer('mean'), float)",
        "import numpy as np\nassert np.allclose(answer('array'), [2, 4, 6]) and answer('array').dtype == np.float64",
        "import numpy as np\nassert answer('small') == np.float32(0.1) and answer('small').dtype == np.float32",
        "assert answer('matrix').tolist() == [[0, 1, 2], [3, 4, 5]] and answer('matrix').dtype == 'int8'",
        "assert answer('text').tolist() == ['a', 'bc'] and answer('nothing').shape == (0,)",
        "answer('array')[0] = 5",
        "assert (answer('objects') == [None]) is False",  # not plain data: equal to nothing
    ],
)
def test_values_of_numpy_arrive_as_they_were(test):
    with Sandbox("none", workers=1, limits=LIMITS, packages=["numpy"]) as opened:
        passes(opened, NUMPY_ANSWERS, test, entry_point="answer")


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(InputError, match="no_such_package: no such package is installed here"):
        Sandbox(workers=1, packages=["no_such_package"])


VALUES = """
import collections, decimal, fractions, math
Point = collections.namedtuple("Point", "x y")
class Mine(list): pass
def f(number):
    return [
        None, True, 2**100, -(2**63), 0.1, -0.0, float("inf"), 1 + 2j, "a\\ud800é", b"\\0", bytearray(b"x"),
        range(3, 0, -1),
        (1, (2,)), {1: {2}}, frozenset([3]), collections.deque([1]), fractions.Fraction(1, 3), decimal.Decimal("1.10"),
        Point(1, 2), collections.Counter("aa"), collections.OrderedDict(a=1), Mine([1]), {1: 2}.keys(), {1: 2}.items(),
    ][number]
def nan(): return math.nan
def bad(x): raise KeyError(x)
def squares(): return (n * n for n in range(4))
def count():
    while True: yield 1
def add(*parts, to=0): return sum(parts, to)
class Node:
    size = 7
    def __init__(self, value): self.value, self.next = value, None
    def total(self): return self.value + (self.next.total() if self.next else 0)
    def __len__(self): return 3
    def __getitem__(self, key): return key * 2
"""
EXPECTED = (
    *("None", "True", "2**100", "-(2**63)", "0.1", "-0.0", "float('inf')", "1 + 2j", "'a\\ud800é'", "b'\\0'"),
    *("bytearray(b'x')", "range(3, 0, -1)", "(1, (2,))", "{1: {2}}", "frozenset([3])", "deque([1])", "Fraction(1, 3)"),
    *("Decimal('1.10')", "(1, 2)", "{'a': 2}", "{'a': 1}", "[1]", "{1}", "{(1, 2)}"),
)


def test_plain_data_arrives_as_it_was(opened):
    imports = "from collections import deque\nfrom decimal import Decimal\nfrom fractions import Fraction\n"
    lines = [f"assert f({number}) == {value}" for number, value in enumerate(EXPECTED)]
    lines += ["assert str(f(5)) == '-0.0'", "assert type(f(1)) is bool", "assert nan() != nan() and abs(nan()) != 0"]
    passes(opened, VALUES, imports + "\n".join(lines))


@pytest.mark.parametrize(
    "test",
    [
        "assert add(1, 2, to=3) == 6",
        "assert list(squares()) == [0, 1, 4, 9] and max(squares()) == 9 and next(count()) == 1",
        "try:\n    bad(1)\n    assert False\nexcept KeyError as error:\n    assert error.args == (1,)",
        "a, b = Node(1), Node(2)\na.next = b\nassert a.total() == 3 and a.next.value == 2 and Node.size == 7",
        "n = Node(5)\nassert len(n) == 3 and n[4] == 8 and n and n.value == 5",
        "assert math.isclose(add(0.1, 0.2), 0.3)",  # a module that the program imported
        "assert Node(1) != Node(1) and not Node(1) == Node(1) and add is not None",
        "assert [add(n) for n in range(3)] == [0, 1, 2] and sorted(map(add, [2, 1])) == [1, 2]",
    ],
)
def test_tests_use_the_programs_names_as_if_it_ran_here(opened, test):
    passes(opened, VALUES, test)


def test_arguments_changed_in_place_are_seen(opened):
    program = """
def f(numbers, table, seen, nested):
    numbers.sort(); table["b"] = 2; del table["a"]; seen.add(3); nested[0].append(1)
"""
    test = """
numbers, inner = [3, 1, 2], []
table, seen, nested = {"a": 1}, {1}, (inner, 5)
same = numbers
assert f(numbers, table, seen, nested) is None
assert same == [1, 2, 3] and table == {"b": 2} and seen == {1, 3} and inner == [1]
"""
    passes(opened, program, test)


def test_names_are_the_trusted_ones_first(opened):
    setup = "def helper(x):\n    return x + 1\ndef f(x):\n    '''Only the head of the task.'''\n"
    program = "def helper(x): return 100\ndef abs(x): return 0\ndef sum(a, b): return 9\ndef f(x): return x\n"
    passes(opened, program, "assert helper(1) == 2 and f(5) == 5 and abs(-3) == 3 and sum([1]) == 1", setup=setup)
    passes(opened, program, "assert sum(1, 2) == 9", entry_point="sum")  # MBPP 126 calls its function sum


def test_an_exception_handler_of_the_test_does_not_hide_a_dead_program(opened):
    test = "def check(candidate):\n    try:\n        candidate()\n    except:\n        pass\n"
    assert verdict(opened, "import os\ndef f():\n    os._exit(0)\n", test)[0] == "crashed"
    assert verdict(opened, "def f():\n    return 'x' * 10**7\n", test)[0] == "output"
    passes(opened, "def f():\n    raise ValueError\n", test)


def test_chance_and_the_order_of_sets_repeat(opened):
    program = "import random\ndef f():\n    return random.random(), list({'a', 'b', 'c', 'd', 'e', 'f'})\n"
    test = "first = f()\nraise type('R' + repr(hash(repr(first))).replace('-', 'm'), (Exception,), {})\n"
    found = {each.exception for each in opened.judge([Trial(program, "", test, "f")] * 6, ("apart",))}
    assert len(found) == 1 and found.pop().startswith("R")


def test_verdicts_keep_the_order_of_the_trials_and_trials_are_taken_late(opened):
    taken = []

    def trials():
        for number in range(40):
            taken.append(number)
            # A third of the slow ones' work: while the first one runs, no worker finishes a dozen others.
            work = f"sum(range({3 if number % 10 == 0 else 1} * 10**6))\n"
            yield Trial(f"{work}def f():\n    return {number}\n", "", f"assert f() == {number - number % 2}\n", "f")

    found = opened.judge(trials())
    assert next(found).passed and len(taken) < 20
    assert [each.passed for each in found] == [number % 2 == 0 for number in range(1, 40)]


@pytest.mark.parametrize("seeing", ["", "import time\n", "def see(x):\n    return x.__class__\n"])
def test_what_can_perceive_more_than_its_calls_is_judged_before_any_of_them_runs_with_its_test(monkeypatch, seeing):
    """It could learn what its test expects, and say so by the moment at which its plain run ends."""
    sent, send = [], Worker.send

    def noted(worker, task):
        sent.append((task.place, *task.stages))
        send(worker, task)

    monkeypatch.setattr(Worker, "send", noted)
    programs = [f"{seeing}def two(): return {number}\n" for number in (2, 3, 2)] + ["def two(): return 2\n"]
    isolation = working_isolators()[0] if working_isolators() else "none"
    with Sandbox(isolation, 1, LIMITS) as opened:
        sent.clear()  # what tried the jails
        found = list(opened.judge([Trial(text, "", GOOD.test, "two") for text in programs]))
    assert [each.outcome for each in found] == ["passed", "wrong answer", "passed", "passed"]
    if not seeing:
        assert sent == [(place, *STAGES) for place in range(4)]
        return
    assert sorted(sent) == [*((place, stage) for place in range(3) for stage in ("apart", "plain")), (3, *STAGES)]
    stages = [stages for _, *stages in sent]
    assert max(place for place, each in enumerate(stages) if each == ["apart"]) < stages.index(["plain"])


def test_an_abandoned_series_leaves_the_sandbox_usable(opened):
    series = opened.judge([GOOD] * 50)
    assert next(series).passed
    with pytest.raises(InputError, match="one series"):
        next(opened.judge([GOOD]))
    series.close()
    assert [each.outcome for each in opened.judge([GOOD, BAD])] == ["passed", "wrong answer"]


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (Trial("", "def f(:\n", "assert f()", "f"), "trial 2: its setup does not compile"),
        (Trial("", "", "assert f(", "f"), "trial 2: its test does not compile"),
        (Trial("", "", "return f()", "f"), "trial 2: its test does not compile"),
        (Trial("", "", "# nothing\n", "f"), "trial 2: its test is empty"),
        (Trial("", "", "def check(candidate):\n    pass\n", None), "trial 2: .* needs an entry point"),
    ],
)
def test_what_is_wrong_with_a_test_is_named(opened, trial, message):
    series = opened.judge([GOOD, trial])
    with pytest.raises(InputError, match=message):
        list(series)
    assert [each.passed for each in opened.judge([GOOD])] == [True]


def test_a_broken_jail_is_replaced_and_its_trials_are_judged_again(opened):
    for each, role in zip(opened._workers, ["programs", "judges"], strict=True):
        each.jails[role].process.kill()
    assert [each.passed for each in opened.judge([GOOD, BAD, GOOD, GOOD])] == [True, False, True, True]


def test_what_took_more_than_its_limit_is_repeated_with_nothing_else_running(monkeypatch):
    """Up to twice its limit the machine may have been busy, or each stage of it; how busy it is says how often."""
    idle, repeated, repeat = [], Counter(), Series.repeat

    def watched(series, task):
        idle.append(all(not worker.tasks for worker in series.workers))
        repeated[task.place] += 1
        return repeat(series, task)

    monkeypatch.setattr(Series, "repeat", watched)
    wait = "import time\nwhile time.process_time() < {}:\n    pass\ndef two(): return 2\n"
    programs = [wait.format(0.51), wait.format(100), "import time\ntime.sleep(100)\n"]
    isolation = working_isolators()[0] if working_isolators() else "none"
    with Sandbox(isolation, 2, Limits(cpu_seconds=0.5)) as opened:
        found = list(opened.judge([Trial(text, "", GOOD.test, "two") for text in programs] + [GOOD] * 4))
    assert [each.outcome for each in found] == [*["timeout"] * 3, *["passed"] * 4]
    assert set(idle) == {True} and repeated[0] >= 1
    assert max(repeated.values()) <= 2  # once a stage


@pytest.mark.parametrize(
    ("outcome", "own_seconds", "slept_seconds", "repeated"),
    [
        ("timeout", 0.4, 0.0, True),  # the wall limit ended it within its own: that is the machine's fault
        ("timeout", 0.4, 0.4, True),  # its judge waited for a processor
        ("timeout", 0.4, 0.6, False),  # it let its judge wait
        ("timeout", 0.6, 0.0, False),  # it slept in one process with its test, or never ends
        ("passed", 0.4, 0.0, False),
        ("passed", 0.6, 0.0, True),  # a busy processor may have taken the rest
        ("wrong answer", 0.6, 0.0, False),
    ],
)
def test_what_the_machine_may_have_decided_is_repeated_once(outcome, own_seconds, slept_seconds, repeated):
    """Its limit is 0.5 s, that of wall time 5 s."""
    series = Series([], [], STAGES, Limits(cpu_seconds=0.5, wall_seconds=5.0))
    task, found = Assignment(0, GOOD), Verdict(outcome, "", 0.3, 5.0)
    series.settle(Result(task, "plain", found, own_seconds, slept_seconds, 4.5), final=False)
    again = replace(task, patience=45.0)  # ten times what it had waited
    assert (list(series.again), series.done) == (([again], {}) if repeated else ([], {0: found}))
    series.settle(Result(again, "plain", found, own_seconds, slept_seconds, 4.5), final=True)
    late = outcome == "passed" and own_seconds > 0.5
    assert series.done == {0: replace(found, outcome="timeout") if late else found}


def test_nothing_is_left_after_closing(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(jail.launch, "ENVIRONMENT", {**jail.launch.ENVIRONMENT, "TMPDIR": str(tmp_path)})
    before = _children()
    busy = Trial("import time\ntime.sleep(1000)\n", "", GOOD.test, "two")
    with Sandbox(opened.isolation, workers=2) as second:
        series = second.judge([GOOD, *[busy] * 9])
        assert next(series).passed
        assert _children() - before
        assert bool(list(tmp_path.iterdir())) == (opened.isolation == "none")
    assert _children() - before == set()
    assert list(tmp_path.iterdir()) == []


def test_what_a_test_changes_in_its_process_no_other_test_sees(opened):
    """The verdicts of right and wrong programs do not depend on what was judged before."""
    changes = "import decimal, math, builtins\ndecimal.getcontext().prec = 3\nmath.isclose = lambda *_: True\n"
    changes += "builtins.abs = lambda _: 0\nassert two() == 2\n"
    check = "import decimal, math\nassert decimal.Decimal(1) / 3 == decimal.Decimal('0.' + 28 * '3')\n"
    check += "assert math.isclose(two(), 2) and abs(two() - 2) == 0\n"
    trials = [Trial(GOOD.program, "", changes, "two")] * 4
    trials += [Trial(program, "", check, "two") for program in (GOOD.program, BAD.program)] * 4
    found = [verdict.outcome for verdict in opened.judge(trials)]
    assert found == ["passed"] * 4 + ["passed", "wrong answer"] * 4


def test_no_file_of_a_program_with_many_open_ones_is_in_reach(opened):
    """A notebook's kernel or a large machine gives the sandbox's sockets high numbers."""
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(300)]
    program = (
        "import os\ndef f(number):\n    try:\n        os.fstat(number)\n    except OSError:\n        return False\n"
    )
    test = "assert [number for number in range(2000) if f(number) is not False] == [0, 1, 2, 3]\n"
    try:
        with Sandbox(opened.isolation, workers=1, limits=LIMITS) as crowded:
            passes(crowded, program, test)
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_a_module_that_would_run_a_program_of_its_own_is_not_loaded_for_an_answer(opened):
    program = (
        "import types\ndef f(name):\n    return types.ModuleType(name)\nlying = types.ModuleType('idlelib.__main__')\n"
    )
    assert verdict(opened, program, "assert f('unittest.__main__') == 1\n")[0] == "wrong answer"
    assert verdict(opened, program, "lying.run()\n") == ("exception", "NameError")


def test_a_program_cannot_end_a_loop_of_its_test(opened):
    test = "for got, wanted in zip(map(f, [1, 2]), [10, 20]):\n    assert got == wanted\n"
    assert verdict(opened, "def f(x):\n    raise StopIteration\n", test) == ("exception", "RuntimeError")
    passes(opened, "def f(x):\n    return iter([x, 10 * x])\n", "assert list(f(1)) == [1, 10]\n")


def test_without_an_isolator_nothing_runs_unless_asked(monkeypatch):
    monkeypatch.setattr(isolators.shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match=r"bwrap is not installed.*apt-get install bubblewrap.*unsafe execution"):
        Sandbox("bubblewrap")
    if available_isolators():
        with Sandbox(workers=1) as opened:
            assert opened.isolation == "namespaces"
    monkeypatch.setattr(isolators, "_interpreter", lambda: "/nowhere/python3")
    with pytest.raises(Unavailable, match=r"bubblewrap: /nowhere/python3, .*is missing; .*namespaces: /nowhere"):
        Sandbox()
    monkeypatch.setattr(isolators, "_interpreter", lambda: "/bin/false")
    with pytest.raises(Unavailable, match=r"bubblewrap: .*; namespaces: "):
        Sandbox()
    assert available_isolators() == ()


def _children() -> set[int]:
    """All processes below this one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


@pytest.mark.parametrize(
    ("processor", "headers"),
    [
        ("x86_64", ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]),
        ("aarch64", ["/usr/include/asm-generic/unistd.h"]),
    ],
)
def test_system_call_numbers_are_the_kernels(processor, headers):
    path = next((Path(name) for name in headers if Path(name).exists()), None)
    if path is None:
        pytest.skip("the kernel's headers (linux-libc-dev) are not installed")
    numbers = {name: int(value) for name, value in re.findall(r"#define __NR3?2?6?4?_?(\w+)\s+(\d+)", path.read_text())}
    column, _ = syscall_filter.PROCESSORS[processor]
    wanted = {**syscall_filter.DENIED, **syscall_filter.DENIED_TO_JUDGES, **syscall_filter.PRETENDED}
    wanted |= {"rt_sigaction": syscall_filter.SIGNAL_ACTION, "fcntl": syscall_filter.FCNTL}
    wanted |= {"preadv2": syscall_filter.PREADV2, "inotify_init": syscall_filter.INOTIFY_INIT}
    wanted |= {"clone": syscall_filter.CLONE, "clone3": syscall_filter.CLONE3, "openat2": syscall_filter.OPENAT2}
    wanted |= {"mmap": syscall_filter.MMAP, "ioctl": syscall_filter.IOCTL, "prctl": syscall_filter.PRCTL}
    wanted |= {"setrlimit": syscall_filter.SETRLIMIT, "prlimit64": syscall_filter.PRLIMIT}
    wanted |= dict(zip(("recvmsg",), syscall_filter.FLAGS_THIRD, strict=True))
    wanted |= dict(zip(("sendto", "recvfrom"), syscall_filter.FLAGS_FOURTH, strict=True))
    known = {name: number[column] for name, number in wanted.items() if name in numbers and number[column] is not None}
    assert len(known) > 50
    assert known == {name: numbers[name] for name in known}


@pytest.mark.parametrize("processor", syscall_filter.PROCESSORS)
@pytest.mark.parametrize(("role", "processes"), [("programs", True), ("programs", False), ("judges", True)])
def test_filter_decides_as_its_table_says(processor, role, processes):
    column, audit = syscall_filter.PROCESSORS[processor]
    code = syscall_filter.build(processor, role, processes)
    allowed, denied, unknown, killed, pretended = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000, 0x00050000

    def run(number, argument=0, second=0, third=0, fourth=0, architecture=audit):
        return _run_filter(code, struct.pack("<IIQ6Q", number, architecture, 0, argument, second, third, fourth, 0, 0))

    calls = {**syscall_filter.DENIED, **(syscall_filter.DENIED_TO_JUDGES if role == "judges" else {})}
    assert {run(numbers[column]) for numbers in calls.values()} == {denied}
    assert {run(numbers[column]) for numbers in syscall_filter.PRETENDED.values()} == {pretended}
    rest = set(range(463)) - {numbers[column] for numbers in [*calls.values(), *syscall_filter.PRETENDED.values()]}
    rest -= {
        syscall_filter.INOTIFY_INIT[column],
        syscall_filter.PREADV2[column],
        syscall_filter.OPENAT2[column],
        syscall_filter.CLONE[column],
        syscall_filter.CLONE3[column],
        *(row[column] for row in syscall_filter.FORKS),
    }
    assert {run(number) for number in rest} == {allowed}
    clone = syscall_filter.CLONE[column]
    thread, process, namespace = 0x3D0F00, 0x1200011, 0x10000011
    assert run(clone, thread) == allowed and run(clone, namespace) == denied
    assert run(clone, process) == (allowed if processes and role == "programs" else denied)
    assert run(syscall_filter.CLONE3[column]) == run(syscall_filter.PREADV2[column]) == unknown
    assert {run(number) for number in (syscall_filter.OPENAT2[column], *range(463, 600))} == {unknown}
    assert run(0, architecture=audit ^ 1) == killed
    assert run(0x40000000) == denied
    # What happens when a child ends can be asked for and not changed, by a pointer of any halves.
    action, child_ends = syscall_filter.SIGNAL_ACTION[column], 17
    assert run(action, child_ends) == run(action, 2, 0x7F0012345678) == allowed
    assert {run(action, child_ends, place) for place in (0x7F0012345678, 0x10000000000, 0x1000)} == {pretended}
    # No filter of its own, by either call, and no core for itself.
    flag = syscall_filter.PRCTL[column]
    assert [run(flag, what) for what in (15, 22, 38, 62)] == [allowed, denied, allowed, denied]
    # The limit of core files can be asked for and not changed; other limits can be.
    old, new = syscall_filter.SETRLIMIT[column], syscall_filter.PRLIMIT[column]
    assert [run(old, kind) for kind in (3, 4, 5)] == [allowed, pretended, allowed]
    if role == "programs":
        assert run(new, second=4) == run(new, second=7, third=0x1000) == allowed
        assert {run(new, second=4, third=place) for place in (0x1000, 0x10000000000)} == {pretended}
    # No byte out of band (MSG_OOB, 1), whatever else the flags say.
    for flags in (1, 0x41, 0xFFFFFFFF):
        assert {run(row[column], third=flags) for row in syscall_filter.FLAGS_THIRD} == {denied}
        assert {run(row[column], fourth=flags) for row in syscall_filter.FLAGS_FOURTH} == {denied}
    assert {run(row[column], 1, 1, fourth=0x4040) for row in syscall_filter.FLAGS_FOURTH} == {allowed}
    # Locks on a file that all see are none; asking for those of others, a lease or news of a folder is refused.
    control = syscall_filter.FCNTL[column]
    assert {run(control, 1, command) for command in (6, 7, 37, 38)} == {pretended}
    assert {run(control, 1, command) for command in (5, 36, 1024, 1026, 1031, 1036, 1038)} == {denied}
    assert {run(control, 1, command) for command in (0, 1, 2, 3, 4, 8, 9, 1025, 1030, 1032, 1035, 1037)} == {allowed}
    # Memory is private, or a file's (MAP_SHARED 1, MAP_PRIVATE 2, MAP_SHARED_VALIDATE 3, MAP_ANONYMOUS 0x20), and no
    # huge page (0x40000); of a socket nothing is asked that is answered by network interfaces.
    assert {run(syscall_filter.MMAP[column], fourth=flags) for flags in (0x21, 0x23, 0x4021, 0x40022, 0x40001)} == {
        denied
    }
    assert {run(syscall_filter.MMAP[column], fourth=flags) for flags in (0x1, 0x2, 0x3, 0x22, 0x100022, 0x20022)} == {
        allowed
    }
    assert {run(syscall_filter.IOCTL[column], 3, asked) for asked in (0x8900, 0x8912, 0x89FF, 0x8B01)} == {denied}
    assert {run(syscall_filter.IOCTL[column], 3, asked) for asked in (0x5401, 0x541B, 0x88FF, 0x8C00)} == {allowed}


def _run_filter(code: bytes, data: bytes) -> int:
    """What the kernel's classic BPF machine returns, for the five instructions that are used (linux/filter.h)."""
    instructions = list(struct.iter_unpack("=HBBI", code))
    place = accumulator = 0
    while True:
        operation, if_true, if_false, value = instructions[place]
        place += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: accumulator & value}[operation]
            place += if_true if holds else if_false


def test_a_judge_begins_only_where_its_program_passes_in_one_process():
    """Most programs fail at once; whatever becomes of them, no file stays open here."""
    asked = []
    with Sandbox(workers=1, limits=LIMITS) as opened:
        judges = opened._workers[0].jails["judges"]
        judges.send = lambda *message: asked.append(message) or Jail.send(judges, *message)
        before = sorted(Path("/proc/self/fd").iterdir())
        texts = ["def f():\n    return 1\n", "def f():\n    return 2\n", "def f(:\n", "def f():\n    raise OSError\n"]
        verdicts = list(opened.judge([Trial(text, "", "assert f() == 1\n", "f") for text in texts]))
        assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert [found.outcome for found in verdicts] == ["passed", "wrong answer", "syntax error", "exception"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (STAGES, [PASSED_PLAIN, PASSED_PLAIN]),
        (STAGES, [PASSED_PLAIN, {"stage": "plain"}]),
        (STAGES, [{"stage": "apart"}]),
        (("plain",), [{"stage": "apart"}]),
        (("apart",), [PASSED_PLAIN]),
        (("apart",), [{"stage": "plain"}]),
    ],
)
def test_no_trial_gets_another_one_s_verdict_whatever_a_jail_says(stages, said):
    """A judge that answers without being asked for, or is not asked, would put all later answers one trial further."""
    with Sandbox(workers=1, limits=LIMITS) as opened:
        worker = opened._workers[0]
        worker.send(Assignment(0, Trial("", "", "pass\n", None), stages))
        answers = iter(said)
        worker.jails["programs"].receive = lambda: next(answers)
        for _ in said[:-1]:
            worker.collect("programs")
        with pytest.raises(Dead):
            worker.collect("programs")
