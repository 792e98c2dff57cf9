"""What both kinds of server have in common: one process at a time, the watch over it, and what is said of it."""

import os
import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from . import cells
from .processes import Ended, Running

PERIOD = 0.05
LIMIT_SHOWS = 0.2  # seconds that the kernel gets to end a process whose socket it has closed


class Caller(Protocol):
    """Where requests come from."""

    def fileno(self) -> int:
        """Its descriptor."""

    def send(self, message: bytes, /) -> int:
        """Tell them something."""


class Server:
    """What both kinds have in common: one process at a time, and the watch over it."""

    def __init__(
        self, limits: dict[str, Any], cell: cells.Cell | cells.OpenCell, connection: Caller, packages: list[str]
    ) -> None:
        """Args:
        connection: closed at its other end when nobody waits for answers any more.
        packages: packages that were loaded for programs and tests.
        """
        self.limits = limits
        self.cell = cell
        self.connection = connection
        self.packages = packages
        self.processors = os.cpu_count() or 1

    def watch(
        self,
        running: Running,
        seconds: float,
        asleep: float,
        *files: int,
        patience: float | None = None,
        looked: Callable[[], None] = lambda: None,
    ) -> tuple[str, list[int]]:
        """Wait for one of some files, or the first limit.

        Args:
            seconds: of processor time.
            asleep: seconds that the process may do nothing while it is its turn, without waiting for a processor.
            files: a running process's `peer` is waited for to be closed at its other end.
            patience: where it is a number the limit of wall time does not count waiting for a processor, nor when it is
                not the process's turn, and lies so many seconds further off.
            looked: called after each look at what was used.

        Returns:
            The limit that was hit, or nothing and the files that have something to read or are closed.
        """
        poll = select.poll()
        for file in files:
            poll.register(file, select.POLLIN if file != running.peer else select.POLLRDHUP)
        poll.register(self.connection, select.POLLRDHUP)
        look = running.start + PERIOD
        while True:
            ready = [file for file, _ in poll.poll(PERIOD * 1000)]
            if self.connection.fileno() in ready:
                self.cell.leave()  # nobody waits for the answer
            if ready:
                return "", ready
            if time.monotonic() >= look:
                outcome, look = self.limit(running, seconds, asleep, patience), time.monotonic() + PERIOD
                looked()
                if outcome:
                    return outcome, []

    def limit(self, running: Running, seconds: float, asleep: float, patience: float | None = None) -> str:
        """The limit that a process has hit by now, or nothing; arguments as of `watch`."""
        used = self.cell.usage()
        running.note(used)
        if running.cpu_seconds > seconds or running.slept_seconds > asleep:
            return "timeout"
        allowed = 0.0 if patience is None else patience + running.waited_seconds() + running.others_seconds
        if running.wall_seconds() > self.limits["wall_seconds"] + allowed:
            return "timeout"
        return "memory" if used.resident > self.limits["memory_bytes"] else ""

    def end(self, running: Running, patience: float, seconds: float) -> Ended:
        """End a process and all that it started, with all the processor time that they used.

        One that was so short that all processors together could not use up its limit is not looked at for children that
        it did not wait for; what it and the others used is known anyway.

        Args:
            patience: seconds in which it may end by itself.
            seconds: its limit of processor time.
        """
        ended = running.ended(patience)
        if not ended:
            if running.wall_seconds() > min(PERIOD, seconds / self.processors):
                running.note(self.cell.usage())
            ended = running.end()
        self.cell.clean()
        return ended


def final(found: tuple[str, str], ended: Ended, running: Running, seconds: float) -> tuple[str, str]:
    """Outcome and exception, now that it is known how the process ended and what it had used."""
    if running.cpu_seconds > seconds:
        return "timeout", ""
    # The kernel kills for lack of memory, and for processor time, which shows above.
    return ("memory", "") if found[0] == "crashed" and ended.killed else found


def report(stage: str, found: tuple[str, str], running: Running, doubt: str = "") -> dict[str, Any]:
    seconds = {"cpu_seconds": running.cpu_seconds, "own_seconds": max(running.cpu_seconds, running.own_seconds())}
    seconds |= {"slept_seconds": running.slept_seconds}
    seconds |= {"wall_seconds": running.wall_seconds(), "waited_seconds": running.waited_seconds()}
    return {"outcome": found[0], "exception": found[1], "doubt": doubt, "stage": stage, **seconds}
