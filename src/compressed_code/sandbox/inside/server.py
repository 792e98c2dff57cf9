"""The fork server of one jail: for each trial it starts a program's process and a judge's, and watches both.

It never reads a program or a test: each process reads its own file, so nothing of one trial can be found in the
memory of another, a program cannot find its test, and what one test changes in its process no other test sees.
"""

import gc
import importlib
import json
import os
import select
import socket
import sys
import time
from typing import Any, NoReturn

from . import candidate, cells, judge
from .processes import end, fork, keep_low, keep_only

_CHANNEL, _MATERIAL, _ANSWER = 3, 4, 5  # a program has the first of them only
_PERIOD = 0.05
_PIECE = 1 << 16
_LIMIT_SHOWS = 0.2  # seconds that the kernel gets to end a process whose socket it has closed
# What programs of this kind import: loaded once here and shared by every fork.
PRELOADED = (
    *("abc", "base64", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal"),
    *("enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "numbers", "operator"),
    *("random", "re", "statistics", "string", "struct", "textwrap", "time", "types", "typing"),
)


def main(descriptor: int, isolated: bool, limits: dict[str, Any], folders: list[str], packages: list[str]) -> NoReturn:
    """Answer trials until the other end of the socket closes.

    Args:
        descriptor: a SEQPACKET socket. A request is JSON, the share of the time limits that this trial gets, with two
            files, the program and the judge's material; the answer is JSON with `outcome`, `exception`, `cpu_seconds`
            and `wall_seconds`. The first message is the server's own: the version of Python.
        isolated: inside a jail; otherwise nothing protects the machine.
        limits: the fields of `Limits`.
        folders: where packages are found besides the standard library.
        packages: names of those to load now, for every fork to share.
    """
    connection = socket.socket(fileno=keep_low(descriptor))
    sys.path += folders
    for name in (*PRELOADED, *packages):
        importlib.import_module(name)
    cell = cells.Cell(limits) if isolated else cells.OpenCell(limits)
    gc.collect()
    gc.freeze()
    connection.send(json.dumps(sys.version.split()[0]).encode())
    server = Server(limits, cell, connection)
    while True:
        request, files, _, _ = socket.recv_fds(connection, _PIECE, 2)
        if not request:
            os._exit(0)
        connection.send(json.dumps(server.run(json.loads(request), *files)).encode())


class Server:
    """Runs one trial at a time."""

    def __init__(self, limits: dict[str, Any], cell: cells.Cell | cells.OpenCell, connection: socket.socket) -> None:
        self.limits = limits
        self.cell = cell
        self.connection = connection
        self.start = self.cpu_seconds = self.wall_seconds = 0.0

    def run(self, share: float, program: int, material: int) -> dict[str, Any]:
        """Start the program, wait for the verdict or the first limit, and end what is left of it."""
        self.start = time.monotonic()
        self.cpu_seconds, self.wall_seconds = share * self.limits["cpu_seconds"], share * self.limits["wall_seconds"]
        ours, theirs = (side.detach() for side in socket.socketpair())
        output, output_end = os.pipe()
        answer, answer_end = os.pipe()
        process = self.cell.fork_program(lambda: self.become_program(theirs, program, output_end))
        judging = fork(lambda: self.become_judge(ours, material, answer_end))
        for file in (ours, theirs, program, material, output_end, answer_end):
            os.close(file)
        outcome, exception = self.wait(output, answer)
        os.close(output)
        os.close(answer)
        ended = end(process, _LIMIT_SHOWS if outcome == "crashed" else 0.0)
        judge_ended = end(judging, _LIMIT_SHOWS if outcome == "no verdict" else 0.0)
        # The kernel kills for lack of memory, and for processor time, which shows below.
        if outcome == "crashed" and ended.killed:
            outcome = "memory"
        elif outcome == "no verdict":
            outcome = "memory" if judge_ended.killed else "crashed"
        cpu_seconds = ended.cpu_seconds + judge_ended.cpu_seconds
        if cpu_seconds > self.cpu_seconds:
            outcome, exception = "timeout", ""
        self.cell.clean()
        wall_seconds = time.monotonic() - self.start
        seconds = {"cpu_seconds": cpu_seconds, "wall_seconds": wall_seconds}
        return {"outcome": outcome, "exception": exception, **seconds}

    def become_program(self, channel: int, program: int, output: int) -> NoReturn:
        self.cell.confine_program()
        source = os.pread(program, os.fstat(program).st_size, 0)
        keep_only({0: os.open(os.devnull, os.O_RDONLY), 1: output, 2: output, _CHANNEL: channel})
        candidate.serve(_CHANNEL, source, self.limits["output_bytes"])

    def become_judge(self, channel: int, material: int, answer: int) -> NoReturn:
        self.cell.confine_judge()
        null = os.open(os.devnull, os.O_RDWR)
        keep_only({0: null, 1: null, 2: null, _CHANNEL: channel, _MATERIAL: material, _ANSWER: answer})
        judge.serve(_CHANNEL, _MATERIAL, _ANSWER, self.limits["output_bytes"])

    def wait(self, output: int, answer: int) -> tuple[str, str]:
        """Outcome and exception: the judge's, "no verdict" where it ended without one, or the limit that was hit."""
        poll = select.poll()
        poll.register(answer, select.POLLIN)
        poll.register(output, select.POLLIN)
        poll.register(self.connection, select.POLLRDHUP)
        printed, look = 0, self.start + _PERIOD
        while True:
            ready = dict(poll.poll(_PERIOD * 1000))
            if ready.get(self.connection.fileno()):
                self.cell.leave()  # nobody waits for the answer
            if output in ready:
                size = len(os.read(output, _PIECE))
                printed += size
                if size == 0:
                    poll.unregister(output)
            if printed > self.limits["output_bytes"]:
                return "output", ""
            if answer in ready:
                content = os.read(answer, _PIECE)
                return tuple(json.loads(content)) if content else ("no verdict", "")
            if time.monotonic() >= look:
                outcome, look = self.exceeded(), time.monotonic() + _PERIOD
                if outcome:
                    return outcome, ""

    def exceeded(self) -> str:
        if time.monotonic() - self.start > self.wall_seconds:
            return "timeout"
        seconds, resident = self.cell.usage()
        if seconds > self.cpu_seconds:
            return "timeout"
        return "memory" if resident > self.limits["memory_bytes"] else ""
