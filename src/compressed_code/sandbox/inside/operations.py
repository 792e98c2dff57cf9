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
from .shared import Shared, not_plain
from .values import HOLDING, held_by

_FACTORY = vars(defaultdict)["default_factory"]


class Effect(Enum):
    """What an operation may do to objects of the program (`said`)."""

    LOOKS = "nothing"
    MAKES = "what the test made or names may say something else, and has no fewer items"
    MAKES_OF_OBJECTS = "so may any"
    RUNS = "what the test made itself may say something else"
    CHANGES_ANSWERS = "any may say something else"


def effect(operation: str, arguments: Sequence[Any], shared: Shared) -> Effect:
    """What an operation may do to objects.

    A method may change those that were answered, and so may whatever is given such an object; a function that is given
    data, or what the test made of them, does not, and a class does not either: it makes an object, as an operator
    between objects of the test does. What waits for a function does what the function does.

    Args:
        arguments: of `Asked.request`.
    """
    if _looks(operation, arguments, shared):
        return Effect.LOOKS
    if _makes(operation, arguments):
        bound = operation == "call" and _objects_among(arguments[1:], shared)
        return Effect.MAKES_OF_OBJECTS if bound else Effect.MAKES
    if operation == "await":
        answered = arguments[0]._its_effect is Effect.CHANGES_ANSWERS
    else:
        given = arguments[1:] if _is_of_a_function(operation, arguments) else arguments
        answered = any(map(_is_answered, _objects_among(given, shared)))
    return Effect.CHANGES_ANSWERS if answered else Effect.RUNS


TAKING_NOTHING = (Effect.LOOKS, Effect.MAKES, Effect.MAKES_OF_OBJECTS)


def within_such(effect: Effect, altered: bool) -> Effect:
    """What something may do that the test's own function asks for, called by the program while the test looks, or makes
    an object.

    Args:
        altered: the function has changed a container that the program has, too.
    """
    if effect is Effect.LOOKS and not altered:
        return effect
    return Effect.MAKES if effect is Effect.RUNS and not altered else Effect.MAKES_OF_OBJECTS


Permitted = Callable[[int, bool], bool]  # whether a container may change, by its number; whether it only grows


def permitted(operation: str, arguments: Sequence[Any], shared: Shared, effect: Effect) -> Permitted:
    """Which containers of the test's an operation may change (`Shared.may_change`).

    What a call is given may change, but an answer that an object is made of; of what it is not given, an answer stays
    what it is, but for further items; a look adds none. The test's own, which no answer has named, gets further ones by
    a look, too, if what is lent to an object may be that; by methods, which may know it, it changes anyhow, and by
    iterators, if no object was seen to have it. What waits for a function may change what that may.

    Args:
        arguments: of `Asked.request`.
        effect: what the operation may do to objects, of which a list of a type of its own is one.
    """
    own, lent = shared.is_own, shared.lent
    if operation == "await" and arguments[0]._its_permitted is not None:
        return arguments[0]._its_permitted
    if operation == "next":
        return lambda number, grows: grows or (own(number) and number not in shared.shown)
    if _looks(operation, arguments, shared):
        return lambda number, grows: grows and own(number) and lent.get(number, False)
    if operation in ("operate", "operate_alone"):
        return lambda number, grows: grows
    given = shared.reached(arguments[1:])
    if operation == "call" and arguments[0]._its_makes:
        return lambda number, grows: grows or (number in given and own(number))
    function = _is_of_a_function(operation, arguments)
    answered = effect is Effect.CHANGES_ANSWERS
    bound = bool(_objects_among(arguments[1:], shared))
    lives = shared.values

    def may_change(number: int, grows: bool) -> bool:
        if grows or number in given:
            return True
        if not own(number):
            return answered and isinstance(lives[number], Owned)  # an object of a type of its own
        # What the test made may have been given a list of the test's.
        knows = not function or (number in lent if answered else bound and lent.get(number, False))
        return knows and (answered or number not in shared.shown)

    return may_change


def lending(operation: str, arguments: Sequence[Any], shared: Shared) -> dict[int, bool]:
    """The test's own containers that something may keep which can be asked for them, and whether a look may fill each:
    what is made of them, or has a method that is given them, may do so. What a function is given it only keeps where it
    answers with an object, and that fills what was given empty."""
    if _looks(operation, arguments, shared) or operation == "operate":
        return {}
    own = filter(shared.is_own, shared.reached(arguments[1:]))
    return {number: keeps(operation, arguments) or not shared.items(number) for number in own}


def keeps(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether what is asked may keep what it is given, whatever it answers."""
    return not _is_of_a_function(operation, arguments) or arguments[0]._its_makes


def _is_of_a_function(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether it is a call of what the test has by a name."""
    return operation == "call" and arguments[0]._its_is_free


def _is_answered(given: Remote | Owned) -> bool:
    """Whether something that is given is an answer: not made by the test, no function by its name, and no constant of a
    class."""
    if isinstance(given, Owned):
        return True
    return not (given._its_lives or given._its_is_free or given._its_is_constant)


def _makes(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether the test makes an object, by a name as classes have them, or by an operator of what is no answer."""
    if operation == "call":
        return arguments[0]._its_makes
    operands = [each for each in arguments if isinstance(each, Remote)]
    return operation in ("operate", "operate_alone") and all(
        each._its_standing >= Standing.DERIVED for each in operands
    )


def _looks(operation: str, arguments: Sequence[Any], shared: Shared) -> bool:
    """Whether an operation changes no object; Python calls a dictionary's factory when the test looks at it, and
    `dict` calls `keys`."""
    if operation == "call":
        dictionaries = [each for each in shared.values.values() if isinstance(each, defaultdict)]
        return arguments[0]._its_only_reads or any(_FACTORY.__get__(each) is arguments[0] for each in dictionaries)
    return remotes.only_looks(operation, tuple(arguments))


def _objects_among(values: Sequence[Any], shared: Shared) -> list[Remote | Owned]:
    """The objects of the program in what the test passes, and containers of types of its own that it passes itself."""
    waiting = [part for each in values for part in _passed_by(each, shared)]
    found: list[Remote | Owned] = [
        each for each in waiting if isinstance(each, Owned) and shared.number(each) is not None
    ]
    seen = set[int]()
    while waiting:
        each = waiting.pop()
        number = shared.number(each)
        if isinstance(each, Remote):
            found.append(each)
        if number is not None and number not in seen:
            seen.add(number)
            waiting += shared.given_with(number)
        elif isinstance(each, HOLDING):
            waiting += not_plain(held_by(each))
    return found


def _passed_by(value: Any, shared: Shared) -> Sequence[Any]:
    """What a part of a request passes: of a call its arguments are a tuple, and those by keyword a dictionary."""
    if type(value) is tuple:
        return value
    return [*value.values()] if type(value) is dict and shared.number(value) is None else [value]
