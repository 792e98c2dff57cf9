"""What an object of the program can do besides: the protocols of its type, as its stand-in has them.

Its length, items and parts agree with one another (`sequences`), whatever the program says of each.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from itertools import count
from types import GeneratorType
from typing import Any

from . import sequences
from .owned import Owned
from .remotes import Remote, may_decide
from .said import ENOUGH, Items, attribute, keep, known, once, renew


def _call(self: Remote, *arguments: Any, **keywords: Any) -> Any:
    if self._its_only_reads and not arguments and not keywords:  # `dict` calls `keys`
        return once(self, "call", lambda: self._its_ask("call", arguments, keywords))
    return self._its_ask("call", arguments, keywords)


def _iterate(self: Remote) -> Iterator[Any]:
    if (items := sequences.items_told(self)) is not None and items.rounds >= ENOUGH:
        return iter(items.given)
    length = sequences.counted(self) if sequences.has_length(self) else None
    iterator = _asked_iterator(self)
    if iterator is not self:
        items = self._its_followed[0] or known(self, "items", lambda: Items(self))
        return items.each(_whole(self, iterator, length))
    if length is None:
        return iterator
    # It may have nothing left to compare, when the test has looked at each of its items.
    if self._its_passed and not self._its_made:
        self._its_judge.refuse(self)
        raise TypeError("an answer with a length is gone through a second time, and has been used up")
    object.__setattr__(self, "_its_passed", True)
    return _whole(self, iterator, length)


def _asked_iterator(value: Remote) -> Iterator[Any]:
    found = value._its_ask("iterate")
    return found if isinstance(found, Remote) else iter(found)


def _whole(value: Remote, iterator: Iterator[Any], length: int | None) -> Iterator[Any]:
    """What an object gives, as many items as it says to have: a test that asks for the length, and compares item by
    item, would compare nothing otherwise, and one that looks for an item would find any."""
    given = 0
    take = iterator.__next__ if not isinstance(iterator, Remote) else partial(_advanced, iterator)
    take = partial(_taken, value) if iterator is value else take
    with suppress(StopIteration):
        while length is None or given <= length:  # a loop over it would ask it for an iterator once more
            item = take()
            given += 1
            if length is None or given <= length:
                yield item
    if length is not None and given != length:
        value._its_judge.refuse(value)
        raise TypeError("an answer gives another number of items than it says to have")


def _iterate_to_the_last_place(self: Remote) -> Iterator[Any]:
    """What has items by their places and neither a length nor another way to be iterated over."""

    def by_place() -> Iterator[Any]:
        with suppress(IndexError):
            for place in count():
                yield self[place]

    return known(self, "items", lambda: Items(self)).each(by_place())


def _next(self: Remote) -> Any:
    told = keep(self)
    counted, taken = told.get("counted", (told["length"][0] if "length" in told else None, 0))
    found = _taken(self)
    if counted is not None:
        keep(self)["counted"] = counted, taken + 1
    return found


def _taken(self: Remote) -> Any:
    """The next item of an object that the test itself goes through."""
    try:
        return _advanced(self)
    finally:
        renew(self, {})  # what it has left is less


def _advanced(self: Remote) -> Any:
    followed, place = self._its_followed
    try:
        found = self._its_ask("next")
    except StopIteration:
        if followed is not None:
            followed.end(place)
        raise
    if followed is None:
        return found
    object.__setattr__(self, "_its_followed", (followed, place + 1))
    return followed.at(place, found)


def _set_item(self: Remote, key: Any, value: Any) -> None:
    self._its_ask("set item", key, value)


def _delete_item(self: Remote, key: Any) -> None:
    self._its_ask("delete item", key)


def _contains(self: Remote, value: Any) -> bool:
    if not may_decide(self, value):
        self._its_judge.refuse(self)
        raise TypeError("an answer's own __contains__ decides nothing")
    return self._its_ask("contains", value) is True


def _enter(self: Remote) -> Any:
    return self._its_ask("enter")


def _leave(self: Remote, kind: Any, error: Any, trace: Any) -> bool:
    found = self._its_ask("leave", None if kind is None else kind.__name__)
    if kind is not None and found is not None and found is not False:
        self._its_judge.refuse(self)  # what a test asserts, or stumbles over, inside of it counts
    return False


def _await(self: Remote) -> Generator[None, None, Any]:
    yield from ()
    return self._its_ask("await")


def _is_instance(self: Remote, value: Any) -> bool:
    if not isinstance(value, Remote | Owned):
        return False
    return once(
        self, ("instance", sequences.numbered(self, value)), lambda: self._its_ask("is instance", value) is True
    )


def _is_subclass(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote) and self._its_ask("is subclass", value) is True


# What an object can do: the special methods of its type, and what they are here.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "call": {"__call__": _call},
    "iter": {"__iter__": _iterate},
    "next": {"__next__": _next},
    "len": {"__len__": sequences.length, "__bool__": sequences.truth},
    "getitem": {"__getitem__": sequences.item},
    "setitem": {"__setitem__": _set_item},
    "delitem": {"__delitem__": _delete_item},
    "contains": {"__contains__": _contains},
    "enter": {"__enter__": _enter, "__exit__": _leave},
    "await": {"__await__": _await},
    "eq": {"_its_compares": True},
    "generator": {"__class__": property(lambda _: GeneratorType)},  # its own methods are attributes
    "instancecheck": {"__instancecheck__": _is_instance, "__subclasscheck__": _is_subclass},
}


@lru_cache(maxsize=1024)
def remote_type(protocols: frozenset[str]) -> type[Remote]:
    """The type of the stand-ins for objects with such protocols.

    Raises:
        KeyError: there is no such protocol.
    """
    methods: dict[str, Any] = {
        "__doc__": property(lambda self: attribute(self, "__doc__", lambda: self._its_ask("attribute", "__doc__")))
    }
    for name in sorted(protocols):
        methods |= PROTOCOLS[name]
    if "getitem" in protocols and "iter" not in protocols:
        methods |= {"__iter__": sequences.iterate_by_place if "len" in protocols else _iterate_to_the_last_place}
    if "__iter__" in methods:
        methods |= {name: sequences.asked_about_items(name) for name in ("index", "count")}
    return type("Remote", (Remote,), methods)
