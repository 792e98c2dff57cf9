"""The fork server of one jail. There are two kinds: one runs programs, the other one judges.

A worker outside has one of each, and hands both the ends of one socket, the only thing that program and judge share.
No server reads a program or a test: each process reads its own files, so nothing of one trial can be found in the
memory of another, and what one test changes in its process no other test sees.
"""

import gc
import json
import math
import os
import select
import socket
import sys
import time
from functools import partial
from typing import Any, Literal, NoReturn

from . import accepted, candidate, cells, judge, plain, rehearsal, standard_modules
from .aside import PIECE, Aside, answer_requests
from .overseer import LIMIT_SHOWS, PERIOD, Server, final, report
from .processes import CONTENTION, Running, keep_low, keep_only
from .turn import Turn

Role = Literal["programs", "judges"]

_CHANNEL, _MATERIAL, _ANSWER = 3, 4, 5


def main(role: Role, plan: dict[str, Any]) -> NoReturn:
    """Answer requests until the other end of the socket closes.

    Args:
        role: what runs here.
        plan: `descriptor`, a SEQPACKET socket; `isolated`, whether this is a jail; `limits`, the fields of `Limits`;
            `folders`, where packages are found besides the standard library; `packages`, names of those to load now.

    A request is JSON with files; `Programs.run` and `Judges.run` say which. The answer is JSON with `outcome`,
    `exception`, `doubt`, `stage`, `cpu_seconds`, `own_seconds` (awake or asleep), `slept_seconds` (of these asleep,
    while it was its turn), `wall_seconds` and `waited_seconds` (the longest that one process waited for a processor).
    Before it comes `accepted.PASSED_PLAIN` where a program
    passed in one process and is judged apart, too. The first message is the server's own: the version of Python.
    """
    connection = socket.socket(fileno=keep_low(plan["descriptor"]))
    sys.path += plan["folders"]
    standard_modules.load(plan["packages"])
    limits = plan["limits"]
    rehearsal.rehearse(role)
    cell = cells.Cell(limits, role) if plan["isolated"] else cells.OpenCell(limits, role)
    gc.collect()
    gc.freeze()
    server = (Programs if role == "programs" else Judges)(limits, cell, connection, plan["packages"])
    if isinstance(server, Programs) and plan["isolated"]:
        server.use_aside()
    connection.send(json.dumps(sys.version.split()[0]).encode())
    answer_requests(server)


class Programs(Server):
    """Runs programs: with their tests in one process, and for a judge."""

    aside: Aside | None = None  # runs those for a judge; where there is none, this process does

    def use_aside(self) -> None:
        """Let another process run programs for their judges."""
        made = partial(Programs, self.limits, self.cell, packages=self.packages)
        self.aside = Aside(made, self.connection)
        self.cell.beside = self.aside.process

    def run(self, files: list[int], share: float, patience: float | None, stages: list[str]) -> dict[str, Any]:
        """One trial, as far as the stages go that it passes.

        Args:
            files: the program, the judge's material, the socket to the judge, and the file of a `Turn`.
            share: of the processor time that the limits grant.
            patience: of a trial that runs once more, alone, the seconds that its judge may keep the program waiting;
                what the machine takes from it then has no limit.
            stages: "plain", "apart" or both.
        """
        seconds = share * self.limits["cpu_seconds"]
        answer: dict[str, Any] = {}
        if "plain" in stages:
            answer = self.plain(files, seconds, patience)
            if answer["outcome"] != "passed" or "apart" not in stages:
                return answer
            self.connection.send(json.dumps(accepted.PASSED_PLAIN).encode())
        found = self.hand_over(files, share, patience) if self.aside else self.apart(files, seconds, patience)
        if answer:
            found |= {"plain_seconds": answer["own_seconds"]}
            found["waited_seconds"] = max(found["waited_seconds"], answer["waited_seconds"])
        return found

    def hand_over(self, files: list[int], share: float, patience: float | None) -> dict[str, Any]:
        """What `apart` finds in the other process."""
        self.aside.ask({"share": share, "patience": patience, "stages": ["apart"]}, files)
        poll = select.poll()
        poll.register(self.aside.connection, select.POLLIN)
        poll.register(self.connection, select.POLLRDHUP)
        if self.connection.fileno() in dict(poll.poll()):
            self.cell.leave()
        return self.aside.answer()

    def plain(self, files: list[int], seconds: float, patience: float | None) -> dict[str, Any]:
        program, material, *_ = files
        answer, answer_end = os.pipe()

        def become() -> NoReturn:
            self.cell.confine()
            texts = [os.pread(file, os.fstat(file).st_size, 0) for file in (program, material)]
            null = os.open(os.devnull, os.O_RDWR)
            keep_only({0: null, 1: null, 2: null, _ANSWER: answer_end})
            plain.serve(*texts, _ANSWER)

        running = Running(self.cell.fork(become))
        os.close(answer_end)
        outcome, ready = self.watch(running, CONTENTION * seconds, seconds, answer, patience=patience)
        content = os.read(answer, PIECE) if ready else b""
        os.close(answer)
        found = accepted.plain_outcome(content) or (outcome or "crashed", "")
        ended = self.end(running, LIMIT_SHOWS if found[0] == "crashed" else 0.0, seconds)
        return report("plain", final(found, ended, running, CONTENTION * seconds), running)

    def apart(self, files: list[int], seconds: float, patience: float | None) -> dict[str, Any]:
        program, _, channel, turn = files

        def become() -> NoReturn:
            self.cell.confine()
            source = os.pread(program, os.fstat(program).st_size, 0)
            null = os.open(os.devnull, os.O_RDWR)
            keep_only({0: null, 1: null, 2: null, _CHANNEL: channel})
            candidate.serve(_CHANNEL, source, self.limits["output_bytes"])

        running = Running(self.cell.fork(become), peer=channel, turn=Turn(turn))
        process = os.pidfd_open(running.process)
        most = CONTENTION * seconds
        outcome, ready = self.watch(running, most, seconds, process, channel, patience=patience)
        if process in ready:
            outcome = "crashed"
        os.close(process)
        ended = self.end(running, LIMIT_SHOWS if outcome == "crashed" else 0.0, seconds)
        socket.socket(fileno=os.dup(channel)).shutdown(socket.SHUT_RDWR)  # the judge sees that nobody answers any more
        return report("apart", final((outcome or "ended", ""), ended, running, most), running)


