"""How long a judge's side has waited for its program, in a file that the two servers of a trial share.

Only that tells a program that sleeps from one whose judge is at work, or waits for a processor: neither server sees
the processes of the other. Program and judge do not have the file.
"""

import os
import struct

_SECONDS = struct.Struct("<d")


class Turn:
    """Seconds in which it was the program's turn."""

    def __init__(self, file: int) -> None:
        """Args:
        file: open, and empty until somebody writes.
        """
        self.file = file

    def write(self, seconds: float) -> None:
        """Say how many there were until now."""
        os.pwrite(self.file, _SECONDS.pack(seconds), 0)

    def read(self) -> float:
        """What was said last; 0 where nothing was."""
        content = os.pread(self.file, _SECONDS.size, 0)
        return _SECONDS.unpack(content)[0] if content else 0.0
