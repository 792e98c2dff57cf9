"""Jobs on a Dask cluster of processes of their own, some of which are killed: what `run_here` gives, once each.

A job is held at a known place by the lock of a table that it wants, which the test takes first.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from compressed_code.core.errors import InputError
from compressed_code.core.table_store import locked
from compressed_code.jobs.engines import connected, run_here, run_on_dask
from compressed_code.jobs.job import Job, Wanted
from compressed_code.jobs.run_job import COMPUTED, MISSING, STORED, Outcome
from compressed_code.measurements.cold_start import cold_start
from compressed_code.measurements.stored_tables import stored_key
from compressed_code.registry.lookup import load_registry

pytest.importorskip("distributed", reason="needs dask and distributed, of the extra `cluster`")
pytestmark = pytest.mark.slow

SECONDS = 300  # within which processes have to start or notice: a busy machine is slow, not wrong
CONTEXTS = ("document", "bos")
JOBS = [
    Job(name, tuple(Wanted("cold_start", {"context": one}) for one in CONTEXTS), 10**6) for name in ("zoo-xs", "zoo-s")
]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def wait_for(what: Callable[[], object]) -> object:
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


class Cluster:
    """A scheduler and its workers, started as the documentation says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, []
        self.file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        wait_for(self.file.is_file)

    def start(self, what: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *arguments]
        self.processes.append(subprocess.Popen(command, cwd=self.folder, start_new_session=True, **QUIET))
        return self.processes[-1]

    def add_worker(self, memory: float = 1e9) -> subprocess.Popen:
        return self.start("worker", "--nthreads", "1", "--no-dashboard", "--resources", f"memory={memory}")

    @property
    def address(self) -> str:
        import json

        return json.loads(self.file.read_text())["address"]

    def stop(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int):
    folder.mkdir()
    started = Cluster(folder)
    try:
        for _ in range(workers):
            started.add_worker()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster") / "one", 2) as started:
        yield started


def key_of(model: str, context: str = "document") -> str:
    return stored_key(cold_start, model, load_registry(), {"context": context})


def states(rows: list[Outcome]) -> dict[tuple[str, str], str]:
    return {(row.model, row.parameters): row.state for row in rows}


def run(address: str, place: Path, jobs: list[Job] = JOBS) -> list[Outcome]:
    with connected(address, 0) as client:
        return [row for part in run_on_dask(client, jobs, str(place)) for row in part]


def working(client, count: int) -> list[str]:
    """Workers that have a job, when there are so many."""
    busy = [worker for worker, keys in client.processing().items() if keys]
    return busy if len(busy) == count else []


def cells(place: Path) -> dict[str, pd.DataFrame]:
    return {path.name.split(".")[0]: pd.read_parquet(path) for path in place.rglob("*.parquet")}


def test_the_cluster_gives_the_local_run(shared_cluster, tmp_path):
    """The same keys and the same cells; a second run finds them all."""
    here = [row for part in run_here(JOBS, str(tmp_path / "here")) for row in part]
    there = run(shared_cluster.address, tmp_path / "there")
    again = run(shared_cluster.address, tmp_path / "there")
    assert set(states(here).values()) == set(states(there).values()) == {COMPUTED}, there
    assert set(states(again).values()) == {STORED}
    assert {row.key for row in here} == {row.key for row in there}
    ours, theirs = cells(tmp_path / "here"), cells(tmp_path / "there")
    assert ours.keys() == theirs.keys() and len(ours) == len(JOBS) * len(CONTEXTS)
    for key, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[key], check_exact=True)


def test_a_job_whose_worker_is_killed_is_done_by_another(shared_cluster, tmp_path):
    from distributed import Client

    place = tmp_path / "tables"
    with Client(shared_cluster.address) as watching, connected(shared_cluster.address, 0) as client:
        wait_for(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == 2)
        parts = run_on_dask(client, JOBS[:1], str(place))
        with locked(place, "cold_start", key_of("zoo-xs")):
            from threading import Thread

            rows: list[Outcome] = []
            thread = Thread(target=lambda: rows.extend(row for part in parts for row in part))
            thread.start()
            (busy,) = wait_for(lambda: working(watching, 1))
            victim = watching.run(os.getpid, workers=[busy])[busy]
            wait_for((place / ".locks").is_dir)
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: any(worker != busy for worker in working(watching, 1)))
        thread.join(SECONDS)
    assert set(states(rows).values()) == {COMPUTED}
    assert len(list(place.rglob("*.parquet"))) == len(CONTEXTS)
    assert all(not row.host.endswith(f"/{victim}") for row in rows)


def test_two_runs_at_once_make_each_table_once(shared_cluster, tmp_path):
    """One on the cluster, one in this process, held at the same lock until both want the table."""
    from threading import Thread

    place, rows = tmp_path / "tables", {}
    runs = {
        "cluster": lambda: run(shared_cluster.address, place, JOBS[:1]),
        "here": lambda: [row for part in run_here(JOBS[:1], str(place)) for row in part],
    }
    with locked(place, "cold_start", key_of("zoo-xs")):
        threads = [Thread(target=lambda name=name: rows.update({name: runs[name]()})) for name in runs]
        for thread in threads:
            thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join(SECONDS)
    for one, other in zip(rows["here"], rows["cluster"], strict=True):
        assert {one.state, other.state} == {COMPUTED, STORED}
        assert one.key == other.key
    assert len(list(place.rglob("*.parquet"))) == len(CONTEXTS)


