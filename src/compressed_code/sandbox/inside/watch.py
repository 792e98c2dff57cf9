"""How much processor time and memory a whole process tree uses, and how long it waits, read from /proc."""

import contextlib
import os
import re
import time
from typing import NamedTuple

from .processes import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
# What a process has in memory: its pages, also those that lie on the machine's swap, where it may send them itself, and
# the tables by which the processor finds them, which take more than those where single pages lie far from each other.
_MEMORY = re.compile(rb"^(?:VmRSS|VmSwap|VmPTE):\s*(\d+) kB$", re.MULTILINE)
_READY = b"R"  # at work, or waiting for a processor


def counts_waiting(proc: int) -> bool:
    """Whether this kernel says how long a process was ready to run and had no processor."""
    return _read(proc, "self/schedstat") != b""


def tree_usage(proc: int, root: int, waits: bool = True, beside: int = 0) -> Usage:
    """What everything below a process has used: ended children count with their parents, others are still there.

    Args:
        proc: descriptor of an open /proc directory.
        root: process whose descendants are counted, itself not among them.
        waits: whether the kernel counts how long they wait; else all that is no work passes for waiting.
        beside: a process that does not count, nor what is below it.
    """
    rows = _rows(proc)
    rows.pop(beside, None)
    found = descendants(rows, root)
    seconds = sum(rows[process].ticks for process in found) / _TICKS
    schedules: dict[int, Schedule] = {}
    for process in found if waits else ():
        schedules |= _schedules(proc, process, rows[process])
    waiting = {task: each.waited for task, each in schedules.items()}
    waiting |= {} if waits else {root: time.monotonic()}  # ever since any process began
    ready = {task: each.worked for task, each in schedules.items() if each.ready}
    return Usage(seconds, waiting, sum(_memory(proc, process, rows[process]) for process in found), ready)


def processes_below(proc: int, root: int) -> list[int]:
    """The processes below a process."""
    return descendants(_rows(proc), root)


def descendants(rows: dict[int, "Row"], root: int) -> list[int]:
    """The processes whose chain of parents leads to `root`."""
    children: dict[int, list[int]] = {}
    for process, row in rows.items():
        children.setdefault(row.parent, []).append(process)
    found: list[int] = list(children.get(root, ()))
    for process in found:  # grows while it is walked
        found.extend(children.get(process, ()))
    return found


class Row(NamedTuple):
    """One process or thread: fields 3, 4, 14-17 and 20 of proc(5)'s stat."""

    state: bytes
    parent: int
    ticks: int
    threads: int


def _rows(proc: int) -> dict[int, Row]:
    rows = {}
    for name in os.listdir(proc):
        if name.isdigit() and (row := _row(proc, name)):
            rows[int(name)] = row
    return rows


def _row(proc: int, place: str) -> Row | None:
    """What is known of a process or thread; None where it is gone."""
    fields = _read(proc, f"{place}/stat").rpartition(b")")[2].split()
    return Row(fields[0], *map(int, (fields[1], sum(map(int, fields[11:15])), fields[17]))) if fields else None


def _memory(proc: int, process: int, row: Row) -> int:
    """Bytes. Of a process whose first thread has ended only the others tell."""
    found = _MEMORY.findall(_read(proc, f"{process}/status"))
    if not found and row.threads > 1:
        with contextlib.suppress(OSError):  # it is gone
            places = [f"{process}/task/{task}/status" for task in _tasks(proc, process)]
            found = next(filter(None, (_MEMORY.findall(_read(proc, place)) for place in places)), [])
    return 1024 * sum(map(int, found))


class Schedule(NamedTuple):
    """A thread: nanoseconds at work and seconds without a processor, as far as these are over (sched-stats.txt); and
    whether it is ready to run now."""

    worked: int
    waited: float
    ready: bool


def _schedules(proc: int, process: int, row: Row) -> dict[int, Schedule]:
    """The threads of a process, each for itself: of several that wait for each other all time would count as often."""
    places, rows = {process: str(process)}, {process: row}
    if row.threads > 1:
        try:
            places = {int(task): f"{process}/task/{task}" for task in _tasks(proc, process)}
        except OSError:  # it is gone
            places = {}
        rows = {task: each for task, place in places.items() if (each := _row(proc, place))}
    found = {}
    for task, each in rows.items():
        if content := _read(proc, f"{places[task]}/schedstat").split():
            found[task] = Schedule(int(content[0]), int(content[1]) / 1e9, each.state == _READY)
    return found


def _tasks(proc: int, process: int) -> list[str]:
    folder = os.open(f"{process}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
    try:
        return os.listdir(folder)  # noqa: PTH208 an open folder
    finally:
        os.close(folder)


def _read(proc: int, name: str) -> bytes:
    """The content of a file there; nothing where the process is gone."""
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=proc)
    except OSError:
        return b""
    try:
        return os.read(file, 4096)
    except OSError:
        return b""
    finally:
        os.close(file)
