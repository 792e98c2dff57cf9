"""An archive of stored tables: whole or refused, and found again by what is asked for."""

import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compressed_code.core import table_archive
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.hashing import sha256_of
from compressed_code.core.stored_release import INDEX, Entry, open_release
from compressed_code.core.table_archive import SUMS, pack, unpack
from compressed_code.core.table_store import TableRead, table_key, write_table
from local_index import LocalIndex

NUMBERS = pd.DataFrame({"token": ["def", "größe", None], "value": [0.1 + 0.2, 1e-300, float("nan")], "n": [1, 2, 3]})


def stored(results: Path, number: int) -> Entry:
    """A stored table with its entry."""
    ingredients = {"measurement": "sizes", "version": 1, "subject": {"made": number}}
    key = table_key(ingredients)
    write_table(results, "sizes", key, NUMBERS.assign(n=number), {**ingredients, "seconds": 0.5})
    return Entry(table_key({"asked": number}), "sizes", key, (TableRead("sizes", "", {}, key),))


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    pack([stored(folder / "results", number) for number in range(3)], folder / "results", folder / "a.tar.xz", "1.0.0")
    return folder


def rewritten(archive: Path, to: Path, change) -> Path:
    """An archive with other members, and sums that agree with them."""
    with tarfile.open(archive) as file:
        members = {header.name: file.extractfile(header).read() for header in file}
    members = change({name: content for name, content in members.items() if name != SUMS})
    members[SUMS] = "".join(f"{sha256_of(content)}  {name}\n" for name, content in members.items()).encode()
    with tarfile.open(to, "w:xz") as file:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            file.addfile(header, io.BytesIO(content))
    return to


def test_what_was_packed_is_found_by_what_was_asked_for(packed, tmp_path):
    folder = unpack(str(packed / "a.tar.xz"), tmp_path, "1.0.0")
    release = open_release(folder / "results")
    table, entry = release.table(table_key({"asked": 2}), "sizes of two", ("measurement", "version", "subject"))
    pd.testing.assert_frame_equal(table, NUMBERS.assign(n=2))
    assert entry.rests_on[0].key == table_key({"measurement": "sizes", "version": 1, "subject": {"made": 2}})
    with pytest.raises(Unavailable, match=r"sizes of nine: not among the stored tables of version 1\.0\.0"):
        release.table(table_key({"asked": 9}), "sizes of nine", ())
    assert open_release(packed / "results") is None  # where they were measured is no release


def test_the_same_tables_give_the_same_bytes_and_are_unpacked_once(packed, tmp_path):
    entries = [stored(tmp_path / "results", number) for number in (2, 0, 1, 0)]
    digest = pack(entries, tmp_path / "results", tmp_path / "b.tar.xz", "1.0.0")
    assert (tmp_path / "b.tar.xz").read_bytes() == (packed / "a.tar.xz").read_bytes()
    assert digest == sha256_of((tmp_path / "b.tar.xz").read_bytes())
    folder = unpack(f"{tmp_path / 'b.tar.xz'}#sha256={digest.upper()}", tmp_path / "u", "1.0.0")
    before = (folder / "results" / INDEX).stat().st_mtime_ns
    assert unpack(str(packed / "a.tar.xz"), tmp_path / "u", "1.0.0") == folder
    assert (folder / "results" / INDEX).stat().st_mtime_ns == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_flipped_bit_or_a_missing_end_is_refused_in_one_line(packed, tmp_path_factory, place, bit, cut):
    content = bytearray((packed / "a.tar.xz").read_bytes())
    position = int(place * len(content))
    content[position] ^= 1 << bit
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.tar.xz").write_bytes(content[:position] if cut else content)
    with pytest.raises(InputError, match=r"a\.tar\.xz: (is damaged|is no archive)") as refused:
        unpack(str(folder / "a.tar.xz"), folder / "u", "1.0.0")
    assert "\n" not in str(refused.value)
    assert not (folder / "u").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda members: {**members, "../escaped": b"x"},
            r"is no archive of stored tables \(it holds '\.\./escaped'\)",
        ),
        (lambda members: {**members, "/tmp/escaped": b"x"}, "is no archive of stored tables"),
        (lambda members: {name: data for name, data in members.items() if name != INDEX}, "is no archive of stored"),
        (lambda members: {**members, INDEX: b"[]"}, "is no archive of stored tables"),
        (lambda members: {**members, INDEX: members[INDEX].replace(b'"key"', b'"kay"')}, "is no archive of stored"),
        (lambda members: {INDEX: members[INDEX]}, "its index names a table that it lacks"),
        (lambda members: {**members, INDEX: members[INDEX].replace(b'"1.0.0"', b'"0.9.0"')}, "version 0.9.0"),
    ],
)
def test_what_is_foreign_or_of_another_version_is_refused(change, message, packed, tmp_path):
    archive = rewritten(packed / "a.tar.xz", tmp_path / "changed.tar.xz", change)
    with pytest.raises(InputError, match=message):
        unpack(str(archive), tmp_path / "u", "1.0.0")
    assert {path.name for path in tmp_path.iterdir()} == {"changed.tar.xz"}


