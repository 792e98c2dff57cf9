"""Length-prefixed messages over the one socket between the program and its judge."""

import os
import struct

_HEADER = struct.Struct("<Q")
_PIECE = 1 << 16


class Closed(Exception):
    """The other side is gone."""


class Oversized(Exception):
    """The other side announced a message beyond the limit."""


def send(descriptor: int, message: bytes) -> None:
    """Write one message.

    Raises:
        Closed: nobody reads any more.
    """
    left = memoryview(_HEADER.pack(len(message)) + message)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        raise Closed from None


def receive(descriptor: int, limit: int) -> bytes:
    """Read one message of at most `limit` bytes.

    Raises:
        Closed: the other side ended before the message was complete.
        Oversized: the message is longer.
    """
    (length,) = _HEADER.unpack(_read(descriptor, _HEADER.size))
    if length > limit:
        raise Oversized
    return _read(descriptor, length)


def _read(descriptor: int, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        try:
            piece = os.read(descriptor, min(length - len(content), _PIECE))
        except OSError:
            raise Closed from None
        if not piece:
            raise Closed
        content += piece
    return bytes(content)
