"""Plain data as bytes, for the channel between the untrusted program and its judge; `decoder` reads them.

The set of types is closed and decoding runs no code of the sender: a message can hold wrong values, never behaviour.
Mutable containers travel with a number (`containers`), so that both sides know them again; whatever is not plain data
travels as a number that only its owner can resolve.
"""

import math
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from . import values
from .containers import KINDS, RECORD
from .shared import Shared
from .standard_modules import type_name

MAXIMUM_DEPTH = 100

# Many values of one kind in a sequence go as one block: a test may hand over a million of them. Numbers as struct calls
# them, the first kind that holds them all; texts as their lengths and their bytes.
NUMBERS: dict[type, bytes] = {int: b"iq", float: b"d", bool: b"?"}
_LEAST_IN_A_BLOCK = 16
ARRAY_TYPE = re.compile(r"[<>|][biufcU][0-9]+", re.ASCII)  # no objects: an array holds numbers, truths or text
# Types whose instances do not change; what extends one travels as that, with a number for its own attributes.
BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__complex__),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
_VIEWS = {id(type({}.keys())): b"K", id(type({}.values())): b"V", id(type({}.items())): b"M"}


class TooLarge(Exception):
    """The value takes more bytes than the channel allows."""


class Malformed(Exception):
    """The bytes are no message of this codec."""


class ChannelSide(Protocol):
    """What a side of the channel says about values that are not plain data.

    Attributes:
        arrived: the stand-ins in the last message; on the side that has them.
    """

    shared: Shared
    arrived: list[Any]

    def describe(self, value: Any) -> tuple[int, Any]:
        """The number of an object that stays here, and plain data about it for the other side."""

    def resolve(self, number: int, about: Any) -> Any:
        """The object behind a number, or what stands for it here."""

    def own(self, number: int, value: Any) -> Any:
        """What stands here for an instance of a type that extends the plain `value`'s."""


def encode(value: Any, side: ChannelSide, limit: int) -> bytes:
    """A message: what changed of the shared containers, and a value.

    Args:
        value: None, bool, int, float, complex, str (lone surrogates included), bytes, tuple, frozenset, the views of a
            dict, `...`, the values of `values`, the containers of `containers`, the types of `standard_modules`, nested
            at most 100 deep; where numpy is loaded on both sides, its arrays and scalars of numbers, truth values and
            text.
        side: knows the containers, and says what travels in place of anything else.
        limit: the most bytes the result may have.

    Raises:
        TooLarge: the result would have more than `limit` bytes. Nothing was sent, and no container has a number more.
    """
    encoder = _Encoder(side, limit)
    try:
        changed = side.shared.changed()
        side.shared.altered = side.shared.are_changed(changed)
        encoder.write(struct.pack("<I", len(changed)))
        for number in changed:
            encoder.write_container(number, 0)
        encoder.add(value, 0)
    except BaseException:
        for number in encoder.new:
            side.shared.forget(number)
        raise
    for number in encoder.written:
        side.shared.remember(number)
    return b"".join(encoder.parts)


def _block(kind: type, items: list[Any]) -> tuple[bytes, bytes] | None:
    """Values of one type as a block's kind and bytes; `None` where there is no block for them."""
    if kind is str:
        texts = [text.encode("utf-8", "surrogatepass") for text in items]
        return b"s", struct.pack(f"<{len(texts)}I", *map(len, texts)) + b"".join(texts)
    for number in NUMBERS.get(kind, b""):
        with suppress(struct.error):  # whole numbers beyond its range
            return bytes([number]), struct.pack(f"<{len(items)}{chr(number)}", *items)
    return None


