"""Answers against those of a task's solution, compared as EvalPlus compares them. Runs inside the sandbox, as setup.

Names begin with an underscore and say where they are from, so that no program's function hides one of them.
"""

import base64
import math
import pickle
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy

_EVALPLUS_FLOATS = 1e-6  # absolute tolerance of floats where a task names none
_EVALPLUS_RELATIVE = 1e-7  # that of numpy.testing.assert_allclose


def _evalplus_check(
    function: Callable[..., Any],
    inputs: str,
    answers: str,
    solution: str,
    entry_point: str,
    tolerance: float,
    oracle: str,
) -> None:
    """Call the function with every input.

    Args:
        inputs: packed argument lists.
        answers: packed answers, one pickle each; empty where they are too large to keep and `solution` gives them.
        solution: program whose `entry_point` answers where `answers` is empty.
        tolerance, oracle: of `task_record.Calls`.

    Raises:
        AssertionError: an answer is wrong.
    """
    calls = _evalplus_unpacked(inputs)
    given = (
        _evalplus_unpacked(inputs) if oracle else calls
    )  # a program may change what it is given, a root's polynomial
    wanted = _evalplus_expected(calls, answers, solution, entry_point)
    for arguments, asked, expected in zip(calls, given, wanted, strict=True):
        assert _evalplus_agrees(function(*arguments), expected, asked, tolerance, oracle)


def _evalplus_unpacked(packed: str) -> list[Any]:
    return pickle.loads(zlib.decompress(base64.b64decode(packed)))


def _evalplus_expected(calls: list[Any], answers: str, solution: str, entry_point: str) -> Iterable[Any]:
    if answers:
        return map(pickle.loads, _evalplus_unpacked(answers))
    names = {"__name__": "solution"}
    exec(solution, names)
    copies = pickle.loads(pickle.dumps(calls))  # a program may change what it is given
    return (names[entry_point](*arguments) for arguments in copies)


def _evalplus_agrees(answer: Any, expected: Any, arguments: list[Any], tolerance: float, oracle: str) -> bool:
    """Whether an answer is right."""
    if oracle in _EVALPLUS_INSTEAD:
        return _EVALPLUS_INSTEAD[oracle](answer, expected, arguments, tolerance)
    if oracle and _EVALPLUS_BESIDES[oracle](answer, arguments, tolerance):
        return True
    if answer == expected:
        return True
    if tolerance == 0 and _evalplus_floats(expected):
        tolerance = _EVALPLUS_FLOATS
    return tolerance > 0 and _evalplus_near(answer, expected, tolerance)


def _evalplus_near(answer: Any, expected: Any, tolerance: float) -> bool:
    """The same type and length, and numbers within the tolerance; EvalPlus lets shapes differ, of which an empty one
    is close to everything."""
    if type(answer) is not type(expected) or (isinstance(expected, list | tuple) and len(answer) != len(expected)):
        return False
    same_shape = numpy.shape(answer) == numpy.shape(expected)
    return same_shape and bool(numpy.allclose(answer, expected, rtol=_EVALPLUS_RELATIVE, atol=tolerance))


def _evalplus_floats(value: Any) -> bool:
    """A float, a list or tuple of floats alone, or an array of them."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float) or (isinstance(value, numpy.ndarray) and value.dtype in (float, numpy.float32))


def _evalplus_polynomial(coefficients: list[float], x: float) -> float:
    """Value of the polynomial whose coefficients go up from the constant."""
    return sum(coefficient * math.pow(x, power) for power, coefficient in enumerate(coefficients))


def _evalplus_digit_distance(first: int, second: int) -> int:
    """Sum of the distances of digits that stand at the same place, from the right."""
    width = max(len(str(first)), len(str(second)))
    pairs = zip(str(first).zfill(width), str(second).zfill(width), strict=True)
    return sum(abs(int(left) - int(right)) for left, right in pairs)


def _evalplus_pyramid(edge: float, height: float) -> int:
    """Rounded surface of a square pyramid, by the height of its apex above the base."""
    return round(edge**2 + 2 * edge * math.hypot(edge / 2, height))


# By what EvalPlus asks instead of equality, and by what it takes besides the solution's answer.
_EVALPLUS_INSTEAD = {
    "root of a polynomial": lambda answer, _, arguments, tolerance: (
        abs(_evalplus_polynomial(*arguments, answer)) <= tolerance
    ),
    "same set": lambda answer, expected, *_: set(answer) == set(expected),
    "found or not": lambda answer, expected, *_: (
        answer == expected if isinstance(answer, bool) else expected == (answer is not None)
    ),
}
_EVALPLUS_BESIDES = {
    "zero, too": lambda answer, *_: answer == 0,
    "digits of padded numbers, too": lambda answer, arguments, _: answer == _evalplus_digit_distance(*arguments),
    "pyramid by its height, too": lambda answer, arguments, tolerance: (
        abs(answer - _evalplus_pyramid(*arguments)) <= tolerance
    ),
    "anything": lambda *_: True,
}