def test_the_death_of_the_scheduler_loses_nothing_finished(tmp_path):
    place = tmp_path / "tables"
    with cluster(tmp_path / "dying", 1) as dying, connected(dying.address, 0) as client:
        parts = run_on_dask(client, JOBS, str(place))
        with locked(place, "cold_start", key_of("zoo-s")):
            first = next(parts)
            os.killpg(dying.scheduler.pid, signal.SIGKILL)
            with pytest.raises(InputError, match=r"has gone: 1 of 2 jobs are finished.* run the same command again"):
                next(parts)
    assert [row.model for row in first] == ["zoo-xs", "zoo-xs"]
    again = [row for part in run_here(JOBS, str(place)) for row in part]
    assert [row.state for row in again if row.model == "zoo-xs"] == [STORED, STORED]
    assert len(list(place.rglob("*.parquet"))) == len(JOBS) * len(CONTEXTS)


def test_a_job_that_is_too_large_waits_for_a_larger_worker(shared_cluster, tmp_path, capsys):
    from threading import Thread

    large = Job("zoo-xs", (Wanted("cold_start", {"context": "document"}),), memory=5 * 10**9)
    rows: list[Outcome] = []
    thread = Thread(target=lambda: rows.extend(run(shared_cluster.address, tmp_path / "tables", [large])))
    thread.start()
    said = ""

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "wait for a larger worker" in said

    wait_for(told)
    assert "zoo-xs needs 5.00 GB of memory" in said and "dask worker" in said and not rows
    worker = shared_cluster.add_worker(memory=8e9)
    thread.join(SECONDS)
    assert [row.state for row in rows] == [COMPUTED]
    os.killpg(worker.pid, signal.SIGKILL)


def test_workers_here_share_what_is_free(tmp_path):
    """Two processes with a thread each; what needs more than a worker has is missing and says what to do."""
    large, before = Job("zoo-s", (Wanted("cold_start"),), memory=10**9), dict(os.environ)
    with connected(None, 2, {"memory": 5e8}) as client:
        rows = [row for part in run_on_dask(client, [JOBS[0], large], str(tmp_path)) for row in part]
    found = {row.model: row for row in rows}
    assert found["zoo-xs"].state == COMPUTED
    assert found["zoo-s"].state == MISSING
    assert (
        found["zoo-s"].note == "needs 1.00 GB of memory, and each of 2 workers has 0.50 GB of memory; fewer --workers"
    )
    assert dict(os.environ) == before  # a process that this one starts later has as many threads as ever


def test_nobody_at_the_address_is_one_line(monkeypatch):
    monkeypatch.setattr("compressed_code.jobs.engines.CONNECT", 0.5)
    with (
        pytest.raises(InputError, match=r"tcp://127.0.0.1:9: no scheduler answers .* start one with `dask scheduler`"),
        connected("tcp://127.0.0.1:9", 0),
    ):
        pass


SBATCH = """\
#!/bin/sh
# What SLURM does of `sbatch SCRIPT`, on this machine: it keeps a copy, since dask-jobqueue removes its own at once,
# runs it as a session of its own, and prints its number.
set -e
grep '^#SBATCH' "$1" >> "{folder}/directives"
copy="{folder}/$$.sh"
cp "$1" "$copy"
setsid sh "$copy" > "$copy.out" 2>&1 &
echo "$!" >> "{folder}/started"
echo "Submitted batch job $!"
"""
SCANCEL = '#!/bin/sh\nexec kill -s KILL -- "-$1"\n'


@contextmanager
def slurm(folder: Path):
    """PATH with a stand-in for what dask-jobqueue calls, and the numbers of the jobs that it has started."""
    for name, text in {"sbatch": SBATCH.format(folder=folder), "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def started() -> list[str]:
        return (folder / "started").read_text().split() if (folder / "started").is_file() else []

    try:
        yield f"{folder}{os.pathsep}{os.environ['PATH']}", started
    finally:
        for number in started():
            subprocess.run(["kill", "-9", "--", f"-{number}"], **QUIET)


@pytest.mark.skipif(shutil.which("setsid") is None, reason="no setsid here")
def test_the_example_for_slurm_gives_the_local_run(tmp_path):
    """docs/slurm.py as it stands. SLURM's first job is ended behind its first table; a second one does the rest."""
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue, of the extra `cluster`")
    from compressed_code.core.paths import ROOT

    place, jobs = tmp_path / "tables", JOBS[:1]
    chosen = ["--models", "zoo-xs", "--measurements", "cold_start", "--results", str(place), "--format", "csv"]
    command = [sys.executable, str(ROOT / "docs" / "slurm.py"), *chosen]
    with slurm(tmp_path) as (path, started):
        environment = {**os.environ, "PATH": path, "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1s"}
        with locked(place, "cold_start", key_of("zoo-xs", "bos")):
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            wait_for(lambda: process.poll() is not None or cells(place))
            (first,) = started()
            subprocess.run(["kill", "-9", "--", f"-{first}"], check=True)
            wait_for(lambda: process.poll() is not None or len(started()) > 1)
        shown, told = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, told
        assert len(started()) > 1 and "--mem=60G" in (tmp_path / "directives").read_text()
    rows = pd.read_csv(io.StringIO(shown))
    assert rows["state"].tolist() == [STORED, *[COMPUTED] * 4]
    here = [row for part in run_here(jobs, str(tmp_path / "here")) for row in part]
    assert {row.key for row in here} <= set(rows["key"])
    ours, theirs = cells(tmp_path / "here"), cells(place)
    assert len(theirs) == 5
    for key, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[key], check_exact=True)
