"""Assertions of the test that failed, and of which the test may never hear."""

import dis
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from .errors import is_of_the_program

_HERE = str(Path(__file__).parent)
_OF_THE_TEST = ("<setup>", "<test>")

_BEGINNING = ("check", "main", "setUp", "tearDown")  # functions that a test begins with, beside those called test...

_KEPT = 32  # errors of the program's, with all that their frames hold


@dataclass(frozen=True)
class Failure:
    """An assertion that failed; None where none has.

    Attributes:
        number: how many have failed up to this one.
    """

    error: BaseException | None = None
    number: int = 0


class Failures:
    """Assertions that the program did not let through, so that no `except` of the test decided about them.

    Attributes:
        last: the one that failed last.
    """

    def __init__(self) -> None:
        self.last = Failure()
        self._errors: list[BaseException] = []  # of the program's, the last ones

    def __bool__(self) -> bool:
        return self.last.error is not None or any(map(in_flight, self._errors))

    def add(self, error: BaseException) -> None:
        """One failed in a function of the test, which the program called."""
        self.last = Failure(error, self.last.number + 1)

    def reach_the_test(self, error: BaseException, before: Failure, replaced: AssertionError | None) -> None:
        """An error of the program comes to the test, which sees by it the assertion that failed meanwhile, if one did.

        Args:
            before: the one that had failed last when the test asked.
            replaced: an assertion whose place the error takes.
        """
        if self._is_seen_by(error) and self.last.number <= before.number + 1:
            self.last = before
        if replaced is not None:
            self.add(replaced)
        self._errors.append(error)  # it may take an assertion's place in another thread or task
        if len(self._errors) > _KEPT and (lost := in_flight(self._errors.pop(0))):
            self.add(lost)

    def _is_seen_by(self, error: BaseException) -> bool:
        """What ends another thread nobody sees, and what is an assertion and something else, too, ends a loop, or a
        `hasattr`."""
        return type(error) is AssertionError and threading.current_thread() is threading.main_thread()


def failed(error: BaseException, asserting: bool) -> bool:
    """Whether an error that ends a function of the test, which the program called, is a failed assertion.

    Where functions of the test assert something, one is also whatever else ends any, but for what that raises itself:
    it may be part of an assertion, of its message, or come before it, as where the function is called with other
    arguments than it has. And so is what a function got that asked the program, or what the test makes of an assertion.

    Args:
        asserting: `has_asserting_helpers` of setup and test.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(failed(each, asserting) for each in error.exceptions)
    if isinstance(error, AssertionError) or in_flight(error):
        return True
    frames = _frames(error)
    of_the_test = [frame for frame in frames if frame[0].co_filename in _OF_THE_TEST]
    if isinstance(error, StopIteration) and not of_the_test:
        return False  # an iterator of its own is what it calls, and ends
    if is_of_the_program(error) or any(code.co_filename.startswith(_HERE) for code, _ in frames):
        return True
    last = (of_the_test or frames)[-1:]  # a mock raises what it was told to
    return asserting and not any(_operation(*frame) == "RAISE_VARARGS" for frame in last)


def in_flight(error: BaseException | None) -> AssertionError | None:
    """The assertion of the test whose place an error took, in a `finally` or at a block's end."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, AssertionError) and not is_of_the_program(error):
            return error
        seen.add(id(error))
        error = error.__context__
    return None


def _frames(error: BaseException) -> list[tuple[CodeType, int]]:
    """What an error came through, but for what caught it, and where in each, in bytes."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code, trace.tb_lasti))
        trace = trace.tb_next
    return frames[1:]


def _operation(code: CodeType, place: int) -> str:
    """The instruction at a place, or the one that a place within its cache belongs to."""
    return max((each for each in dis.get_instructions(code) if each.offset <= place), key=lambda it: it.offset).opname


def has_asserting_helpers(*sources: CodeType) -> bool:
    """Whether code has functions that assert something, beside those that a test begins with: a helper may be reached
    by any way there is, a mock, a decorator, a table, a method, so that nobody looks for it."""
    return any(_asserts(code) for source in sources for code in _helpers(source))


def _helpers(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_name not in _BEGINNING and not each.co_name.startswith("test"):
                yield each
            yield from _helpers(each)


def _asserts(code: CodeType) -> bool:
    """Whether some code has an `assert`, or names what is called like a test case's methods, or the error itself."""
    if any(name.startswith("assert") or name in ("fail", "AssertionError") for name in code.co_names):
        return True
    return any(each.opname == "LOAD_ASSERTION_ERROR" for each in dis.get_instructions(code))
