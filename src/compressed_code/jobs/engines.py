"""Where jobs run: in this process, on worker processes of this machine, or on a Dask cluster; `run_job` is the same.

Dask hands each job to a worker that has the memory and the GPUs it needs, gives the job of a worker that dies to
another, and runs a job that two clients want once. What is finished lies in the store of tables: who runs the same
command again, after whatever fault, goes on from there.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.hashing import sha256_of
from compressed_code.core.memory import free_memory
from compressed_code.jobs.job import Job, Wanted
from compressed_code.jobs.run_job import MISSING, Outcome, run_job

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT = 30.0  # seconds that a scheduler may take to answer
_GB = 1e9
_HOW = "dask worker ADDRESS --nthreads 1 --resources 'memory=64e9,GPU=1'"


def run_here(jobs: Sequence[Job], place: str | None = None) -> Iterator[list[Outcome]]:
    """One job after the other in this process.

    Raises:
        InputError: as `run_job`.
    """
    for job in jobs:
        yield run_job(job, place)


def run_on_dask(client: "Client", jobs: Sequence[Job], place: str | None = None) -> Iterator[list[Outcome]]:
    """Jobs on the workers of a cluster, in the order in which they end.

    Raises:
        InputError: the scheduler has gone; what was finished is stored.
    """
    from distributed import as_completed

    possible, rest = _divided(jobs, client)
    yield from rest
    futures = {_submitted(client, job, place): job for job in possible}
    for finished, future in enumerate(as_completed(futures)):
        if future.status == "cancelled":
            raise InputError(
                f"the scheduler at {_address(client)} has gone: {finished} of {len(futures)} jobs are finished, and "
                "their tables are stored; start one and run the same command again, it goes on from there"
            )
        yield _outcomes(future, futures[future])
        future.release()  # a finished job's rows need not stay in a worker's memory


@contextmanager
def connected(scheduler: str | None, workers: int, resources: Mapping[str, float] | None = None) -> Iterator["Client"]:
    """A client of a scheduler, or of so many worker processes of this machine, which end with the block.

    Args:
        scheduler: its address, `tcp://HOST:PORT`.
        workers: without a scheduler; each computes with one thread.
        resources: of each worker; by default an equal share of the free memory.

    Raises:
        InputError: Dask is not installed, or nobody answers at the address.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(f"{error}; pip install 'compressed-code[cluster]' (dask, distributed)") from None

    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": CONNECT}))
        if scheduler is None:
            stack.enter_context(_same_environment())
            shares = dict(resources or {"memory": free_memory() / workers})
            # A worker's own limit counts what files hold in its memory, and would end one that only reads weights.
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                resources=shares,
                dashboard_address="127.0.0.1:0",
            )
            stack.enter_context(cluster)
            yield stack.enter_context(Client(cluster))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=CONNECT))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{scheduler}: no scheduler answers ({in_one_line(error)}); start one with `dask scheduler`, and its "
                f"workers with `{_HOW.replace('ADDRESS', scheduler)}`"
            ) from None
        yield client


@contextmanager
def _same_environment() -> Iterator[None]:
    """Dask sets variables for its workers (one thread, a seed of hashes) in this process, and leaves them there."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _submitted(client: "Client", job: Job, place: str | None) -> "Future":
    """The job under a name of its content, so that a scheduler runs it once for all who want it."""
    needs = {name: amount for name, amount in (("memory", job.memory), ("GPU", job.gpus)) if amount}
    name = f"{job.model}-{sha256_of(repr((asdict(job), place)).encode())[:16]}"
    return client.submit(run_job, job, place, key=name, resources=needs, pure=False)


def _outcomes(future: "Future", job: Job) -> list[Outcome]:
    """What a job came to; one whose workers died, or that failed as a whole, misses all its tables."""
    error = future.exception()
    if error is None:
        return future.result()
    if type(error).__name__ == "KilledWorker":
        words = "each worker that took it died, as when memory runs out; give workers more memory, or fewer of them"
    else:
        words = f"{type(error).__name__}: {in_one_line(error)}"
    return _missed(job, words)


def _missed(job: Job, why: str) -> list[Outcome]:
    return [_missing(job.model, table, why) for table in job.tables]


def _missing(model: str, table: Wanted, why: str) -> Outcome:
    parameters = json.dumps(dict(table.parameters), sort_keys=True)
    return Outcome(model, table.measurement, parameters, MISSING, "", 0.0, "", why)


def _divided(jobs: Sequence[Job], client: "Client") -> tuple[list[Job], list[list[Outcome]]]:
    """Jobs that a worker can take now or later, and what the others come to: on this machine nothing is added later."""
    workers: list[dict[str, Any]] = list(client.scheduler_info(n_workers=-1)["workers"].values())
    has = {name: max((worker["resources"].get(name, 0) for worker in workers), default=0) for name in ("memory", "GPU")}
    fitting = [job for job in jobs if job.memory <= has["memory"] and job.gpus <= has["GPU"]]
    wanting = [job for job in jobs if job not in fitting]
    if client.cluster is not None:
        return fitting, [
            _missed(job, f"needs {_needs(job)}, and each of {len(workers)} workers has {_has(has)}; fewer --workers")
            for job in wanting
        ]
    if wanting:
        first = max(wanting, key=lambda job: (job.gpus, job.memory))
        sys.stderr.write(
            f"measure: {len(wanting)} jobs wait for a larger worker ({first.model} needs {_needs(first)}); "
            f"{len(workers)} are there, with {_has(has)} at most; start one with `"
            f"{_HOW.replace('ADDRESS', _address(client))}`\n"
        )
    return list(jobs), []


def _needs(job: Job) -> str:
    return _has({"memory": job.memory, "GPU": job.gpus})


def _has(resources: Mapping[str, float]) -> str:
    gpus = resources.get("GPU", 0)
    return f"{resources['memory'] / _GB:.2f} GB of memory" + (f" and {gpus:g} GPUs" if gpus else "")


def _address(client: "Client") -> str:
    return client.scheduler.addr if client.scheduler else "the given address"