def test_a_member_that_its_sums_do_not_name_is_damage(packed, tmp_path):
    with tarfile.open(packed / "a.tar.xz") as file:
        members = {header.name: file.extractfile(header).read() for header in file}
    members[INDEX] = members[INDEX].replace(b'"1.0.0"', b'"1.0.1"')
    with tarfile.open(tmp_path / "changed.tar.xz", "w:xz") as file:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            file.addfile(header, io.BytesIO(content))
    with pytest.raises(InputError, match=r"is damaged \(release\.json is not what SHA256SUMS says\)"):
        unpack(str(tmp_path / "changed.tar.xz"), tmp_path / "u", "1.0.1")


def test_text_and_nothing_are_no_archive(tmp_path):
    for name, content in {"page.html": b"<!DOCTYPE html>", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: is no archive of stored tables"):
            unpack(str(tmp_path / name), tmp_path / "u", "1.0.0")
    with pytest.raises(InputError, match="the stored tables cannot be read"):
        unpack(str(tmp_path / "absent"), tmp_path / "u", "1.0.0")


def test_more_than_its_share_of_the_disk_is_refused(packed, tmp_path, monkeypatch):
    """A small file that unfolds to more than any release is stopped before its members are held."""
    bomb = rewritten(packed / "a.tar.xz", tmp_path / "bomb.tar.xz", lambda members: {**members, INDEX: bytes(1 << 22)})
    assert bomb.stat().st_size < 1 << 16
    monkeypatch.setattr(table_archive, "LARGEST", 1 << 21)
    with pytest.raises(InputError, match="unfolds to too much"):
        unpack(str(bomb), tmp_path / "u", "1.0.0")


def test_an_address_serves_as_a_path_does_and_its_hash_is_checked(packed, tmp_path):
    content = (packed / "a.tar.xz").read_bytes()
    server = LocalIndex("tables", {"a.tar.xz": content}, announced=False)
    place = server.url.replace("/simple", "/files/a.tar.xz")
    try:
        folder = unpack(f"{place}#sha256={sha256_of(content)}", tmp_path / "u", "1.0.0")
        assert folder == unpack(str(packed / "a.tar.xz"), tmp_path / "u", "1.0.0")
        with pytest.raises(InputError, match=f"its sha256 is {sha256_of(content)}, expected {'0' * 64}"):
            unpack(f"{place}#sha256={'0' * 64}", tmp_path / "other", "1.0.0")
        with pytest.raises(InputError, match=r"absent\.tar\.xz: the stored tables cannot be read"):
            unpack(place.replace("a.tar.xz", "absent.tar.xz"), tmp_path / "other", "1.0.0")
    finally:
        server.stop()


def test_a_table_that_is_not_there_or_no_table_at_all_stops_the_packing(tmp_path):
    lost = Entry("a" * 64, "sizes", "b" * 64, ())
    with pytest.raises(InputError, match="has no table bbbb"):
        pack([lost], tmp_path / "results", tmp_path / "a.tar.xz", "1.0.0")
    with pytest.raises(InputError, match="there is no table to pack"):
        pack([], tmp_path / "results", tmp_path / "a.tar.xz", "1.0.0")
    assert not (tmp_path / "a.tar.xz").exists()


def test_a_table_that_was_damaged_after_unpacking_is_named_not_measured_again(packed, tmp_path):
    folder = unpack(str(packed / "a.tar.xz"), tmp_path, "1.0.0")
    release = open_release(folder / "results")
    for path in (folder / "results" / "sizes").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"is damaged .* unpack the archive again"):
        release.table(table_key({"asked": 1}), "sizes of one", ("measurement", "version", "subject"))
    for path in (folder / "results" / "sizes").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"is gone; remove .* and unpack the archive again"):
        release.table(table_key({"asked": 1}), "sizes of one", ())
    (folder / "results" / INDEX).write_text("{")
    with pytest.raises(InputError, match=r"release\.json: is damaged"):
        open_release(folder / "results")
