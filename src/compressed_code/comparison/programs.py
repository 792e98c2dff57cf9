"""What candidates and base write for a benchmark's tasks, executed: which tasks turn, with both programs."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from compressed_code.benchmarks.pass_rates import paired_flips, pass_rates, syntax_valid_share
from compressed_code.benchmarks.tasks import load_benchmark
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.tables import measure
from compressed_code.registry.lookup import Registry

MAX_TOKENS = 512  # of a program


def program_outcomes(models: Sequence[str], benchmark: str, registry: Registry, directory: Path) -> pd.DataFrame:
    """Greedy programs of every model and what became of them (`measurements.code_generation.executions`)."""
    settings = {"benchmark": benchmark, "max_tokens": MAX_TOKENS}
    return measure(executions, list(models), registry=registry, directory=directory, **settings)


def program_table(outcomes: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """pass@1, and what turned against the base.

    Returns:
        Columns `model`, `tasks`, `pass_at_1`, `low`, `high` (95 %), `syntax_valid`, and of candidates `lost`, `gained`,
        `p_value` (exact McNemar).
    """
    base, rows = outcomes[outcomes["model"] == models[0]], []
    for model in models:
        own = outcomes[outcomes["model"] == model]
        rate = pass_rates(own).iloc[0]
        row = {"model": model, "tasks": int(rate["tasks"]), "pass_at_1": rate["value"], "low": rate["low"]}
        row |= {"high": rate["high"], "syntax_valid": syntax_valid_share(own)}
        if model != models[0]:
            flips = paired_flips(base, own, len(models) - 1)
            row |= {name: flips[name] for name in ("lost", "gained", "p_value")}
        rows.append(row)
    return pd.DataFrame(rows)


def kept_and_lost(outcomes: pd.DataFrame, base: str, candidate: str, tasks: Collection[str]) -> tuple[int, int]:
    """Of the programs that the base passes, how many the candidate passes, too, and how many not; of these tasks."""
    counted = outcomes[outcomes["task_id"].isin(tasks)]
    one, other = (counted[counted["model"] == model] for model in (base, candidate))
    if one.empty:
        return 0, 0
    flips = paired_flips(one, other)
    return int(flips["kept"]), int(flips["lost"])


def turned_programs(outcomes: pd.DataFrame, base: str, candidate: str, benchmark: str) -> pd.DataFrame:
    """Tasks that only one of the two solves.

    Returns:
        Columns `task_id`, `turn` ("lost" or "gained"), `prompt`, `base_program`, `candidate_program` (what follows the
        prompt), `base_outcome`, `candidate_outcome`; lost ones first.
    """
    one, other = (outcomes[outcomes["model"] == model].set_index("task_id") for model in (base, candidate))
    prompts = {task.task_id: task.prompt for task in load_benchmark(benchmark)}
    rows = [
        {
            "task_id": task_id,
            "turn": "lost" if one["passed"][task_id] else "gained",
            "prompt": prompts[task_id],
            "base_program": one["completion"][task_id],
            "candidate_program": other["completion"][task_id],
            "base_outcome": one["outcome"][task_id],
            "candidate_outcome": other["outcome"][task_id],
        }
        for task_id in one.index
        if bool(one["passed"][task_id]) != bool(other["passed"][task_id])
    ]
    columns = ["task_id", "turn", "prompt", "base_program", "candidate_program", "base_outcome", "candidate_outcome"]
    return pd.DataFrame(rows, columns=columns).sort_values("turn", ascending=False, kind="stable", ignore_index=True)
