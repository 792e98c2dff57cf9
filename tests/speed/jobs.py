"""What a job costs on Dask beyond its work: a thousand small ones, each a cold start of the smallest model of the zoo
after other tokens. Beside it stand some of them in this process. Prints; judges nothing.

    python tests/speed/jobs.py [--jobs 1000] [--workers 1]
"""

import argparse
import tempfile
import time

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    jobs = small_jobs(options.jobs)
    with tempfile.TemporaryDirectory() as folder, connected(None, options.workers) as client:
        list(run_on_dask(client, small_jobs(1), f"{folder}/warm"))  # imports
        started = time.perf_counter()
        rows = [row for part in run_on_dask(client, jobs, f"{folder}/dask") for row in part]
        wall = time.perf_counter() - started
        work = sum(row.seconds for row in rows) / options.workers
        over = 1000 * (wall - work) / len(jobs)
        print(
            f"{len(jobs)} jobs, {options.workers} worker processes: {wall:.1f} s, of which {work:.1f} s are their work"
        )
        print(f"  beyond its work a job costs {over:.2f} ms (aim < 10 ms)")
        started = time.perf_counter()
        here = [row for part in run_here(jobs[:BESIDE], f"{folder}/here") for row in part]
        wall_here = time.perf_counter() - started
        work_here = sum(row.seconds for row in here)
        beside = 1000 * (wall_here - work_here) / len(here)
        print(f"  {len(here)} of them in this process: {wall_here:.1f} s, {beside:.2f} ms beyond their work")
        assert {row.key for row in here} <= {row.key for row in rows}
        assert {row.state for row in (*rows, *here)} == {"computed"}


if __name__ == "__main__":
    main()
