"""JSON Lines: what is wrong in a file is one line with its place, however the file came about."""

import gzip
import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.core import json_lines
from compressed_code.core.errors import InputError
from compressed_code.core.json_lines import read_rows, write_rows

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(rows=st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=4), name=st.sampled_from(["", ".gz"]))
def test_rows_come_back(tmp_path_factory, rows, name):
    path = tmp_path_factory.mktemp("rows") / f"rows.jsonl{name}"
    write_rows(path, rows)
    assert [row for _, row in read_rows(path)] == rows


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": 1}\n' + b"[" * 100_000 + b"\n", "line 2: is not JSON"),
        (b'{"a": 1}\n{"b": ' + b'{"a": ' * 50_000 + b"\n", "line 2: is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", "line 1: is not JSON"),
        (b'{"a": "\x00"}\n', "line 1: is not JSON"),
        (b"\x00" * 40, "line 1: is not JSON"),
        ('{"a": 1}\n'.encode("utf-16"), "line 1: is not UTF-8 text"),
        (b'{"a": 1}\n{"b": "\xe9"}\n', "line 2: is not UTF-8 text"),
        (b'{"a": 1}\n\xef\xbb\xbf{"a": 1}\n', "line 2: is not JSON"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_odd_content_is_named_with_its_line(tmp_path, content, problem, pack):
    path = tmp_path / ("rows.jsonl.gz" if pack is gzip.compress else "rows.jsonl")
    path.write_bytes(pack(content))
    with pytest.raises(InputError) as error:
        list(read_rows(path))
    assert problem in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.json.gz"])
def test_a_file_that_unpacks_to_gigabytes_is_refused_before_they_are_there(tmp_path, name):
    path = tmp_path / name
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(80):
            file.write(b" " * (1 << 20))
    with pytest.raises(InputError, match="line 1: is longer than 64 MiB"):
        list(read_rows(path))


def test_blank_lines_without_end_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * 2000))
    assert list(read_rows(path)) == []
    monkeypatch.setattr(json_lines, "MOST_LINES", 1000)
    with pytest.raises(InputError, match=r"rows\.jsonl\.gz: is larger than 2 GiB or 1,000 lines when unpacked"):
        list(read_rows(path))
    monkeypatch.setattr(json_lines, "MOST_BYTES", 900)
    with pytest.raises(InputError, match="is larger than"):
        list(read_rows(path))


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    started = time.monotonic()
    for path in (tmp_path / "pipe.jsonl", "/dev/zero"):
        with pytest.raises(InputError, match="is no regular file"):
            list(read_rows(type(tmp_path)(path)))
    with pytest.raises(InputError, match="is a folder"):
        list(read_rows(tmp_path))
    assert time.monotonic() - started < 30  # for ever, otherwise


@pytest.mark.parametrize("name", ["a\0b.jsonl", f"{'x' * 300}.jsonl", "none.jsonl"])
def test_names_that_no_file_can_have_are_one_line(tmp_path, name):
    with pytest.raises(InputError) as error:
        list(read_rows(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_at_the_start_is_passed_over(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert [row for _, row in read_rows(path)] == [{"a": 1}]
