"""The fork server of one jail: for each trial it starts a program's process and a judge's, and watches both.

It never reads a program or a test: each process reads its own file, so nothing of one trial can be found in the
memory of another, and a program cannot find its test.
"""

import contextlib
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
from .processes import end, fork, keep_only

_CHANNEL = 3
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
    connection = socket.socket(fileno=descriptor)
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
        self.judge = Judge(cell, limits["output_bytes"])
        self.start = self.cpu_seconds = self.wall_seconds = 0.0

    def run(self, share: float, program: int, material: int) -> dict[str, Any]:
        """Start the program, wait for the verdict or the first limit, and end what is left of it."""
        self.start = time.monotonic()
        self.cpu_seconds, self.wall_seconds = share * self.limits["cpu_seconds"], share * self.limits["wall_seconds"]
        ours, theirs = (side.detach() for side in socket.socketpair())
        output, output_end = os.pipe()
        process = self.cell.fork_program(lambda: self.become_program(theirs, program, output_end))
        self.judge.ask(ours, material)
        for file in (ours, theirs, program, material, output_end):
            os.close(file)
        outcome, exception = self.wait(output)
        os.close(output)
        ended = end(process, _LIMIT_SHOWS if outcome == "crashed" else 0.0)
        if outcome == "crashed" and ended.killed:
            outcome = "memory"  # or processor time, below: the kernel enforces both
        cpu_seconds = ended.cpu_seconds + self.judge.trial_seconds
        if self.judge.asked:  # it has not answered
            judge_ended = end(self.judge.process, _LIMIT_SHOWS if outcome == "no verdict" else 0.0)
            cpu_seconds += judge_ended.cpu_seconds - self.judge.seconds
            if outcome == "no verdict":
                outcome = "memory" if judge_ended.killed else "crashed"
            self.judge.close()
            self.judge = Judge(self.cell, self.limits["output_bytes"])
        if cpu_seconds > self.cpu_seconds:
            outcome, exception = "timeout", ""
        self.cell.clean(self.judge.process)
        wall_seconds = time.monotonic() - self.start
        seconds = {"cpu_seconds": cpu_seconds, "wall_seconds": wall_seconds}
        return {"outcome": outcome, "exception": exception, **seconds}

    def become_program(self, channel: int, program: int, output: int) -> NoReturn:
        self.cell.confine_program()
        source = os.pread(program, os.fstat(program).st_size, 0)
        keep_only({0: os.open(os.devnull, os.O_RDONLY), 1: output, 2: output, _CHANNEL: channel})
        candidate.serve(_CHANNEL, source, self.limits["output_bytes"])

    def wait(self, output: int) -> tuple[str, str]:
        poll = select.poll()
        poll.register(self.judge.socket, select.POLLIN)
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
            if self.judge.socket.fileno() in ready:
                return self.judge.answer()
            if time.monotonic() >= look:
                outcome, look = self.exceeded(), time.monotonic() + _PERIOD
                if outcome:
                    return outcome, ""

    def exceeded(self) -> str:
        if time.monotonic() - self.start > self.wall_seconds:
            return "timeout"
        seconds, resident = self.cell.usage()
        if seconds - self.judge.seconds > self.cpu_seconds:
            return "timeout"
        return "memory" if resident > self.limits["memory_bytes"] else ""


class Judge:
    """The process that runs the tests; it is replaced when a limit has to stop it.

    Attributes:
        asked: whether an answer is due.
        seconds: processor time it had used before the present trial.
        trial_seconds: processor time of the present trial, known with the answer.
    """

    def __init__(self, cell: cells.Cell | cells.OpenCell, output_bytes: int) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.asked = False
        self.seconds = 0.0
        self.trial_seconds = 0.0

        def become_judge() -> NoReturn:
            cell.confine_judge()
            null = os.open(os.devnull, os.O_RDWR)
            keep_only({0: null, 1: null, 2: null, _CHANNEL: theirs.fileno()})
            judge.serve(_CHANNEL, output_bytes)

        self.process = fork(become_judge)
        theirs.close()

    def ask(self, channel: int, material: int) -> None:
        """Start a trial. A judge that is gone shows when its answer is awaited."""
        self.seconds, self.trial_seconds, self.asked = self.seconds + self.trial_seconds, 0.0, True
        with contextlib.suppress(OSError):
            socket.send_fds(self.socket, [b"t"], [channel, material])

    def answer(self) -> tuple[str, str]:
        """Outcome and exception; "no verdict" where the process ended instead."""
        content = self.socket.recv(_PIECE)
        if not content:
            return "no verdict", ""
        outcome, exception, seconds = json.loads(content)
        self.asked, self.trial_seconds = False, seconds - self.seconds
        return outcome, exception

    def close(self) -> None:
        """Forget a process that has ended."""
        self.socket.close()
