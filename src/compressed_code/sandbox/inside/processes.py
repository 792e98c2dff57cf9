"""Starting and ending the processes of the fork server."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .turn import Turn

# Two programs that share a processor's core use up to twice the processor time that each of them needs alone; the
# caller repeats what took more than its own.
CONTENTION = 2.0
_SPARE = 40  # the server itself never has as many files open


@dataclass(frozen=True)
class Usage:
    """What a tree of processes has used so far.

    Attributes:
        cpu_seconds: processor time, that of ended children included.
        waiting_seconds: time that threads were ready to run and had no processor, by thread, as far as it is over.
        resident: bytes in memory.
        ready: nanoseconds at work, by thread, of those that are at work or wait for a processor now.
    """

    cpu_seconds: float
    waiting_seconds: dict[int, float]
    resident: int
    ready: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        killed: ended by a SIGKILL that its server did not send; that is the kernel, for lack of memory or a limit.
        code: what it exited with, or the number of the signal that ended it below 0.
    """

    killed: bool
    code: int


class Running:
    """A process that was started, and what it and its descendants have used."""

    def __init__(self, process: int, peer: int | None = None, turn: Turn | None = None) -> None:
        """Args:
        process: just forked.
        peer: a socket whose other end's closing is waited for.
        turn: tells of a program how long it was its turn; without it, it always is.
        """
        self.process, self.peer = process, peer
        self.turn, self.earlier = turn, turn.read() if turn else 0.0  # before it was there
        self.start = time.monotonic()
        self.cpu_seconds = 0.0
        self.waited: dict[int, float] = {}
        self.stalls: list[tuple[float, float]] = []  # when anything waited for a processor, apart and in their order
        self.ready: dict[int, int] = {}
        self.noted = self.start
        # As of the last look: when it was not its turn, and when it was, and it did nothing though it had a processor.
        self.others_seconds = self.slept_seconds = 0.0

    def note(self, used: Usage) -> None:
        """Take in what is used so far; what has ended meanwhile stays counted.

        Time in which several threads or processes wait at once passes once: a program in which they wait for each other
        could sleep for as long as all of them together. What is ready and did not work since the last call has waited
        since.
        """
        self.cpu_seconds = max(self.cpu_seconds, used.cpu_seconds)
        now = time.monotonic()
        grown = [seconds - self.waited.get(process, 0.0) for process, seconds in used.waiting_seconds.items()]
        begin = max(self.start, now - max(grown, default=0.0))
        if any(self.ready.get(process) == worked for process, worked in used.ready.items()):
            begin = min(begin, self.noted)
        self.ready, self.noted = used.ready, now
        while self.stalls and self.stalls[-1][1] >= begin:
            begin = min(begin, self.stalls.pop()[0])
        self.stalls.append((begin, now))
        self.waited |= used.waiting_seconds
        passed = now - self.start
        if self.turn:
            self.others_seconds = max(0.0, passed - (self.turn.read() - self.earlier))
        self.slept_seconds = passed - self._stalled() - self.cpu_seconds - self.others_seconds

    def _stalled(self) -> float:
        """Time in which anything waited: at least as long as one of them did, whose waits may seem to overlap."""
        together = sum(end - begin for begin, end in self.stalls)
        return min(self.noted - self.start, max(together, self.waited_seconds()))

    def wall_seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    def own_seconds(self) -> float:
        """Time awake or asleep, without that in which a busy machine had no processor for it."""
        return self.wall_seconds() - self._stalled()

    def waited_seconds(self) -> float:
        """The longest time that one of its threads had no processor; 0 where the kernel does not tell."""
        return max(filter(math.isfinite, self.waited.values()), default=0.0)

    def ended(self, patience: float) -> Ended | None:
        """How it ended by itself within some seconds, if it did."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            found, status, usage = os.wait4(self.process, os.WNOHANG)
            if found:
                return self._ended(status, usage, ours=False)
            time.sleep(0.001)
        return None

    def end(self) -> Ended:
        """Kill it, and with it all that its process namespace holds."""
        os.kill(self.process, signal.SIGKILL)
        _, status, usage = os.wait4(self.process, 0)
        return self._ended(status, usage, ours=True)

    def _ended(self, status: int, usage: Any, ours: bool) -> Ended:
        self.cpu_seconds = max(self.cpu_seconds, usage.ru_utime + usage.ru_stime)
        code = os.waitstatus_to_exitcode(status)
        return Ended(not ours and code == -signal.SIGKILL, code)


def fork(body: Callable[[], NoReturn]) -> int:
    """Run `body` in a child that never comes back into the server's code."""
    process = os.fork()
    if process == 0:
        try:
            body()
        except BaseException as error:
            # Before the program starts this is the server's own standard error, afterwards the captured output.
            with contextlib.suppress(BaseException):
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(1)
    return process


def keep_low(descriptor: int) -> int:
    """Give an open file the lowest number that is free, and close every file above it.

    What started this process may have had more files open than the processes here are allowed; those they could not
    close by number any more once the limit stands.
    """
    low = os.dup(descriptor)
    if low > descriptor:
        os.close(low)
        low = descriptor
    os.closerange(low + 1, os.sysconf("SC_OPEN_MAX"))
    return low


def keep_only(descriptors: dict[int, int]) -> None:
    """Give open files the numbers that a process expects and close every other one."""
    for number, file in descriptors.items():
        os.dup2(file, _SPARE + number)
    for number in range(max(descriptors) + 1):
        if number in descriptors:
            os.dup2(_SPARE + number, number)
        else:
            with contextlib.suppress(OSError):
                os.close(number)
    os.closerange(max(descriptors) + 1, os.sysconf("SC_OPEN_MAX"))
