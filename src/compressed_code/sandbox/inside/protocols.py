"""What an object of the program can do besides: the protocols of its type, as its stand-in has them.

The length, the items and the parts of an answer agree with one another here, whatever the program says of each.
"""

from collections.abc import Generator, Hashable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from itertools import count, islice
from types import GeneratorType
from typing import Any

from .owned import Owned
from .remotes import Remote, exactly, may_decide
from .said import ENOUGH, Items, attribute, differs, keep, known, once, renew


def _call(self: Remote, *arguments: Any, **keywords: Any) -> Any:
    return self._ask("call", arguments, keywords)


def _iterate(self: Remote) -> Iterator[Any]:
    if (items := _items_told(self)) is not None and items.rounds >= ENOUGH:
        return iter(items.given)
    length = _counted(self) if _has_length(self) else None
    iterator = _asked_iterator(self)
    if iterator is not self:
        items = self._followed[0] or known(self, "items", lambda: Items(self))
        return items.each(_whole(self, iterator, length))
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
    take = iterator.__next__ if not isinstance(iterator, Remote) else partial(_advanced, iterator)
    take = partial(_taken, value) if iterator is value else take
    with suppress(StopIteration):
        while length is None or given <= length:  # a loop over it would ask it for an iterator once more
            item = take()
            given += 1
            if length is None or given <= length:
                yield item
    if length is not None and given != length:
        value._judge.refuse(value)
        raise TypeError("an answer gives another number of items than it says to have")


def _iterate_by_place(self: Remote) -> Iterator[Any]:
    """What has a length and items by their places, and no other way to be iterated over: no more than these."""
    for place in range(_counted(self)):
        yield self[place]


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
    self._judge.going_on = self
    try:
        return _advanced(self)
    finally:
        self._judge.going_on = None
        renew(self, {})  # what it has left is less


def _advanced(self: Remote) -> Any:
    followed, place = self._followed
    try:
        found = self._ask("next")
    except StopIteration:
        if followed is not None:
            followed.end(place)
        raise
    if followed is None:
        return found
    object.__setattr__(self, "_followed", (followed, place + 1))
    return followed.at(place, found)


def _length(self: Remote) -> int:
    return _agreeing(self, once(self, "length", lambda: exactly(int, self._ask("length"))))


def _counted(self: Remote) -> int:
    """The length, which the test does not ask for."""
    return _agreeing(self, known(self, "length", lambda: exactly(int, self._ask("length"))))


def _agreeing(self: Remote, found: int) -> int:
    """A length that agrees with what was counted before, and what was given or asked for since."""
    before, made = keep(self).get("grown", (found, 0))
    counted, taken = keep(self).get("counted", (found, 0))
    if not before <= found <= before + made or (found not in (counted, counted - taken) and not self._made):
        self._judge.refuse(self)
        raise TypeError("an answer says another length each time")
    if found != before:
        keep(self).pop("items", None)
    return found


def _truth(self: Remote) -> bool:
    found = once(self, "truth", lambda: self._ask("truth") is True)
    if not self._made and found != (_counted(self) > 0):
        self._judge.refuse(self)
        raise TypeError("an answer is true without items, or untrue with some")
    return found


def _item(self: Remote, key: Any) -> Any:
    if type(key) is slice:
        return once(self, ("part", key.start, key.stop, key.step), lambda: _part(self, key))
    by_place = getattr(type(self), "__iter__", None) is _iterate_by_place and type(key) is int
    length = _counted(self) if by_place else 0
    place = key % length if by_place and -length <= key < length else key
    return once(self, ("item", _told_apart(self, place)), lambda: _asked_item(self, key))


def _asked_item(self: Remote, key: Any) -> Any:
    try:
        found = self._ask("item", key)
    except IndexError:
        # What has no other way to be iterated over ends with this.
        if type(key) is int and not self._made and _has_length(self) and 0 <= key < _counted(self):
            self._judge.refuse(self)
        raise
    # It may be there for having been asked for, as in a dictionary with defaults: not what has a place.
    if isinstance(key, str | bytes) and "length" in (told := keep(self)):
        before, made = told.get("grown", (told["length"][0], 0))
        renew(self, {about: what for about, what in told.items() if about not in ("length", "truth")})
        keep(self)["grown"] = before, made + 1
    return found


