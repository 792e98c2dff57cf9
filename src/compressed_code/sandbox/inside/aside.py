"""Where programs run for their judges: in children of a process that knows nothing of their plain runs.

A fork has its server's memory. Of what the server did meanwhile a program can tell without any sense how often it
looked at the plain run, so how long that took: by the number of objects until garbage is collected next, or by where
a new one lies. So a program could learn its test there and tell its judged run. Here another process waits meanwhile.
"""

import json
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

PIECE = 1 << 16
FILES = 4  # the most that come with a request


class Answering(Protocol):
    """Who is asked."""

    connection: socket.socket

    def run(self, files: list[int], **request: Any) -> dict[str, Any]:
        """What came of a request."""


class Aside:
    """A child that answers requests as its parent answers those of the caller; it ends with it."""

    def __init__(self, made: Callable[[socket.socket], Answering], inherited: socket.socket) -> None:
        """Start it.

        Args:
            made: who answers in the child, by the connection it gets.
            inherited: the parent's own connection, which the child closes.
        """
        self.connection, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = os.fork()
        if self.process == 0:
            self.connection.close()
            inherited.close()
            answer_requests(made(there))
        there.close()

    def ask(self, request: dict[str, Any], files: Sequence[int]) -> None:
        """Begin something."""
        socket.send_fds(self.connection, [json.dumps(request).encode()], files)

    def answer(self) -> dict[str, Any]:
        """What came of it."""
        content = self.connection.recv(PIECE)
        if not content:
            os._exit(1)  # it was killed; the caller starts over
        return json.loads(content)


def answer_requests(server: Answering) -> NoReturn:
    """Answer until the other end of the connection closes."""
    while True:
        request, files, _, _ = socket.recv_fds(server.connection, PIECE, FILES)
        if not request:
            os._exit(0)
        # No name keeps what came of it: every program of this process can find the names of its frames.
        server.connection.send(json.dumps(server.run(files, **json.loads(request))).encode())
        for file in files:
            os.close(file)
