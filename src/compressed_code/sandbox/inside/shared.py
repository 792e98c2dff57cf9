"""Mutable containers that program and test share: one number on both sides, and what changed since the last message.

In one process a test that has its list sorted, or gets it back, sees the very object. Here each side has its own, and
every message says first what became of those that the other side has too.
"""

import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from .containers import KINDS, RECORD, kind_of
from .owned import Owned
from .records import NOTHING_ASKED, Asking
from .values import HOLDING, held_by, parts_of

_PLAIN = (bool, int, float, complex, str, bytes)
_UNIQUE = (b"O", b"D", b"C", b"d", b"s", b"q")  # kinds that may hold fewer items than they are filled with
_MAPPINGS = (b"O", b"D", b"C", b"d")  # kinds that hold keys and values in turn
_ORDERED = (b"l", b"d", b"O", b"D", b"q")  # kinds whose items come in the order in which they were added


@dataclass
class Numbers:
    """Of containers, and of objects of the other side."""

    containers: set[int] = field(default_factory=set)
    objects: set[int] = field(default_factory=set)


@dataclass
class Shared:
    """What one side knows of the containers that both have.

    Attributes:
        step: the next number that this side gives: the judge's are even, the program's odd.
        records: the classes that setup and program agree on, in the same order on both sides.
        asking: what setup and test ask of objects of these.
        types: what the last message that was read holds of classes, wherever.
        altered: whether the last message that was written changes containers that the other side has.
        may_change: whether the message that is read may change a container that this side has, by its number; the
            second argument says whether that only gets further items.
        returned: the numbers of containers of this side that came back in any message.
        shown: of those that did not, the ones that an object of the other side was seen to have.
        lent: of this side's, those that something of the other side may have kept which can be asked for it, and
            whether a look may fill them (`operations.lending`).
        slipped: what the other side has put into containers that both had, where nobody may have seen it.
        answers: what came in an answer.
        new: containers that came since the last answer.
        parted: containers that are no more what the other side has, by `id`; they are answers still.
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
    may_change: Callable[[int, bool], bool] = lambda number, grows: True
    returned: set[int] = field(default_factory=set)
    shown: set[int] = field(default_factory=set)
    lent: dict[int, bool] = field(default_factory=dict)
    slipped: Numbers = field(default_factory=Numbers)
    answers: Numbers = field(default_factory=Numbers)
    new: set[int] = field(default_factory=set)
    parted: dict[int, Any] = field(default_factory=dict)

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
            if id(value) in self.parted:
                self.returned.add(number)
        self.values[number], self.numbers[id(value)], self.kinds[number] = value, number, kind
        return number

    def forget(self, number: int) -> None:
        """Let a container go; an unknown number is nothing to let go."""
        value = self.values.pop(number, None)
        self.returned.discard(number)
        self.shown.discard(number)
        self.lent.pop(number, None)
        self.slipped.containers.discard(number)
        self.answers.containers.discard(number)
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

    def within(self, number: int, items: list[Any] | None = None) -> tuple[list[int], list[Any]]:
        """The numbers of the containers that one holds, and the stand-ins for objects, in tuples, too.

        Args:
            items: what it holds, if it is not what it is said to hold.
        """
        numbers, objects, waiting = [], [], not_plain(self.items(number) if items is None else items)
        while waiting:
            each = waiting.pop()
            if isinstance(each, HOLDING):
                waiting += not_plain(held_by(each))
            elif hasattr(type(each), "_its_arrive"):
                objects.append(each)
            elif (inner := self.number(each)) is not None:
                numbers.append(inner)
        return numbers, objects

    def reached(self, values: Iterable[Any]) -> set[int]:
        """The numbers of the containers among some values, and of those within that this side has put there."""
        found, waiting = set[int](), [*values]
        while waiting:
            each = waiting.pop()
            number = self.number(each)
            if number is not None and number not in found:
                found.add(number)
                waiting += self.given_with(number)
            elif isinstance(each, HOLDING):
                waiting += not_plain(held_by(each))
            elif type(each) is dict:  # of keywords
                waiting += each.values()
        return found

    def given_with(self, number: int) -> list[Any]:
        """The containers and objects that one holds, but for answers that the other side has slipped in."""
        numbers, objects = self.within(number)
        slipped, answers = self.slipped.containers, self.answers.containers
        given = [self.values[inner] for inner in numbers if not (inner in slipped and inner in answers)]
        return given + [each for each in objects if not self._is_hidden(each)]

    def _is_hidden(self, value: Any) -> bool:
        """Whether an object is an answer that was slipped in, or nobody asked it there."""
        number = value._its_number
        return number in self.slipped.objects and (number in self.answers.objects or not value._its_said[1])

    def answered(self, value: Any) -> None:
        """Note what comes in an answer, but not what lies in a container of this side's; what came beside it, within
        what was changed, was slipped in."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            number = self.number(each)
            if number is not None:
                if number % 2 != self.step % 2 and number not in self.answers.containers:
                    self.answers.containers.add(number)
                    waiting += not_plain(self.items(number))
            elif isinstance(each, HOLDING):
                waiting += not_plain(held_by(each))
            elif hasattr(type(each), "_its_arrive"):
                self.answers.objects.add(each._its_number)
        for number in self.new - self.answers.containers:
            if number in self.values:
                self._slip_in(self.within(number))
        self.new = set()

    def _slip_in(self, held: tuple[list[int], list[Any]], before: tuple[list[int], list[Any]] = ([], [])) -> None:
        self.slipped.containers |= {*held[0]} - {*before[0]}
        self.slipped.objects |= {each._its_number for each in held[1]} - {each._its_number for each in before[1]}

    def changed(self) -> list[int]:
        """The containers that hold something else than the other side knows, by identity of what they hold."""
        return [number for number in list(self.values) if not _same(self.items(number), self.copies.get(number))]

    def are_changed(self, numbers: Iterable[int]) -> bool:
        """Whether this side has changed one of these: one with defaults that has got further keys was looked at."""
        return any(self.kinds[number] != b"D" or not self._has_grown(number) for number in numbers)

    def _has_grown(self, number: int) -> bool:
        known = self.copies.get(number, [])
        return _same(self.items(number)[: len(known)], known)

    def update(self, changed: dict[int, list[Any]], new: Set[int], own_type: Callable[[int, Any], Any]) -> None:
        """Let containers hold what they hold on the other side now.

        Where one may not change here (`may_change`) another one gets its number, and so does each that holds it; the
        ones before stay what they are, and are no more what the other side has.

        Args:
            changed: what those hold that have changed there, by their numbers.
            new: the numbers of those that this side did not have before.
            own_type: makes a container of a type of the other side's own (`codec.ChannelSide.own`).
        """
        free = {*new}
        if not self.asked:
            self.new |= new
        free |= {number for number, items in changed.items() if self.may_change(number, self._grows(number, items))}
        parted = changed.keys() - free
        if parted:
            holding = {number: {*self.within(number, changed.get(number))[0]} for number in self.values}
            while more := {number for number, inner in holding.items() if number not in parted and inner & parted}:
                parted |= more
            free |= {number for number in parted - changed.keys() if self.may_change(number, False)}
            # What holds another one in place of one that it held does not only grow.
            free -= {number for number in parted & changed.keys() if not self.may_change(number, False)}
        others = {id(self.values[number]): self._another(number, own_type) for number in parted - free}
        held = {number: self.items(number) for number in parted - changed.keys()} | changed
        # Those of records first: a set, or a dictionary, may ask one within for its hash.
        for number, items in sorted(held.items(), key=lambda each: self.kinds[each[0]] != RECORD):
            value = self.values[number]
            if id(value) in others:
                del self.numbers[id(value)]
                if not self.asked:
                    self.parted[id(value)] = value
                self.values[number] = value = others[id(value)]
                self.numbers[id(value)] = number
            judged = not self.asked and number not in new
            before = self.within(number) if judged else ([], [])
            self.fill(number, [_exchanged(each, others) for each in items])
            if judged:
                self._slip_in(self.within(number), before)
            self.remember(number)

    def fill(self, number: int, items: list[Any]) -> None:
        """Let a container hold these items.

        Raises:
            ValueError: the program says that it has a key twice, or more items than it can have.
        """
        kind, value = KINDS[self.kinds[number]], self.values[number]
        kind.fill(value, items)
        missing = len(items) - len(kind.items(value))
        if self.asked or self.kinds[number] not in _UNIQUE or not missing:
            return
        keys, each_is = items, 1
        if self.kinds[number] in _MAPPINGS:
            keys, each_is = items[self.kinds[number] == b"D" :: 2], 2
        # No two of those that are no numbers are equal there.
        if self.kinds[number] == b"q" or missing >= each_is * sum(each is self.nan for each in keys):
            raise ValueError("not as many items as it was said to have")

    def _grows(self, number: int, items: list[Any]) -> bool:
        """Whether a container only gets further items at its end."""
        held = self.items(number)
        return self.kinds[number] in _ORDERED and _alike(items[: len(held)], held)

    def _another(self, number: int, own: Callable[[int, Any], Any]) -> Any:
        """An empty container like another one."""
        value, code = self.values[number], self.kinds[number]
        other = self.create(code, self.extra(number))
        return own(value._its_number, other) if isinstance(value, Owned) else other

    def unused(self) -> list[int]:
        """The containers that nothing but this table holds, and of which the other side knows what they hold."""
        alone = [number for number in list(self.values) if sys.getrefcount(self.values[number]) <= 2]
        return [number for number in alone if _same(self.items(number), self.copies.get(number))]


def _exchanged(value: Any, others: dict[int, Any]) -> Any:
    """What a container holds, with others in place of some containers, by their `id`, in tuples, too."""
    if type(value) is not tuple:
        return others.get(id(value), value)
    parts = [_exchanged(each, others) for each in value]
    return value if all(map(operator.is_, value, parts)) else tuple(parts)


def not_plain(values: Iterable[Any]) -> list[Any]:
    """Those that may be containers or hold any; of a million numbers it takes no time to say so."""
    return [each for each in values if type(each) not in _PLAIN]


def _alike(items: Sequence[Any], held: Sequence[Any]) -> bool:
    pairs = zip(held, items, strict=False)
    return len(items) == len(held) and all(one is two or _is_equal(one, two) for one, two in pairs)


def _is_equal(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if type(one) is tuple:
        return _alike(one, two)
    if type(one) in _PLAIN:  # no others have attributes of their own
        return one == two
    parts = parts_of(one)
    return parts is not None and _alike(parts, parts_of(two) or ())


def _same(items: list[Any], copy: list[Any] | None) -> bool:
    if copy is None or len(items) != len(copy):
        return False
    if len(items) == 1 and type(items[0]) is bytes:
        return items == copy
    return all(map(operator.is_, items, copy))
