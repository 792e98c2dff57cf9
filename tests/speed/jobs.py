"""What a job costs on Dask beyond its work: a thousand small ones, each a cold start of the smallest model of the zoo
after other tokens, beside some of them in this process, and beside tasks that do nothing on the same cluster.

    python tests/speed/jobs.py [--jobs 1000] [--workers 1]
"""

import argparse
import sys
import tempfile
import time

from bench_rows import Row, is_short, show

from compressed_code.jobs.engines import connected, run_here, run_on_dask
from compressed_code.jobs.job import Job, Wanted

MODEL, VOCABULARY = "zoo-xs", 256
BESIDE = 100  # jobs that are done in this process, too


def small_jobs(count: int) -> list[Job]:
    """Each starts with two other tokens, so that each is a table of its own."""
    starts = [[1 + number // VOCABULARY, number % VOCABULARY] for number in range(count)]
    return [
        Job(MODEL, (Wanted("cold_start", {"context": f"start {n}", "input_ids": ids}),)) for n, ids in enumerate(starts)
    ]


def nothing(number: int) -> int:
    """A task without work."""
    return number


def main() -> None:
    short = is_short()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=50 if short else 1000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    jobs = small_jobs(options.jobs)
    with tempfile.TemporaryDirectory() as folder, connected(None, options.workers) as client:
        list(run_on_dask(client, small_jobs(1), f"{folder}/warm"))  # imports
        started = time.perf_counter()
        client.gather(client.map(nothing, range(len(jobs)), pure=False))
        empty = 1000 * (time.perf_counter() - started) / len(jobs)
        started = time.perf_counter()
        rows = [row for part in run_on_dask(client, jobs, f"{folder}/dask") for row in part]
        wall = time.perf_counter() - started
        started = time.perf_counter()
        here = [row for part in run_here(jobs[:BESIDE], f"{folder}/here") for row in part]
        wall_here = time.perf_counter() - started
    if not {row.key for row in here} <= {row.key for row in rows} or {row.state for row in (*rows, *here)} != {
        "computed"
    }:
        sys.exit("jobs: the cluster's tables are not those of this process")
    work = sum(row.seconds for row in rows) / options.workers
    over = 1000 * (wall - work) / len(jobs)
    beside = 1000 * (wall_here - sum(row.seconds for row in here)) / len(here)
    goal = f"a job on Dask beyond its work, {len(jobs):,} jobs of {1000 * work * options.workers / len(jobs):.0f} ms"
    show([Row(goal, over, "ms", 10, None, "in this process", beside, "a task of the same cluster without work", empty)])


if __name__ == "__main__":
    main()
