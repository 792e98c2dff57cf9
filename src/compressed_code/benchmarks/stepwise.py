"""Samples scored step by step, each step kept before the next one begins.

A task whose solution needs more than the usual limits is scored with larger ones. Of a sample that passes the base
tests the extra ones run, where a benchmark has any; one that fails the former has failed both, as EvalPlus counts.
Extra tests are a thousand calls, so they always get the larger limits, which are EvalPlus's.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from tqdm import tqdm

from compressed_code.benchmarks.execution import execute_samples, verify_tasks
from compressed_code.benchmarks.outcome_files import OutcomeFile
from compressed_code.benchmarks.outcome_rows import EXTRA
from compressed_code.benchmarks.pass_rates import with_disputed
from compressed_code.benchmarks.samples import Sample, sample_program
from compressed_code.benchmarks.task_record import Task
from compressed_code.core.hashing import sha256_of
from compressed_code.sandbox import Limits, Sandbox

_STEP_SECONDS = 1.0  # a step aims at this, so that an interruption loses about as much
_LEAST, _MOST = 8, 512  # samples of a step
# A minute and 4 GiB, as evalplus 0.3.1.
HEAVY = Limits(cpu_seconds=60.0, wall_seconds=120.0, memory_bytes=4 << 30, output_bytes=256 << 20)


@dataclass
class Verified:
    """What became of canonical solutions, in the usual limits or in larger ones.

    Attributes:
        seconds: processor time of each solution that passes the base tests, by task id.
        heavy: ids of the tasks whose base tests need the larger limits.
        failing: task id → why it cannot be scored here.
        void: ids of the sound tasks whose extra tests let every answer pass; their base tests decide.
        disputed: task id → why the judge does not confirm the solution of a sound task (`execution.VerifiedTasks`).
    """

    seconds: dict[str, float] = field(default_factory=dict)
    heavy: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    void: list[str] = field(default_factory=list)
    disputed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def noted(cls, note: Any) -> "Verified":
        """What an earlier run wrote down.

        Raises:
            ValueError: this is nothing that one wrote.
        """
        kinds = {"seconds": (dict, int | float), "heavy": (list, str), "void": (list, str)}
        kinds |= dict.fromkeys(("failing", "disputed"), (dict, str))
        if not isinstance(note, dict) or note.keys() != kinds.keys():
            raise ValueError("other fields")
        for name, (container, kind) in kinds.items():
            held = note[name]
            parts = held.values() if isinstance(held, dict) else held
            if not isinstance(held, container) or not all(isinstance(part, kind) for part in parts):
                raise ValueError(name)
        return cls(**note)


def verify(tasks: Sequence[Task], usual: Sandbox, larger: Sandbox) -> Verified:
    """Run the canonical solutions against both sets of tests; a task is sound where its solution passes each.

    Args:
        usual, larger: sandboxes with the usual and with larger limits.
    """
    verified = Verified()
    first = verify_tasks(tasks, usual)
    second = verify_tasks([task for task in tasks if task.task_id in first.failing], larger)
    verified.seconds = {**first.seconds, **second.seconds}
    verified.heavy, verified.failing = [task.task_id for task in second.sound], dict(second.failing)
    extended = [task for task in with_extra_tests(tasks) if task.task_id not in second.failing]
    extra = verify_tasks(extended, larger)
    void = _passing([task for task in extended if task.task_id in extra.failing], larger)
    problems = {task_id: problem for task_id, problem in extra.failing.items() if task_id not in void}
    verified.failing |= {task_id: f"{problem} (in its extra tests)" for task_id, problem in problems.items()}
    verified.void = sorted(void)
    disputed = {**extra.disputed, **second.disputed, **first.disputed}
    verified.disputed = {task_id: why for task_id, why in disputed.items() if task_id not in verified.failing}
    return verified


def _passing(tasks: Sequence[Task], sandbox: Sandbox) -> set[str]:
    """Of tasks that are not sound those whose solution passes, as any answer does."""
    solutions = [Sample(task.task_id, 0, task.canonical_solution) for task in tasks]
    table = execute_samples(tasks, solutions, sandbox, progress="")
    return set(with_disputed(table).query("passed")["task_id"])


def with_extra_tests(tasks: Sequence[Task]) -> list[Task]:
    """The tasks that have extra tests, with those as their tests."""
    return [replace(task, test=task.extra_test) for task in tasks if task.extra_test]


def score_stepwise(
    tasks: Sequence[Task],
    samples: Sequence[Sample],
    verified: Verified,
    usual: Sandbox,
    larger: Sandbox,
    kept: OutcomeFile,
) -> None:
    """Score the samples that `kept` does not hold yet, and add a row for each to it.

    A row holds the columns of `execution.execute_samples`, of a benchmark with extra tests `extra` (the same columns
    for base and extra tests together), and `raw`, the answer as it was written, where the sample has one.
    """
    missing = [sample for sample in samples if (sample.task_id, sample.sample) not in kept.rows]
    heavy, done = set(verified.heavy), len(samples) - len(missing)
    with tqdm(total=len(samples), initial=done, desc="score", unit="sample", disable=None) as bar:
        for sandbox in (usual, larger):
            chosen = [sample for sample in missing if (sample.task_id in heavy) == (sandbox is larger)]
            for step in _steps(chosen):
                rows = execute_samples(tasks, step, sandbox, solution_seconds=verified.seconds, progress="")
                kept.add(_with_extra(tasks, step, rows.to_dict(orient="records"), larger))
                bar.update(len(step))


def _steps(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Parts of the samples that take about `_STEP_SECONDS` each."""
    size, place = 4 * _LEAST, 0
    while place < len(samples):
        started = time.monotonic()
        yield samples[place : place + size]
        place += size
        took = time.monotonic() - started
        size = min(_MOST, 2 * size) if took < _STEP_SECONDS else max(_LEAST, size // 2)


def _with_extra(
    tasks: Sequence[Task], samples: Sequence[Sample], rows: list[dict[str, Any]], larger: Sandbox
) -> list[dict[str, Any]]:
    """The rows of samples with what became of the extra tests, and with the answers as they were written."""
    extended = with_extra_tests(tasks)
    if extended:
        ids = {task.task_id for task in extended}
        went_on = [row["outcome"] in ("passed", "disputed") and row["task_id"] in ids for row in rows]
        chosen = [sample for sample, goes_on in zip(samples, went_on, strict=True) if goes_on]
        further = execute_samples(extended, chosen, larger, progress="").to_dict(orient="records")
        found = {(row["task_id"], row["sample"]): row for row in further}
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
    """Digests of what is scored: `tasks` and `samples`; those of other tasks are not."""
    by_id = {task.task_id: task for task in tasks}
    known = [sample for sample in samples if sample.task_id in by_id]
    programs = [(sample.task_id, sample_program(by_id[sample.task_id], sample)) for sample in known]
    return {name: sha256_of(repr(value).encode()) for name, value in (("tasks", list(tasks)), ("samples", programs))}


def larger_sandbox(usual: Sandbox, workers: int | None) -> Sandbox:
    """A sandbox with larger limits than the usual one, or as large ones."""
    limits = replace(
        HEAVY,
        cpu_seconds=max(HEAVY.cpu_seconds, usual.limits.cpu_seconds),
        wall_seconds=max(HEAVY.wall_seconds, usual.limits.wall_seconds),
    )
    return Sandbox(usual.isolation, workers, limits, usual.packages)
