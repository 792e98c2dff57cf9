"""Stored tables survive kills, races and flipped bytes."""

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.core import table_store as store
from compressed_code.core.table_store import (
    DamagedTable,
    TableRead,
    find_table,
    locked,
    note_read,
    read_provenance,
    read_table,
    short_key,
    table_key,
    tables_read,
    write_table,
)

TABLE = pd.DataFrame({"name": ["a", "b", None], "value": [1.5, 2.5, float("nan")], "bytes": [b"x", b"\xff", b""]})
MADE_OF = {
    "measurement": "m",
    "version": 3,
    "parameters": {"samples": 2, "shares": [0.1, 1.0]},
    "subject": {"fingerprint": "0" * 64},
    "inputs": {"input.txt": "f" * 64},
}
KEY, OTHER_KEY = table_key(MADE_OF), "j" * 64
PROVENANCE = {**MADE_OF, "seconds": 1.25}


def test_what_is_written_is_read_back_with_its_provenance(tmp_path):
    path = write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)
    assert find_table(tmp_path, "m", KEY) == path
    pd.testing.assert_frame_equal(read_table(path, MADE_OF), TABLE)
    assert read_provenance(path) == PROVENANCE
    assert find_table(tmp_path, "m", OTHER_KEY) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"measurement": "n"},
        {"version": 4},
        {"parameters": {"samples": 3, "shares": [0.1, 1.0]}},
        {"parameters": {"samples": 2, "shares": [0.1, 1.0], "seed": 0}},
        {"subject": {"fingerprint": "1" * 64}},
        {"inputs": {"input.txt": "e" * 64}},
        {"inputs": {"another.txt": "f" * 64}},
    ],
)
def test_a_table_whose_provenance_is_another_is_not_taken(tmp_path, changed):
    """Its name and its bytes are right; what it was made of does not give its key."""
    path = write_table(tmp_path, "m", KEY, TABLE, {**PROVENANCE, **changed})
    with pytest.raises(DamagedTable, match=rf"{path.name}: is another table \(its provenance gives the key "):
        read_table(path, MADE_OF)


@pytest.mark.parametrize("name", MADE_OF)
def test_a_table_that_does_not_say_what_it_is_made_of_is_not_taken(tmp_path, name):
    path = write_table(tmp_path, "m", KEY, TABLE, {one: value for one, value in PROVENANCE.items() if one != name})
    with pytest.raises(DamagedTable, match=path.name):
        read_table(path, MADE_OF)


def test_how_a_table_was_made_decides_nothing(tmp_path):
    path = write_table(tmp_path, "m", KEY, TABLE, {**PROVENANCE, "seconds": 2.5, "commit": "another"})
    pd.testing.assert_frame_equal(read_table(path, MADE_OF), TABLE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, min_size=1, max_size=4), st.randoms())
def test_a_key_ignores_order_and_nothing_else(ingredients, shuffler):
    items = list(ingredients.items())
    shuffler.shuffle(items)
    assert table_key(dict(items)) == table_key(ingredients)
    name = items[0][0]
    assert table_key({**ingredients, name: [ingredients[name], "changed"]}) != table_key(ingredients)


reads = st.lists(
    st.builds(TableRead, st.text(), st.text(), st.just({}), st.text("0123456789abcdef", min_size=4)), min_size=1
)


@given(reads, st.randoms())
def test_a_short_key_stands_for_a_set_of_keys(tables, shuffler):
    """Order, repetition, names and parameters do not matter; one key more does."""
    shuffled = [TableRead("m", "renamed", {"other": 1}, table.key) for table in tables] * 2
    shuffler.shuffle(shuffled)
    assert short_key(shuffled) == short_key(tables)
    assert len(short_key(tables)) == 8
    assert short_key([*tables, TableRead("m", "s", {}, "another")]) != short_key(tables)
    assert short_key([]) == ""


def test_a_short_key_is_the_digest_of_the_sorted_keys():
    """As `printf 'a\\nb' | sha256sum` says."""
    assert short_key([TableRead("m", "s", {}, "b"), TableRead("m", "s", {}, "a")]) == "7e18f737"


def test_a_session_notes_each_table_once_in_the_order_of_reading(monkeypatch):
    monkeypatch.setattr(store, "_READ", {})
    first, second = TableRead("m", "x", {}, "b"), TableRead("m", "y", {}, "a")
    for table in (first, second, first):
        note_read(table)
    assert tables_read() == (first, second)


