"""Assertions of the test that failed, and of which the test may never hear."""

import contextlib
import dis
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

from .differences import is_asked
from .errors import is_of_the_program

_HERE = str(Path(__file__).parent)
_OF_THE_TEST = ("<setup>", "<test>")

_WRAPPING = ("__wrapped__", "_mock_wraps", "_mock_side_effect")  # where a wrapper, or a mock, has what it calls

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


def failed(error: BaseException, function: Any) -> bool:
    """Whether an error that ends a function of the test, which the program called, is a failed assertion.

    One is also whatever else ends a function that asserts something, but for what that raises itself: it may be part of
    an assertion, of its message, or come before it, as where the function is called with other arguments than it has.
    And so is what a function got that asked the program, or what the test makes of an assertion.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(failed(each, function) for each in error.exceptions)
    if isinstance(error, AssertionError) or in_flight(error):
        return True
    frames = _frames(error)
    of_the_test = [(code, place) for code, place in frames if code.co_filename in _OF_THE_TEST]
    if isinstance(error, StopIteration) and not of_the_test:
        return False  # an iterator of its own is what it calls, and ends
    if is_of_the_program(error) or any(code.co_filename.startswith(_HERE) for code, _ in frames):
        return True
    if of_the_test and _operation(*of_the_test[-1]) == "RAISE_VARARGS":
        return False
    return any(_asserts(code) for code, _ in of_the_test) or any(map(_asserts, _codes_behind(function)))


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


def _codes_behind(function: Any) -> Iterator[CodeType]:
    """The code of what a function of the test calls, as far as that is seen without calling it: what it wraps, the
    functions that it has in variables, and those of the test by the names that it uses."""
    waiting, seen = [function], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen or is_asked(each):
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType):
            yield each.__code__
            waiting += _held(each) if each.__code__.co_filename in _OF_THE_TEST else []
        elif isinstance(each, MethodType):
            waiting += [each.__func__, *_methods(each.__self__, _names(each.__func__))]
        elif isinstance(each, partial):
            waiting += [each.func, *each.args, *each.keywords.values()]
        elif not isinstance(each, type):
            inner = getattr(each, "__dict__", {})
            waiting += [inner[name] for name in _WRAPPING if name in inner]
            called = vars(type(each)).get("__call__")
            if isinstance(called, FunctionType):
                waiting += [called, *_methods(each, _names(called))]


def _held(function: FunctionType) -> list[Any]:
    """The functions that a function of the test has in variables, and methods of its objects and classes by the names
    that it uses."""
    names = _names(function)
    held = [function.__globals__.get(name) for name in names]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # one that is empty yet
            held.append(cell.cell_contents)
    return [*filter(callable, held), *(method for each in held for method in _methods(each, names))]


def _methods(value: Any, names: Iterable[str]) -> list[FunctionType]:
    """Those of a value of a class of the test, or of a test case, by their names."""
    parts = [vars(kind) for kind in type(value).__mro__[:-1]]
    found = [part[name] for part in parts for name in names if name in part]
    return [each for each in found if isinstance(each, FunctionType)]


def _names(function: Any) -> set[str]:
    code = getattr(function, "__code__", None)
    return {name for part in _within(code) for name in part.co_names} if isinstance(code, CodeType) else set()


def _within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _within(each)


def _operation(code: CodeType, place: int) -> str:
    return next(each.opname for each in dis.get_instructions(code) if each.offset == place)


@lru_cache(maxsize=256)
def _asserts(code: CodeType) -> bool:
    """Whether some code, or what it defines, has an `assert`, or calls what is named like a test case's methods."""
    if any(name.startswith(("assert", "fail")) for name in code.co_names):
        return True
    if any(
        each.opname == "LOAD_ASSERTION_ERROR" or each.argval is AssertionError for each in dis.get_instructions(code)
    ):
        return True
    return any(_asserts(each) for each in code.co_consts if isinstance(each, CodeType))
