"""Samples scored one after another, each outcome kept as soon as it stands.

A task whose solution needs more than the usual limits is scored with larger ones. Of a sample that passes the base
tests the extra ones run, where a benchmark has any; one that fails the former has failed both, as EvalPlus counts.
Extra tests are a thousand calls, so they always get the larger limits, which are EvalPlus's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from compressed_code.benchmarks.execution import OUTCOME_COLUMNS, execute_samples, outcome_rows, verify_tasks
from compressed_code.benchmarks.outcome_checks import EXTRA, check_belongs
from compressed_code.benchmarks.outcome_files import OutcomeFile
from compressed_code.benchmarks.pass_rates import with_disputed
from compressed_code.benchmarks.samples import Sample, sample_program
from compressed_code.benchmarks.task_record import Task
from compressed_code.benchmarks.verdict_store import RunVerdicts, Together, VerdictStore
from compressed_code.core.hashing import sha256_of
from compressed_code.sandbox import Limits, Sandbox

# So many samples have their base tests behind them when their extra ones begin: an interruption loses the former.
_STEP = 256
# A minute and 4 GiB, as evalplus 0.3.1.
_MOST_SECONDS = 1e9  # of what was measured
HEAVY = Limits(cpu_seconds=60.0, wall_seconds=120.0, memory_bytes=4 << 30, output_bytes=256 << 20)


@dataclass
class Verified:
    """What became of canonical solutions, in the usual limits or in larger ones.

    Attributes:
        seconds: processor time of each solution that passes the base tests, by task id.
        heavy: ids of the tasks whose base tests need the larger limits.
        failing: task id → why it cannot be scored here.
        failing_extra: sound task → why its extra tests cannot be scored here; its base tests can.
        void: ids of the sound tasks whose extra tests let every answer pass; their base tests decide.
        disputed: task id → why the judge does not confirm the solution of a sound task (`execution.VerifiedTasks`).
    """

    seconds: dict[str, float] = field(default_factory=dict)
    heavy: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    failing_extra: dict[str, str] = field(default_factory=dict)
    void: list[str] = field(default_factory=list)
    disputed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def noted(cls, note: Any) -> "Verified":
        """What an earlier run wrote down.

        Raises:
            ValueError: this is nothing that one wrote.
        """
        kinds = {"seconds": (dict, int | float), "heavy": (list, str), "void": (list, str)}
        kinds |= dict.fromkeys(("failing", "failing_extra", "disputed"), (dict, str))
        if not isinstance(note, dict) or note.keys() != kinds.keys():
            raise ValueError("other fields")
        for name, (container, kind) in kinds.items():
            held = note[name]
            parts = held.values() if isinstance(held, dict) else held
            if not isinstance(held, container) or not all(isinstance(part, kind) for part in parts):
                raise ValueError(name)
        if not all(0 <= seconds < _MOST_SECONDS for seconds in note["seconds"].values()):
            raise ValueError("seconds")
        return cls(**note)


def verify(
    tasks: Sequence[Task], usual: Sandbox, larger: Sandbox, directory: Path, ran: RunVerdicts | None = None
) -> Verified:
    """Run the canonical solutions against both sets of tests; a task is sound where its solution passes the base tests.

    Args:
        usual, larger: sandboxes with the usual and with larger limits.
        directory: where their verdicts are kept.
        ran: gets those that the larger sandbox gives now.
    """
    verified = Verified()
    first = verify_tasks(tasks, usual, VerdictStore(directory, usual))
    store = Together(VerdictStore(directory, larger), RunVerdicts() if ran is None else ran)
    # A limit may dispute a solution that another machine, or the next run, confirms within it.
    unsure = {*first.failing, *first.disputed}
    second = verify_tasks([task for task in tasks if task.task_id in unsure], larger, store)
    confirmed = second.seconds.keys() - second.disputed.keys()
    verified.heavy = [name for name in second.seconds if name in confirmed or name in first.failing]
    verified.failing = {name: why for name, why in second.failing.items() if name in first.failing}
    verified.seconds = {**first.seconds, **{name: second.seconds[name] for name in verified.heavy}}
    extended = [task for task in with_extra_tests(tasks) if task.task_id not in verified.failing]
    extra = verify_tasks(extended, larger, store)
    void = _passing([task for task in extended if task.task_id in extra.failing], larger)
    verified.failing_extra = {task_id: why for task_id, why in extra.failing.items() if task_id not in void}
    verified.void = sorted(void)
    base = {name: why for name, why in {**second.disputed, **first.disputed}.items() if name not in confirmed}
    verified.disputed = {**extra.disputed, **base}
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
    ran: RunVerdicts | None = None,
) -> None:
    """Score the samples that `kept` does not hold yet, and add a row for each to it.

    A row holds the columns of `execution.execute_samples`, of a benchmark with extra tests `extra` (the same columns
    for base and extra tests together; not where the latter cannot be scored), and `raw`, the answer as it was written,
    where the sample has one.

    Args:
        ran: verdicts that the larger sandbox gave in this call, of programs that some samples may be.

    Raises:
        InputError: `kept` holds what no run with these samples has written.
    """
    ran = RunVerdicts() if ran is None else ran
    extended = [task for task in with_extra_tests(tasks) if task.task_id not in verified.failing_extra]
    names = {(sample.task_id, sample.sample) for sample in samples}
    for row in kept.rows.values():
        with_extra = bool(extended) and row["task_id"] not in verified.failing_extra
        check_belongs(row, kept.path, names, usual.isolation, with_extra)
    missing = [sample for sample in samples if (sample.task_id, sample.sample) not in kept.rows]
    heavy, done = set(verified.heavy), len(samples) - len(missing)
    with tqdm(total=len(samples), initial=done, desc="score", unit="sample", disable=None) as bar:
        for sandbox in (usual, larger):
            chosen = [sample for sample in missing if (sample.task_id in heavy) == (sandbox is larger)]
            for step in _steps(chosen, _STEP if extended else len(chosen)):
                store = ran if sandbox is larger else None
                base = outcome_rows(tasks, step, sandbox, solution_seconds=verified.seconds, store=store)
                for row in _with_extra(step, base, extended, larger, verified, ran):
                    kept.add([row])
                    bar.update()


def _steps(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    return (samples[place : place + size] for place in range(0, len(samples), max(1, size)))


def _with_extra(
    samples: Sequence[Sample],
    base: Iterable[dict[str, Any]],
    extended: Sequence[Task],
    larger: Sandbox,
    verified: Verified,
    ran: RunVerdicts,
) -> Iterator[dict[str, Any]]:
    """The rows of samples with what became of the extra tests, and with the answers as they were written.

    Args:
        base: the rows of the base tests, in the order of the samples, as they come.
        extended: the tasks whose extra tests can be scored, with those as their tests.
    """
    ids = {task.task_id for task in extended}
    waiting: list[tuple[Sample, dict[str, Any]]] = []
    for sample, outcome in zip(samples, base, strict=True):
        row = outcome if sample.raw is None else {**outcome, "raw": sample.raw}
        if row["outcome"] in ("passed", "disputed") and sample.task_id in ids:
            waiting.append((sample, row))
            continue
        if extended and sample.task_id not in verified.failing_extra:
            row[EXTRA] = _columns(row)
        yield row
    found = outcome_rows(extended, [sample for sample, _ in waiting], larger, store=ran)
    for (_, row), extra in zip(waiting, found, strict=True):
        # What only the base tests dispute stays disputed.
        yield row | {EXTRA: _columns(row) if extra["passed"] else extra}


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in OUTCOME_COLUMNS}


def tables(rows: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Outcomes of the base tests, and of base and extra tests where both can be scored; `None` where they never can."""
    base = pd.DataFrame([{name: value for name, value in row.items() if name not in (EXTRA, "raw")} for row in rows])
    if not any(EXTRA in row for row in rows):
        return base, None
    return base, pd.DataFrame([row[EXTRA] for row in rows if EXTRA in row])


def digest_of(tasks: Sequence[Task], samples: Sequence[Sample]) -> dict[str, str]:
    """Digests of what is scored: `tasks` and `samples`; those of other tasks are not."""
    by_id = {task.task_id: task for task in tasks}
    known = [sample for sample in samples if sample.task_id in by_id]
    programs = [(sample.task_id, sample_program(by_id[sample.task_id], sample)) for sample in known]
    return {name: sha256_of(repr(value).encode()) for name, value in (("tasks", list(tasks)), ("samples", programs))}


def larger_sandbox(usual: Sandbox) -> Sandbox:
    """A sandbox with larger limits than the usual one, or as large ones; it starts when it is needed."""
    limits = replace(
        HEAVY,
        cpu_seconds=max(HEAVY.cpu_seconds, usual.limits.cpu_seconds),
        wall_seconds=max(HEAVY.wall_seconds, usual.limits.wall_seconds),
    )
    return usual.with_limits(limits)
