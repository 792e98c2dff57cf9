"""What stands in the judge for an object of the program: a number, and what may be asked about it.

A stand-in shows the protocols that its object has and no others, so that a test's type checks tell what they would tell
in one process. Its operations happen in the program, and what comes back is data, but for one thing: what decides. An
object is compared and calculated with only where the test itself made it or its partner, by calling a class of the
program by name; an answer's own `__eq__`, `__lt__` or `__sub__` never meets what the test expects.
"""

import operator
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache
from typing import Any, Protocol

# Names with underscores that may be read: they say something, and nothing of Python itself asks for them.
_READABLE = frozenset(
    ("__name__", "__qualname__", "__doc__", "__annotations__", "__module__", "__dict__", "__wrapped__", "__slots__")
)
_BINARY = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"),
    *("lt", "le", "gt", "ge"),
)
_REFLECTED = _BINARY[:13]
_UNARY = ("neg", "pos", "abs", "invert")
OPERATORS: dict[str, Callable[..., Any]] = {name: getattr(operator, f"__{name}__") for name in (*_BINARY, *_UNARY)}
OPERATORS |= {"eq": operator.eq, "ne": operator.ne, "contains": operator.contains}


class Asked(Protocol):
    """Who asks the program."""

    def request(self, operation: str, *arguments: Any) -> Any:
        """Let the program do something and give back what came of it."""

    def opaque(self, value: Any) -> None:
        """An object of the program was compared with something that it does not decide about."""


class Remote:
    """Stands for an object of the program; see `remote_type` for what else it can do."""

    def __init__(self, judge: Asked, number: int, name: str) -> None:
        for field, value in (("_judge", judge), ("_number", number), ("_name", name), ("_made", False)):
            object.__setattr__(self, field, value)

    def _ask(self, operation: str, *arguments: Any) -> Any:
        found = self._judge.request(operation, self, *arguments)
        if self._made and isinstance(found, Remote):
            found._mark()
        return found

    def _mark(self) -> None:
        """The test made this object."""
        object.__setattr__(self, "_made", True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _READABLE:
            raise AttributeError(name)
        return self._ask("attribute", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("assign", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delete", name)

    def __bool__(self) -> bool:
        return self._ask("truth") is True

    def __str__(self) -> str:
        return _exactly(str, self._ask("text"))

    def __repr__(self) -> str:
        return _exactly(str, self._ask("representation"))

    def __format__(self, specification: str) -> str:
        return _exactly(str, self._ask("format", specification))

    def __hash__(self) -> int:
        return _exactly(int, self._ask("hash")) if self._made else object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        if _made(self, other):
            return bool(self._judge.request("operate", "eq", self, other))
        if self is not other:
            self._judge.opaque(self)
        return self is other

    def __ne__(self, other: object) -> bool:
        if _made(self, other):
            return bool(self._judge.request("operate", "ne", self, other))
        return not self == other


class Owned:
    """An instance of a type of the program that extends a plain one: plain data, with attributes of its own."""

    _judge: Asked

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._judge.request("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in ("data", "default_factory"):
            self._judge.request("assign", self, name, value)
        else:
            object.__setattr__(self, name, value)


def own(judge: Asked, number: int, value: Any) -> Any:
    """A plain value with the attributes of an object of the program.

    Args:
        value: an immutable value, or an empty container.
    """
    kind = _owned_type(type(value))
    found = kind(maxlen=value.maxlen) if isinstance(value, deque) else kind(value)
    object.__setattr__(found, "_judge", judge)
    object.__setattr__(found, "_number", number)
    return found


@lru_cache(maxsize=64)
def _owned_type(base: type) -> type:
    return type(f"Own_{base.__name__}", (Owned, base), {})


def _made(*operands: Any) -> bool:
    return any(isinstance(operand, Remote) and operand._made for operand in operands)


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"an answer should be {kind.__name__}")
    return value


def _binary(name: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def operate(self: Remote, other: Any) -> Any:
        if not _made(self, other):
            self._judge.opaque(self)
            return NotImplemented
        found = self._judge.request("operate", name, *((other, self) if swapped else (self, other)))
        if isinstance(found, Remote):
            found._mark()
        return found

    return operate


def _unary(name: str) -> Callable[[Any], Any]:
    def operate(self: Remote) -> Any:
        if not self._made:
            self._judge.opaque(self)
            raise TypeError(f"bad operand type for {name}: an object of the program")
        return self._ask("operate_alone", name)

    return operate


for _name in _BINARY:
    setattr(Remote, f"__{_name}__", _binary(_name))
for _name in _REFLECTED:
    setattr(Remote, f"__r{_name}__", _binary(_name, swapped=True))
for _name in _UNARY:
    setattr(Remote, f"__{_name}__", _unary(_name))


def _call(self: Remote, *arguments: Any, **keywords: Any) -> Any:
    return self._ask("call", arguments, keywords)


def _iterate(self: Remote) -> Iterator[Any]:
    found = self._ask("iterate")
    if isinstance(found, Remote):
        return found
    return iter(found)


def _next(self: Remote) -> Any:
    return self._ask("next")


def _length(self: Remote) -> int:
    return _exactly(int, self._ask("length"))


def _item(self: Remote, key: Any) -> Any:
    return self._ask("item", key)


def _set_item(self: Remote, key: Any, value: Any) -> None:
    self._ask("set item", key, value)


def _delete_item(self: Remote, key: Any) -> None:
    self._ask("delete item", key)


def _contains(self: Remote, value: Any) -> bool:
    if not self._made:
        self._judge.opaque(self)
        raise TypeError("an answer's own __contains__ decides nothing")
    return self._ask("contains", value) is True


def _enter(self: Remote) -> Any:
    return self._ask("enter")


def _leave(self: Remote, kind: Any, error: Any, trace: Any) -> bool:
    self._ask("leave", None if kind is None else kind.__name__)
    return False  # what a test asserts inside of it counts


def _await(self: Remote) -> Generator[None, None, Any]:
    yield from ()
    return self._ask("await")


def _is_instance(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote | Owned) and self._ask("is instance", value) is True


def _is_subclass(self: Remote, value: Any) -> bool:
    return isinstance(value, Remote) and self._ask("is subclass", value) is True


# What an object can do: the special methods of its type, and what they are here.
PROTOCOLS: dict[str, dict[str, Callable[..., Any]]] = {
    "call": {"__call__": _call},
    "iter": {"__iter__": _iterate},
    "next": {"__next__": _next},
    "len": {"__len__": _length},
    "getitem": {"__getitem__": _item},
    "setitem": {"__setitem__": _set_item},
    "delitem": {"__delitem__": _delete_item},
    "contains": {"__contains__": _contains},
    "enter": {"__enter__": _enter, "__exit__": _leave},
    "await": {"__await__": _await},
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
    return type("Remote", (Remote,), methods)
