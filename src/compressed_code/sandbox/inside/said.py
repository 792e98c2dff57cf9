"""What an answer has said of itself holds until something runs that may change it.

A test that counts an answer's items at one time, and looks at each of them at another, would see two answers otherwise.
The answer is asked again each time, but what the test gets is what was said first, and something else is refused. Of an
object that the test made itself, by calling a class by its name, it is the class that is tested: it may change by
being looked at, as a cache does, or what is drained by going through it. What it has said holds until it gives an item,
or the test reads another attribute.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, KeysView, ValuesView
from types import FunctionType
from typing import Any, NoReturn, Protocol

_AMOUNTS = ("length", "items", ("least", "length"), ("least", "items"))
ENOUGH = 8  # times that an object is asked the same without a change: each looks through all that both sides have


class Stands(Protocol):
    """What stands for an object of the program.

    Attributes:
        _judge: asks the program (`owned.Asked`).
    """

    _judge: Any


def made_by_the_test(value: Any) -> bool:
    """Whether the test made an object by calling its class, though it may have come back since."""
    return getattr(value, "_lives", False) and not getattr(value, "_is_free", False)


def once(value: Stands, about: Hashable, ask: Callable[[], Any]) -> Any:
    """What an object says of something: what it said before, if it did.

    It is asked again all the same, some times, for a test may count that, or see what it does; what it says then is no
    other thing.

    Args:
        ask: asks the program.

    Raises:
        Exception: what was raised when it was asked.
        TypeError: it says something else now.
    """
    told = keep(value)
    again = told.get(("again", about), 0)
    if about not in told:
        return known(value, about, ask)
    if again >= ENOUGH:
        return _told(told[about])
    told["again", about] = again + 1
    found, error = _asked(ask)
    told = keep(value)
    before, raised = told.get(about, (found, error))
    if type(before) is not type(found) or type(error) is not type(raised) or differs(before, found, objects=False):
        value._judge.refuse(value)
        raise TypeError("an answer says something else each time")
    if raised is not None:
        raise raised
    if found is not before and _is_flat(found):  # another list, if the program makes one each time
        told[about] = found, None
    elif _is_iterator(found) and found is not before:
        return _following(value, about, found)
    return told.get(about, (before,))[0]


def known(value: Stands, about: Hashable, ask: Callable[[], Any]) -> Any:
    """The same without asking again: it is not the test that looks."""
    told = keep(value)
    if about not in told:
        found, error = _asked(ask)
        if error is None and not isinstance(found, Items):  # of which nobody knows how many there will be
            found = _agreed(value, about, found)
        told = keep(value)
        told[about] = found, error
        if _is_iterator(found):
            return _following(value, about, found)
    return _told(told[about])


def _told(said: tuple[Any, Exception | None]) -> Any:
    found, error = said
    if error is not None:
        raise error
    return found


def _asked(ask: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return ask(), None
    except Exception as raised:
        return None, raised


def _following(value: Stands, about: Hashable, iterator: Any) -> Any:
    """An iterator, which gives the items that the one before it gave: the test uses each up."""
    told = keep(value)
    first = ("iterated", about) not in told
    iterator._follow(told.setdefault(("iterated", about), Items(value, ("iterated", about))), first)
    return iterator


def _is_iterator(value: Any) -> bool:
    kind = type(value)
    return _stands(value) and hasattr(kind, "__next__") and not hasattr(kind, "__len__")


def _is_flat(value: Any) -> bool:
    """Whether a container holds nothing but plain data, and is none of the program's own."""
    if type(value) not in (list, set, dict, deque, bytearray):
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return all(type(each) in (bool, int, float, complex, str, bytes, type(None)) for each in parts)


def attribute(value: Stands, name: str, ask: Callable[[], Any]) -> Any:
    """The same as `once` of an attribute."""
    about = "attribute", name
    if made_by_the_test(value):  # which may have computed another one on the way
        renew(value, _least(keep(value), about))
    return once(value, about, ask)


def keep(value: Stands) -> dict[Hashable, Any]:
    """What an object has said since something ran that may have changed it."""
    value._judge.notice()
    when, told = getattr(value, "_said", (None, {}))
    now = _now(value)
    if when != now:
        told = _least(told) if when is not None and when[:-1] == now[:-1] else {}
        renew(value, told)
    return told


def renew(value: Stands, told: dict[Hashable, Any]) -> None:
    """Let an object have said this, and nothing else, whatever ran."""
    object.__setattr__(value, "_said", (_now(value), told))


def _now(value: Stands) -> tuple[int, int, int]:
    """What has run, whose last part took nothing away."""
    judge = value._judge
    # The test made it, or has it by its name: it lives.
    if made_by_the_test(value):
        return judge.ran, judge.taken, judge.made + judge.found
    return judge.ran if getattr(value, "_lives", False) else judge.changes, 0, judge.made


