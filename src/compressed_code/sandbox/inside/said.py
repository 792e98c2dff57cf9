"""What an object of the program has said of itself: it says the same again, unless something ran that may change it.

A test that counts an answer's items at one time, and looks at each of them at another, would see two answers otherwise.
"""

import math
from collections.abc import Iterable
from typing import Any

from .remotes import Remote

_PLAIN = (int, float, str, bytes, bool, type(None), list, tuple)
_REMEMBERED = 1 << 10  # items of one object: lists among them are compared with every message


def agree(value: Remote, about: Any, said: Any) -> None:
    """Hold against an object what it has said before.

    Args:
        about: what it says something of: "length", "items" for their number, a place, or what else has a hash.

    Raises:
        TypeError: it said something else, and the judge has refused it.
    """
    told = _told(value)
    if about not in told:
        if len(told) < _REMEMBERED or type(about) is str:
            told[about] = said
    elif differs(told[about], said):
        value._judge.refuse(value)
        raise TypeError("an answer says something else of itself each time")


def agree_on_part(value: Remote, places: Iterable[int], items: Iterable[Any]) -> None:
    """The same for the items at some places, as iterating over it gives them."""
    for place, item in zip(places, items, strict=True):
        agree(value, place, item)


def keep(value: Remote) -> dict[Any, Any]:
    """What an object has said so far, to be said again after it was only asked (`renew`)."""
    return _told(value)


def renew(value: Remote, told: dict[Any, Any]) -> None:
    """Hold against an object what it had said, though something ran since."""
    object.__setattr__(value, "_said", (value._judge.changes, told))


def _told(value: Remote) -> dict[Any, Any]:
    changes, told = value._said
    if changes != value._judge.changes:  # something ran meanwhile that may have changed it
        told = {}
        renew(value, told)
    return told


def differs(one: Any, other: Any) -> bool:
    """Whether two values are other plain data; of objects nobody knows, for some are made anew each time."""
    if one is other:
        return False
    if type(one) is not type(other):
        return type(one) in _PLAIN or type(other) in _PLAIN
    if type(one) in (list, tuple):
        return len(one) != len(other) or any(map(differs, one, other))
    if type(one) is float and math.isnan(one) and math.isnan(other):
        return False
    return type(one) in _PLAIN and one != other
