"""Mutable containers that program and test share: one number on both sides, and what changed since the last message.

In one process a test that has its list sorted, or gets it back, sees the very object. Here each side has its own, and
every message says first what became of those that the other side has too.
"""

import math
import operator
import sys
from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from .owned import PREDICATES
from .records import NOTHING_ASKED, Asking


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


@dataclass
class Shared:
    """What one side knows of the containers that both have.

    Attributes:
        step: the next number that this side gives: the judge's are even, the program's odd.
        records: the classes that setup and program agree on, in the same order on both sides.
        asking: what setup and test ask of objects of these.
        types: what the last message that was read holds of classes, wherever.
        altered: whether the last message that was written changes containers that the other side has.
        refilled: the numbers of containers that this side had, and that the last message that was read changed.
        grown: the numbers of lists and dictionaries to which the last message that was read adds items at their end.
        created: the numbers of containers that were new in the last message that was read.
        mentioned: the numbers of those that were not, and are spoken of beside being changed.
        passing: the numbers of containers that an iterator gives: what it changes then is another one here.
        returned: the numbers of containers of this side that came back in any message, or that a call has changed.
        nan: what is no number here: the last one that was sent, since lists that hold the same one are equal.
    """

    step: int
    nan: float = math.nan
    values: dict[int, Any] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)  # by id(); `values` keeps the objects alive
    kinds: dict[int, bytes] = field(default_factory=dict)
    copies: dict[int, list[Any]] = field(default_factory=dict)  # what the other side knows of each
    records: tuple[type, ...] = ()
    asking: Asking = NOTHING_ASKED
    types: list[type] = field(default_factory=list)
    altered: bool = False
    refilled: set[int] = field(default_factory=set)
    grown: set[int] = field(default_factory=set)
    created: set[int] = field(default_factory=set)
    mentioned: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    passing: Set[int] = frozenset()

    @property
    def asked(self) -> bool:
        """Whether this is the program's side, whose objects the other one can ask."""
        return self.step % 2 == 1

    def kind_of(self, kind: type) -> bytes | None:
        """The code of the kind that instances of a type belong to; None for a type that is no container."""
        found = kind_of(kind)
        return RECORD if found is None and any(each is kind for each in self.records) else found

    def create(self, code: bytes, extra: int) -> Any:
        """An empty container."""
        return object.__new__(self.records[extra]) if code == RECORD else KINDS[code].create(extra)

    def extra(self, number: int) -> int:
        """What cannot be changed later of a container (`Kind.extra`); of a record, which of the classes is its own."""
        code, value = self.kinds[number], self.values[number]
        if code == RECORD:
            return next(place for place, kind in enumerate(self.records) if kind is type(value))
        return KINDS[code].extra(value)

    def is_own(self, number: int) -> bool:
        """Whether it is a container of this side that never came back."""
        return number % 2 == self.step % 2 and number not in self.returned

    def number(self, value: Any) -> int | None:
        """The number of a container that both sides have."""
        return self.numbers.get(id(value))

    def add(self, value: Any, kind: bytes, number: int | None = None) -> int:
        """Give a container its number, a new one where the other side has not given it one."""
        if number is None:
            number, self.step = self.step, self.step + 2
        self.values[number], self.numbers[id(value)], self.kinds[number] = value, number, kind
        return number

    def forget(self, number: int) -> None:
        """Let a container go; an unknown number is nothing to let go."""
        value = self.values.pop(number, None)
        self.returned.discard(number)
        if number in self.kinds:
            self.numbers.pop(id(value), None)
            del self.kinds[number]
            self.copies.pop(number, None)

    def remember(self, number: int) -> None:
        """The other side now knows what this one holds."""
        self.copies[number] = self.items(number)

    def items(self, number: int) -> list[Any]:
        """What a container holds."""
        return KINDS[self.kinds[number]].items(self.values[number])

    def within(self, number: int) -> tuple[list[int], list[Any]]:
        """The numbers of the containers that one holds, and the stand-ins for objects, in tuples, too."""
        numbers, objects, waiting = [], [], self.items(number)
        while waiting:
            each = waiting.pop()
            if isinstance(each, tuple):
                waiting += each
            elif hasattr(type(each), "_arrive"):
                objects.append(each)
            elif (inner := self.number(each)) is not None:
                numbers.append(inner)
        return numbers, objects

    def changed(self) -> list[int]:
        """The containers that hold something else than the other side knows, by identity of what they hold."""
        return [number for number in list(self.values) if not _same(self.items(number), self.copies.get(number))]

    def replace(self, number: int) -> bool:
        """Let another container of the same items have a number; the one before is no more what the other side has.

        Returns:
            Whether that can be: no object of a type of its own, nothing with a container within, nor what was changed
            here.
        """
        code, value, items = self.kinds[number], self.values[number], self.items(number)
        if code == RECORD or kind_of(type(value)) != code or type(value) is not KINDS[code].type:
            return False
        if not _same(items, self.copies.get(number)) or any(self.number(each) is not None for each in items):
            return False
        other = self.create(code, self.extra(number))
        KINDS[code].fill(other, items)
        del self.numbers[id(value)]
        self.values[number], self.numbers[id(other)] = other, number
        self.remember(number)
        return True

    def unused(self) -> list[int]:
        """The containers that nothing but this table holds, and of which the other side knows what they hold."""
        alone = [number for number in list(self.values) if sys.getrefcount(self.values[number]) <= 2]
        return [number for number in alone if _same(self.items(number), self.copies.get(number))]


def _same(items: list[Any], copy: list[Any] | None) -> bool:
    if copy is None or len(items) != len(copy):
        return False
    if len(items) == 1 and type(items[0]) is bytes:
        return items == copy
    return all(map(operator.is_, items, copy))
