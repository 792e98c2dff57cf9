"""What trusted solutions answer: runs programs of a benchmark in the jail and writes down what they return.

Reads one JSON object a line from standard input: `program`, `entry_point`, `contract` (statements that raise where an
input is none; may be empty), `inputs` (base64 of a pickle: lists of argument lists), `calls` (how many each list holds)
and `truth` (keep whether an answer is not None instead of the answer). Writes one a line in the same order: `lists`,
for each list of inputs `kept` (the numbers of the inputs that the contract takes) and `answers` (base64 of a compressed
pickle of one pickle an answer; empty where they are larger than the limit); or `problem`.
"""

import ast
import base64
import copy
import json
import os
import pickle
import sys
import textwrap
import time
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

from . import accepted, cells
from .overseer import LIMIT_SHOWS, PERIOD, Server
from .processes import Running, keep_only

_PIECE = 1 << 20
_ANSWER = 3
_ROOM = 3  # times the bytes that are kept of a list: two lists as text, and which calls they belong to


def main(limits: dict[str, Any], isolated: bool, folders: list[str]) -> NoReturn:
    """Answer every line of standard input.

    Args:
        limits: the fields of `Limits`, and `answer_bytes` that are kept of a list of inputs.
        isolated: inside a jail.
        folders: where packages are found besides the standard library.
    """
    sys.path += folders
    requests, results = sys.stdin.buffer, os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    cell = (cells.Cell if isolated else cells.OpenCell)(limits, "programs")
    solutions = Solutions(limits, cell, requests, [])
    for line in requests:
        content = solutions.run(json.loads(line)) + b"\n"
        while content:
            content = content[os.write(results, content) :]
    os._exit(0)


class Solutions(Server):
    """Runs solutions as programs are run: each with a process namespace and a folder of its own, and without powers."""

    def run(self, task: dict[str, Any]) -> bytes:
        """The result of one solution as JSON, or what became of it.

        One that the limit of wall time ended while it waited for a processor runs once more.
        """
        answer, starved = self.once(task, None)
        return self.once(task, 0.0)[0] if starved else answer

    def once(self, task: dict[str, Any], patience: float | None) -> tuple[bytes, bool]:
        """What a solution answers, and whether waiting for a processor ended it instead.

        Args:
            patience: as of `Server.watch`.
        """
        reading, writing = os.pipe()

        def become() -> NoReturn:
            self.cell.confine()
            null = os.open(os.devnull, os.O_RDWR)
            keep_only({0: null, 1: null, 2: null, _ANSWER: writing})
            try:
                result = _answers(task, self.limits["answer_bytes"])
            except BaseException as error:
                result = {"problem": type(error).__name__}
            with os.fdopen(_ANSWER, "wb") as pipe:
                pipe.write(json.dumps(result).encode())
            os._exit(0)

        running = Running(self.cell.fork(become))
        os.close(writing)
        most = self.limits["cpu_seconds"]
        content, outcome, piece, look = bytearray(), "", b" ", running.start
        while piece and not outcome:
            outcome, ready = self.watch(running, most, most, reading, patience=patience)
            piece = os.read(reading, _PIECE) if ready else b""
            content += piece
            if time.monotonic() >= look:  # also of one that writes a byte now and then
                outcome = outcome or self.limit(running, most, most, patience)
                look = time.monotonic() + PERIOD
            if len(content) > _ROOM * self.limits["answer_bytes"] + _PIECE:
                outcome = "output"
        os.close(reading)
        ended = self.end(running, 0.0 if outcome else LIMIT_SHOWS, most)
        slow = running.cpu_seconds > most
        if outcome in ("output", "memory"):
            return _problem("it answers too much" if outcome == "output" else "it takes too much memory"), False
        if outcome or slow:
            starved = not slow and running.slept_seconds <= most
            return _problem(f"it takes more than {most} s"), starved
        found = accepted.solution_answers(content, task["calls"]) if ended.code == 0 else None
        return json.dumps(found).encode() if found else _problem(f"its process ended with {ended.code}"), False


def _problem(text: str) -> bytes:
    return json.dumps({"problem": text}).encode()


def _answers(task: dict[str, Any], most: int) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "solution"}
    exec(compile(task["program"], "<solution>", "exec", dont_inherit=True), names)
    function = names[task["entry_point"]]
    takes = _contract(task, names)
    lists = []
    for calls in pickle.loads(base64.b64decode(task["inputs"])):
        kept = [number for number, arguments in enumerate(calls) if takes(arguments)]
        lists.append({"kept": kept, "answers": _kept([calls[number] for number in kept], function, task, most)})
    return {"lists": lists}


def _kept(calls: list[Any], function: Callable[..., Any], task: dict[str, Any], most: int) -> str:
    pieces: list[bytes] = []
    size = 0
    for arguments in calls:
        answer = function(*copy.deepcopy(arguments))
        pieces.append(pickle.dumps(answer is not None if task["truth"] else answer, protocol=4))
        size += len(pieces[-1])
        if size > most:
            return ""
    return base64.b64encode(zlib.compress(pickle.dumps(pieces, protocol=4))).decode()


def _contract(task: dict[str, Any], names: dict[str, Any]) -> Callable[[Any], bool]:
    """Whether the task's contract takes the arguments of a call: a function of its own with the same parameters."""
    body = textwrap.dedent(task["contract"])
    if not body.strip():
        return lambda arguments: True
    definitions = [node for node in ast.parse(task["program"]).body if isinstance(node, ast.FunctionDef)]
    parameters = next(node.args for node in reversed(definitions) if node.name == task["entry_point"])
    exec(f"def _contract({ast.unparse(parameters)}):\n{textwrap.indent(body, '    ')}\n    pass\n", names)
    check = names.pop("_contract")

    def takes(arguments: Any) -> bool:
        try:
            check(*copy.deepcopy(arguments))
        except NameError:
            raise  # it says nothing about the input
        except Exception:
            return False
        return True

    return takes