def test_every_flipped_byte_is_detected_and_named(tmp_path):
    path = write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)
    content = path.read_bytes()
    for position in random.Random(0).sample(range(len(content)), 60):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
        with pytest.raises(DamagedTable, match=path.name):
            read_table(path, MADE_OF)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedTable):
        read_table(path, MADE_OF)


def test_a_table_under_the_name_of_another_is_not_taken_for_it(tmp_path):
    """Its bytes are whole; its key is not the one that was asked for."""
    path = write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)
    other = path.rename(path.with_name(path.name.replace(KEY, OTHER_KEY)))
    assert find_table(tmp_path, "m", OTHER_KEY) == other
    with pytest.raises(DamagedTable, match=f"is another table .its provenance gives the key {KEY[:16]}"):
        read_table(other, MADE_OF)


def put(folder, content):
    """Some bytes under the name of a table, with their digest."""
    path = folder / f"{KEY}.{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"PAR1 garbage PAR1", b"\x00" * 100])
def test_garbage_with_a_digest_of_its_own_is_no_table(tmp_path, content):
    with pytest.raises(DamagedTable, match="is no stored table"):
        read_table(put(tmp_path, content), MADE_OF)


@pytest.mark.parametrize("provenance", [None, b"", b"{", b"7", b"null", b'"version"', b'{"version": NaN}', b"\xff"])
def test_a_table_from_elsewhere_is_no_stored_table(tmp_path, provenance):
    arrow = pa.Table.from_pandas(TABLE, preserve_index=False)
    pq.write_table(arrow.replace_schema_metadata(provenance and {b"provenance": provenance}), tmp_path / "t")
    with pytest.raises(DamagedTable, match=r"is no stored table|is another table"):
        read_table(put(tmp_path, (tmp_path / "t").read_bytes()), MADE_OF)


def test_what_is_no_file_is_passed_over(tmp_path):
    """Reading a named pipe would wait for ever."""
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / f"{KEY}.{'0' * 16}.parquet")
    (tmp_path / "m" / f"{KEY}.{'1' * 16}.parquet").mkdir()
    assert find_table(tmp_path, "m", KEY) is None


def odd_files(folder):
    """Everything that can lie under a table's name besides a table: name of the kind → its path."""
    names = [f"{KEY}.{digit * 16}.parquet" for digit in "01234567"]
    kinds = ["pipe", "folder", "dangling", "circle", "garbage", "empty", "other", "unreadable"]
    paths = dict(zip(kinds, (folder / name for name in names), strict=True))
    os.mkfifo(paths["pipe"])
    paths["folder"].mkdir()
    paths["dangling"].symlink_to(folder / "nothing")
    paths["circle"].symlink_to(paths["circle"])
    paths["garbage"].write_bytes(b"garbage")
    paths["empty"].touch()
    other = write_table(folder.parent, folder.name, OTHER_KEY, TABLE, {**PROVENANCE, "version": 4})
    paths["other"] = folder / other.name.replace(OTHER_KEY, KEY)  # its digest is right
    other.rename(paths["other"])
    paths["unreadable"].write_bytes(b"secret")
    paths["unreadable"].chmod(0)
    return paths


def test_whole_tables_are_read_among_all_that_is_none(tmp_path, capsys):
    folder = tmp_path / "m"
    folder.mkdir()
    paths = odd_files(folder)
    write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)
    (table,) = store.read_tables(tmp_path, "m", KEY, partial(read_table, ingredients=MADE_OF))
    pd.testing.assert_frame_equal(table, TABLE)
    said = capsys.readouterr().err
    for kind in ("garbage", "empty", "other"):
        assert str(paths[kind]) in said and not paths[kind].exists()
    assert str(paths["unreadable"]) in said and paths["unreadable"].exists() == (os.getuid() != 0)  # root reads it
    for kind in ("pipe", "folder", "dangling", "circle"):  # not ours to remove
        assert paths[kind].is_symlink() or paths[kind].exists()


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ((Path, "read_bytes"), OSError(errno.EMFILE, "Too many open files")),
        ((Path, "read_bytes"), OSError(errno.ESTALE, "Stale file handle")),
        ((Path, "read_bytes"), MemoryError()),
        ((pq, "read_table"), pa.ArrowMemoryError("malloc of size 64 failed")),
    ],
)
def test_a_whole_table_that_cannot_be_read_now_stays(tmp_path, capsys, monkeypatch, place, problem):
    """It was removed as damaged, and with it what had been measured, for lack of one more open file."""
    path = write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)

    def fails(*_, **__):
        raise problem

    read = partial(read_table, ingredients=MADE_OF)
    with monkeypatch.context() as patched:
        patched.setattr(*place, fails)
        assert list(store.read_tables(tmp_path, "m", KEY, read)) == []
    assert f"{path}: cannot be read (" in capsys.readouterr().err
    assert len(list(store.read_tables(tmp_path, "m", KEY, read))) == 1


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, capsys):
    (tmp_path / "m").write_text("a file where the folder should be")
    for _ in range(2):
        try:
            write_table(tmp_path, "m", KEY, TABLE, PROVENANCE)
        except OSError as error:
            store.tell_unstored(tmp_path, error)
    assert capsys.readouterr().err.count(f"{tmp_path}: tables cannot be stored here (") == 1
    assert list(store.read_tables(tmp_path, "m", KEY, partial(read_table, ingredients=MADE_OF))) == []
    assert find_table(tmp_path, "m", KEY) is None


