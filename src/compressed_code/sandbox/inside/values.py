"""Standard values that never change: each as its type and the plain parts that make it again."""

import datetime
import re
import types
import warnings
import zoneinfo
from collections import ChainMap, UserDict, UserString
from collections.abc import Callable, ItemsView, Iterable, KeysView, ValuesView
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any
from uuid import UUID

from .standard_modules import ERRORS, type_name

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", re.ASCII)
# Those that a pattern can have and that do nothing but say how it matches: not DEBUG, which prints.
_FLAGS = re.ASCII | re.IGNORECASE | re.LOCALE | re.MULTILINE | re.DOTALL | re.UNICODE | re.VERBOSE
_ARGUMENTS = (str, int, float, bool, bytes, type(None))


class Refused(Exception):
    """Parts that make no such value."""


def _fraction(numerator: int, denominator: int) -> Fraction:
    if type(numerator) is not int or type(denominator) is not int:  # a str would be parsed: "1e999999999"
        raise Refused("a fraction of something else than whole numbers")
    return Fraction(numerator, denominator)


def _zone(key: str) -> zoneinfo.ZoneInfo:
    """A time zone of this machine's files; nothing is imported for a key."""
    if not _ZONE.fullmatch(key) or not any(Path(path, key).is_file() for path in zoneinfo.TZPATH):
        raise Refused("no such time zone")
    return zoneinfo.ZoneInfo(key)


def _user_string(text: Any) -> UserString:
    if type(text) is not str:  # any other value is written as text, each time twice as long
        raise Refused("a text of something else than text")
    return UserString(text)


def _path(kind: type[PurePosixPath]) -> Callable[[Any], PurePosixPath]:
    def make_path(text: Any) -> PurePosixPath:
        if type(text) is not str:
            raise Refused("a path of something else than text")
        return kind(text)

    return make_path


def _pattern(text: Any, flags: Any) -> re.Pattern:
    if type(text) not in (str, bytes) or type(flags) is not int or flags & ~_FLAGS:
        raise Refused("no pattern")
    with warnings.catch_warnings(action="ignore"):
        return re.compile(text, flags)


def _error(name: str, *arguments: Any) -> BaseException:
    return ERRORS[name](*arguments)


def _proxy(mapping: dict[Any, Any]) -> types.MappingProxyType:
    if type(mapping) is not dict:  # what only answers like one would be asked each time
        raise Refused("a view of something else than a dictionary")
    return types.MappingProxyType(mapping)


def _chain(*maps: Any) -> ChainMap:
    if not all(isinstance(each, dict | UserDict) for each in maps):
        raise Refused("a chain of something else than mappings")
    return ChainMap(*maps)


def _whole(number: Any) -> int:
    if type(number) is not int:
        raise Refused("no whole number")
    return number


def _date(*parts: Any) -> datetime.date:
    return datetime.date(*map(_whole, parts))  # of bytes it would take days that no calendar has


def _date_parts(value: datetime.datetime) -> tuple[Any, ...]:
    return (*value.timetuple()[:6], value.microsecond, value.tzinfo, value.fold)


def _datetime(*parts: Any) -> datetime.datetime:
    return datetime.datetime(*parts[:8], fold=parts[8])


def _time(*parts: Any) -> datetime.time:
    return datetime.time(*parts[:5], fold=parts[5])


# Type: its parts, and what makes it of them again.
_VALUES: dict[type, tuple[Callable[[Any], tuple[Any, ...]], Callable[..., Any]]] = {
    Fraction: (lambda value: (value.numerator, value.denominator), _fraction),
    Decimal: (lambda value: (str(value),), Decimal),
    UUID: (lambda value: (value.int,), lambda number: UUID(int=_whole(number))),
    UserString: (lambda value: (value.data,), _user_string),
    slice: (lambda value: (value.start, value.stop, value.step), slice),
    range: (lambda value: (value.start, value.stop, value.step), range),
    memoryview: (lambda value: (bytes(value),), memoryview),
    types.MappingProxyType: (lambda value: (dict(value),), _proxy),
    ChainMap: (lambda value: tuple(value.maps), _chain),
    datetime.date: (lambda value: (value.year, value.month, value.day), _date),
    datetime.datetime: (_date_parts, _datetime),
    datetime.time: (lambda v: (v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold), _time),
    datetime.timedelta: (lambda v: (v.days, v.seconds, v.microseconds), datetime.timedelta),
    datetime.timezone: (lambda value: value.__getinitargs__(), datetime.timezone),
    PosixPath: (lambda value: (str(value),), _path(PosixPath)),
    PurePosixPath: (lambda value: (str(value),), _path(PurePosixPath)),
    re.Pattern: (lambda value: (value.pattern, value.flags), _pattern),
    zoneinfo.ZoneInfo: (lambda value: (value.key,), _zone),
}
# What these can do reaches beyond their value: a path of the program names files that are there.
REACHING: dict[type, tuple[str, ...]] = {
    PosixPath: tuple(name for name in dir(PosixPath) if not (name.startswith("_") or hasattr(PurePosixPath, name)))
}
_BY_IDENTITY = {id(kind): parts for kind, (parts, _) in _VALUES.items()}
_BY_NAME = {kind.__name__: make for kind, (_, make) in _VALUES.items()} | {"error": _error}


def parts_of(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """The name and the parts of a standard value; None where it is none.

    An exception is one where its type is Python's own and its arguments are plain.
    """
    kind, name = type(value), type_name(type(value))
    found = _BY_IDENTITY.get(id(kind))
    if found is not None:
        return kind.__name__, found(value)
    if name in ERRORS and all(type(part) in _ARGUMENTS for part in value.args):
        return "error", (name, *value.args)
    return None


# What is no container itself and holds any value.
HOLDING = (tuple, frozenset, KeysView, ValuesView, ItemsView, types.MappingProxyType, ChainMap, slice)


def held_by(value: Any) -> Iterable[Any]:
    """What one of these holds."""
    if isinstance(value, types.MappingProxyType):
        return [*value, *value.values()]
    parts = parts_of(value)
    return value if parts is None else parts[1]


def make(name: str, parts: tuple[Any, ...]) -> Any:
    """The value that has such parts.

    Raises:
        Refused: there is none.
    """
    try:
        return _BY_NAME[name](*parts)
    except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError, IndexError, OSError, re.error) as error:
        raise Refused(f"{name}: {type(error).__name__}") from None
