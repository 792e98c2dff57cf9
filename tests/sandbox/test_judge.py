"""The judge against answers of any kind, and what is behind it should anything get into it after all."""

import contextlib
import io
import random
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
import yaml

from compressed_code.sandbox import Limits, Sandbox, Trial
from compressed_code.sandbox.inside import channel, codec, judge, programs
from compressed_code.sandbox.inside.shared import Shared
from compressed_code.sandbox.material import packed
from working_isolators import working_isolators

# A coroutine that nobody awaits may be collected in a function whose namespace cannot import `warnings`, such as that
# which makes a named tuple.
COLLECTED = "ignore:Exception ignored in. <coroutine:pytest.PytestUnraisableExceptionWarning"
TOKEN = 0x5EED_F00D_0BAD_CAFE  # no answer below holds it
TESTS = [
    f"assert f([2, 1]) == {TOKEN}",
    f"assert all(map(lambda x: f(x) == {TOKEN}, [1, 2]))",
    f"found = f(1)\nassert isinstance(found, list)\nassert found == [{TOKEN}] and len(found) == 1",
    f"assert abs(f(1) - {TOKEN}) < 1e-6",
    f"assert sorted(f([1])) == [{TOKEN}]",
    f"assert dict(f(1))['a'] == {TOKEN}",
    f"assert f(1)[0].x.y == {TOKEN}",
    f"assert str(f(1)) == '{TOKEN}' and repr(f(2)) == '{TOKEN}'",
    f"items = [1, 2]\nf(items)\nassert items == [{TOKEN}]",
    f"with f(1) as found:\n    assert found == {TOKEN}",
    f"import asyncio\nassert asyncio.run(f(1)) == {TOKEN}",
    f"assert f(lambda x: x)(2) == {TOKEN}",
    f"try:\n    assert f(2) == {TOKEN}\nexcept ValueError as error:\n    assert error.args == ({TOKEN},)",
    f"for x, y in zip(f(1), f(2)):\n    assert x == y == {TOKEN}\nassert list(f(3)) == [{TOKEN}]",
    f"assert {TOKEN} in f(1) and {TOKEN} in list(f(2))",
]


class Side:
    """Who encodes the answers: any object is a new one of any kind."""

    def __init__(self, draw):
        self.shared, self.draw = Shared(1), draw

    def describe(self, value):
        protocols = ["call", "iter", "next", "len", "getitem", "contains", "enter", "await", "instancecheck"]
        kind = self.draw.choice(["object", "object", "object", "coroutine"])
        return 2 * self.draw.randrange(5) + 1, (kind, "Thing", tuple(self.draw.sample(protocols, 4)))


def answer(draw, side):
    """One message of a program, as it should be or damaged."""
    value = draw.choice(
        [None, True, 0, 1.5, "x", [1, [2]], {"a": 1}, (1, 2), {1}, object(), [object()], ValueError("x"), int, ...]
    )
    error = ("raised", draw.choice([ValueError, StopIteration, AssertionError, IndexError]), (1,), 3, "text", "")
    messages = [("value", value, ""), ("value", value, "printed"), error, ("module", "math", ""), ("too large", "")]
    messages += [
        ("call", 2, (value,), {}, ""),
        ("syntax error", "X", ""),
        ("value", value),
        "value",
        (value, value, value),
    ]
    content = bytearray(codec.encode(draw.choices(messages, [9, 3, 3, 1, 1, 3, 1, 1, 1, 1])[0], side, 1 << 20))
    for _ in range(draw.choice([0, 0, 1, 3])):
        place = draw.randrange(len(content))
        content[place : place + draw.randrange(3)] = draw.randbytes(draw.randrange(3))
    return bytes(content)


def fuzz(programs_judged, seconds, seed):
    """Outcomes of tests that no answer passes, against programs that answer anything; so many at least, for so long."""
    draw = random.Random(seed)
    until, outcomes = time.monotonic() + seconds, []
    while len(outcomes) < programs_judged or time.monotonic() < until:
        here, there = socket.socketpair()
        with here, there:
            program = threading.Thread(target=talk, args=(there, draw, Side(draw)))
            program.start()
            task = programs.unpacked(packed("", draw.choice(TESTS), "f"))
            with contextlib.redirect_stdout(io.StringIO()):
                outcomes.append(judge.decide(here.fileno(), task, 1 << 20))
            here.shutdown(socket.SHUT_RDWR)
            program.join()
    return outcomes