def _least(told: dict[Hashable, Any], but: Hashable = None) -> dict[Hashable, Any]:
    """Of what an object has said, how much that was: where nothing has run that takes away, it does not get less.

    Args:
        but: what it has said all the same.
    """
    kept = {about: what for about, what in told.items() if about == but or _is_least(about)}
    sizes = {("least", about): _size(about, what) for about, what in told.items() if about not in kept}
    return kept | {about: size for about, size in sizes.items() if size}


def _is_least(about: Hashable) -> bool:
    return isinstance(about, tuple) and about[:1] == ("least",)


def _size(about: Hashable, said: Any) -> int:
    """How many items an object has said to have, or something of it has; 0 where it said no such thing."""
    found = said[0] if isinstance(said, tuple) else said
    if isinstance(found, Items):
        return len(found.given)
    if _stands(found) and hasattr(found, "_said"):
        return max((_size(each, what) for each, what in found._said[1].items() if each in _AMOUNTS), default=0)
    if _is_least(about):
        return said
    if about == "length" and type(found) is int:
        return found
    return len(found) if isinstance(found, list | tuple | dict | set | frozenset | deque) else 0


def _agreed(value: Stands, about: Hashable, found: Any) -> Any:
    """What an object says, unless it has less now than it had.

    Raises:
        TypeError: it has.
    """
    least = keep(value).get(("least", about), 0)
    if least and _stands(found):  # which says how much it has when it is looked at
        keep(found).update({("least", "length"): least, ("least", "items"): least})
    elif _size(about, (found,)) < least:
        value._judge.refuse(value)
        raise TypeError("an answer has less than it had, and nothing took that away")
    return found


class Items:
    """What iterating over an object gives, kept as it comes.

    Args:
        value: the object.
        about: what gives them, of all that the object says.
    """

    def __init__(self, value: Stands, about: Hashable = "items") -> None:
        self.value = value
        self.given: list[Any] = []
        self.least = keep(value).get(("least", about), 0)
        self.complete = False
        self.rounds = 0

    def each(self, source: Iterator[Any]) -> Iterator[Any]:
        """From the first to the last.

        Args:
            source: what the program gives this time.

        Raises:
            TypeError: those are others, or not as many.
        """
        place = 0
        for item in source:
            yield self.at(place, item)
            place += 1
        self.end(place)

    def at(self, place: int, item: Any) -> Any:
        """The item at a place, where the program gives this one now.

        Raises:
            TypeError: it is another one.
        """
        if place == len(self.given) and not self.complete:
            self.given.append(item)
        if place == len(self.given) or differs(self.given[place], item, objects=False):
            self._refuse()
        return self.given[place]

    def end(self, count: int) -> None:
        """There are no more than so many.

        Raises:
            TypeError: there were more.
        """
        if count < max(len(self.given), self.least):
            self._refuse()
        self.complete = True
        self.rounds += 1

    def _refuse(self) -> NoReturn:
        self.value._judge.refuse(self.value)
        raise TypeError("an answer gives other items each time")


def differs(one: Any, other: Any, objects: bool = True) -> bool:
    """Whether two values are other data.

    Args:
        objects: an object of the program is only itself; else nobody knows of two, for some are made anew each time.
    """
    if _stands(one) or _stands(other):
        return one is not other if objects else not (_stands(one) and _stands(other))
    return type(one) is not type(other) or (one is not other and _holds_other(one, other, objects))


def _holds_other(one: Any, other: Any, objects: bool) -> bool:
    """The same of two values of one type."""
    if isinstance(one, dict):
        keys = _without_objects(one, objects)
        return (
            len(one) != len(other)
            or keys != _without_objects(other, objects)
            or any(differs(one[key], other[key], objects) for key in keys)
        )
    parts = _parts(one)
    if parts is not None:
        others = _parts(other)
        return len(parts) != len(others) or any(differs(*pair, objects) for pair in zip(parts, others, strict=True))
    if isinstance(one, set | frozenset | KeysView):
        return len(one) != len(other) or _without_objects(one, objects) != _without_objects(other, objects)
    unequal = getattr(one, "shape", None) != getattr(other, "shape", None) or one != other
    if isinstance(unequal, bool):
        return unequal
    return bool((unequal & (_are_numbers(one) | _are_numbers(other))).any())  # of an array each of its numbers


def _without_objects(values: Iterable[Any], objects: bool) -> set[Any]:
    return {each for each in values if objects or not _stands(each)}


def _parts(value: Any) -> list[Any] | None:
    """What says all of a value, if it has parts in order."""
    if isinstance(value, list | tuple | deque | ValuesView):
        return [*value]
    if isinstance(value, BaseException):
        return [*value.args]
    return [vars(value)] if _is_its_attributes(value) else None


def _are_numbers(value: Any) -> Any:
    return value == value  # noqa: PLR0124 (what is none is not even itself)


def _is_its_attributes(value: Any) -> bool:
    return "_judge" not in getattr(value, "__dict__", {"_judge": None}) and not isinstance(value, type | FunctionType)


def _stands(value: Any) -> bool:
    return hasattr(type(value), "_ask")
