"""What an answer has said of itself: it is asked once, until something runs that may change it.

A test that counts an answer's items at one time, and looks at each of them at another, would see two answers otherwise.
Of an object that the test made itself, by calling a class by its name, it is the class that is tested: it may change by
being looked at, as a cache does, or what is drained by going through it. What it has said holds until it gives an item,
or the test reads another attribute.
"""

import math
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol


class Stands(Protocol):
    """What stands for an object of the program.

    Attributes:
        _judge: asks the program (`owned.Asked`).
    """

    _judge: Any


def made_by_the_test(value: Any) -> bool:
    """Whether the test made an object by calling its class."""
    return getattr(value, "_made", False)


def once(value: Stands, about: Hashable, ask: Callable[[], Any]) -> Any:
    """What an object says of something: what it said before, if it did.

    An iterator is another one each time, since the test uses it up.

    Args:
        ask: asks the program.
    """
    told = keep(value)
    if about not in told:
        found = ask()
        if hasattr(type(found), "__next__"):
            return found
        told = keep(value)
        told[about] = found
    return told[about]


def attribute(value: Stands, name: str, ask: Callable[[], Any]) -> Any:
    """The same of an attribute."""
    about = "attribute", name
    if made_by_the_test(value):  # which may have computed another one on the way
        renew(value, {known: what for known, what in keep(value).items() if known == about})
    return once(value, about, ask)


def keep(value: Stands) -> dict[Hashable, Any]:
    """What an object has said since something ran that may have changed it."""
    value._judge.notice()
    when, told = getattr(value, "_said", (None, {}))
    if when != _now(value):
        told = {}
        renew(value, told)
    return told


def renew(value: Stands, told: dict[Hashable, Any]) -> None:
    """Let an object have said this, and nothing else, whatever ran."""
    object.__setattr__(value, "_said", (_now(value), told))


def _now(value: Stands) -> tuple[int, int]:
    return value._judge.changes, value._judge.taken if made_by_the_test(value) else 0


class Items:
    """What iterating over an object gives, kept as it comes.

    Args:
        value: the object.
        source: what the program gives.
    """

    def __init__(self, value: Stands, source: Iterator[Any]) -> None:
        self.value, self.source = value, source
        self.given: list[Any] = []

    def each(self) -> Iterator[Any]:
        """From the first to the last, which only the first round asks for."""
        place = 0
        while place < len(self.given) or self._another():
            yield self.given[place]
            place += 1

    def _another(self) -> bool:
        try:
            for item in self.source:
                self.given.append(item)
                return True
        except BaseException:  # of the program's: it may go on another time
            keep(self.value).pop("items", None)
            raise
        return False


def differs(one: Any, other: Any) -> bool:
    """Whether two values are other data; of two objects nobody knows, for some are made anew each time."""
    if _stands(one) or _stands(other):
        return not (_stands(one) and _stands(other))
    if type(one) is not type(other):
        return True
    if isinstance(one, float) and math.isnan(one) and math.isnan(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) != len(other) or any(map(differs, one, other))
    unequal = one != other
    return bool(unequal if isinstance(unequal, bool) else unequal.any())  # of an array each of its numbers


def _stands(value: Any) -> bool:
    return hasattr(type(value), "_ask")
