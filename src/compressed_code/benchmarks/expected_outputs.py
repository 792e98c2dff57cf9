"""Tests for tasks that give inputs only: what their own solutions answer, found once in the sandbox and kept.

EvalPlus's own form holds inputs, and the canonical solution says what is right. Solutions run in a jail of their own
(`sandbox.inside.answers`), without the sandbox's channel, whose limits are made for what a model wrote. Inputs that a
task's contract refuses are no tests and are counted. Answers are kept beside measured tables, by all that decides them;
what is too large to keep is answered again by the solution beside each test.
"""

import base64
import json
import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from compressed_code.benchmarks.task_record import Calls, Task
from compressed_code.core.errors import InputError, printable
from compressed_code.core.hashing import sha256_of
from compressed_code.core.paths import RESULTS
from compressed_code.core.table_store import (
    DamagedTable,
    read_table,
    read_tables,
    table_key,
    tell_unstored,
    write_table,
)
from compressed_code.sandbox.inside import accepted, launch
from compressed_code.sandbox.inside import answers as answers_module
from compressed_code.sandbox.isolators import Isolation, answers_command
from compressed_code.sandbox.trials import Limits

FOLDER = "expected_outputs"
_COLUMNS = ["request", "answers"]
# As evalplus 0.3.1: a minute and 4 GiB for a task's tests. What is kept of a list of inputs is our own choice: three of
# HumanEval+'s and MBPP+'s 542 solutions answer more than 16 MiB (up to 780).
LIMITS = asdict(Limits(cpu_seconds=60, wall_seconds=600, memory_bytes=4 << 30)) | {"answer_bytes": 16 << 20}
_FOUND = "found or not"  # an answer that no file can hold is kept as whether there is one
_PER_TABLE = 32  # tasks whose answers are stored together, so that an interruption loses few


@dataclass(frozen=True)
class ReadyTasks:
    """Tasks whose tests can run.

    Attributes:
        tasks: in their order, those without `calls` as they were.
        failing: task id → why its solution gives no answers; such a task cannot be scored.
        refused: task id → how many of its inputs its contract refuses, where it refuses any.
    """

    tasks: Sequence[Task]
    failing: Mapping[str, str]
    refused: Mapping[str, int]


def with_expected_outputs(
    tasks: Sequence[Task],
    isolation: Isolation,
    *,
    workers: int | None = None,
    packages: Sequence[str] = (),
    directory: Path = RESULTS,
) -> ReadyTasks:
    """Give tasks in EvalPlus's own form their tests.

    Args:
        isolation: what keeps solutions apart, as `Sandbox.isolation`.
        workers: solutions that run side by side; by default one per usable core.
        packages: installed packages that solutions may import besides the standard library.
        directory: where answers are kept; where nothing can be written they are found anew each time.
    """
    waiting = {task.task_id: _request(task) for task in tasks if task.calls}
    found = _found(waiting, isolation, workers or len(os.sched_getaffinity(0)), packages, directory)
    ready, failing, refused = [], {}, {}
    for task in tasks:
        answers = found.get(task.task_id)
        if answers is None:
            ready.append(task)
            continue
        if "problem" in answers:
            failing[task.task_id] = f"its solution fails ({answers['problem']})"
        elif not answers["lists"][0]["kept"]:
            failing[task.task_id] = "its contract refuses every input"
        else:
            ready.append(_with_tests(task, answers["lists"]))
            kept = sum(len(part["kept"]) for part in answers["lists"])
            if kept < len(task.calls.base) + len(task.calls.extra):
                refused[task.task_id] = len(task.calls.base) + len(task.calls.extra) - kept
    return ReadyTasks(ready, failing, refused)


def _request(task: Task) -> str:
    """What `inside.answers` is asked: JSON, and all that decides the answer but the machine.

    Raises:
        InputError: the inputs are nested too deep.
    """
    try:
        calls = pickle.dumps([list(task.calls.base), list(task.calls.extra)], protocol=4)
    except RecursionError:
        raise InputError(
            f"task {printable(task.task_id)}: its inputs are nested too deep; leave the task out"
        ) from None
    request = {
        "program": task.prompt + task.canonical_solution,
        "entry_point": task.entry_point,
        "contract": task.calls.contract,
        "inputs": base64.b64encode(calls).decode(),
        "calls": [len(task.calls.base), len(task.calls.extra)],
        "truth": task.calls.oracle == _FOUND,
    }
    return json.dumps(request)


