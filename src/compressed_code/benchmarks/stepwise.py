"""Samples scored step by step, each step kept before the next one begins.

A task whose solution needs more than the usual limits is scored with larger ones, as EvalPlus sets them for all. Of a
sample that passes the base tests the extra ones run, where a benchmark has any; one that fails the former has failed
both, as EvalPlus counts.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from tqdm import tqdm

from compressed_code.benchmarks.execution import execute_samples, verify_tasks
from compressed_code.benchmarks.outcome_files import OutcomeFile
from compressed_code.benchmarks.pass_rates import with_disputed
from compressed_code.benchmarks.samples import Sample, sample_program
from compressed_code.benchmarks.task_record import Task
from compressed_code.core.hashing import sha256_of
from compressed_code.sandbox import Limits, Sandbox

EXTRA = "extra"
_STEP_SECONDS = 1.0  # a step aims at this, so that an interruption loses about as much
_LEAST, _MOST = 4, 512  # samples of a step, the former for each worker
# Of tasks whose own solution needs more than the usual limits: a minute and 4 GiB, as evalplus 0.3.1.
HEAVY = Limits(cpu_seconds=60.0, wall_seconds=120.0, memory_bytes=4 << 30, output_bytes=256 << 20)


@dataclass
class Verified:
    """What became of canonical solutions, in the usual limits or in larger ones.

    Attributes:
        seconds: processor time of each sound task's solution by set of tests ("base", "extra"), task id.
        heavy: ids of the sound tasks that need the larger limits.
        failing: task id → why it cannot be scored here.
        void: ids of the sound tasks whose extra tests let every answer pass; their base tests decide.
        disputed: task id → why the judge does not confirm the solution of a sound task (`execution.VerifiedTasks`).
    """

    seconds: dict[str, dict[str, float]] = field(default_factory=lambda: {"base": {}, EXTRA: {}})
    heavy: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    void: list[str] = field(default_factory=list)
    disputed: dict[str, str] = field(default_factory=dict)


def verify(tasks: Sequence[Task], usual: Sandbox, workers: int | None) -> Verified:
    """Run the canonical solutions against both sets of tests; a task is sound where its solution passes each."""
    verified = Verified()
    sound = _verify_in(tasks, usual, verified)
    rest = [task for task in tasks if task.task_id not in sound]
    if rest:
        with _heavy_sandbox(usual, workers) as sandbox:
            verified.failing = {}
            verified.heavy = sorted(_verify_in(rest, sandbox, verified))
    return verified


def _verify_in(tasks: Sequence[Task], sandbox: Sandbox, verified: Verified) -> set[str]:
    base = verify_tasks(tasks, sandbox)
    sound = {task.task_id for task in base.sound}
    extended = [task for task in with_extra_tests(tasks) if task.task_id in sound]
    extra = verify_tasks(extended, sandbox)
    void = _passing([task for task in extended if task.task_id in extra.failing], sandbox)
    problems = {task_id: problem for task_id, problem in extra.failing.items() if task_id not in void}
    verified.failing |= {task_id: f"{problem} (in its extra tests)" for task_id, problem in problems.items()}
    verified.failing |= base.failing
    verified.seconds["base"] |= base.seconds
    verified.seconds[EXTRA] |= {**extra.seconds, **void}
    verified.void += void
    verified.disputed |= {
        name: why for name, why in {**extra.disputed, **base.disputed}.items() if name not in problems
    }
    return sound - set(problems)


def _passing(tasks: Sequence[Task], sandbox: Sandbox) -> dict[str, float]:
    """Of tasks that are not sound those whose solution passes, as any answer does, with the seconds it takes."""
    solutions = [Sample(task.task_id, 0, task.canonical_solution) for task in tasks]
    table = execute_samples(tasks, solutions, sandbox, progress="")
    passed = with_disputed(table).query("passed")
    return dict(zip(passed["task_id"], map(float, passed["seconds"]), strict=True))


def with_extra_tests(tasks: Sequence[Task]) -> list[Task]:
    """The tasks that have extra tests, with those as their tests."""
    return [replace(task, test=task.extra_test) for task in tasks if task.extra_test]


def score_stepwise(
    tasks: Sequence[Task],
    samples: Sequence[Sample],
    verified: Verified,
    usual: Sandbox,
    workers: int | None,
    kept: OutcomeFile,
) -> None:
    """Score the samples that `kept` does not hold yet, and add a row for each to it.

    A row holds the columns of `execution.execute_samples`, of a benchmark with extra tests `extra` (the same columns
    for base and extra tests together), and `raw`, the answer as it was written, where the sample has one.
    """
    missing = [sample for sample in samples if (sample.task_id, sample.sample) not in kept.rows]
    heavy = set(verified.heavy)
    with tqdm(
        total=len(samples), initial=len(samples) - len(missing), desc="score", unit="sample", disable=None
    ) as bar:
        for large in (False, True):
            chosen = [sample for sample in missing if (sample.task_id in heavy) == large]
            if not chosen:
                continue
            with _heavy_sandbox(usual, workers) if large else _as_it_is(usual) as sandbox:
                for step in _steps(chosen, workers or 2):
                    kept.add(_rows(tasks, step, verified, sandbox))
                    bar.update(len(step))


def _steps(samples: Sequence[Sample], workers: int) -> Iterator[Sequence[Sample]]:
    """Parts of the samples that take about `_STEP_SECONDS` each."""
    size, place = 4 * _LEAST * workers, 0
    while place < len(samples):
        started = time.monotonic()
        yield samples[place : place + size]
        place += size
        took = time.monotonic() - started
        size = min(_MOST, 2 * size) if took < _STEP_SECONDS else max(_LEAST * workers, size // 2)


def _rows(
    tasks: Sequence[Task], samples: Sequence[Sample], verified: Verified, sandbox: Sandbox
) -> list[dict[str, Any]]:
    def run(chosen: Sequence[Task], answers: Sequence[Sample], name: str) -> list[dict[str, Any]]:
        seconds = verified.seconds[name]
        table = execute_samples(chosen, answers, sandbox, solution_seconds=seconds, progress="")
        return table.to_dict(orient="records")

    rows = run(tasks, samples, "base")
    extended = with_extra_tests(tasks)
    if extended:
        ids = {task.task_id for task in extended}
        went_on = [row["outcome"] in ("passed", "disputed") and row["task_id"] in ids for row in rows]
        further = [sample for sample, goes_on in zip(samples, went_on, strict=True) if goes_on]
        found = {(row["task_id"], row["sample"]): row for row in run(extended, further, EXTRA)}
        for row in rows:
            both = found.get((row["task_id"], row["sample"]), row)
            row[EXTRA] = dict(row if both["passed"] else both)  # what only the base tests dispute stays disputed
    for sample, row in zip(samples, rows, strict=True):
        if sample.raw is not None:
            row["raw"] = sample.raw
    return rows


def tables(rows: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Outcomes of the base tests and of base and extra tests, `None` where there are no extra ones."""
    base = pd.DataFrame([{name: value for name, value in row.items() if name not in (EXTRA, "raw")} for row in rows])
    if not any(EXTRA in row for row in rows):
        return base, None
    return base, pd.DataFrame([row[EXTRA] for row in rows])


def digest_of(tasks: Sequence[Task], samples: Sequence[Sample]) -> dict[str, str]:
    """Digests of what is scored: `tasks` and `samples`."""
    by_id = {task.task_id: task for task in tasks}
    programs = [(sample.task_id, sample_program(by_id[sample.task_id], sample)) for sample in samples]
    return {name: sha256_of(repr(value).encode()) for name, value in (("tasks", list(tasks)), ("samples", programs))}


@contextmanager
def _as_it_is(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox


@contextmanager
def _heavy_sandbox(usual: Sandbox, workers: int | None) -> Iterator[Sandbox]:
    """A sandbox with larger limits, never smaller ones than the usual."""
    limits = replace(
        HEAVY,
        cpu_seconds=max(HEAVY.cpu_seconds, usual.limits.cpu_seconds),
        wall_seconds=max(HEAVY.wall_seconds, usual.limits.wall_seconds),
    )
    with Sandbox(usual.isolation, workers, limits, usual.packages) as sandbox:
        yield sandbox
