"""The length of an answer and its items by place, key and slice, which agree with one another here."""

from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Any

from .differences import differs
from .remotes import Remote
from .said import Items, attribute, keep, known, once, renew


def has_length(value: Remote) -> bool:
    return hasattr(type(value), "__len__")


def iterate_by_place(self: Remote) -> Iterator[Any]:
    """What has a length and items by their places, and no other way to be iterated over: no more than these."""
    for place in range(counted(self)):
        yield self[place]


def length(self: Remote) -> int:
    return _agreeing(self, once(self, "length", lambda: self._its_plain(int, "length")))


def counted(self: Remote) -> int:
    """The length, which the test does not ask for."""
    return _agreeing(self, known(self, "length", lambda: self._its_plain(int, "length")))


def _agreeing(self: Remote, found: int) -> int:
    """A length that agrees with what was counted before, and what was given or asked for since."""
    before, made = keep(self).get("grown", (found, 0))
    counted, taken = keep(self).get("counted", (found, 0))
    if not before <= found <= before + made or (found not in (counted, counted - taken) and not self._its_made):
        self._its_judge.refuse(self)
        raise TypeError("an answer says another length each time")
    if found != before:
        keep(self).pop("items", None)
    return found


def truth(self: Remote) -> bool:
    found = once(self, "truth", lambda: self._its_ask("truth") is True)
    if not self._its_made and found != (counted(self) > 0):
        self._its_judge.refuse(self)
        raise TypeError("an answer is true without items, or untrue with some")
    return found


def item(self: Remote, key: Any) -> Any:
    if type(key) is slice:
        return once(self, ("part", key.start, key.stop, key.step), lambda: _part(self, key))
    by_place = getattr(type(self), "__iter__", None) is iterate_by_place and type(key) is int
    length = counted(self) if by_place else 0
    place = key % length if by_place and -length <= key < length else key
    return once(self, ("item", _told_apart(self, place)), lambda: _asked_item(self, key))


def _asked_item(self: Remote, key: Any) -> Any:
    try:
        found = self._its_ask("item", key)
    except IndexError:
        # What has no other way to be iterated over ends with this.
        if type(key) is int and not self._its_made and has_length(self) and 0 <= key < counted(self):
            self._its_judge.refuse(self)
        raise
    # It may be there for having been asked for, as in a dictionary with defaults: not what has a place.
    if isinstance(key, str | bytes) and "length" in (told := keep(self)):
        before, made = told.get("grown", (told["length"][0], 0))
        renew(self, {about: what for about, what in told.items() if about not in ("length", "truth")})
        keep(self)["grown"] = before, made + 1
    return found


def _part(self: Remote, key: slice) -> Any:
    found = self._its_ask("item", key)
    if not self._its_made:
        expected = _items_of_part(self, key)
        if (
            expected is None
            or not hasattr(type(found), "__len__")
            or len(found) != len(expected)
            or any(map(differs, found, expected))
        ):
            self._its_judge.refuse(self)
            raise TypeError("a part of an answer is another one than that of its items")
    return found


def _items_of_part(value: Remote, key: slice) -> list[Any] | None:
    """Those that an object gives when it is iterated over; None where that may take for ever."""
    if has_length(value):
        return _items(value)[key]
    bounded = key.stop is not None and all(part is None or part >= 0 for part in (key.start, key.stop, key.step))
    return list(islice(value, key.start, key.stop, key.step)) if bounded else None


def _items(value: Remote) -> list[Any]:
    """All of them, which the test has or has not asked for."""
    told = items_told(value)
    return told.given if told is not None else list(value)


def items_told(value: Remote) -> Items | None:
    """What iterating over an object has given to the end."""
    told, _ = keep(value).get("items", (None, None))
    return told if told is not None and told.complete else None


def numbered(value: Remote, other: Any) -> Hashable:
    """What tells an object of the program from any other."""
    keep(value)["key", other._its_number] = other  # the number is its own as long as it is there
    return "object", other._its_number


def _told_apart(value: Remote, key: Any) -> Hashable:
    """A key that is told from any other."""
    if type(key) is slice:
        return "slice", *(_told_apart(value, part) for part in (key.start, key.stop, key.step))
    if isinstance(key, tuple | list):
        return isinstance(key, list), *(_told_apart(value, part) for part in key)
    if isinstance(key, Remote):
        return numbered(value, key)
    try:
        hash(key)
    except TypeError:
        if value._its_made:
            return object()
        value._its_judge.refuse(value)
        raise
    return key


def asked_about_items(name: str) -> property:
    """A method of sequences by that name: where an item is, or how often, is what an answer's items say, too."""

    def method(self: Remote) -> Any:
        found = attribute(self, name, lambda: self._its_ask("attribute", name))
        if self._its_made or not callable(found):
            return found
        if isinstance(found, Remote):
            found._its_only_read()

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
                    self._its_judge.refuse(self)
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
