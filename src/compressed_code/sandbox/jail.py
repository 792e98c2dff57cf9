"""One jail as seen from outside: start it, ask it, end it with everything in it."""

import contextlib
import json
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from typing import Any

from compressed_code.sandbox import isolators
from compressed_code.sandbox.inside import launch
from compressed_code.sandbox.isolators import Role
from compressed_code.sandbox.trials import Limits

_END_SECONDS = 5.0
_MESSAGE = 1 << 16


class Dead(Exception):
    """The worker ended or stopped answering."""


class Jail:
    """One running jail, with the answers that it has given and nobody has taken yet."""

    def __init__(self, isolation: isolators.Isolation, role: Role, limits: Limits, packages: tuple[str, ...]) -> None:
        self.answers: deque[dict[str, Any]] = deque()
        self.socket, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 closed in stop()
        with inner:
            self.process = subprocess.Popen(
                isolators.command(isolation, role, limits, inner.fileno(), packages),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                pass_fds=[inner.fileno()],
                env=launch.ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )

    def send(self, request: dict[str, Any], files: Sequence[int]) -> None:
        with contextlib.suppress(OSError):  # it shows as Dead when the answer is awaited
            socket.send_fds(self.socket, [json.dumps(request).encode()], files)

    def receive(self) -> Any:
        """The next message, which is there.

        Raises:
            Dead: there will be none.
        """
        try:
            content = self.socket.recv(_MESSAGE, socket.MSG_DONTWAIT)
        except OSError as error:
            raise Dead from error
        if not content:
            raise Dead
        return json.loads(content)

    def stop(self) -> None:
        """End the jail and everything in it; all its processes are gone afterwards."""
        self.socket.close()  # the server ends by itself when it sees this
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def last_error(self) -> str:
        self.process.poll()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