READER = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from compressed_code.core.table_store import find_table, read_table, read_tables, tell_unstored, write_table
    import pandas as pd
    os.setgid(65534), os.setuid(65534)
    directory = Path(sys.argv[1])
    read = lambda path: read_table(path, [])
    print(len(list(read_tables(directory, "m", "k", read))), find_table(directory, "m", "j"))
    try:
        write_table(directory, "m", "k", pd.DataFrame({"a": [1]}), {})
    except OSError as error:
        tell_unstored(directory, error)
""")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("mode", "above"), [(0o755, 0o755), (0o700, 0o755), (0o711, 0o755), (0o755, 0o700)])
def test_the_folder_of_another_user_is_gone_without(tmp_path, mode, above):
    """Read-only, closed, entered but not listed, and in a closed one; a damaged table in it stays and
    is told."""
    for parent in [tmp_path, *tmp_path.parents][:-1]:
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o755)
    folder = tmp_path / "store" / "m"
    folder.mkdir(parents=True)
    damaged = folder / f"k.{'0' * 16}.parquet"
    damaged.write_bytes(b"garbage")
    folder.chmod(mode)
    folder.parent.chmod(above)
    finished = subprocess.run([sys.executable, "-c", READER, str(folder.parent)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "0 None\n" and damaged.exists()
    lines = finished.stderr.splitlines()
    assert len(lines) == (2 if mode == above == 0o755 else 1) and "tables cannot be stored here (" in lines[-1]


def test_where_nothing_can_be_stored_nothing_is_held(tmp_path):
    (tmp_path / "file").write_text("a file, not a folder")
    with locked(tmp_path / "file", "m", "k"):
        pass


WRITER = textwrap.dedent("""
    import sys, pandas as pd
    from pathlib import Path
    from compressed_code.core.table_store import locked, table_key, write_table
    directory = Path(sys.argv[1])
    table = pd.DataFrame({"value": range(200_000)})
    print("ready", flush=True)
    for number in range(10_000):
        key = table_key({"number": number})
        with locked(directory, "m", key):
            write_table(directory, "m", key, table, {"number": number})
""")


def test_kill_at_random_moments_leaves_only_whole_tables(tmp_path):
    rng = random.Random(1)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        while not list((tmp_path / "m").glob("*.parquet")):  # a busy machine may take a while to the first
            time.sleep(0.01)
        time.sleep(rng.uniform(0.02, 0.4))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    stored = list((tmp_path / "m").glob("*.parquet"))
    assert stored
    assert all(len(read_table(path, ["number"])) == 200_000 for path in stored)
    leftovers = [path for path in (tmp_path / "m").iterdir() if path.suffix != ".parquet"]
    for leftover in leftovers:  # hidden, never taken for a table, and swept by the next holder of the same key
        assert leftover.name.startswith(".")
        with locked(tmp_path, "m", leftover.name.split(".")[1]):
            assert not leftover.exists()


def test_a_dead_holder_does_not_keep_its_lock(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from compressed_code.core.table_store import locked\n"
        "with locked(Path(sys.argv[1]), 'm', 'k'):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with locked(tmp_path, "m", "k"):
        pass


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(Exception, match=r".+"):
        write_table(tmp_path, "m", KEY, pd.DataFrame({"mixed": [1, object()]}), {})
    assert list((tmp_path / "m").iterdir()) == []