class _Encoder:
    def __init__(self, side: ChannelSide, limit: int) -> None:
        self.parts: list[bytes] = []
        self.left = limit
        self.side = side
        self.new: list[int] = []
        self.written: set[int] = set()

    def write(self, content: bytes) -> None:
        self.left -= len(content)
        if self.left < 0:
            raise TooLarge
        self.parts.append(content)

    def write_sized(self, tag: bytes, content: bytes) -> None:
        self.write(tag + struct.pack("<I", len(content)))
        self.write(content)

    def write_items(self, items: list[Any], depth: int) -> None:
        kinds = set(map(type, items)) if len(items) >= _LEAST_IN_A_BLOCK else set()
        block = _block(kinds.pop(), items) if len(kinds) == 1 else None
        if block is None:
            self.write(b"-" + struct.pack("<I", len(items)))
            for item in items:
                self.add(item, depth + 1)
        else:
            if block[0] == b"d" and math.isnan(sum(items)):
                self.side.shared.nan = next(filter(math.isnan, items), self.side.shared.nan)
            self.write(block[0] + struct.pack("<I", len(items)))
            self.write(block[1])

    def write_container(self, number: int, depth: int) -> None:
        if number in self.written:
            self.write(b"@" + struct.pack("<I", number))
            return
        self.written.add(number)
        shared = self.side.shared
        code, value = shared.kinds[number], shared.values[number]
        kind = KINDS[code]
        plain = code == RECORD or type(value) is kind.type
        if not plain:  # its own methods are asked for by the number of an object
            self.write(b"Y" + struct.pack("<I", self.side.describe(value)[0]))
        self.write(b"C" + code + struct.pack("<II", number, shared.extra(number)))
        self.write_items(kind.items(value), depth)

    def add(self, value: Any, depth: int) -> None:
        kind = type(value)
        if value is None or kind is bool:
            self.write(b"N" if value is None else b"T" if value else b"F")
        elif kind is int:
            self.write_sized(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
        elif kind is float:
            if math.isnan(value):
                self.side.shared.nan = value
            self.write(b"f" + struct.pack("<d", value))
        elif kind is str:
            self.write_sized(b"s", value.encode("utf-8", "surrogatepass"))
        elif depth >= MAXIMUM_DEPTH:
            self.add_object(value)
        elif kind is tuple:
            self.write(b"t")
            self.write_items(list(value), depth)
        elif (number := self.side.shared.number(value)) is not None:
            # What changed was written before everything else, so the other side knows what it holds.
            self.write(b"@" + struct.pack("<I", number))
        elif (code := self.side.shared.kind_of(kind)) is not None:
            if code != RECORD and kind is not KINDS[code].type:
                self.side.describe(value)  # may say that it cannot be sent
            number = self.side.shared.add(value, code)
            self.new.append(number)
            self.write_container(number, depth)
        else:
            self.add_rare(value, kind, depth)

    def add_object(self, value: Any) -> None:
        number, about = self.side.describe(value)
        self.write(b"O" + struct.pack("<I", number))
        self.add(about, MAXIMUM_DEPTH - 20)

    def add_rare(self, value: Any, kind: type, depth: int) -> None:
        if kind is bytes:
            self.write_sized(b"b", value)
        elif kind is complex:
            self.write(b"c" + struct.pack("<dd", value.real, value.imag))
        elif value is ...:
            self.write(b"e")
        elif kind is frozenset or id(kind) in _VIEWS:
            self.write(b"Z" if kind is frozenset else _VIEWS[id(kind)])
            self.write_items(list(value), depth)
        elif (name := type_name(value)) is not None:
            self.write(b"G")
            self.add(name, depth + 1)
        elif _is_numpy(value):
            shape = None if isinstance(value, sys.modules["numpy"].generic) else value.shape
            self.write(b"A")
            self.add((value.dtype.str, shape, value.tobytes()), depth + 1)
        elif (parts := values.parts_of(value)) is not None:
            if kind in values.REACHING and self.side.shared.asked:
                self.write(b"W" + struct.pack("<I", self.side.describe(value)[0]))
            self.write(b"X")
            self.add(parts, depth + 1)
        elif base := next((convert for plain, convert in BASES if issubclass(kind, plain)), None):
            self.write(b"W" + struct.pack("<I", self.side.describe(value)[0]))
            self.add(base(value), depth + 1)
        else:
            self.add_object(value)


def _is_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")  # loaded where the sandbox was told to show it, never by this module
    known = numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))
    return known and ARRAY_TYPE.fullmatch(value.dtype.str) is not None
