"""What program and judge say to each other: every kind of plain data arrives as it was, and nothing else ever does."""

import contextlib
import datetime
import random
import re
import struct
import time
from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.sandbox.inside import codec, decoder, owned
from compressed_code.sandbox.inside.shared import Shared


class Node:
    """A class that both sides have."""

    def __init__(self, value, following=None):
        self.value, self.following = value, following


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.text(st.characters()) | st.text(st.characters(categories=["Cs"])) | st.binary() | st.fractions()
    | st.decimals(allow_nan=False) | st.builds(range, st.integers(), st.integers(), st.integers(1))
    | st.dates() | st.datetimes() | st.times() | st.timedeltas() | st.uuids()
    | st.sampled_from([int, str, list, dict, ValueError, deque, Fraction, ...])
    | st.text(st.characters(exclude_characters="\0"), max_size=9).map(PurePosixPath)
    | st.sampled_from(["", "a+", rb"\w", "[^a]$"]).map(re.compile),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.lists(inner).map(deque)
    | st.lists(inner).map(UserList)
    | st.dictionaries(st.text() | st.integers() | st.tuples(st.booleans()), inner) | st.frozensets(st.integers())
    | st.sets(st.integers()) | st.binary().map(bytearray) | st.dictionaries(st.text(), inner).map(OrderedDict)
    | st.dictionaries(st.text(), inner).map(lambda items: defaultdict(list, items))
    | st.dictionaries(st.text(), inner).map(UserDict) | st.lists(st.integers(0, 9)).map(Counter)
    | st.lists(st.floats(allow_nan=False)).map(lambda items: array("d", items))
    | st.dictionaries(st.text("abc", min_size=1), inner).map(lambda items: SimpleNamespace(**items))
    | st.builds(Node, inner, inner),
)  # fmt: skip


class Side:
    """One side of a channel, where everything that is not plain data is object 7."""

    def __init__(self, step):
        self.shared = Shared(step)
        self.shared.records = (Node,)

    def describe(self, value):
        return 7, "a thing"

    def resolve(self, number, about):
        return f"{about}, {number}"

    def own(self, number, value):
        return owned.own(self, number, value)


def encode(value, limit=1 << 30):
    return codec.encode(value, Side(1), limit)


def decode(content):
    return decoder.decode(content, Side(2))


def exact(value):
    """Types and values of a nested structure."""
    if isinstance(value, dict | UserDict):
        return type(value), [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | deque | UserList):
        return type(value), [exact(item) for item in value]
    if isinstance(value, SimpleNamespace | Node):
        return type(value), exact(vars(value))
    return type(value), value


@given(PLAIN)
def test_it_gives_back_what_it_was_given(value):
    assert exact(decode(encode(value))) == exact(value)


@given(
    st.sampled_from([list, tuple, deque, frozenset]),
    st.one_of(
        st.lists(st.integers(-(2**31), 2**31 - 1), min_size=16),
        st.lists(st.integers(-(2**80), 2**80), min_size=16),
        st.lists(st.floats(allow_nan=False), min_size=16),
        st.lists(st.booleans(), min_size=16),
        st.lists(st.text(st.characters() | st.characters(categories=["Cs"])), min_size=16),
        st.lists(st.booleans() | st.integers(0, 1), min_size=16),
    ),
)
def test_many_values_of_one_kind_travel_as_a_block(sequence, values):
    value = sequence(values)
    found = decode(encode(value))
    assert type(found) is sequence
    if sequence is frozenset:
        assert found == value
    else:
        assert exact(found) == exact(value)


def test_what_is_wrong_with_a_message_need_not_be_written():
    """Python writes no number of so many digits, which a KeyError would."""
    key = (10**5000).to_bytes(3000, "little")
    for tag in (b"G", b"X"):
        with pytest.raises(codec.Malformed):
            decode(bytes(4) + tag + b"i" + struct.pack("<I", len(key)) + key + b"t-" + bytes(4))


def test_numbers_are_packed_without_a_header_for_each():
    numbers = list(range(-50_000, 50_000))
    assert len(encode(numbers)) < 4 * len(numbers) + 30 and decode(encode(numbers)) == numbers
    with pytest.raises(codec.Malformed):  # a count that the message does not hold
        decode(bytes(4) + b"ti" + b"\xff\xff\xff\xff" + bytes(40))


def test_what_extends_a_plain_type_arrives_as_that_with_attributes_of_its_own():
    cases = [(namedtuple("P", "x")(1), (1,)), (type("I", (int,), {})(3), 3), (type("S", (str,), {})("a"), "a")]
    cases += [(type("F", (float,), {})(0.5), 0.5), (type("B", (bytes,), {})(b"a"), b"a")]
    cases += [(type("L", (list,), {})([1]), [1]), (type("D", (dict,), {})(a=1), {"a": 1})]
    for value, plain in cases:
        found = decode(encode(value))
        assert isinstance(found, type(plain)) and isinstance(found, owned.Owned) and found == plain
    assert decode(encode([print, object()])) == ["a thing, 7", "a thing, 7"]


