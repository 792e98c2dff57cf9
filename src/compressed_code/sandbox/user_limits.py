"""Whether the user may have what a sandbox needs and its limits grant, seen before anything is judged."""

import os
import resource
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.sandbox.inside.cells import kernel_seconds
from compressed_code.sandbox.trials import Limits

# Of each jail of a worker what starts it, its server, and the process that makes its namespace; of that for programs
# also the one that runs them for their judges.
_PROCESSES_OF_A_WORKER = 7
_FILES_OF_A_WORKER = 16  # two sockets, two captured outputs, and the files of the trials that are on their way
_FILES_BESIDE = 32  # what the rest of the program opens meanwhile
LEAST_FILES = 64  # in each process of a jail


def check_room(workers: int, processes: int) -> None:
    """Refuse a user's limits under which programs would fail that are right.

    Args:
        workers: pairs of jails that run side by side.
        processes: processes and threads that a program may have.

    Raises:
        InputError: `ulimit -u` or `ulimit -n` allows too few.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    needed = max(opened + workers * _FILES_OF_A_WORKER + _FILES_BESIDE, LEAST_FILES)
    _check("n", "open files", files, needed, f"{opened} are open", workers)
    allowed, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    running = 0 if os.getuid() == 0 else _running(os.getuid())
    needed = running + workers * (processes + _PROCESSES_OF_A_WORKER)
    _check("u", "processes", allowed, needed, f"{running} run already", workers)


def check_limits(limits: Limits) -> None:
    """Refuse a user's limits below those of a trial: a program that is right within its own would fail by the others.

    Raises:
        InputError: `ulimit -v`, `-d`, `-f` or `-t` allows less.
    """
    for letter, what, kind, needed, unit in (
        ("v", "KiB of address space", resource.RLIMIT_AS, limits.memory_bytes, 1024),
        ("d", "KiB of data", resource.RLIMIT_DATA, limits.memory_bytes, 1024),
        ("f", "KiB in a file", resource.RLIMIT_FSIZE, limits.file_bytes, 1024),
        ("t", "seconds of processor time", resource.RLIMIT_CPU, kernel_seconds(limits.cpu_seconds), 1),
    ):
        _, allowed = resource.getrlimit(kind)
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise InputError(
                f"ulimit -{letter} allows {allowed // unit} {what}, and programs may have {needed // unit};"
                f" raise it (ulimit -{letter} {needed // unit})"
            )


def _check(letter: str, what: str, allowed: int, needed: int, now: str, workers: int) -> None:
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise InputError(
            f"ulimit -{letter} allows {allowed} {what}, of which {now}, and {workers} workers need {needed} in all;"
            f" raise it (ulimit -{letter} {needed}), or take fewer workers"
        )


def _running(user: int) -> int:
    """Processes and threads of a user, which the limit counts alike."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == user:
                count += len(list((folder / "task").iterdir()))
        except OSError:  # it ended meanwhile
            continue
    return count
