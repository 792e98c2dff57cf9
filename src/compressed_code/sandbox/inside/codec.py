"""Plain data as bytes, for the channel between the untrusted program and its judge.

The set of types is closed and decoding runs no code of the sender: a message can hold wrong values, never behaviour.
Mutable containers travel with a number (`containers`), so that both sides know them again; whatever is not plain data
travels as a number that only its owner can resolve.
"""

import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from . import values
from .containers import KINDS, Shared, kind_of
from .standard import TYPES, type_name

MAXIMUM_DEPTH = 100

# Many values of one kind in a sequence go as one block: a test may hand over a million of them. Numbers as struct calls
# them, the first kind that holds them all; texts as their lengths and their bytes.
_NUMBERS: dict[type, bytes] = {int: b"iq", float: b"d", bool: b"?"}
_LEAST_IN_A_BLOCK = 16
_ARRAY_TYPE = re.compile(r"[<>|][biufcU][0-9]+", re.ASCII)  # no objects: an array holds numbers, truths or text
# Types whose instances do not change; what extends one travels as that, with a number for its own attributes.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__complex__),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
_VIEWS = {id(type({}.keys())): b"K", id(type({}.values())): b"V", id(type({}.items())): b"M"}
_MAKERS: dict[int, Callable[[list[Any]], Any]] = {
    ord("t"): tuple,
    ord("Z"): frozenset,
    ord("K"): lambda items: dict.fromkeys(items).keys(),
    ord("V"): lambda items: dict(enumerate(items)).values(),
    ord("M"): lambda items: dict(items).items(),
}


class TooLarge(Exception):
    """The value takes more bytes than the channel allows."""


class Malformed(Exception):
    """The bytes are no message of this codec."""


class Side(Protocol):
    """What a side of the channel says about values that are not plain data."""

    shared: Shared

    def describe(self, value: Any) -> tuple[int, Any]:
        """The number of an object that stays here, and plain data about it for the other side."""

    def resolve(self, number: int, about: Any) -> Any:
        """The object behind a number, or what stands for it here."""

    def own(self, number: int, value: Any) -> Any:
        """What stands here for an instance of a type that extends the plain `value`'s."""


def encode(value: Any, side: Side, limit: int) -> bytes:
    """A message: what changed of the shared containers, and a value.

    Args:
        value: None, bool, int, float, complex, str (lone surrogates included), bytes, tuple, frozenset, the views of a
            dict, `...`, the values of `values`, the containers of `containers`, the types of `standard`, nested at most
            100 deep; where numpy is loaded on both sides, its arrays and scalars of numbers, truth values and text.
        side: knows the containers, and says what travels in place of anything else.
        limit: the most bytes the result may have.

    Raises:
        TooLarge: the result would have more than `limit` bytes. Nothing was sent, and no container has a number more.
    """
    encoder = _Encoder(side, limit)
    try:
        changed = side.shared.changed()
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


def decode(content: bytes, side: Side) -> Any:
    """The value that `encode` was given, after what changed was changed here.

    Raises:
        Malformed: the bytes were not written by `encode`.
    """
    decoder = _Decoder(content, side)
    try:
        for _ in range(decoder.number()):
            decoder.next(0)
        value = decoder.next(0)
    except (
        *(LookupError, ValueError, TypeError, ArithmeticError, AttributeError, OverflowError, RecursionError),
        *(struct.error, values.Refused),
    ) as error:
        raise Malformed(str(error)) from None
    if decoder.place != len(content):
        raise Malformed("bytes after the end")
    for number in decoder.read:
        side.shared.remember(number)
    return value


def _block(kind: type, items: list[Any]) -> tuple[bytes, bytes] | None:
    """Values of one type as a block's kind and bytes; `None` where there is no block for them."""
    if kind is str:
        texts = [text.encode("utf-8", "surrogatepass") for text in items]
        return b"s", struct.pack(f"<{len(texts)}I", *map(len, texts)) + b"".join(texts)
    for number in _NUMBERS.get(kind, b""):
        with suppress(struct.error):  # whole numbers beyond its range
            return bytes([number]), struct.pack(f"<{len(items)}{chr(number)}", *items)
    return None