def talk(end, draw, side):
    with contextlib.suppress(channel.Closed, OSError):
        channel.send(end.fileno(), codec.encode(("value", None, ""), side, 1 << 20))
        channel.receive(end.fileno(), 1 << 30)
        protocols = tuple(draw.sample(["call", "call", "iter", "next", "instancecheck"], 3))
        entry = b"t-" + struct.pack("<I", 3) + codec.encode("value", side, 99)[4:] + b"O" + struct.pack("<I", 1)
        entry += codec.encode(("object", "function", protocols), side, 999)[4:] + codec.encode("", side, 99)[4:]
        channel.send(end.fileno(), bytes(4) + entry)
        for _ in range(200):
            channel.receive(end.fileno(), 1 << 30)
            channel.send(end.fileno(), answer(draw, side))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def assert_none_passes(outcomes):
    assert {outcome for outcome, _, _ in outcomes} <= {
        *("wrong answer", "exception", "syntax error", "memory", "output", "crashed"),
    }
    assert all(type(exception) is str for _, exception, _ in outcomes)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.filterwarnings(COLLECTED)
def test_no_answer_of_any_kind_passes_a_test_that_it_does_not_meet():
    outcomes = fuzz(400, 0.0, seed=1)
    assert len({outcome for outcome, _, _ in outcomes}) >= 3
    assert_none_passes(outcomes)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.filterwarnings(COLLECTED)
def test_no_answer_of_any_kind_does_for_a_minute():
    assert_none_passes(fuzz(400, 60.0, seed=time.time_ns()))


# ---- the second line: a test is code that runs in a judge, so these do what code that got into one would do ----------
GOOD, BAD = "def f(): return 1\n", "def f(): return 2\n"
CHECK = "assert f() == 1\n"
INTRUDERS = yaml.safe_load((Path(__file__).parent / "hostile" / "intruders.yml").read_text(encoding="utf-8"))
NEVER = {"says that it is the server", "ends everything", "answers at length"}  # no verdict at all is their own


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def isolation(request):
    if request.param not in working_isolators():
        pytest.skip(f"{request.param} does not work on this machine")
    return request.param


def test_code_in_a_judge_reaches_nothing_but_its_own_verdict(isolation):
    """Between any two intruders a right and a wrong program are judged as they should be, on the same worker."""
    trials = []
    for test in INTRUDERS.values():
        trials += [Trial(GOOD, "", test, "f"), Trial(GOOD, "", CHECK, "f"), Trial(BAD, "", CHECK, "f")]
    with Sandbox(isolation, workers=1, limits=Limits(cpu_seconds=1.0, memory_bytes=256 << 20)) as opened:
        started = opened._workers[0]
        found = list(opened.judge(trials, ("apart",)))
        assert opened._workers == [started]  # no intruder ended a jail
    intruders = dict(zip(INTRUDERS, found[::3], strict=True))
    assert [each.outcome for each in found[1::3]] == ["passed"] * len(INTRUDERS)
    assert [each.outcome for each in found[2::3]] == ["wrong answer"] * len(INTRUDERS)
    assert {name for name, each in intruders.items() if each.exception == "SystemError"} == set()
    assert {intruders[name].outcome for name in NEVER} == {"crashed"}
    assert intruders["prints names"].exception == "Exception"
    assert intruders["never ends"].outcome == "timeout" and intruders["fills the memory"].outcome == "memory"
    assert {intruders[name].outcome for name in ("stays", "writes files", "connects", "starts programs")} == {
        "wrong answer"
    }


WAITS = (
    "def check(candidate):\n    try:\n        candidate({argument})\n        assert False\n    except TypeError: pass\n"
)


@pytest.mark.parametrize("argument", ["iter([])", "type('Thing', (), {})()", "type('Thing', (), {})"])
def test_a_test_that_waits_for_an_exception_does_not_take_the_judge_s_own_for_the_program_s(isolation, argument):
    """The program is never asked, since the argument stays with the test."""
    trial = Trial("def f(value): return value\n", "", WAITS.format(argument=argument), "f")
    with Sandbox(isolation, workers=1) as sandbox:
        (verdict,) = sandbox.judge([trial], ("apart",))
    assert verdict.outcome == "exception"


SHAPED = """
class Shaped(list):
    shape, ndim, size = (), 0, 1
def solve(number): return {}
"""


@pytest.mark.parametrize(("answer", "outcome"), [("Shaped()", "disputed"), ("5.0", "passed")])
def test_what_numpy_asks_a_list_for_is_no_attribute_of_its_own(isolation, answer, outcome):
    """An empty list that says that it has the shape of a number would be close to any."""
    test = "import numpy as np\nout = solve(3)\nassert np.shape(out) == np.shape(5.0) and np.allclose(out, 5.0)\n"
    with Sandbox(isolation, workers=1, packages=("numpy",)) as opened:
        (found,) = opened.judge([Trial(SHAPED.format(answer), "", test, "solve")])
    assert found.outcome == outcome