@pytest.mark.parametrize(
    "value", [Fraction(1, 2), Decimal(1), ValueError("x"), datetime.timedelta(1), np.array([3]), True]
)
def test_nothing_but_plain_types_is_extended(value):
    """An array "extended" by another one would be memory of its judge that nobody has written to."""
    message = encode(value)
    with pytest.raises(codec.Malformed):
        decode(message[:4] + b"W" + struct.pack("<I", 7) + message[4:])


@pytest.mark.parametrize(("kind", "double"), [("f2", "f8"), ("f4", "f4"), ("c8", "c8"), ("i1", "i1"), ("f8", "f8")])
def test_numbers_of_little_precision_are_compared_in_double(kind, double):
    """numpy rounds what it is compared with: in 16 bits infinity equals 100,000.0."""
    number = np.array(3, kind)
    for value in (number, number[()], number.reshape(1), np.full((2, 3), 3, kind)):
        found = decode(encode(value))
        assert (found == 3).all() and found.dtype == np.dtype(double) and found.shape == value.shape
    for found in (decode(encode([np.float16("inf"), np.float16(0.1)])), decode(encode(np.array([np.inf, 0.1], "f2")))):
        assert found[0] != 100_000.0 and found[1] != 0.1
    for narrow in ("f4", "c8"):
        assert decode(encode(np.array([np.inf, 1], narrow)))[0] != 1e39
        assert decode(encode(np.array(np.inf, narrow))) != 1e39


def test_no_array_without_elements_is_stretched_to_what_a_test_expects():
    """`(found == wanted).all()` and `np.allclose(found, wanted)` say yes to (0, 1) for a wanted row of any length."""
    for shape in ((0, 1), (1, 0), (0, 3), (0, 0), (0, 1, 1)):
        with pytest.raises(codec.Malformed):
            decode(encode(np.zeros(shape)))
    assert decode(encode(np.zeros(0))).shape == (0,)


@pytest.mark.parametrize("about", [["object", "a thing", ()], ("object", "a thing", {"order": AssertionError})])
def test_what_is_said_about_an_object_holds_no_container(about):
    """Classes in there count as an error's bases, and a container would keep them for a later `except`."""
    message = encode(about)
    with pytest.raises(codec.Malformed):
        decode(bytes(4) + b"O" + struct.pack("<I", 7) + message[4:])


def test_dates_and_numbers_are_made_of_whole_numbers():
    """Of bytes a date would have days that no calendar has, and an identifier any number."""
    for name, part in (("date", bytes([7, 228, 1, 99])), ("UUID", 1.5)):
        parts = encode((name, (part,)))[4:]
        with pytest.raises(codec.Malformed):
            decode(bytes(4) + b"X" + parts)


def test_a_view_of_a_dictionary_is_one_of_a_dictionary():
    def row(*parts):
        return b"t-" + struct.pack("<I", len(parts)) + b"".join(parts)

    thing = b"O" + struct.pack("<I", 7) + encode("a thing")[4:]
    held = encode({1: 2})[4:]
    for part, right in ((held, True), (thing, False)):
        message = struct.pack("<I", 0) + b"X" + row(encode("mappingproxy")[4:], row(part))
        with contextlib.nullcontext() if right else pytest.raises(codec.Malformed):
            assert decode(message) == {1: 2}


def test_a_container_that_both_sides_have_is_one_and_the_same():
    ours, theirs = Side(1), Side(2)
    inner = [1]
    value = {"a": inner, "b": (inner, inner)}
    value["self"] = value
    found = decoder.decode(codec.encode(value, ours, 1 << 20), theirs)
    assert found["a"] is found["b"][0] is found["b"][1] and found["self"] is found
    found["a"].append(2)  # what one side changes the other one sees with the next message
    back = decoder.decode(codec.encode(found["a"], theirs, 1 << 20), ours)
    assert back is inner == [1, 2]
    inner[:] = range(100)
    assert len(codec.encode(None, ours, 1 << 20)) > 100 and len(codec.encode(None, ours, 1 << 20)) < 10


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers()), max_size=30))
def test_both_sides_hold_the_same_after_any_changes(steps):
    sides = Side(1), Side(2)
    mine = [[] for _ in range(4)]
    other = decoder.decode(codec.encode(mine, sides[0], 1 << 20), sides[1])
    for place, step in enumerate(steps):
        here, there = (mine, other) if place % 2 == 0 else (other, mine)
        here[step[0]].append(here[step[1]] if step[2] % 2 else step[2])
        by, to = sides if place % 2 == 0 else sides[::-1]
        decoder.decode(codec.encode(None, by, 1 << 20), to)
        assert graph(here) == graph(there)


def graph(lists):
    """Four lists that may hold each other, by place."""
    places = {id(each): place for place, each in enumerate(lists)}
    return [[places.get(id(item), item) for item in each] for each in lists]


