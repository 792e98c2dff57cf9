"""What trusted solutions answer: runs programs of a benchmark in the jail and writes down what they return.

Reads one JSON object a line from standard input: `program`, `entry_point`, `contract` (statements that raise where an
input is none; may be empty), `inputs` (base64 of a pickle: lists of argument lists) and `truth` (keep whether an answer
is not None instead of the answer). Writes one a line in the same order: `lists`, for each list of inputs `kept` (the
numbers of the inputs that the contract takes) and `answers` (base64 of a compressed pickle of one pickle an answer;
empty where they are larger than the limit); or `problem`.
"""

import ast
import base64
import copy
import json
import os
import pickle
import resource
import signal
import sys
import textwrap
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

from . import linux_calls, syscall_filter

_PIECE = 1 << 20


def main(limits: dict[str, Any], isolated: bool, folders: list[str]) -> NoReturn:
    """Answer every line of standard input.

    Args:
        limits: `cpu_seconds` and `memory_bytes` of a program, `answer_bytes` that are kept of a list of inputs.
        isolated: inside a jail.
        folders: where packages are found besides the standard library.
    """
    sys.path += folders
    requests, results = sys.stdin.buffer, os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a program may print
    for line in requests:
        content = _in_child(json.loads(line), limits, isolated) + b"\n"
        while content:
            content = content[os.write(results, content) :]
    os._exit(0)


def _in_child(task: dict[str, Any], limits: dict[str, Any], isolated: bool) -> bytes:
    """One program in a process of its own; its result, or what became of it."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _confine(limits, isolated)
        try:
            result = _answers(task, limits["answer_bytes"])
        except BaseException as error:
            result = {"problem": type(error).__name__}
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    content = bytearray()
    while piece := os.read(reading, _PIECE):
        content += piece
    os.close(reading)
    _, status = os.waitpid(process, 0)
    if status == 0:
        return bytes(content)
    ended = os.waitstatus_to_exitcode(status)
    slow = -ended in (signal.SIGXCPU, signal.SIGALRM)
    reason = f"it takes more than {limits['cpu_seconds']} s" if slow else f"its process ended with {ended}"
    return json.dumps({"problem": reason}).encode()


def _confine(limits: dict[str, Any], isolated: bool) -> None:
    seconds = limits["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(10 * seconds)  # for one that sleeps
    if isolated:
        linux_calls.drop_capabilities()
        syscall_filter.install(syscall_filter.for_this_machine("programs"))


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