class Judges(Server):
    """Runs tests against programs that run elsewhere."""

    def run(self, files: list[int], share: float, patience: float | None, classes: list[str]) -> dict[str, Any]:
        """One trial, once its program is there; "skipped" where it never comes.

        Args:
            files: the judge's material, the socket to the program, and the file of a `Turn`.
            share: of the processor time that the limits grant.
            patience: as of `Programs.run`; then the judge's own limits of sleep and of wall time begin when its program
                has ended, since that may wait for a processor until then.
            classes: names of those that setup and program define in the same words.
        """
        material, channel, file = files
        turn, awaited = Turn(file), 0.0
        poll = select.poll()
        poll.register(channel, select.POLLIN | select.POLLRDHUP)
        poll.register(self.connection, select.POLLRDHUP)
        began = time.monotonic()
        while True:
            looked = time.monotonic()
            if ready := dict(poll.poll(PERIOD * 1000)):
                break
            awaited = looked + PERIOD - began  # at least: this server may wait for a processor
            turn.write(awaited)
        if self.connection.fileno() in ready:
            self.cell.leave()
        answer, answer_end = os.pipe()
        seconds = share * self.limits["cpu_seconds"]
        if not ready[channel] & select.POLLIN or not _has_bytes(channel):
            os.close(answer)
            os.close(answer_end)
            return {"outcome": "skipped", "exception": "", "doubt": "", "stage": "apart"} | _NO_SECONDS

        def become() -> NoReturn:
            self.cell.confine()
            null = os.open(os.devnull, os.O_RDWR)
            keep_only({0: null, 1: null, 2: null, _CHANNEL: channel, _MATERIAL: material, _ANSWER: answer_end})
            judge.serve(_CHANNEL, _MATERIAL, _ANSWER, self.limits["output_bytes"], self.packages, classes)

        running = Running(self.cell.fork(become), peer=channel)
        os.close(answer_end)
        most, asleep = CONTENTION * seconds, self.limits["wall_seconds"]

        def tell() -> None:  # a judge that does nothing waits for its program
            turn.write(awaited + running.slept_seconds)

        outcome, ready = "", [channel]
        if patience is not None:
            outcome, ready = self.watch(running, most, math.inf, answer, channel, patience=math.inf, looked=tell)
            patience = running.wall_seconds()
        if not outcome and answer not in ready:
            asleep += patience or 0.0
            outcome, ready = self.watch(running, most, asleep, answer, patience=patience, looked=tell)
        content = os.read(answer, PIECE) if ready else b""
        os.close(answer)
        found = accepted.judged_outcome(content)
        ended = self.end(running, 0.0 if found else LIMIT_SHOWS, seconds)
        outcome, exception, doubt = found or (outcome or "crashed", "", "")
        socket.socket(fileno=os.dup(channel)).shutdown(socket.SHUT_RDWR)  # the program's server ends it
        return report("apart", final((outcome, exception), ended, running, CONTENTION * seconds), running, doubt)


_NO_SECONDS = dict.fromkeys(("cpu_seconds", "own_seconds", "slept_seconds", "wall_seconds", "waited_seconds"), 0.0)


def _has_bytes(channel: int) -> bool:
    with socket.socket(fileno=os.dup(channel)) as end:
        return bool(end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
