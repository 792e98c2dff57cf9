"""What an object of the program can do besides: the protocols of its type, as its stand-in has them.

The length, the items and the parts of an answer agree with one another here, whatever the program says of each.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import count
from types import GeneratorType
from typing import Any

from .owned import Owned
from .remotes import Remote, exactly, may_decide
from .said import Items, differs, keep, once, renew


def _call(self: Remote, *arguments: Any, **keywords: Any) -> Any:
    return self._ask("call", arguments, keywords)


def _iterate(self: Remote) -> Iterator[Any]:
    length = len(self) if _has_length(self) else None
    if not hasattr(type(self), "__next__"):
        return once(self, "items", lambda: Items(self, _whole(self, _asked_iterator(self), length))).each()
    iterator = _asked_iterator(self)
    if length is None:
        return iterator
    # It may have nothing left to compare, when the test has looked at each of its items.
    if self._passed and not self._made:
        self._judge.refuse(self)
        raise TypeError("an answer with a length is gone through a second time, and has been used up")
    object.__setattr__(self, "_passed", True)
    return _whole(self, iterator, length)


def _asked_iterator(value: Remote) -> Iterator[Any]:
    found = value._ask("iterate")
    return found if isinstance(found, Remote) else iter(found)


def _has_length(value: Remote) -> bool:
    return hasattr(type(value), "__len__")


def _whole(value: Remote, iterator: Iterator[Any], length: int | None) -> Iterator[Any]:
    """What an object gives, as many items as it says to have: a test that asks for the length, and compares item by
    item, would compare nothing otherwise, and one that looks for an item would find any."""
    given = 0
    with suppress(StopIteration):
        while length is None or given <= length:  # a loop over it would ask it for an iterator once more
            item = next(iterator)
            given += 1
            if length is None or given <= length:
                yield item
    if length is not None and given != length:
        value._judge.refuse(value)
        raise TypeError("an answer gives another number of items than it says to have")


def _iterate_by_place(self: Remote) -> Iterator[Any]:
    """What has a length and items by their places, and no other way to be iterated over: no more than these."""
    for place in range(len(self)):
        yield self[place]


def _iterate_to_the_last_place(self: Remote) -> Iterator[Any]:
    """What has items by their places and neither a length nor another way to be iterated over."""

    def by_place() -> Iterator[Any]:
        with suppress(IndexError):
            for place in count():
                yield self[place]

    return once(self, "items", lambda: Items(self, by_place())).each()


def _next(self: Remote) -> Any:
    found = self._ask("next")
    renew(self, {})  # what it has left is less
    return found


def _length(self: Remote) -> int:
    found = once(self, "length", lambda: exactly(int, self._ask("length")))
    before, made = keep(self).get("grown", (found, 0))
    if not before <= found <= before + made:
        self._judge.refuse(self)
        raise TypeError("an answer says another length each time")
    if found != before:
        keep(self).pop("items", None)
    return found


def _truth(self: Remote) -> bool:
    found = once(self, "truth", lambda: self._ask("truth") is True)
    if not self._made and found != (len(self) > 0):
        self._judge.refuse(self)
        raise TypeError("an answer is true without items, or untrue with some")
    return found


def _item(self: Remote, key: Any) -> Any:
    if type(key) is slice:
        return once(self, ("part", key.start, key.stop, key.step), lambda: _part(self, key))
    if not _is_plain(key):
        return self._ask("item", key)
    by_place = getattr(type(self), "__iter__", None) is _iterate_by_place and type(key) is int
    place = key % len(self) if by_place and -len(self) <= key < len(self) else key
    return once(self, ("item", place), lambda: _asked_item(self, key))


def _asked_item(self: Remote, key: Any) -> Any:
    try:
        found = self._ask("item", key)
    except IndexError:
        # What has no other way to be iterated over ends with this.
        if type(key) is int and not self._made and _has_length(self) and 0 <= key < len(self):
            self._judge.refuse(self)
        raise
    # It may be there for having been asked for, as in a dictionary with defaults: not what has a place.
    if isinstance(key, str | bytes) and "length" in (told := keep(self)):
        before, made = told.get("grown", (told["length"], 0))
        renew(self, {about: what for about, what in told.items() if about not in ("length", "truth")})
        keep(self)["grown"] = before, made + 1
    return found


def _part(self: Remote, key: slice) -> Any:
    found = self._ask("item", key)
    if not self._made and _has_length(self):
        places = range(len(self))[key]
        items = list(self)
        if (
            not hasattr(type(found), "__len__")
            or len(found) != len(places)
            or any(differs(item, items[place]) for item, place in zip(found, places, strict=True))
        ):
            self._judge.refuse(self)
            raise TypeError("a part of an answer is another one than that of its items")
    return found


def _is_plain(key: Any) -> bool:
    parts = key if type(key) is tuple else (key,)
    return all(isinstance(part, str | bytes | int | float | complex | None) for part in parts)


def _set_item(self: Remote, key: Any, value: Any) -> None:
    self._ask("set item", key, value)


def _delete_item(self: Remote, key: Any) -> None:
    self._ask("delete item", key)


def _contains(self: Remote, value: Any) -> bool:
    if not may_decide(self, value):
        self._judge.refuse(self)
        raise TypeError("an answer's own __contains__ decides nothing")
    return self._ask("contains", value) is True


def _enter(self: Remote) -> Any:
    return self._ask("enter")


def _leave(self: Remote, kind: Any, error: Any, trace: Any) -> bool:
    judge = self._judge
    try:
        self._ask("leave", None if kind is None else kind.__name__)
    except BaseException:
        if isinstance(error, AssertionError):
            judge.failed = error  # what is raised here takes its place, and the test may wait for that
        raise
    return False  # what a test asserts inside of it counts


def _await(self: Remote) -> Generator[None, None, Any]:
    yield from ()
    return self._ask("await")


def _is_instance(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote | Owned) and self._ask("is instance", value) is True


def _is_subclass(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote) and self._ask("is subclass", value) is True


def _asked_about_items(name: str) -> property:
    """A method of sequences by that name: where an item is, or how often, is what an answer's items say, too."""

    def method(self: Remote) -> Any:
        found = self._ask("attribute", name)
        if self._made or not callable(found):
            return found

        def ask(*arguments: Any, **keywords: Any) -> Any:
            said, refusal, answer = keep(self), None, None
            try:
                answer = found(*arguments, **keywords)
            except ValueError as error:
                refusal = error
            renew(self, said)  # asking changes nothing
            if len(arguments) == 1 and not keywords:
                items = list(self)
                objects = any(isinstance(each, Remote) for each in (*items, *arguments))
                expected = answer if objects else _told_by(items, name, *arguments)
                if type(answer) is not type(expected) or answer != expected:
                    self._judge.refuse(self)
                    raise TypeError(f"{name} says something else than the items")
            if refusal is not None:
                raise refusal
            return answer

        return ask

    return property(method)


