"""Run samples against the tests of their tasks: samples in, one outcome row per sample out."""

from collections.abc import Mapping, Sequence

import pandas as pd
from tqdm import tqdm

from helpers.benchmarks import Task
from helpers.errors import InputError
from helpers.samples import Sample, sample_program
from helpers.sandbox import Sandbox, Trial, Verdict

OUTCOME_COLUMNS = ["task_id", "sample", "passed", "outcome", "exception", "seconds", "isolation"]


def execute_samples(
    tasks: Sequence[Task], samples: Sequence[Sample], sandbox: Sandbox, *, progress: str = "score"
) -> pd.DataFrame:
    """Outcome of every sample, in the order given.

    A program that several samples of a task share runs once: the sandbox seeds the random numbers, so the verdict
    follows from program and tests. Where a program reads the clock, one run is as fair a draw as another, and no
    expected pass rate changes.

    Args:
        tasks: the tasks of the samples, at least those.
        samples: answers; `(task_id, sample)` names each.
        sandbox: an open sandbox.
        progress: label of the progress bar (shown on a terminal only).

    Returns:
        Columns `task_id`, `sample`, `passed`, `outcome` (see `sandbox.Verdict`), `exception` (name of its type; empty
        where there is none), `seconds` (CPU time of program and test; the same for samples that
        share a program), `isolation` (what kept it apart).
    """
    by_id = {task.task_id: task for task in tasks}
    trials = [_trial(by_id[sample.task_id], sample_program(by_id[sample.task_id], sample)) for sample in samples]
    verdicts = _judge(trials, sandbox, progress)
    rows = [
        (
            sample.task_id,
            sample.sample,
            verdicts[trial].outcome == "passed",
            verdicts[trial].outcome,
            verdicts[trial].exception or "",
            verdicts[trial].cpu_seconds,
            sandbox.isolation,
        )
        for sample, trial in zip(samples, trials, strict=True)
    ]
    return pd.DataFrame(rows, columns=OUTCOME_COLUMNS)


def verify_tasks(tasks: Sequence[Task], sandbox: Sandbox) -> tuple[list[Task], dict[str, str]]:
    """Run every canonical solution before anything is scored.

    Returns:
        The tasks whose solution passes here, and what went wrong with each other one, by task id: such a task cannot
        be scored in this environment.
    """
    trials = [_trial(task, task.prompt + task.canonical_solution) for task in tasks]
    try:
        verdicts = _judge(trials, sandbox, "canonical solutions")
        problems = {trial: verdicts[trial].exception or verdicts[trial].outcome for trial in trials}
        failing = {trial: problem for trial, problem in problems.items() if verdicts[trial].outcome != "passed"}
    except InputError:  # the tests or the setup of some task cannot run here: find out which
        failing = {trial: problem for trial in trials if (problem := _problem(trial, sandbox))}
    excluded = {task.task_id: failing[trial] for task, trial in zip(tasks, trials, strict=True) if trial in failing}
    return [task for task in tasks if task.task_id not in excluded], excluded


def _problem(trial: Trial, sandbox: Sandbox) -> str:
    """Why a trial does not pass, empty where it does."""
    try:
        (verdict,) = sandbox.judge([trial])
    except InputError as error:
        return str(error).partition(": ")[2]
    return "" if verdict.outcome == "passed" else verdict.exception or verdict.outcome


def _trial(task: Task, program: str) -> Trial:
    return Trial(program=program, setup=task.setup, test=task.test, entry_point=task.entry_point)


def _judge(trials: Sequence[Trial], sandbox: Sandbox, progress: str) -> Mapping[Trial, Verdict]:
    distinct = list(dict.fromkeys(trials))
    verdicts = tqdm(sandbox.judge(distinct), desc=progress, total=len(distinct), unit="program", disable=None)
    return dict(zip(distinct, verdicts, strict=True))