def _found(
    requests: Mapping[str, str], isolation: Isolation, workers: int, packages: Sequence[str], directory: Path
) -> dict[str, dict[str, Any]]:
    """The answers to requests by task id, from the store or new."""
    if not requests:
        return {}
    judge = {"limits": LIMITS, "source": _source(), "python": [sys.version, sys.base_prefix]}
    key = table_key(judge)
    digests = {name: sha256_of(request.encode()) for name, request in requests.items()}
    calls = {digests[name]: json.loads(request)["calls"] for name, request in requests.items()}
    stored: dict[str, dict[str, Any]] = {}
    for answers in read_tables(directory, FOLDER, key, partial(_stored_answers, ingredients=judge, calls=calls)):
        stored |= answers
    found = {name: stored[digest] for name, digest in digests.items() if digest in stored}
    missing = [name for name in requests if name not in found]
    if not missing:
        return found
    new: dict[str, str] = {}

    def keep() -> None:
        try:
            if new:
                write_table(directory, FOLDER, key, pd.DataFrame(list(new.items()), columns=_COLUMNS), judge)
        except OSError as error:
            tell_unstored(directory, error)
        new.clear()

    try:
        results = _run([requests[name] for name in missing], isolation, workers, packages)
        bar = tqdm(results, desc="expected outputs", total=len(missing), unit="task", disable=None)
        for place, answer in bar:
            found[missing[place]] = json.loads(answer)
            if "problem" not in found[missing[place]]:  # a limit may fall otherwise another time
                new[digests[missing[place]]] = answer
            if len(new) >= _PER_TABLE:
                keep()
    finally:
        keep()
    return found


def _stored_answers(
    path: Path, ingredients: Iterable[str], calls: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, Any]]:
    """What a stored table answers of some requests, by their digests.

    Args:
        calls: how many inputs each list of a request has, by its digest.

    Raises:
        DamagedTable: it holds what nobody keeps: another row, a second one of a request, or a problem.
    """
    table = read_table(path, ingredients, _COLUMNS)
    rows = list(table.itertuples(index=False, name=None))
    if not all(type(part) is str for row in rows for part in row) or not table["request"].is_unique:
        raise DamagedTable(f"{path}: holds what are no answers")
    found = {}
    for request, answers in rows:
        if request in calls:
            found[request] = accepted.solution_answers(answers.encode(errors="replace"), calls[request])
            if "lists" not in (found[request] or {}):
                raise DamagedTable(f"{path}: holds what are no answers")
    return found


def _run(
    requests: Sequence[str], isolation: Isolation, workers: int, packages: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Place and answer of each request, as they come: every worker is a jail that takes its share one by one."""
    command = answers_command(isolation, LIMITS, packages)
    jails = [_Jail(command) for _ in range(min(workers, len(requests)))]
    try:
        with ThreadPoolExecutor(len(jails)) as pool:
            free = list(jails)

            def one(place: int) -> tuple[int, str]:
                jail = free.pop()
                try:
                    return place, jail.answer(requests[place])
                finally:
                    free.append(jail)

            try:
                yield from pool.map(one, range(len(requests)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for jail in jails:
                    jail.process.kill()
                raise
    finally:
        for jail in jails:
            jail.stop()


class _Jail:
    """A process that runs solutions one after another; it starts again where one of them has ended it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=launch.ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )

    def answer(self, request: str) -> str:
        """The line that a request is answered with."""
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self.stop()
            self.__init__(self.command)
            return json.dumps({"problem": "its jail ended"})
        return line.decode().rstrip("\n")

    def stop(self) -> None:
        """End it and all that runs in it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()


def _with_tests(task: Task, parts: Sequence[Mapping[str, Any]]) -> Task:
    base, extra = (
        _test(task, task.calls, [calls[number] for number in part["kept"]], part["answers"])
        for calls, part in zip((task.calls.base, task.calls.extra), parts, strict=True)
    )
    return replace(task, test=base, extra_test=extra)


def _test(task: Task, calls: Calls, inputs: Sequence[Any], answers: str) -> str:
    """A test that calls the entry point with some inputs; empty where there are none."""
    if not inputs:
        return ""
    packed = base64.b64encode(zlib.compress(pickle.dumps(list(inputs), protocol=4))).decode()
    solution = "" if answers else task.prompt + task.canonical_solution
    arguments = [packed, answers, solution, task.entry_point, calls.tolerance, calls.oracle]
    return f"_evalplus_check({task.entry_point}, {', '.join(map(repr, arguments))})\n"


@cache
def _source() -> str:
    return sha256_of(Path(answers_module.__file__).read_bytes())