def _told_by(items: list[Any], name: str, item: Any) -> int | None:
    try:
        return getattr(items, name)(item)
    except ValueError:
        return None


# What an object can do: the special methods of its type, and what they are here.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "call": {"__call__": _call},
    "iter": {"__iter__": _iterate},
    "next": {"__next__": _next},
    "len": {"__len__": _length, "__bool__": _truth},
    "getitem": {"__getitem__": _item},
    "setitem": {"__setitem__": _set_item},
    "delitem": {"__delitem__": _delete_item},
    "contains": {"__contains__": _contains},
    "enter": {"__enter__": _enter, "__exit__": _leave},
    "await": {"__await__": _await},
    "generator": {"__class__": property(lambda _: GeneratorType)},  # its own methods are attributes
    "instancecheck": {"__instancecheck__": _is_instance, "__subclasscheck__": _is_subclass},
}


@lru_cache(maxsize=1024)
def remote_type(protocols: frozenset[str]) -> type[Remote]:
    """The type of the stand-ins for objects with such protocols.

    Raises:
        KeyError: there is no such protocol.
    """
    methods: dict[str, Any] = {"__doc__": property(lambda self: self._ask("attribute", "__doc__"))}
    for name in sorted(protocols):
        methods |= PROTOCOLS[name]
    if "getitem" in protocols and "iter" not in protocols:
        methods |= {"__iter__": _iterate_by_place if "len" in protocols else _iterate_to_the_last_place}
    if "__iter__" in methods:
        methods |= {name: _asked_about_items(name) for name in ("index", "count")}
    return type("Remote", (Remote,), methods)
