"""Starting and ending the processes of the fork server."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

_SPARE = 40  # the server itself never has as many files open


class Ended:
    """How a process ended, and the processor seconds that it and the children it waited for had used.

    Attributes:
        killed: ended by a SIGKILL that `end` did not send; that is the kernel, for lack of memory or a limit.
    """

    def __init__(self, status: int, usage: Any, ours: bool) -> None:
        self.killed = not ours and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        self.cpu_seconds = usage.ru_utime + usage.ru_stime


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
    for number in descriptors:
        os.dup2(_SPARE + number, number)
    os.closerange(max(descriptors) + 1, os.sysconf("SC_OPEN_MAX"))


def end(process: int, patience: float = 0.0) -> Ended:
    """Wait `patience` seconds for a child to end by itself, then kill it."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found, status, usage = os.wait4(process, os.WNOHANG)
        if found:
            return Ended(status, usage, ours=False)
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    _, status, usage = os.wait4(process, 0)
    return Ended(status, usage, ours=True)
