"""What models write for benchmark tasks, and what becomes of it: two tables, so that scoring anew needs no model."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.benchmarks.completions import STOP_SEQUENCES, extract_code
from compressed_code.benchmarks.execution import Verification, execute_samples, verify_tasks
from compressed_code.benchmarks.samples import Sample, named
from compressed_code.benchmarks.tasks import benchmark_files, load_benchmark
from compressed_code.benchmarks.verdict_store import VerdictStore
from compressed_code.code_generation import Settings, batch_differences, end_ids, generate, input_ids, make_requests
from compressed_code.core.errors import InputError
from compressed_code.core.paths import RESULTS
from compressed_code.measurements.subjects.writers import Writer, WriterSubject
from compressed_code.measurements.tables import fingerprint, measure, measurement
from compressed_code.models.load import load_model
from compressed_code.registry.lookup import Registry
from compressed_code.sandbox import Sandbox
from compressed_code.tokenizers.files import open_tokenizer


def _read_files(benchmark: str = "zoo", **_: Any) -> Sequence[Path]:
    return benchmark_files(benchmark)


@measurement(version=3, subject=WriterSubject(), inputs=_read_files, packages=["torch", "transformers"])
def generations(
    writer: Writer,
    benchmark: str = "zoo",
    samples: int = 1,
    temperature: float = 0.0,
    max_tokens: int = 200,
    stop: Sequence[str] | None = None,
    batch: int = 128,
    seed: int = 0,
    strict: bool = True,
) -> pd.DataFrame:
    """Completions of every task of a benchmark, from its bare prompt after the document start, or as a chat.

    Args:
        benchmark: as `benchmarks.load_benchmark`.
        samples: answers per task.
        stop: by default `completions.STOP_SEQUENCES`, in a chat none.
        temperature, max_tokens, batch, seed, strict: as `code_generation.Settings`.

    Returns:
        Columns `task_id`, `tier`, `sample`, `completion` (up to the stop), `raw`, `finish`, `tokens`, `near_ties` (see
        `code_generation.Completion`; `near_ties.near_tie_summary` adds them up).
    """
    vocabulary, tasks, model = open_tokenizer(writer.tokenizer), load_benchmark(benchmark), load_model(writer.path)
    given = input_ids(tasks, writer.path, vocabulary.encode, chat=writer.spec.chat, context="document")
    settings = Settings(
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        stop=_stop(writer, stop),
        end_ids=end_ids(model, writer.path),
        batch=batch,
        strict=strict,
    )
    written = [
        completion
        for finished in generate(model, vocabulary, make_requests(given, samples), settings)
        for completion in finished
    ]
    tiers = {task.task_id: task.tier for task in tasks}
    place = {task_id: number for number, task_id in enumerate(tiers)}
    rows = [
        (c.task_id, tiers[c.task_id], c.sample, c.text, c.raw, c.finish, len(c.token_ids), c.near_ties)
        for c in sorted(written, key=lambda c: (place[c.task_id], c.sample))
    ]
    columns = ["task_id", "tier", "sample", "completion", "raw", "finish", "tokens", "near_ties"]
    return pd.DataFrame(rows, columns=columns)


@measurement(version=4, subject=WriterSubject(), inputs=_read_files, uses=[generations], packages=[])
def executions(writer: Writer, benchmark: str = "zoo", **settings: Any) -> pd.DataFrame:
    """Outcome of every completion in the sandbox; a program that ran before, whoever wrote it, does not run again.

    Every canonical solution runs first; a task that cannot be scored here is named on standard error and left out
    (`execution.verify_tasks`).

    Args:
        settings: of `generations`.

    Returns:
        Columns of `execution.execute_samples`, `tier`, `completion` (what followed the prompt, of a chat the code in
        it), and `finish`, `tokens` and `near_ties` of `generations`.

    Raises:
        InputError: no task can be scored here.
        Unavailable: there is no isolator on this system.
    """
    written = measure(generations, [writer.spec.key], registry=_alone(writer), benchmark=benchmark, **settings)
    if writer.spec.chat:
        prompts = {task.task_id: task.prompt for task in load_benchmark(benchmark)}
        written["completion"] = [extract_code(row.completion, prompts[row.task_id]) for row in written.itertuples()]
    with Sandbox() as sandbox:
        store = VerdictStore(RESULTS, sandbox)
        sound, failing, seconds = _verified(benchmark, sandbox, store)
        if not sound:
            raise InputError(f"{benchmark}: none of its tasks can be scored here")
        chosen = written[~written["task_id"].isin(list(failing))]
        answers = [Sample(row.task_id, row.sample, row.completion) for row in chosen.itertuples()]
        outcomes = execute_samples(sound, answers, sandbox, solution_seconds=seconds, store=store)
    kept = ["task_id", "sample", "tier", "completion", "finish", "tokens", "near_ties"]
    return outcomes.merge(written[kept], on=["task_id", "sample"])


@measurement(version=1, subject=WriterSubject(), inputs=_read_files, packages=["torch", "transformers"])
def batch_noise(
    writer: Writer,
    benchmark: str = "zoo",
    dtype: str = "float32",
    batches: Sequence[int] = (1, 64),
    strict: bool = False,
    max_tokens: int = 200,
) -> pd.DataFrame:
    """How many greedy programs change with the batch size (`code_generation.batch_differences`).

    Args:
        dtype: what the model computes in: a name of torch's.
        batches: the first one is what the others are compared with.
        strict, max_tokens: as `code_generation.Settings`; strict is for float32.
    """
    import torch

    vocabulary, tasks = open_tokenizer(writer.tokenizer), load_benchmark(benchmark)
    model = load_model(writer.path).to(getattr(torch, dtype))
    given = input_ids(tasks, writer.path, vocabulary.encode, chat=writer.spec.chat, context="document")
    settings = Settings(
        max_tokens=max_tokens, stop=_stop(writer, None), end_ids=end_ids(model, writer.path), strict=strict
    )
    return batch_differences(model, vocabulary, make_requests(given), settings, batches)


_VERIFIED: dict[tuple[str, ...], Verification] = {}


def _verified(benchmark: str, sandbox: Sandbox, store: VerdictStore) -> Verification:
    """Canonical solutions, run once in a process for a benchmark, however many models write for it."""
    key = (*map(fingerprint, benchmark_files(benchmark)), sandbox.isolation)
    if key not in _VERIFIED:
        _VERIFIED[key] = found = verify_tasks(load_benchmark(benchmark), sandbox, store)
        if found.failing:
            problems = named([f"{task_id}: {problem}" for task_id, problem in found.failing.items()])
            print(f"{benchmark}: left out, since they cannot be scored here: {problems}", file=sys.stderr)
    return _VERIFIED[key]


def _stop(writer: Writer, stop: Sequence[str] | None) -> tuple[str, ...]:
    if stop is not None:
        return tuple(stop)
    return () if writer.spec.chat else STOP_SEQUENCES


def _alone(writer: Writer) -> Registry:
    """A registry of one row, so that a writer is found again as it was found before."""
    key = writer.tokenizer.key
    return Registry({key: writer.tokenizer}, {writer.spec.key: writer.spec.model_copy(update={"tokenizer": key})})
