"""Whether two values are other data, or one has fewer items; objects of the program may be parts of them."""

from collections import deque
from collections.abc import Iterable, Iterator, KeysView, Mapping, ValuesView
from types import FunctionType
from typing import Any

_NUMBERS = (bool, int, float, complex, type(None))


def differs(one: Any, other: Any, objects: bool = True) -> bool:
    """Whether two values are other data.

    Args:
        objects: an object of the program is only itself; else nobody knows of two, for some are made anew each time.
    """
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
    return {each for each in values if objects or not stands(each)}


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


def stands(value: Any) -> bool:
    return hasattr(type(value), "_ask")


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
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = ((one[key], other[key]) for key in one if not stands(key) and key in other)
    else:
        pairs = zip(_parts(one) or (), _parts(other) or (), strict=False)
    return [pair for pair in pairs if type(pair[0]) not in _NUMBERS and pair[0] is not pair[1]]


def has_fewer(one: Any, other: Any) -> bool:
    """Whether a value has fewer items than another one had; a text has where it is empty now."""
    if isinstance(one, str) and isinstance(other, str):
        return bool(one) and not other
    return _length(one) > _length(other)


def _length(value: Any) -> int:
    """How many items it has itself; what is its attributes has none."""
    attributes = _is_its_attributes(value) and not isinstance(value, Mapping)
    if stands(value) or isinstance(value, type) or attributes:
        return 0
    try:
        return len(value)
    except TypeError:
        return 0
