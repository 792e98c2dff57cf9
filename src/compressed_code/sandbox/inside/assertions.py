"""Assertions of the test that failed, and of which the test may never hear."""

import dis
from functools import lru_cache
from types import CodeType

from .errors import is_of_the_program

_OF_THE_TEST = ("<setup>", "<test>")
_FAILS = ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")  # what loads the error of an `assert`, by version of Python

_Place = tuple[int, int]


def failed(error: BaseException) -> bool:
    """Whether an error that ends a function of the test, which the program called, is a failed assertion.

    One is also an assertion that stumbles, while it is made or while its message is, what the test makes of one, and an
    error that the program raised within that function: it would never come to what it asserts.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(failed, error.exceptions))
    if isinstance(error, AssertionError) or (is_of_the_program(error) and not isinstance(error, StopIteration)):
        return True
    if in_flight(error):
        return True
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append((trace.tb_frame.f_code, trace.tb_lasti))
        trace = trace.tb_next
    return any(code.co_filename in _OF_THE_TEST and _is_within_one(code, instruction) for code, instruction in places)


def in_flight(error: BaseException | None) -> AssertionError | None:
    """The assertion of the test whose place an error took, in a `finally` or at a block's end."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, AssertionError) and not is_of_the_program(error):
            return error
        seen.add(id(error))
        error = error.__context__
    return None


def _is_within_one(code: CodeType, instruction: int) -> bool:
    """Whether an instruction, by its offset in bytes, is part of an `assert`."""
    line, _, column, _ = [*code.co_positions()][instruction // 2]
    if line is None or column is None:
        return False
    return any(begins <= (line, column) < ends for begins, ends in _assertions(code))


@lru_cache(maxsize=256)
def _assertions(code: CodeType) -> list[tuple[_Place, _Place]]:
    """Where each `assert` of some code begins and ends, as lines and columns."""
    loads = (each for each in dis.get_instructions(code) if each.opname in _FAILS and _is_of_assertions(each))
    found = [each.positions for each in loads]
    return [((each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)) for each in found if each]


def _is_of_assertions(instruction: dis.Instruction) -> bool:
    return instruction.opname == _FAILS[0] or instruction.argval is AssertionError
