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
    if operation == "await" and arguments[0]._its_effect is Effect.RUNS:
        return Effect.RUNS
    given = arguments[1:] if operation == "call" and arguments[0]._its_is_free else arguments
    answered = (
        not isinstance(each, Remote) or each._its_standing < Standing.MADE for each in _objects_among(given, shared)
    )
    return Effect.CHANGES_ANSWERS if any(answered) else Effect.RUNS


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


def permitted(operation: str, arguments: Sequence[Any], shared: Shared, effect: Effect) -> Callable[[int, bool], bool]:
    """Which containers of the test's an operation may change (`Shared.may_change`).

    What a call is given may change, but an answer that an object is made of; of what it is not given, an answer stays
    what it is, but for further items; a look adds none. The test's own, which no answer has named, gets further ones by
    a look, too; by methods, which may know it, it changes anyhow, and by iterators, if no object was seen to have it.

    Args:
        arguments: of `Asked.request`.
        effect: what the operation may do to objects, of which a list of a type of its own is one.
    """
    own = shared.is_own
    if operation == "next":
        return lambda number, grows: grows or (own(number) and number not in shared.shown)
    if _looks(operation, arguments, shared):
        return lambda number, grows: grows and own(number)
    if operation in ("operate", "operate_alone"):
        return lambda number, grows: grows
    given, objects = shared.reached(arguments[1:]), _objects_among(arguments[1:], shared)
    if operation == "call" and arguments[0]._its_makes:
        return lambda number, grows: grows or (number in given and own(number))
    if effect is not Effect.CHANGES_ANSWERS:
        # What the test made may have been given a list of the test's.
        knows = bool(objects) or operation != "call" or not arguments[0]._its_is_free
        return lambda number, grows: grows or number in given or (knows and own(number) and number not in shared.shown)
    lives = shared.values  # an object of a type of its own
    return lambda number, grows: grows or number in given or own(number) or isinstance(lives[number], Owned)


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
    """The objects of the program in what the test passes."""
    found, waiting, seen = [], [*values], set[int]()
    while waiting:
        each = waiting.pop()
        number = shared.number(each)
        if isinstance(each, Remote | Owned):
            found.append(each)
        if number is not None and number not in seen:
            seen.add(number)
            waiting += not_plain(shared.items(number))
        elif isinstance(each, HOLDING):
            waiting += not_plain(held_by(each))
        elif number is None and type(each) is dict:  # of keywords
            waiting += each.values()
    return found
