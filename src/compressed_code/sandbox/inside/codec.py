"""Plain data as bytes, for the channel between the untrusted program and its judge.

The set of types is closed and decoding runs no code of the sender: a message can hold wrong values, never behaviour.
Whatever is not plain data travels as a number that only its owner can resolve.
"""

import re
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAXIMUM_DEPTH = 200

_KEYS, _VALUES, _ITEMS = type({}.keys()), type({}.values()), type({}.items())
_SEQUENCES: dict[type, bytes] = {
    list: b"l",
    tuple: b"t",
    set: b"S",
    frozenset: b"Z",
    deque: b"q",
    _KEYS: b"K",
    _VALUES: b"V",
    _ITEMS: b"M",
}
_BUILDERS: dict[int, Callable[[list[Any]], Any]] = {
    ord("l"): list,
    ord("t"): tuple,
    ord("S"): set,
    ord("Z"): frozenset,
    ord("q"): deque,
    ord("K"): lambda items: dict.fromkeys(items).keys(),
    ord("V"): lambda items: dict(enumerate(items)).values(),
    ord("M"): lambda items: dict(items).items(),
}
# Many values of one kind in a sequence go as one block: a test may hand over a million of them. Numbers as struct calls
# them, the first kind that holds them all; texts as their lengths and their bytes.
_NUMBERS: dict[type, bytes] = {int: b"iq", float: b"d", bool: b"?"}
_TEXTS = b"s"
_LEAST_IN_A_BLOCK = 16
_ARRAY_TYPE = re.compile(r"[<>|][biufcU][0-9]+", re.ASCII)  # no objects: an array holds numbers, truths or text
# Subclasses travel as the plain type they extend, read by that type's own methods.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda value: complex(value.real, value.imag)),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (bytearray, lambda value: bytearray(memoryview(value))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (deque, lambda value: deque(deque.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
)


class TooLarge(Exception):
    """The value takes more bytes than the channel allows."""


class Malformed(Exception):
    """The bytes are no message of this codec."""


def encode(value: Any, reference: Callable[[Any], int], limit: int) -> bytes:
    """A value as bytes.

    Args:
        value: None, bool, int, float, complex, str (lone surrogates included), bytes, bytearray, range, Fraction,
            Decimal, list, tuple, dict, set, frozenset, deque, the views of a dict, nested at most 200 deep; where numpy
            is loaded on both sides, its arrays and scalars of numbers, truth values and text.
        reference: gives anything else a number.
        limit: the most bytes the result may have.

    Raises:
        TooLarge: the result would have more than `limit` bytes.
    """
    encoder = _Encoder(reference, limit)
    encoder.add(value, 0)
    return b"".join(encoder.parts)


def decode(content: bytes, resolve: Callable[[int], Any]) -> Any:
    """The value that `encode` was given; `resolve` turns the number of something that is not plain data into an object.

    Raises:
        Malformed: the bytes were not written by `encode`.
    """
    decoder = _Decoder(content, resolve)
    try:
        value = decoder.next(0)
    except (IndexError, ValueError, TypeError, ArithmeticError, struct.error) as error:
        raise Malformed(str(error)) from None
    if decoder.place != len(content):
        raise Malformed("bytes after the end")
    return value


def _block(kind: type, items: list[Any]) -> tuple[bytes, bytes] | None:
    """Values of one type as a block's kind and bytes; `None` where there is no block for them."""
    if kind is str:
        texts = [text.encode("utf-8", "surrogatepass") for text in items]
        return _TEXTS, struct.pack(f"<{len(texts)}I", *map(len, texts)) + b"".join(texts)
    for number in _NUMBERS.get(kind, b""):
        with suppress(struct.error):  # whole numbers beyond its range
            return bytes([number]), struct.pack(f"<{len(items)}{chr(number)}", *items)
    return None


class _Encoder:
    def __init__(self, reference: Callable[[Any], int], limit: int) -> None:
        self.parts: list[bytes] = []
        self.left = limit
        self.reference = reference

    def write(self, content: bytes) -> None:
        self.left -= len(content)
        if self.left < 0:
            raise TooLarge
        self.parts.append(content)

    def write_sized(self, tag: bytes, content: bytes) -> None:
        self.write(tag + struct.pack("<I", len(content)))
        self.write(content)

    def write_many(self, tag: bytes, items: Iterable[Any], depth: int) -> None:
        items = list(items)
        self.write(tag + struct.pack("<I", len(items)))
        for item in items:
            self.add(item, depth + 1)

    def write_sequence(self, tag: bytes, items: list[Any], depth: int) -> None:
        kinds = set(map(type, items)) if len(items) >= _LEAST_IN_A_BLOCK else set()
        block = _block(kinds.pop(), items) if len(kinds) == 1 else None
        if block is None:
            self.write_many(tag, items, depth)
            return
        kind, content = block
        self.write(b"H" + tag + kind + struct.pack("<I", len(items)))
        self.write(content)

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
            self.write(b"O" + struct.pack("<I", self.reference(value)))
        elif kind in _SEQUENCES:
            self.write_sequence(_SEQUENCES[kind], list(value), depth)
        elif kind is dict:
            self.write_many(b"d", [part for item in value.items() for part in item], depth)
        else:
            self.add_rare(value, kind, depth)

    def add_rare(self, value: Any, kind: type, depth: int) -> None:
        if kind is bytes or kind is bytearray:
            self.write_sized(b"b" if kind is bytes else b"B", bytes(value))
        elif kind is complex:
            self.write(b"c" + struct.pack("<dd", value.real, value.imag))
        elif kind is range:
            self.write_many(b"r", (value.start, value.stop, value.step), depth)
        elif kind is Fraction:
            self.write_many(b"R", (value.numerator, value.denominator), depth)
        elif kind is Decimal:
            self.write_many(b"D", (str(value),), depth)
        elif _is_numpy(value):
            shape = None if isinstance(value, sys.modules["numpy"].generic) else value.shape
            self.write_many(b"A", (value.dtype.str, shape, value.tobytes()), depth)
        else:
            convert = next((convert for base, convert in _BASES if issubclass(kind, base)), None)
            if convert is None:
                self.write(b"O" + struct.pack("<I", self.reference(value)))
            else:
                self.add(convert(value), depth)


