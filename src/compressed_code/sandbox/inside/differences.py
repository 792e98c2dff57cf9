"""Whether two values are other data, or one has fewer items; objects of the program may be parts of them."""

from collections import deque
from collections.abc import Collection, ItemsView, Iterable, Iterator, KeysView, Mapping, Set, ValuesView
from types import FunctionType
from typing import Any

_NUMBERS = (bool, int, float, complex, type(None))


def differs(one: Any, other: Any, objects: bool = True) -> bool:
    """Whether two values are other data; those that cannot be compared are.

    Args:
        objects: an object of the program is only itself; else nobody knows of two, for some are made anew each time.
    """
    try:
        return _differ(one, other, objects)
    except Exception:
        return True


def _differ(one: Any, other: Any, objects: bool) -> bool:
    if stands(one) or stands(other):
        return one is not other if objects else not (stands(one) and stands(other))
    return type(one) is not type(other) or (one is not other and _holds_other(one, other, objects))


def _holds_other(one: Any, other: Any, objects: bool) -> bool:
    """The same of two values of one type."""
    if isinstance(one, dict):
        keys = _without_objects(one, objects)
        return (
            len(one) != len(other)
            or keys != _without_objects(other, objects)
            or any(_differ(one[key], other[key], objects) for key in keys)
        )
    parts = _parts(one)
    if parts is not None:
        others = _parts(other)
        return len(parts) != len(others) or any(_differ(*pair, objects) for pair in zip(parts, others, strict=True))
    if isinstance(one, set | frozenset | KeysView):
        return len(one) != len(other) or _without_objects(one, objects) != _without_objects(other, objects)
    unequal = getattr(one, "shape", None) != getattr(other, "shape", None) or one != other
    if isinstance(unequal, bool):
        return unequal
    return bool((unequal & (_are_numbers(one) | _are_numbers(other))).any())  # of an array each of its numbers


def _without_objects(values: Iterable[Any], objects: bool) -> set[Any]:
    return {each for each in values if objects or not stands(each)}


def _parts(value: Any) -> list[Any] | None:
    """What says all of a value, if it has parts in order."""
    if isinstance(value, list | tuple | deque | ValuesView):
        return [*value]
    if isinstance(value, slice):
        return [value.start, value.stop, value.step]
    if isinstance(value, BaseException):
        return [*value.args]
    return [vars(value)] if _is_its_attributes(value) else None


def _are_numbers(value: Any) -> Any:
    return value == value  # noqa: PLR0124 (what is none is not even itself)


def _is_its_attributes(value: Any) -> bool:
    return hasattr(value, "__dict__") and not is_asked(value) and not isinstance(value, type | FunctionType)


def stands(value: Any) -> bool:
    return hasattr(type(value), "_its_ask")


def is_asked(value: Any) -> bool:
    """Whether the program is asked for its attributes; what it says to have among them is no sign of that."""
    return hasattr(type(value), "_its_judge")


def matched(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Two values, and what both hold at one place or by one key, however deep, but numbers and the same objects."""
    waiting, seen = [(one, other)], set[tuple[int, int]]()
    while waiting:
        pair = waiting.pop()
        yield pair
        if not any(map(stands, pair)) and (both := (id(pair[0]), id(pair[1]))) not in seen:
            seen.add(both)  # it may hold itself
            waiting += _held_by_both(*pair)


def _held_by_both(one: Any, other: Any) -> list[tuple[Any, Any]]:
    if (mappings := _mappings(one, other)) is not None:
        first, second = mappings
        pairs = [(first[key], second[key]) for key in first if not stands(key) and key in second]
        objects = zip(*([key for key in each if stands(key)] for each in mappings), strict=False)  # in order
        pairs += [each for key, its in objects for each in ((key, its), (first[key], second[its]))]
    elif isinstance(one, Set) and isinstance(other, Set):
        only = _only(one, other), _only(other, one)  # the longest beside the longest
        pairs = zip(*(sorted(each, key=count, reverse=True) for each in only), strict=False)
    else:
        pairs = zip(_parts(one) or (), _parts(other) or (), strict=False)
    return [pair for pair in pairs if type(pair[0]) not in _NUMBERS and pair[0] is not pair[1]]


def has_fewer(one: Any, other: Any) -> bool:
    """Whether a value has fewer items than another one had, or lacks a key."""
    mappings = _mappings(one, other)
    return count(one) > count(other) or (mappings is not None and any(not stands(key) for key in _only(*mappings)))


def _mappings(*values: Any) -> list[Mapping[Any, Any]] | None:
    """Values as mappings, where all are, or are views of all that one has."""
    if all(isinstance(each, Mapping | ItemsView) for each in values):
        return [dict(each) if isinstance(each, ItemsView) else each for each in values]
    return None


def _only(one: Iterable[Any], other: Collection[Any]) -> list[Any]:
    """What only one of two has; an object of the program is itself."""
    return [each for each in one if not (any(each is its for its in other) if stands(each) else each in other)]


def count(value: Any) -> int:
    """How many items it has itself; an object of the program has to be asked."""
    if stands(value) or isinstance(value, type):
        return 0
    try:
        return len(value)
    except Exception:  # of a class of the setup
        return 0