def test_containers_that_nobody_holds_are_forgotten():
    side = Side(2)
    kept = [1]
    codec.encode(([2], kept, ([3],)), side, 1 << 20)
    assert len(side.shared.values) == 3
    for number in side.shared.unused():
        side.shared.forget(number)
    assert list(side.shared.values.values()) == [kept]


def test_a_message_that_is_too_large_leaves_no_trace():
    side = Side(1)
    with pytest.raises(codec.TooLarge):
        codec.encode([["x" * 1000]], side, 999)
    assert side.shared.values == {} and side.shared.numbers == {}


def test_limits_are_kept():
    with pytest.raises(codec.TooLarge):
        encode("x" * 1000, limit=999)
    doubling = (1,)
    for _ in range(60):
        doubling = (doubling, doubling)
    with pytest.raises(codec.TooLarge):
        encode(doubling, limit=10_000)
    deep = []
    for _ in range(codec.MAXIMUM_DEPTH + 10):
        deep = [deep]
    assert decode(encode(deep))
    nested = (b"t-" + struct.pack("<I", 1)) * (codec.MAXIMUM_DEPTH + 2)
    text = struct.pack("<I", 11) + b"1e999999999"
    fraction = b"Xt-" + struct.pack("<I", 2) + b"s" + struct.pack("<I", 8) + b"Fraction" + b"t-"
    for parts in (nested + b"N", fraction + struct.pack("<I", 1) + b"s" + text, b"Gs" + struct.pack("<I", 4) + b"eval"):
        with pytest.raises(codec.Malformed):
            decode(bytes(4) + parts)


# Where the types of the closed set are at home.
HOMES = {"builtins", "collections", "array", "datetime", "decimal", "fractions", "pathlib", "re", "types", "uuid"}
HOMES |= {"pathlib._local", "zoneinfo", __name__}


def assert_plain(value, seen):
    """Nothing but data of the closed set of types, and what stands for objects."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, type):
        assert value.__module__ in HOMES
        return
    kind = type(value)
    module = kind.__mro__[2].__module__ if isinstance(value, owned.Owned) else kind.__module__
    assert module in HOMES
    assert not callable(value)
    if isinstance(value, dict | UserDict):
        for pair in value.items():
            assert_plain(pair, seen)
    elif isinstance(value, SimpleNamespace | Node):
        assert_plain(vars(value), seen)
    elif isinstance(value, list | tuple | set | frozenset | deque | UserList):
        for item in list(value):
            assert_plain(item, seen)


def fuzz(messages, seconds, seed):
    """Messages that were damaged, cut, joined and invented: each is refused, or is plain data.

    So many of them at least, for so many seconds.
    """
    draw = random.Random(seed)
    values = [
        *(None, True, 2**70, 0.5, "text", b"bytes", (1, (2,)), [1, [2], {3: 4}], {1, 2}, frozenset([1]), deque([1], 2)),
        *(Fraction(1, 2), Decimal("1.5"), datetime.datetime(2024, 1, 1), list(range(40)), ["a"] * 20, array("i", [1])),
        *(OrderedDict(a=1), defaultdict(int, a=1), Counter("ab"), UserList([1]), ValueError("x"), int, object(), ...),
        *(Path("a"), PurePosixPath("b"), re.compile("a+", re.I), SimpleNamespace(a=[1]), Node(1, Node(2))),
    ]
    whole = [encode(("value", value, "")) for value in values]
    pieces = [message[4:] for message in whole]
    until, count = time.monotonic() + seconds, 0
    while count < messages or time.monotonic() < until:
        content = bytearray(draw.choice(whole))
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(content) + 1)
            change = draw.randrange(5)
            if change == 0 and content:
                content[place % len(content)] = draw.randrange(256)
            elif change == 1:
                content[place:place] = draw.choice(pieces)
            elif change == 2:
                del content[place : place + draw.randrange(1, 9)]
            elif change == 3:
                content[place:place] = draw.randbytes(draw.randrange(1, 9))
            else:
                content[place : place + 4] = struct.pack("<I", draw.choice([0, 1, 2, 3, 7, 2**16, 2**31, 2**32 - 1]))
        side = Side(2)
        with contextlib.suppress(codec.Malformed):
            assert_plain(decoder.decode(bytes(content), side), set())
        count += 1


def test_messages_of_any_kind_are_data_or_refused():
    fuzz(5000, 0.0, seed=1)


@pytest.mark.slow
@pytest.mark.long
def test_messages_of_any_kind_are_data_or_refused_for_a_minute():
    fuzz(5000, 60.0, seed=time.time_ns())


@given(st.binary(max_size=60), PLAIN, st.integers(0, 200))
def test_it_never_fails_otherwise_than_by_saying_so(noise, value, place):
    whole = encode(value)
    for content in (noise, whole[:place] + noise + whole[place:], whole[:-1]):
        with contextlib.suppress(codec.Malformed):
            decode(content)
