"""What models write for benchmark tasks, and what becomes of it: two tables, so that scoring anew needs no model."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.benchmarks.execution import VerifiedTasks, execute_samples, verify_tasks
from compressed_code.benchmarks.samples import Sample, named
from compressed_code.benchmarks.tasks import benchmark_files, load_benchmark
from compressed_code.benchmarks.verdict_store import VerdictStore
from compressed_code.code_generation.choice_entropies import choice_entropies
from compressed_code.code_generation.preparation import prepare, written_code
from compressed_code.code_generation.requests import input_ids
from compressed_code.core.errors import InputError
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.core.progress import progress_bar
from compressed_code.measurements.stored_tables import fingerprint, kept_table
from compressed_code.measurements.subjects.writers import Writer, WriterSubject
from compressed_code.measurements.tables import measure, measurement
from compressed_code.models.devices import chosen_device
from compressed_code.models.load import load_model
from compressed_code.models.precision import precision_of
from compressed_code.registry.lookup import Registry, find_model, load_registry
from compressed_code.sandbox import Sandbox
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary


def _read_files(benchmark: str = "zoo", **_: Any) -> Sequence[Path]:
    return benchmark_files(benchmark)


@measurement(version=6, subject=WriterSubject(), inputs=_read_files, packages=["torch", "transformers"], on_device=True)
def generations(
    writer: Writer,
    benchmark: str = "zoo",
    samples: int = 1,
    temperature: float = 0.0,
    max_tokens: int = 200,
    stop: Sequence[str] | None = None,
    batch: int = 128,
    seed: int = 0,
    batch_invariant: bool = True,
    *,
    directory: Path = RESULTS,
    registry: Registry | None = None,
) -> pd.DataFrame:
    """Completions of every task of a benchmark, from its bare prompt after the document start, or as a chat.

    What a variant's base wrote, where it is stored, is read first (`engine`): most of it the variant writes, too.

    Args:
        benchmark: as `benchmarks.load_benchmark`.
        directory, registry: where the base's programs are looked for, and what knows the base.
        samples: answers per task.
        stop: by default `completions.STOP_SEQUENCES`, in a chat none.
        temperature, max_tokens, batch, seed, batch_invariant: as `code_generation.Settings`.

    Returns:
        Columns `task_id`, `tier`, `sample`, `completion` (up to the stop), `raw`, `finish_reason`, `tokens` and
        `near_ties` (see `code_generation.Completion`; `near_ties.near_tie_summary` adds them up).
    """
    from compressed_code.code_generation.engine import write_programs

    tasks = load_benchmark(benchmark)
    asked = {"samples": samples, "temperature": temperature, "max_tokens": max_tokens, "stop": stop}
    asked |= {"batch": batch, "seed": seed, "batch_invariant": batch_invariant}
    ready = prepare(writer.path, open_tokenizer(writer.tokenizer), tasks, chat=writer.spec.chat, **asked)
    asked |= {"benchmark": benchmark}
    drafts = _of_base(writer, ready.vocabulary, asked, directory, registry or load_registry())
    written = []
    with progress_bar(total=len(ready.requests), desc="programs", unit=" programs") as bar:
        asked_of = (ready.model, ready.vocabulary, ready.requests, ready.settings, drafts, ready.precise)
        for finished in write_programs(*asked_of):
            written += finished
            bar.update(len(finished))
    tiers = {task.task_id: task.tier for task in tasks}
    place = {task_id: number for number, task_id in enumerate(tiers)}
    rows = [
        (c.task_id, tiers[c.task_id], c.sample, c.text, c.raw, c.finish_reason, len(c.token_ids), c.near_ties)
        for c in sorted(written, key=lambda c: (place[c.task_id], c.sample))
    ]
    columns = ["task_id", "tier", "sample", "completion", "raw", "finish_reason", "tokens", "near_ties"]
    return pd.DataFrame(rows, columns=columns)


def _of_base(
    writer: Writer, vocabulary: Vocabulary, asked: Mapping[str, Any], directory: Path, registry: Registry
) -> dict[tuple[str, int], list[int]]:
    """What a variant's base wrote when it was asked the same, as ids; nothing where that is not stored."""
    if writer.spec.quantization is None or asked["temperature"]:
        return {}
    table = kept_table(generations, writer.spec.base_model, registry, asked, directory)
    if table is None:
        return {}
    return {(row.task_id, row.sample): vocabulary.encode(row.raw) for row in table.itertuples()}


@measurement(version=5, subject=WriterSubject(), inputs=_read_files, uses=[generations], packages=[])
def executions(
    writer: Writer, generations: pd.DataFrame, benchmark: str = "zoo", *, directory: Path = RESULTS
) -> pd.DataFrame:
    """Outcome of every completion in the sandbox; a program that ran before, whoever wrote it, does not run again.

    Every canonical solution runs first; a task that cannot be scored here is named on standard error and left out
    (`execution.verify_tasks`).

    Args:
        generations: the programs, a table of that measurement.
        directory: where verdicts are stored.

    Returns:
        Columns of `execution.execute_samples`, `tier`, `completion` (what followed the prompt, of a chat the code in
        it), and `finish_reason`, `tokens` and `near_ties` of `generations`.

    Raises:
        InputError: no task can be scored here, or the benchmark has base and extra tests, which are two numbers.
        Unavailable: there is no isolator on this system.
    """
    tasks = {task.task_id: task for task in load_benchmark(benchmark)}
    if any(task.calls or task.extra_test for task in tasks.values()):
        raise InputError(
            f"{benchmark}: has base and extra tests; write programs with `generate`, score them with `score`"
        )
    code = [written_code(row.completion, tasks[row.task_id], chat=writer.spec.chat) for row in generations.itertuples()]
    written = generations.assign(completion=code)
    with Sandbox() as sandbox:
        store = VerdictStore(directory, sandbox)
        sound, failing, seconds, *_ = _verified(benchmark, sandbox, store)
        if not sound:
            raise InputError(f"{benchmark}: none of its tasks can be scored here")
        chosen = written[~written["task_id"].isin(list(failing))]
        answers = [Sample(row.task_id, row.sample, row.completion) for row in chosen.itertuples()]
        outcomes = execute_samples(sound, answers, sandbox, solution_seconds=seconds, store=store)
    kept = ["task_id", "sample", "tier", "completion", "finish_reason", "tokens", "near_ties"]
    return outcomes.drop(columns="reason").merge(written[kept], on=["task_id", "sample"])