class _Decoder:
    def __init__(self, content: bytes, resolve: Callable[[int], Any]) -> None:
        self.content = content
        self.place = 0
        self.resolve = resolve

    def take(self, count: int) -> bytes:
        start, self.place = self.place, self.place + count
        if self.place > len(self.content):
            raise Malformed("the message ends too early")
        return self.content[start : self.place]

    def number(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def many(self, depth: int) -> list[Any]:
        return [self.next(depth + 1) for _ in range(self.number())]

    def next(self, depth: int) -> Any:
        if depth > MAXIMUM_DEPTH:
            raise Malformed("nested too deep")
        tag = self.take(1)[0]
        if tag in _BUILDERS:
            return _BUILDERS[tag](self.many(depth))
        reader = _READERS.get(tag)
        if reader is None:
            raise Malformed(f"unknown tag {tag}")
        return reader(self, depth)

    def read_block(self, _: int) -> Any:
        tag, kind, count = self.take(1)[0], self.take(1), self.number()
        if tag not in _BUILDERS:
            raise Malformed("no such block")
        return _BUILDERS[tag](self.texts(count) if kind == _TEXTS else self.numbers(kind, count))

    def numbers(self, kind: bytes, count: int) -> list[Any]:
        if not any(kind in kinds for kinds in _NUMBERS.values()):
            raise Malformed("no such numbers")
        layout = f"<{count}{kind.decode()}"
        return list(struct.unpack(layout, self.take(struct.calcsize(layout))))

    def texts(self, count: int) -> list[str]:
        lengths = struct.unpack(f"<{count}I", self.take(4 * count))
        return [self.take(length).decode("utf-8", "surrogatepass") for length in lengths]

    def read_dict(self, depth: int) -> dict[Any, Any]:
        items = self.many(depth)
        return dict(zip(items[::2], items[1::2], strict=True))

    def read_fraction(self, depth: int) -> Fraction:
        numerator, denominator = self.many(depth)
        if type(numerator) is not int or type(denominator) is not int:  # a str would be parsed: "1e999999999"
            raise Malformed("a fraction of something else than whole numbers")
        return Fraction(numerator, denominator)

    def read_array(self, depth: int) -> Any:
        kind, shape, content = self.many(depth)
        if "numpy" not in sys.modules or not _ARRAY_TYPE.fullmatch(kind):
            raise Malformed("no such array")
        # Read from a copy: the result can be written to.
        flat = sys.modules["numpy"].frombuffer(bytearray(content), kind)
        if shape is None:
            (value,) = flat
            return value
        return flat.reshape(shape)

    def read_sized(self) -> bytes:
        return self.take(self.number())


_READERS: dict[int, Callable[[_Decoder, int], Any]] = {
    ord("N"): lambda decoder, depth: None,
    ord("T"): lambda decoder, depth: True,
    ord("F"): lambda decoder, depth: False,
    ord("i"): lambda decoder, depth: int.from_bytes(decoder.read_sized(), "little", signed=True),
    ord("f"): lambda decoder, depth: struct.unpack("<d", decoder.take(8))[0],
    ord("c"): lambda decoder, depth: complex(*struct.unpack("<dd", decoder.take(16))),
    ord("s"): lambda decoder, depth: decoder.read_sized().decode("utf-8", "surrogatepass"),
    ord("b"): lambda decoder, depth: decoder.read_sized(),
    ord("B"): lambda decoder, depth: bytearray(decoder.read_sized()),
    ord("d"): _Decoder.read_dict,
    ord("H"): _Decoder.read_block,
    ord("r"): lambda decoder, depth: range(*decoder.many(depth)),
    ord("R"): _Decoder.read_fraction,
    ord("D"): lambda decoder, depth: Decimal(*decoder.many(depth)),
    ord("A"): _Decoder.read_array,
    ord("O"): lambda decoder, depth: decoder.resolve(decoder.number()),
}


def _is_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")  # loaded where the sandbox was told to show it, never by this module
    known = numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))
    return known and _ARRAY_TYPE.fullmatch(value.dtype.str) is not None