class _Encoder:
    def __init__(self, side: Side, limit: int) -> None:
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
        plain = type(value) is kind.type
        if not plain:  # its own methods are asked for by the number of an object
            self.write(b"Y" + struct.pack("<I", self.side.describe(value)[0]))
        self.write(b"C" + code + struct.pack("<II", number, kind.extra(value)))
        self.write_items(kind.items(value), depth)

    def add(self, value: Any, depth: int) -> None:
        kind = type(value)
        if value is None or kind is bool:
            self.write(b"N" if value is None else b"T" if value else b"F")
        elif kind is int:
            self.write_sized(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
        elif kind is float:
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
        elif (code := kind_of(kind)) is not None:
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
            self.write(b"X")
            self.add(parts, depth + 1)
        elif base := next((convert for plain, convert in _BASES if issubclass(kind, plain)), None):
            self.write(b"W" + struct.pack("<I", self.side.describe(value)[0]))
            self.add(base(value), depth + 1)
        else:
            self.add_object(value)


class _Decoder:
    def __init__(self, content: bytes, side: Side) -> None:
        self.content = content
        self.place = 0
        self.side = side
        self.read: set[int] = set()

    def take(self, count: int) -> bytes:
        start, self.place = self.place, self.place + count
        if self.place > len(self.content):
            raise Malformed("the message ends too early")
        return self.content[start : self.place]

    def number(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def sized(self) -> bytes:
        return self.take(self.number())

    def next(self, depth: int) -> Any:
        if depth > MAXIMUM_DEPTH:
            raise Malformed("nested too deep")
        tag = self.take(1)[0]
        if tag in _MAKERS:
            return _MAKERS[tag](self.items(depth))
        reader = _READERS.get(tag)
        if reader is None:
            raise Malformed(f"unknown tag {tag}")
        return reader(self, depth)

    def items(self, depth: int) -> list[Any]:
        kind, count = self.take(1), self.number()
        if kind == b"-":
            return [self.next(depth + 1) for _ in range(count)]
        if kind == b"s":
            lengths = struct.unpack(f"<{count}I", self.take(4 * count))
            return [self.take(length).decode("utf-8", "surrogatepass") for length in lengths]
        if not any(kind in kinds for kinds in _NUMBERS.values()):
            raise Malformed("no such block")
        layout = f"<{count}{kind.decode()}"
        return list(struct.unpack(layout, self.take(struct.calcsize(layout))))

    def read_container(self, depth: int, own: int | None = None) -> Any:
        code, number, extra = self.take(1), self.number(), self.number()
        kind, shared = KINDS[code], self.side.shared
        if number not in shared.values:
            if number % 2 == shared.step % 2:
                raise Malformed("a number that only this side gives")
            value = kind.create(extra)
            shared.add(value if own is None else self.side.own(own, value), code, number)
        elif shared.kinds.get(number) != code:
            raise Malformed("another container has this number")
        value = shared.values[number]  # known before it is filled: it may hold itself
        kind.fill(value, self.items(depth))
        self.read.add(number)
        return value

    def read_own_container(self, depth: int) -> Any:
        own = self.number()
        if self.take(1) != b"C":
            raise Malformed("no container")
        return self.read_container(depth, own)

    def read_own(self, depth: int) -> Any:
        number, value = self.number(), self.next(depth + 1)
        return self.side.own(number, value)

    def read_object(self, depth: int) -> Any:
        # What is said about it stands outside of the depth of the data.
        number, about = self.number(), self.next(min(depth, MAXIMUM_DEPTH - 20))
        return self.side.resolve(number, about)

    def read_value(self, depth: int) -> Any:
        name, parts = self.next(depth + 1)
        return values.make(name, parts)

    def read_array(self, depth: int) -> Any:
        kind, shape, content = self.next(depth + 1)
        if "numpy" not in sys.modules or not _ARRAY_TYPE.fullmatch(kind):
            raise Malformed("no such array")
        # Read from a copy: the result can be written to.
        flat = sys.modules["numpy"].frombuffer(bytearray(content), kind)
        if shape is None:
            (value,) = flat
            return value
        return flat.reshape(shape)


_READERS: dict[int, Callable[[_Decoder, int], Any]] = {
    ord("N"): lambda decoder, depth: None,
    ord("T"): lambda decoder, depth: True,
    ord("F"): lambda decoder, depth: False,
    ord("e"): lambda decoder, depth: ...,
    ord("i"): lambda decoder, depth: int.from_bytes(decoder.sized(), "little", signed=True),
    ord("f"): lambda decoder, depth: struct.unpack("<d", decoder.take(8))[0],
    ord("c"): lambda decoder, depth: complex(*struct.unpack("<dd", decoder.take(16))),
    ord("s"): lambda decoder, depth: decoder.sized().decode("utf-8", "surrogatepass"),
    ord("b"): lambda decoder, depth: decoder.sized(),
    ord("@"): lambda decoder, depth: decoder.side.shared.values[decoder.number()],
    ord("C"): lambda decoder, depth: decoder.read_container(depth),
    ord("Y"): lambda decoder, depth: decoder.read_own_container(depth),
    ord("G"): lambda decoder, depth: TYPES[decoder.next(depth + 1)],
    ord("X"): lambda decoder, depth: decoder.read_value(depth),
    ord("A"): lambda decoder, depth: decoder.read_array(depth),
    ord("O"): lambda decoder, depth: decoder.read_object(depth),
    ord("W"): lambda decoder, depth: decoder.read_own(depth),
}


def _is_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")  # loaded where the sandbox was told to show it, never by this module
    known = numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))
    return known and _ARRAY_TYPE.fullmatch(value.dtype.str) is not None