@measurement(
    version=2,
    subject=WriterSubject(),
    inputs=_read_files,
    uses=[generations],
    packages=["torch", "transformers"],
    on_device=True,
)
def uncertainty(
    writer: Writer, generations: pd.DataFrame, benchmark: str = "zoo", *, directory: Path = RESULTS
) -> pd.DataFrame:
    """How unsure a model was at each token of its own programs (`choice_entropies.choice_entropies`).

    Args:
        generations: the programs, a table of that measurement; of several of a task the first is read.
    """
    tasks = load_benchmark(benchmark)
    vocabulary = open_tokenizer(writer.tokenizer)
    prompts = input_ids(tasks, writer.path, vocabulary.encode, chat=writer.spec.chat, context="document")
    model = load_model(writer.path, chosen_device(), precision_of(writer.path))
    first = generations.drop_duplicates("task_id")
    return choice_entropies(
        model, vocabulary, ((row.task_id, prompts[row.task_id], row.completion) for row in first.itertuples())
    )


@measurement(version=2, subject=WriterSubject(), inputs=_read_files, packages=["torch", "transformers"], on_device=True)
def batch_noise(
    writer: Writer,
    benchmark: str = "zoo",
    dtype: str = "float32",
    batches: Sequence[int] = (1, 64),
    batch_invariant: bool = False,
    max_tokens: int = 200,
) -> pd.DataFrame:
    """How many greedy programs change with the batch size (`code_generation.batch_differences`).

    Args:
        dtype: what the model computes in: a name of torch's.
        batches: the first one is what the others are compared with.
        batch_invariant, max_tokens: as `code_generation.Settings`; the first is for float32.
    """
    import torch

    from compressed_code.code_generation.sample_files import batch_differences

    ready = prepare(
        writer.path,
        open_tokenizer(writer.tokenizer),
        load_benchmark(benchmark),
        chat=writer.spec.chat,
        dtype=getattr(torch, dtype),
        max_tokens=max_tokens,
        batch_invariant=batch_invariant,
    )
    return batch_differences(ready.model, ready.vocabulary, ready.requests, ready.settings, batches)


_VERIFIED: dict[tuple[str, ...], VerifiedTasks] = {}


def _verified(benchmark: str, sandbox: Sandbox, store: VerdictStore) -> VerifiedTasks:
    """Canonical solutions, run once in a process for a benchmark, however many models write for it."""
    key = (benchmark, *map(fingerprint, benchmark_files(benchmark)), sandbox.isolation)  # a part has the same files
    if key not in _VERIFIED:
        _VERIFIED[key] = found = verify_tasks(load_benchmark(benchmark), sandbox, store)
        if found.failing:
            problems = named([f"{task_id}: {problem}" for task_id, problem in found.failing.items()])
            print(f"{benchmark}: left out, since they cannot be scored here: {problems}", file=sys.stderr)
    return _VERIFIED[key]


def generate(
    models: str | Iterable[str],
    benchmark: str = "humaneval",
    *,
    samples: int = 1,
    temperature: float = 0.0,
    max_tokens: int = 512,
    stop: str | Sequence[str] | None = None,
    seed: int = 0,
    registry: Registry | None = None,
    directory: Path = RESULTS,
) -> pd.DataFrame:
    """The programs that models write for a benchmark's tasks; what an equal call wrote earlier is read.

    Args:
        models: registry key, path of a folder or GGUF file, Hub id, or MODEL+QUANTIZATION; or several.
        benchmark: humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a file in the form of HumanEval, MBPP or
            EvalPlus.
        samples: answers to each task.
        temperature: 0 is greedy.
        max_tokens: most new tokens of a program.
        stop: strings that end a program; by default the five of the HumanEval paper, in a chat none.
        seed: of sampled programs.
        registry: by default data/models.yml.
        directory: where tables are stored.

    Returns:
        Column `model` and those of the measurement `generations`; of a chat's answer, `completion` is the code in it.
        `score` takes the rows of one model as they are.

    Raises:
        InputError: a model or benchmark is unknown or broken.
        Unavailable: none of the models can be had on this machine.

    Example:
        >>> programs = generate("zoo-xs", "zoo-ood", max_tokens=8)
        >>> programs[["model", "task_id"]].head(1).values.tolist()
        [['zoo-xs', 'zoo-ood/0']]
    """
    settings = {"samples": samples, "temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    settings |= {"benchmark": benchmark, "stop": None if stop is None else as_names(stop)}
    registry = registry or load_registry()
    written = measure(generations, models, registry=registry, directory=directory, **settings)
    tasks = {task.task_id: task for task in load_benchmark(benchmark)}
    chats = {model: find_model(model, registry).chat for model in written["model"].unique()}
    columns = zip(written["model"], written["task_id"], written["completion"], strict=True)
    return written.assign(completion=[written_code(text, tasks[task], chat=chats[m]) for m, task, text in columns])
