"""What models write for benchmark tasks, and what becomes of it: two tables, so that scoring anew needs no model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.benchmarks import BENCHMARKS, load_benchmark
from helpers.code_generation import Settings, generate, make_requests, prompt_ids
from helpers.completions import STOP_SEQUENCES
from helpers.execution import execute_samples, verify_tasks
from helpers.measurements import measure, measurement
from helpers.measurements.models import ModelSubject
from helpers.models import load_model
from helpers.registry import TokenizerSpec
from helpers.samples import Sample
from helpers.sandbox import Sandbox
from helpers.start_contexts import special_tokens, start_ids
from helpers.tokenizer_files import open_tokenizer


@measurement(version=1, subject=ModelSubject(), inputs=[BENCHMARKS], packages=["torch", "transformers"])
def generations(
    model: Path,
    benchmark: str = "zoo",
    samples: int = 1,
    temperature: float = 0.0,
    max_tokens: int = 200,
    stop: Sequence[str] = STOP_SEQUENCES,
    batch: int = 64,
    seed: int = 0,
    strict: bool = True,
) -> pd.DataFrame:
    """Completions of every task of a benchmark, from its bare prompt after the document start.

    Args:
        benchmark: as `benchmarks.load_benchmark`.
        samples: answers per task.
        temperature, max_tokens, stop, batch, seed, strict: as `code_generation.Settings`.

    Returns:
        Columns `task_id`, `tier`, `sample`, `completion` (up to the stop), `raw`, `finish`, `tokens`.
    """
    tokenizer = open_tokenizer(TokenizerSpec(key=str(model), label=str(model), path=str(model)))
    tasks, start, end = load_benchmark(benchmark), start_ids(model, "document"), special_tokens(model).eos
    settings = Settings(
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        stop=tuple(stop),
        end_ids=frozenset() if end is None else frozenset({end}),
        batch=batch,
        strict=strict,
    )
    prompts = {task.task_id: prompt_ids(tokenizer.encode, task.prompt, start) for task in tasks}
    tiers = {task.task_id: task.tier for task in tasks}
    written = [
        completion
        for finished in generate(load_model(model), tokenizer, make_requests(prompts, samples), settings)
        for completion in finished
    ]
    rows = [
        (c.task_id, tiers[c.task_id], c.sample, c.text, c.raw, c.finish, len(c.token_ids))
        for c in sorted(written, key=lambda c: (list(tiers).index(c.task_id), c.sample))
    ]
    return pd.DataFrame(rows, columns=["task_id", "tier", "sample", "completion", "raw", "finish", "tokens"])


@measurement(version=1, subject=ModelSubject(), inputs=[BENCHMARKS], uses=[generations], packages=[])
def executions(model: Path, benchmark: str = "zoo", **settings: Any) -> pd.DataFrame:
    """Outcome of every completion in the sandbox.

    Args:
        settings: of `generations`.

    Returns:
        Columns of `execution.execute_samples`, and `tier`.

    Raises:
        InputError: a canonical solution fails here, so that the task cannot be scored.
        Unavailable: there is no isolator on this system.
    """
    written = measure(generations, [str(model)], benchmark=benchmark, **settings)
    tasks = load_benchmark(benchmark)
    answers = [Sample(row.task_id, row.sample, row.completion) for row in written.itertuples()]
    with Sandbox() as sandbox:
        sound, broken = verify_tasks(tasks, sandbox)
        outcomes = execute_samples(sound, [a for a in answers if a.task_id not in broken], sandbox)
    return outcomes.merge(written[["task_id", "sample", "tier"]], on=["task_id", "sample"])
