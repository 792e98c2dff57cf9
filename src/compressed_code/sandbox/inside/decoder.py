"""Bytes of `codec` read back: every value is made here, of a closed set of types, and nothing of the sender runs."""

import math
import struct
import sys
from collections.abc import Callable
from typing import Any

from . import values
from .codec import ARRAY_TYPE, BASES, MAXIMUM_DEPTH, NUMBERS, ChannelSide, Malformed
from .containers import KINDS, RECORD
from .records import says_otherwise
from .standard_modules import TYPES

# What may be said about an object: names, and the classes that an error's extends.
_ABOUT = frozenset(b"NtsGO")

_MAKERS: dict[int, Callable[[list[Any]], Any]] = {
    ord("t"): tuple,
    ord("Z"): frozenset,
    ord("K"): lambda items: dict.fromkeys(items).keys(),
    ord("V"): lambda items: dict(enumerate(items)).values(),
    ord("M"): lambda items: dict(items).items(),
}

# numpy rounds a Python number to the precision of the one that it is compared with, so that infinity in 16 bits is
# every number from 65,520 on. A judge has such numbers in double precision. Those of 32 bits keep their type, unless
# one is infinite: what they equal is right to seven digits.
_DOUBLE = {"f2": "f8", "f4": "f8", "c8": "c16"}


def decode(content: bytes, side: ChannelSide) -> Any:
    """The value that `codec.encode` was given, after what changed was changed here.

    Raises:
        Malformed: the bytes were not written by `codec.encode`.
    """
    decoder = _Decoder(content, side)
    try:
        for _ in range(decoder.number()):
            decoder.changing = True
            decoder.next(0)
        decoder.changing = False
        side.shared.update(decoder.changed, decoder.new, side.own)
        value = decoder.next(0)
    except (Malformed, MemoryError):
        raise
    except Exception as error:  # of any kind: to read such values is to make them
        raise Malformed(type(error).__name__) from None  # its text may be that of a number too long to be written
    if decoder.place != len(content):
        raise Malformed("bytes after the end")
    for number in decoder.read:
        side.shared.remember(number)
    return value


