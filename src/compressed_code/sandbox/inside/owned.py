"""Plain data of the program's own types: what extends a plain type is that plain data, with attributes to ask for."""

import sys
from array import array
from collections import UserDict, UserList, UserString, defaultdict, deque
from functools import lru_cache
from typing import Any, NoReturn, Protocol

from . import said
from .values import REACHING

# What plain types say of themselves: an answer that is none of them would decide by that.
PREDICATES = frozenset(
    name
    for kind in (str, bytes, float, set)
    for name in dir(kind)
    if name.startswith("is") or name in ("startswith", "endswith")
) | {"difference", "intersection", "symmetric_difference", "union", "find", "rfind", "rindex"}


# What numpy asks a list for before it looks at it.
OF_ARRAYS = frozenset(("shape", "ndim", "size"))


_OF_NAMED_TUPLES = ("_asdict", "_fields", "_replace")


class Asked(Protocol):
    """Who asks the program."""

    reading: bool  # an answer is being read, in which nothing can be asked
    changes: int  # how often something ran that may have changed the objects that were answered
    ran: int  # how often anything ran but a look, or to make an object
    made: int  # how often the test made an object
    bound: int  # how often it made one of other objects
    effect: Any  # what that which is asked may do to objects (`operations.Effect`)
    taken: int  # how often an iterator gave an item
    found: int  # how often an object gave an item by its key

    def request(self, operation: str, *arguments: Any) -> Any:
        """Let the program do something and give back what came of it."""

    def notice(self) -> None:
        """Count it as a change that the test has changed a container which the program has, too."""

    def opaque(self, value: Any, doubt: str = "own object") -> None:
        """An object of the program was compared with something that it does not decide about, or one of the test's
        cannot be sent whole ("argument")."""

    def refuse(self, value: Any, doubt: str = "own object") -> None:
        """An object of the program was asked for what it does not decide, and the test gets an exception: that the
        test waits for one must not let it pass."""


class Owned:
    """An instance of a type of the program that extends a plain one: plain data, with attributes of its own."""

    _its_judge: Asked = None  # of each its own

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not (name in _OF_NAMED_TUPLES and isinstance(self, tuple)):
            raise AttributeError(name)
        found = said.attribute(self, name, lambda: self._its_judge.request("attribute", self, name))
        if (name in OF_ARRAYS and "numpy" in sys.modules) or (name in PREDICATES and callable(found)):
            self._its_judge.refuse(self)
            raise AttributeError(name)
        return found

    def __reduce_ex__(self, version: Any) -> NoReturn:
        self._its_judge.refuse(self)
        raise TypeError("what is the program's is copied there")

    def __setattr__(self, name: str, value: Any) -> None:
        own = "default_factory" if isinstance(self, defaultdict) else "data"
        if name.startswith("_") or (name == own and isinstance(self, defaultdict | UserDict | UserList | UserString)):
            object.__setattr__(self, name, value)
        else:
            self._its_judge.request("assign", self, name, value)


def own(judge: Asked, number: int, value: Any) -> Any:
    """A plain value with the attributes of an object of the program.

    Args:
        value: an immutable value, or an empty container.
    """
    kind = _owned_type(type(value))
    match value:
        case deque():
            found = kind(maxlen=value.maxlen)
        case defaultdict():
            found = kind()
        case array():
            found = kind(value.typecode, value)
        case _:
            found = kind(value)
    object.__setattr__(found, "_its_judge", judge)
    object.__setattr__(found, "_its_number", number)
    object.__setattr__(found, "_its_said", (None, {}))
    return found


@lru_cache(maxsize=64)
def _owned_type(base: type) -> type:
    asked = {name: _asked(name) for name in REACHING.get(base, ())}
    fields = {name: _field(name) for name in ("count", "index") if base is tuple}
    return type(f"Own_{base.__name__}", (Owned, base), asked | fields)


def _field(name: str) -> property:
    """A field of a named tuple that is called as a method of all tuples is, or that method."""

    def look(self: Owned) -> Any:
        found = said.attribute(self, name, lambda: self._its_judge.request("attribute", self, name))
        return getattr(tuple, name).__get__(self) if callable(found) else found

    return property(look)


def _asked(name: str) -> property:
    return property(lambda self: self._its_judge.request("attribute", self, name))
