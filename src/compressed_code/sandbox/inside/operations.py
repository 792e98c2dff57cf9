"""What an operation of the test may change: of what the program's objects have said, and of the containers of both.

Looking changes nothing. An answer is a value: a list that was answered stays what it is, whatever runs, but where a
call is given it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from . import remotes
from .owned import Owned
from .remotes import Remote, Standing
from .shared import Shared

_FACTORY = vars(defaultdict)["default_factory"]


class Effect(Enum):
    """What an operation may do to objects of the program (`said`)."""

    LOOKS = "nothing"
    MAKES = "they may say something else, and have no fewer items"
    RUNS = "what the test made itself may say something else"
    CHANGES_ANSWERS = "any may say something else"


def effect(operation: str, arguments: Sequence[Any], shared: Shared) -> Effect:
    """What an operation may do to objects.

    A method may change those that were answered, and so may whatever is given such an object; a function that is given
    data, or what the test made of them, does not, and a class does not either: it makes an object, as an operator
    between objects of the test does.

    Args:
        arguments: of `Asked.request`.
    """
    if _looks(operation, arguments, shared):
        return Effect.LOOKS
    if _makes(operation, arguments):
        return Effect.MAKES
    given = arguments[1:] if operation == "call" and arguments[0]._is_free else arguments
    answered = (not isinstance(each, Remote) or each._standing < Standing.MADE for each in _objects_among(given))
    return Effect.CHANGES_ANSWERS if any(answered) else Effect.RUNS


def permitted(operation: str, arguments: Sequence[Any], shared: Shared) -> Callable[[int, bool], bool]:
    """Which containers of the test's an operation may change (`Shared.may_change`).

    What a call is given may change, but an answer that an object is made of; of what it is not given, an answer stays
    what it is, but for further items; a look adds none. The test's own, which no answer has named, gets further ones by
    a look, too; by methods and iterators, which may know it, it changes anyhow.
    """
    own = shared.is_own
    if operation == "next":
        return lambda number, grows: grows or own(number)
    if _looks(operation, arguments, shared):
        return lambda number, grows: grows and own(number)
    if operation in ("operate", "operate_alone"):
        return lambda number, grows: grows
    given, objects = shared.reached(arguments[1:]), _objects_among(arguments[1:])
    if operation == "call" and arguments[0]._makes:
        return lambda number, grows: grows or (number in given and own(number))
    if operation == "call" and arguments[0]._is_free and not objects:
        return lambda number, grows: grows or number in given
    lives = shared.values  # an object of a type of its own
    return lambda number, grows: grows or number in given or own(number) or isinstance(lives[number], Owned)


def _makes(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether the test makes an object, by a name as classes have them, or by an operator of what is no answer."""
    if operation == "call":
        return arguments[0]._makes
    operands = [each for each in arguments if isinstance(each, Remote)]
    return operation in ("operate", "operate_alone") and all(each._standing >= Standing.DERIVED for each in operands)


def _looks(operation: str, arguments: Sequence[Any], shared: Shared) -> bool:
    """Whether an operation changes no object; Python calls a dictionary's factory when the test looks at it, and
    `dict` calls `keys`."""
    if operation == "call":
        dictionaries = [each for each in shared.values.values() if isinstance(each, defaultdict)]
        return arguments[0]._only_reads or any(_FACTORY.__get__(each) is arguments[0] for each in dictionaries)
    return remotes.only_looks(operation, tuple(arguments))


def _objects_among(values: Sequence[Any]) -> list[Remote | Owned]:
    """The objects of the program in what the test passes."""
    found, waiting, seen = [], [*values], set[int]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, Remote | Owned):
            found.append(each)
        if isinstance(each, list | tuple | set | frozenset | dict) and id(each) not in seen:
            seen.add(id(each))  # it may hold itself
            waiting += [*each, *each.values()] if isinstance(each, dict) else each
    return found
