"""What an object of the program has said of itself: it says the same again, unless something ran that may change it.

A test that counts an answer's items at one time, and looks at each of them at another, would see two answers otherwise.
Of an object that the test made itself, by calling a class by its name, it is the class that is tested: it may change by
being looked at, as a cache does, or what is drained by going through it. What it has said holds until it gives an item.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

_SINGLE = (int, float, str, bytes, bool, type(None))
_SINGLES = frozenset(_SINGLE)
_REMEMBERED = 1 << 8  # items of one object: lists among them are compared with every message
_DEPTH = 6


class Stands(Protocol):
    """What stands for an object of the program.

    Attributes:
        _judge: asks the program (`owned.Asked`).
    """

    _judge: Any


def made_by_the_test(value: Any) -> bool:
    """Whether the test made an object by calling its class."""
    return getattr(value, "_made", False)


def agree(value: Stands, about: Any, said: Any) -> None:
    """Hold against an object what it has said before.

    Args:
        about: what it says something of: "length", "items" for their number, a place, or what else has a hash.

    Raises:
        TypeError: it said something else, and the judge has refused it.
    """
    told = keep(value)
    if about not in told:
        if len(told) < _REMEMBERED or type(about) is str:
            told[about] = said, _copy(said)
        return
    before, copy = told[about]
    if _stands(said) and _stands(before):  # made anew each time, so what the one said the other says
        earlier, later = keep(before), keep(said)
        other = any(differs(earlier[about][1], later[about][1]) for about in earlier.keys() & later.keys())
        renew(said, earlier | later)
    else:
        other = differs(copy, _copy(said))
    if other:
        value._judge.refuse(value)
        raise TypeError("an answer says something else of itself each time")


def agree_on_part(value: Stands, places: Iterable[int], items: Iterable[Any]) -> None:
    """The same for the items at some places, as iterating over it gives them."""
    for place, item in zip(places, items, strict=True):
        agree(value, place, item)


def agree_on_attribute(value: Stands, name: str, said: Any) -> Any:
    """The same for an attribute that holds others, which the test may count at one time and compare at another; a
    number may be that of how often it was asked for."""
    about = "attribute", name
    if made_by_the_test(value):  # which may have computed another one on the way
        renew(value, {known: what for known, what in keep(value).items() if known == about})
    if _stands(said) or _holds(said) or about in keep(value):
        agree(value, about, said)
    return said


def keep(value: Stands) -> dict[Any, Any]:
    """What an object has said since something ran that may have changed it."""
    when, told = getattr(value, "_said", (None, {}))
    if when != _now(value):
        told = {}
        renew(value, told)
    return told


def renew(value: Stands, told: dict[Any, Any]) -> None:
    """Hold against an object what it had said, or another one, though something ran since."""
    object.__setattr__(value, "_said", (_now(value), told))


def _now(value: Stands) -> tuple[int, int]:
    return value._judge.changes, value._judge.taken if made_by_the_test(value) else 0


def _holds(value: Any) -> bool:
    """Whether it is a container of any type, an array of numbers too."""
    kind = type(value)
    sized = hasattr(kind, "__len__") and hasattr(kind, "__iter__") and not isinstance(value, str | bytes)
    return sized and not _stands(value) and (not hasattr(kind, "ndim") or value.ndim > 0)


def _all_single(items: list[Any]) -> bool:
    return _SINGLES.issuperset(map(type, items))


def _stands(value: Any) -> bool:
    return hasattr(type(value), "_ask")


def _copy(value: Any, depth: int = 0) -> Any:
    """What it holds now, in plain types: the test may change a list that it got, and get another one the next time."""
    if depth > _DEPTH:  # it may hold itself
        return ...
    if isinstance(value, Mapping):
        return {key: _copy(value[key], depth + 1) for key in value}
    if isinstance(value, set | frozenset):
        return frozenset(value)
    if not _holds(value):
        return value
    items = list(value)
    return items if _all_single(items) else [_copy(part, depth + 1) for part in items]


def differs(one: Any, other: Any) -> bool:
    """Whether two values, copied, are other plain data; of objects nobody knows, for some are made anew each time."""
    if type(one) is not type(other):
        return isinstance(one, (*_SINGLE, list, dict, frozenset)) or isinstance(
            other, (*_SINGLE, list, dict, frozenset)
        )
    if isinstance(one, list):
        if _all_single(one) and _all_single(other) and one == other:  # of numbers many at once
            return list(map(type, one)) != list(map(type, other))
        return len(one) != len(other) or any(map(differs, one, other))
    if isinstance(one, dict | frozenset):
        lacking = any(isinstance(key, _SINGLE) and key not in other for key in one)
        held = [key for key in one if key in other] if isinstance(one, dict) else []
        return len(one) != len(other) or lacking or any(differs(one[key], other[key]) for key in held)
    if isinstance(one, float) and math.isnan(one) and math.isnan(other):
        return False
    return isinstance(one, _SINGLE) and one != other
