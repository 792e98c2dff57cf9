"""Run samples against the tests of their tasks: samples in, one outcome row per sample out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from compressed_code.benchmarks.samples import Sample, sample_program
from compressed_code.benchmarks.tasks import Task, foreign_imports
from compressed_code.benchmarks.verdict_store import Verdicts
from compressed_code.core.errors import InputError
from compressed_code.sandbox import Sandbox, Trial, Verdict

# A sample may take as long as so many solutions of its task, and a sixth of the sandbox's own limit at least, which is
# half a second by default, so that a fast machine and a slow one judge alike; that limit is the most. Of CodeGen-16B's
# 16,400 recorded samples none that passes takes 0.03 s, of the zoo's 448,984 none that ends takes 0.02 s. Endless
# programs run for twice the least (`processes.CONTENTION`): with a second, five took a third of all processor time.
SOLUTIONS = 20
LEAST_SHARE = 1 / 6
# Wrong answers of any task: an object like no other, and nothing.
STUBS = ("object()", "None")
OUTCOME_COLUMNS = ["task_id", "sample", "passed", "outcome", "exception", "reason", "seconds", "isolation"]


class VerifiedTasks(NamedTuple):
    """What became of canonical solutions.

    Attributes:
        sound: the tasks whose solution passes here, in one process with its tests at least, and whose tests tell it
            from a wrong one.
        failing: what is wrong with each other one, by task id: such a task cannot be scored in this environment.
        seconds: processor time of each sound solution, by task id.
        disputed: why the judge does not confirm the solution, by task id, of those sound tasks where it does not: what
            passes them, passes in one process with the tests only, which a program can forge.
    """

    sound: list[Task]
    failing: dict[str, str]
    seconds: dict[str, float]
    disputed: dict[str, str]


def execute_samples(
    tasks: Sequence[Task],
    samples: Sequence[Sample],
    sandbox: Sandbox,
    *,
    solution_seconds: Mapping[str, float] | None = None,
    store: Verdicts | None = None,
    progress: str = "score",
) -> pd.DataFrame:
    """Outcome of every sample, in the order given: the rows of `outcome_rows` as a table."""
    rows = outcome_rows(tasks, samples, sandbox, solution_seconds=solution_seconds, store=store, progress=progress)
    return pd.DataFrame(list(rows), columns=OUTCOME_COLUMNS)


def outcome_rows(
    tasks: Sequence[Task],
    samples: Sequence[Sample],
    sandbox: Sandbox,
    *,
    solution_seconds: Mapping[str, float] | None = None,
    store: Verdicts | None = None,
    progress: str = "",
) -> Iterator[dict[str, Any]]:
    """Outcome of every sample, in the order given and each as soon as it stands.

    A program that several samples of a task share runs once: the sandbox seeds the random numbers, so the verdict
    follows from program and tests. Where a program reads the clock, one run is as fair a draw as another, and no
    expected pass rate changes.

    Args:
        tasks: the tasks of the samples, at least those.
        samples: answers; `(task_id, sample)` names each.
        sandbox: an open sandbox.
        solution_seconds: what the solutions of tasks take here (`VerifiedTasks.seconds`); a sample may take `SOLUTIONS`
            times that, at least `LEAST_SHARE` of the sandbox's limit, and never more than that limit, which alone holds
            for other tasks.
        store: where the verdicts of programs that ran before are, and new ones go; without it all of them run.
        progress: label of the progress bar (shown on a terminal only); empty for none.

    Yields:
        Columns `task_id`, `sample`, `passed` (judged apart from its test), `outcome` (see `sandbox.Verdict`),
        `exception` (name of its type; empty where there is none), `reason` (of a disputed one), `seconds` (CPU time of
        program and test when it ran; the same for samples that share a program), `isolation` (what kept it apart).
    """
    by_id = {task.task_id: task for task in tasks}
    known, most = solution_seconds or {}, sandbox.limits.cpu_seconds
    shares = {name: min(1.0, max(LEAST_SHARE, SOLUTIONS * seconds / most)) for name, seconds in known.items()}
    trials = [
        _trial(task, sample_program(task, sample), shares.get(task.task_id, 1.0))
        for task, sample in ((by_id[sample.task_id], sample) for sample in samples)
    ]
    for sample, verdict in zip(samples, _verdicts(trials, sandbox, progress, store), strict=True):
        yield {
            "task_id": sample.task_id,
            "sample": sample.sample,
            "passed": verdict.passed,
            "outcome": verdict.outcome,
            "exception": verdict.exception,
            "reason": verdict.reason,
            "seconds": verdict.cpu_seconds,
            "isolation": sandbox.isolation,
        }


def verify_tasks(tasks: Sequence[Task], sandbox: Sandbox, store: Verdicts | None = None) -> VerifiedTasks:
    """Run every canonical solution, and functions that answer nothing of use, before anything is scored.

    Args:
        store: as `execute_samples`.
    """
    trials = [_trial(task, task.prompt + task.canonical_solution) for task in tasks]
    try:
        verdicts = list(_verdicts(trials, sandbox, "canonical solutions", store))
    except InputError:  # the tests or the setup of some task cannot run here: find out which
        verdicts = [_alone(trial, sandbox) for trial in trials]
    results = {task.task_id: verdict for task, verdict in zip(tasks, verdicts, strict=True)}
    failing = {
        task.task_id: _problem(task, results[task.task_id], sandbox.packages)
        for task in tasks
        if not results[task.task_id].passed_plain
    }
    failing |= dict.fromkeys(
        _fooled([task for task in tasks if task.task_id not in failing], sandbox, store),
        f"its tests let every answer pass, {' and '.join(STUBS)} among them",
    )
    sound = [task for task in tasks if task.task_id not in failing]
    seconds = {task.task_id: results[task.task_id].cpu_seconds for task in sound}
    disputed = {name: results[name].reason for name in seconds if not results[name].passed}
    return VerifiedTasks(sound, failing, seconds, disputed)


def _problem(task: Task, verdict: Verdict, packages: Sequence[str]) -> str:
    """Why a solution that fails does so, and what to do where packages are missing."""
    missing = sorted(foreign_imports(task) - {*packages})
    if verdict.exception == "ModuleNotFoundError" and missing:
        names = ", ".join(missing)
        return f"it imports {names}, which programs cannot see here; pip install it (not --editable), allow --packages"
    return f"its solution fails ({verdict.exception if verdict.outcome == 'exception' else verdict.outcome})"


def _fooled(tasks: Sequence[Task], sandbox: Sandbox, store: Verdicts | None) -> list[str]:
    """Ids of the tasks whose tests pass whatever is answered, be it true or false."""
    for answer in STUBS:
        programs = [f"def {task.entry_point}(*_, **__):\n    return {answer}\n" for task in tasks]
        trials = [_trial(task, program) for task, program in zip(tasks, programs, strict=True)]
        verdicts = _verdicts(trials, sandbox, f"the answer {answer}", store)
        tasks = [task for task, verdict in zip(tasks, verdicts, strict=True) if verdict.passed_plain]
    return [task.task_id for task in tasks]


def _alone(trial: Trial, sandbox: Sandbox) -> Verdict:
    """The verdict of a trial whose setup or test may not run here; its exception then says why."""
    try:
        (verdict,) = sandbox.judge([trial])
    except InputError as error:
        return Verdict("exception", str(error).partition(": ")[2], 0.0, 0.0)
    return verdict


def _trial(task: Task, program: str, share: float = 1.0) -> Trial:
    return Trial(program=program, setup=task.setup, test=task.test, entry_point=task.entry_point, share=share)


def _verdicts(trials: Sequence[Trial], sandbox: Sandbox, progress: str, store: Verdicts | None) -> Iterator[Verdict]:
    """One verdict a trial, in their order and as they come; equal trials share one."""
    distinct = list(dict.fromkeys(trials))
    found = dict(store.known(distinct)) if store is not None else {}
    unknown = [trial for trial in distinct if trial not in found]
    shown = None if progress else True  # None: on a terminal only
    with closing(sandbox.judge(unknown)) as judged:
        bar = iter(tqdm(judged, desc=progress, total=len(unknown), unit="program", disable=shown))
        for trial in trials:
            if trial not in found:
                found[trial] = next(bar)
            yield found[trial]
    if store is not None:
        store.keep({trial: found[trial] for trial in unknown})
