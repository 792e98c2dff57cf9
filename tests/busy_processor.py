"""A processor that others use, too: programs that should get their verdict all the same."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # a test that is killed ends nothing


@contextmanager
def busy_processor(others: int = 3) -> Iterator[None]:
    """Everything that starts meanwhile shares one processor with endless loops, each of a session of its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    loops = [subprocess.Popen([sys.executable, "-S", "-c", LOOP], start_new_session=True) for _ in range(others)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        os.sched_setaffinity(0, before)