def _part(self: Remote, key: slice) -> Any:
    found = self._ask("item", key)
    if not self._made:
        expected = _items_of_part(self, key)
        if (
            expected is None
            or not hasattr(type(found), "__len__")
            or len(found) != len(expected)
            or any(map(differs, found, expected))
        ):
            self._judge.refuse(self)
            raise TypeError("a part of an answer is another one than that of its items")
    return found


def _items_of_part(value: Remote, key: slice) -> list[Any] | None:
    """Those that an object gives when it is iterated over; None where that may take for ever."""
    if _has_length(value):
        return _items(value)[key]
    bounded = key.stop is not None and all(part is None or part >= 0 for part in (key.start, key.stop, key.step))
    return list(islice(value, key.start, key.stop, key.step)) if bounded else None


def _items(value: Remote) -> list[Any]:
    """All of them, which the test has or has not asked for."""
    told = _items_told(value)
    return told.given if told is not None else list(value)


def _items_told(value: Remote) -> Items | None:
    """What iterating over an object has given to the end."""
    told, _ = keep(value).get("items", (None, None))
    return told if told is not None and told.complete else None


def _numbered(value: Remote, other: Any) -> Hashable:
    """What tells an object of the program from any other."""
    keep(value)["key", other._number] = other  # the number is its own as long as it is there
    return "object", other._number


def _told_apart(value: Remote, key: Any) -> Hashable:
    """A key that is told from any other."""
    if type(key) is slice:
        return "slice", *(_told_apart(value, part) for part in (key.start, key.stop, key.step))
    if isinstance(key, tuple | list):
        return isinstance(key, list), *(_told_apart(value, part) for part in key)
    if isinstance(key, Remote):
        return _numbered(value, key)
    try:
        hash(key)
    except TypeError:
        if value._made:
            return object()
        value._judge.refuse(value)
        raise
    return key


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
    if self._ask("leave", None if kind is None else kind.__name__) and kind is not None:
        self._judge.refuse(self)  # what a test asserts, or stumbles over, inside of it counts
    return False


def _await(self: Remote) -> Generator[None, None, Any]:
    yield from ()
    return self._ask("await")


def _is_instance(self: Remote, value: Any) -> bool:
    if not isinstance(value, Remote | Owned):
        return False
    return once(self, ("instance", _numbered(self, value)), lambda: self._ask("is instance", value) is True)


def _is_subclass(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote) and self._ask("is subclass", value) is True


def _asked_about_items(name: str) -> property:
    """A method of sequences by that name: where an item is, or how often, is what an answer's items say, too."""

    def method(self: Remote) -> Any:
        found = attribute(self, name, lambda: self._ask("attribute", name))
        if self._made or not callable(found):
            return found
        if isinstance(found, Remote):
            found._only_read()

        def ask(*arguments: Any, **keywords: Any) -> Any:
            said, refusal, answer = keep(self), None, None
            try:
                answer = found(*arguments, **keywords)
            except ValueError as error:
                refusal = error
            renew(self, said)  # asking changes nothing
            if len(arguments) == 1 and not keywords:
                expected = _told_by(_items(self), name, *arguments)
                if type(answer) is not type(expected) or answer != expected:
                    self._judge.refuse(self)
                    raise TypeError(f"{name} says something else than the items")
            if refusal is not None:
                raise refusal
            return answer

        return ask

    return property(method)


def _told_by(items: list[Any], name: str, item: Any) -> int | None:
    """What `index` or `count` is of some items; an object is only itself."""
    apart = isinstance(item, Remote)
    places = [
        place
        for place, each in enumerate(items)
        if each is item or (not apart and not isinstance(each, Remote) and each == item)
    ]
    return len(places) if name == "count" else next(iter(places), None)


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
    "eq": {"_compares": True},
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
