"""One jail as seen from outside: start it, hand it trials, read its verdicts."""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass

from compressed_code.core.errors import Unavailable
from compressed_code.sandbox import isolators
from compressed_code.sandbox.inside import launch
from compressed_code.sandbox.trials import Limits, Trial, Verdict

_START_SECONDS = 60.0
_GRACE_SECONDS = 30.0
_END_SECONDS = 5.0
_MESSAGE = 1 << 16
# A correct program, if it has nothing but its standard streams and the channel to its judge.
_PROBE = Trial(
    """
import os

def opened():
    numbers = []
    for number in range(4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        numbers.append(number)
    return numbers
""",
    "",
    "def check(candidate):\n    assert candidate() == [0, 1, 2, 3]\n",
    "opened",
)


class Dead(Exception):
    """The worker ended or stopped answering."""


@dataclass(frozen=True)
class Assignment:
    """A trial with its place in the caller's order, and the share of the time limits that it gets."""

    place: int
    trial: Trial
    share: float = 1.0


class Worker:
    """A running jail with the trials it was given and has not answered yet, oldest first."""

    def __init__(self, isolation: isolators.Isolation, limits: Limits, packages: tuple[str, ...] = ()) -> None:
        """Start the jail without waiting for it; `check` does.

        Raises:
            InputError: a package is not installed.
            Unavailable: this machine lacks what the isolator needs.
        """
        self.isolation = isolation
        self.limits = limits
        self.packages = packages
        self.tasks: deque[Assignment] = deque()
        self.deadline = time.monotonic() + _START_SECONDS
        self.socket, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 closed in stop()
        with inner:
            self.process = subprocess.Popen(
                isolators.command(isolation, limits, inner.fileno(), packages),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                pass_fds=[inner.fileno()],
                env=launch.ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )

    def check(self) -> None:
        """Let the jail judge one correct program before it is trusted with others.

        Raises:
            Unavailable: it does not start, or gets that program wrong; the message is the jail's own.
        """
        outcome = "not at all"
        try:
            self._message()
            self.send(Assignment(0, _PROBE))
            outcome = self.receive()[1].outcome
        except Dead:
            self.tasks.clear()
        if outcome != "passed":
            raise Unavailable(self._last_error() or f"a correct program was judged {outcome}")

    def restart(self) -> None:
        """Start over with a new jail, without the trials of the old one."""
        self.stop()
        self.__init__(self.isolation, self.limits, self.packages)
        self.check()

    def send(self, task: Assignment) -> None:
        """Queue a trial; the jail takes them one after another."""
        trial = task.trial
        material = json.dumps({"setup": trial.setup, "test": trial.test, "entry_point": trial.entry_point})
        files = [_file(trial.program.encode("utf-8", "surrogatepass")), _file(material.encode())]
        if not self.tasks:
            self._extend_deadline()
        self.tasks.append(task)
        try:
            socket.send_fds(self.socket, [json.dumps(task.share).encode()], files)
        except OSError:
            pass  # it shows as Dead when the answer is awaited
        finally:
            for file in files:
                os.close(file)

    def receive(self) -> tuple[Assignment, Verdict]:
        """The oldest trial and its verdict; waits for it.

        Raises:
            Dead: there will be no answer.
        """
        answer = self._message()
        self._extend_deadline()
        return self.tasks.popleft(), Verdict(**answer)

    def stop(self) -> None:
        """End the jail and everything in it; all its processes are gone afterwards."""
        self.socket.close()  # the server ends by itself when it sees this
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def _message(self) -> dict:
        self.socket.settimeout(max(0.001, self.deadline - time.monotonic()))
        try:
            content = self.socket.recv(_MESSAGE)
        except OSError as error:
            raise Dead from error
        if not content:
            raise Dead
        return json.loads(content)

    def _extend_deadline(self) -> None:
        self.deadline = time.monotonic() + self.limits.wall_seconds + _GRACE_SECONDS

    def _last_error(self) -> str:
        self.process.poll()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def _file(content: bytes) -> int:
    """An open file in memory that holds some bytes."""
    file = os.memfd_create("trial")
    os.write(file, content)
    return file
