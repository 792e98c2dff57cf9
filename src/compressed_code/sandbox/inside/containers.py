"""The types of mutable containers that program and test share (`shared`): how each is made, read and filled."""

from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from .owned import PREDICATES


@dataclass(frozen=True)
class Kind:
    """One type of container.

    Attributes:
        type: the type; subclasses are containers of the same kind.
        create: an empty one; its argument is `extra`.
        items: what it holds, as a list, read by the type's own methods.
        fill: make it hold such items instead, in place.
        extra: what cannot be changed later: the greatest length of a deque, the type code of an array; 0 else.
        extended: whether instances of subclasses are of this kind, too.
    """

    type: type
    create: Callable[[int], Any]
    items: Callable[[Any], list[Any]]
    fill: Callable[[Any, list[Any]], None]
    extra: Callable[[Any], int] = lambda value: 0
    extended: bool = True


def _fill_list(value: list, items: list[Any]) -> None:
    list.__setitem__(value, slice(None), items)


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(items[::2], items[1::2], strict=True))


def _flat(mapping: type) -> Callable[[Any], list[Any]]:
    return lambda value: [part for pair in mapping.items(value) for part in pair]


def _fill_mapping(mapping: type) -> Callable[[Any, list[Any]], None]:
    def fill(value: Any, items: list[Any]) -> None:
        mapping.clear(value)
        for key, item in _pairs(items):
            mapping.__setitem__(value, key, item)

    return fill


def _fill_set(value: set, items: list[Any]) -> None:
    set.clear(value)
    set.update(value, items)


def _fill_deque(value: deque, items: list[Any]) -> None:
    deque.clear(value)
    deque.extend(value, items)


def _fill_bytes(value: Any, items: list[Any]) -> None:
    value[:] = items[0] if isinstance(value, bytearray) else array(value.typecode, items[0])


def _fill_default(value: defaultdict, items: list[Any]) -> None:
    if items[0] is not None and not callable(items[0]):
        raise TypeError("no factory")
    value.default_factory = items[0]
    _fill_mapping(dict)(value, items[1:])


def _fill_data(kind: type) -> Callable[[Any, list[Any]], None]:
    def fill(value: Any, items: list[Any]) -> None:
        (data,) = items
        if not isinstance(data, kind):
            raise TypeError(f"no {kind.__name__}")
        value.data = data

    return fill


def _attributes(value: Any) -> list[Any]:
    return [part for name, held in vars(value).items() if not _computed(value, name) for part in (name, held)]


def _computed(value: Any, name: Any) -> bool:
    """Whether the class says what an attribute is, and an object only keeps it (a cached property): each side asks its
    own class, since what a program says that it has kept would hide that."""
    found = next((vars(kind)[name] for kind in type(value).__mro__ if name in vars(kind)), None)
    return hasattr(type(found), "__get__")


def _fill_attributes(value: Any, items: list[Any]) -> None:
    found = dict(_pairs(items))
    for name, held in found.items():
        # A method stays one, and nothing of Python's own is found in an object's attributes.
        if type(name) is not str or name.startswith("__") or callable(getattr(type(value), name, None)):
            raise TypeError("no attribute")
        # `found.startswith("must")` would ask the program; a plain type's answer is computed here.
        if name in PREDICATES and callable(held):
            raise TypeError("no answer of a plain type")
    vars(value).clear()
    vars(value).update({name: held for name, held in found.items() if not _computed(value, name)})


class _Record:
    """Stands for the classes that setup and program agree on (`Shared.records`)."""


RECORD = b"r"
KINDS: dict[bytes, Kind] = {
    b"O": Kind(OrderedDict, lambda _: OrderedDict(), _flat(OrderedDict), _fill_mapping(OrderedDict)),
    b"D": Kind(defaultdict, lambda _: defaultdict(), lambda v: [v.default_factory, *_flat(dict)(v)], _fill_default),
    b"C": Kind(Counter, lambda _: Counter(), _flat(dict), _fill_mapping(dict)),
    b"d": Kind(dict, lambda _: {}, _flat(dict), _fill_mapping(dict)),
    b"l": Kind(list, lambda _: [], list.copy, _fill_list),
    b"s": Kind(set, lambda _: set(), lambda value: [*set.__iter__(value)], _fill_set),
    b"q": Kind(
        deque,
        lambda extra: deque(maxlen=extra - 1 if extra else None),
        lambda value: [*deque.__iter__(value)],
        _fill_deque,
        lambda value: 0 if value.maxlen is None else value.maxlen + 1,
    ),
    b"b": Kind(bytearray, lambda _: bytearray(), lambda value: [bytes(memoryview(value))], _fill_bytes),
    b"a": Kind(
        array,
        lambda extra: array(chr(extra)),
        lambda value: [array.tobytes(value)],
        _fill_bytes,
        lambda value: ord(value.typecode),
    ),
    b"L": Kind(UserList, lambda _: UserList(), lambda value: [value.data], _fill_data(list)),
    b"U": Kind(UserDict, lambda _: UserDict(), lambda value: [value.data], _fill_data(dict)),
    b"n": Kind(SimpleNamespace, lambda _: SimpleNamespace(), _attributes, _fill_attributes, extended=False),
    RECORD: Kind(_Record, lambda _: _Record(), _attributes, _fill_attributes, extended=False),
}
_EXACT = {id(kind.type): code for code, kind in KINDS.items()}


def kind_of(kind: type) -> bytes | None:
    """The code of the kind that instances of a type belong to; None for a type that is no container."""
    found = _EXACT.get(id(kind))
    if found is None:
        found = next((code for code, each in KINDS.items() if each.extended and issubclass(kind, each.type)), None)
    return found


def is_record(kind: Any) -> bool:
    """Whether the objects of a class are the values of their attributes, and nothing else."""
    return type(kind) is type and kind.__dictoffset__ != 0 and all(map(_adds_nothing, kind.__mro__))


def _adds_nothing(kind: type) -> bool:
    return kind is object or (type(kind) is type and not vars(kind).get("__slots__") and kind.__module__ != "builtins")