class _Decoder:
    def __init__(self, content: bytes, side: ChannelSide) -> None:
        self.content = content
        self.place = 0
        self.side = side
        self.read: set[int] = set()
        self.about = False  # what is read is said about an object
        self.changing = False  # the container that is read next is no part of anything
        self.changed: dict[int, list[Any]] = {}  # what such containers hold now
        self.new: set[int] = set()
        self.mentioned: set[int] = set()
        side.shared.types.clear()

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
        if self.about and tag not in _ABOUT:
            raise Malformed("no words about an object")
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
        if not any(kind in kinds for kinds in NUMBERS.values()):
            raise Malformed("no such block")
        layout = f"<{count}{kind.decode()}"
        found = list(struct.unpack(layout, self.take(struct.calcsize(layout))))
        return list(map(self.known, found)) if kind == b"d" and math.isnan(sum(found)) else found

    def known(self, value: float) -> float:
        """A number; what is none is the one that this side knows."""
        return self.side.shared.nan if math.isnan(value) else value

    def read_container(self, depth: int, own: int | None = None) -> Any:
        code, number, extra = self.take(1), self.number(), self.number()
        shared = self.side.shared
        known, changing, self.changing = number in shared.values, self.changing, False
        if known and (not changing or number in self.new):
            raise Malformed("a container that is there is told once more")
        if not known:
            if number % 2 == shared.step % 2:
                raise Malformed("a number that only this side gives")
            value = shared.create(code, extra)
            shared.add(value if own is None else self.side.own(own, value), code, number)
            self.new.add(number)
        elif shared.kinds.get(number) != code:
            raise Malformed("another container has this number")
        value = shared.values[number]  # known before it is filled: it may hold itself
        items = self.items(depth)
        if code == RECORD and not shared.asked and says_otherwise(type(value), items[::2], shared.asking):
            raise Malformed("an object says otherwise what its class says")
        if code == b"D" and any(items[:1] == [factory] for factory in (set, frozenset)):
            shared.types.remove(items[0])  # what it makes is a set
        if known:
            self.changed[number] = items
        else:
            shared.fill(number, items)
        self.read.add(number)
        return value

    def read_known(self, depth: int) -> Any:
        number = self.number()
        self.mention(number)
        return self.side.shared.values[number]

    def mention(self, number: int) -> None:
        """A container that both sides had is part of what is read, and so are those within."""
        shared, waiting = self.side.shared, [number]
        while waiting:
            number = waiting.pop()
            if number not in self.mentioned:
                self.mentioned.add(number)
                inner, objects = shared.within(number)
                waiting += inner
                for each in objects:  # on the judge's side only
                    self.side.arrived.append(each)
        shared.returned |= {each for each in self.mentioned if each % 2 == shared.step % 2}

    def read_own_container(self, depth: int) -> Any:
        own = self.number()
        if self.take(1) != b"C" or not KINDS[self.content[self.place : self.place + 1]].extended:
            raise Malformed("no container that can be extended")
        return self.read_container(depth, own)

    def read_own(self, depth: int) -> Any:
        number = self.number()
        if self.content[self.place : self.place + 1] == b"X":
            self.take(1)
            value = self.read_value(depth + 1, owned=True)
        else:
            value = self.next(depth + 1)
        if type(value) not in values.REACHING and not any(type(value) is plain for plain, _ in BASES):
            raise Malformed("no type that can be extended")
        return self.side.own(number, value)

    def read_object(self, depth: int) -> Any:
        # What is said about it stands outside of the depth of the data.
        types = self.side.shared.types
        known, within = len(types), self.about
        number, self.about = self.number(), True
        about = self.next(min(depth, MAXIMUM_DEPTH - 20))
        self.about = within
        del types[
            known:
        ]  # the bases of an error are not in the message itself, nor is any container that would keep them
        value = self.side.resolve(number, about)
        if isinstance(value, type):
            types.append(value)
        return value

    def read_type(self, depth: int) -> type:
        value = TYPES[self.next(depth + 1)]
        self.side.shared.types.append(value)
        return value

    def read_value(self, depth: int, owned: bool = False) -> Any:
        name, parts = self.next(depth + 1)
        value = values.make(name, parts)
        if type(value) in values.REACHING and not (owned or self.side.shared.asked):
            raise Malformed("what it reaches would be this side's")  # the files of a judge, not those of its program
        return value

    def read_array(self, depth: int) -> Any:
        kind, shape, content = self.next(depth + 1)
        if "numpy" not in sys.modules or not ARRAY_TYPE.fullmatch(kind):
            raise Malformed("no such array")
        # Read from a copy: the result can be written to.
        flat = sys.modules["numpy"].frombuffer(bytearray(content), kind)
        double = _DOUBLE.get(flat.dtype.str[1:])
        if double and not self.side.shared.asked:
            exact = flat.astype(double)
            flat = exact if flat.itemsize == 2 or not math.isfinite(abs(exact).sum()) else flat
        if shape is None:
            (value,) = flat
            return value
        found = flat.reshape(shape)
        if found.size == 0 and found.ndim > 1 and not self.side.shared.asked:
            raise Malformed("an array that numpy finds equal to every row")  # (0, 1) is stretched to any (0, n)
        return found


_READERS: dict[int, Callable[[_Decoder, int], Any]] = {
    ord("N"): lambda decoder, depth: None,
    ord("T"): lambda decoder, depth: True,
    ord("F"): lambda decoder, depth: False,
    ord("e"): lambda decoder, depth: ...,
    ord("i"): lambda decoder, depth: int.from_bytes(decoder.sized(), "little", signed=True),
    ord("f"): lambda decoder, depth: decoder.known(struct.unpack("<d", decoder.take(8))[0]),
    ord("c"): lambda decoder, depth: complex(*struct.unpack("<dd", decoder.take(16))),
    ord("s"): lambda decoder, depth: decoder.sized().decode("utf-8", "surrogatepass"),
    ord("b"): lambda decoder, depth: decoder.sized(),
    ord("@"): lambda decoder, depth: decoder.read_known(depth),
    ord("C"): lambda decoder, depth: decoder.read_container(depth),
    ord("Y"): lambda decoder, depth: decoder.read_own_container(depth),
    ord("G"): lambda decoder, depth: decoder.read_type(depth),
    ord("X"): lambda decoder, depth: decoder.read_value(depth),
    ord("A"): lambda decoder, depth: decoder.read_array(depth),
    ord("O"): lambda decoder, depth: decoder.read_object(depth),
    ord("W"): lambda decoder, depth: decoder.read_own(depth),
}
