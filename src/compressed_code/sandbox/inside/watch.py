"""How much processor time and memory a whole process tree uses, and how long it waits, read from /proc."""

import os
import time
from typing import NamedTuple

from .processes import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def counts_waiting(proc: int) -> bool:
    """Whether this kernel says how long a process was ready to run and had no processor."""
    return _read(proc, "self/schedstat") != b""


def tree_usage(proc: int, root: int, waits: bool = True) -> Usage:
    """What everything below a process has used: ended children count with their parents, others are still there.

    Args:
        proc: descriptor of an open /proc directory.
        root: process whose descendants are counted, itself not among them.
        waits: whether the kernel counts how long they wait; else all that is no work passes for waiting.
    """
    rows = _rows(proc)
    found = descendants(rows, root)
    seconds = sum(rows[process].ticks for process in found) / _TICKS
    waiting = {process: _waiting(proc, process, rows[process].threads) for process in found if waits}
    waiting |= {} if waits else {root: time.monotonic()}  # ever since any process began
    return Usage(seconds, waiting, sum(rows[process].pages for process in found) * _PAGE)


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
    """One process: fields 4, 14-17, 20 and 24 of proc(5)'s stat."""

    parent: int
    ticks: int
    threads: int
    pages: int


def _rows(proc: int) -> dict[int, Row]:
    rows = {}
    for name in os.listdir(proc):
        if name.isdigit() and (content := _read(proc, f"{name}/stat")):
            fields = content.rpartition(b")")[2].split()
            ticks = sum(map(int, fields[11:15]))
            rows[int(name)] = Row(int(fields[1]), ticks, int(fields[17]), int(fields[21]))
    return rows


def _waiting(proc: int, process: int, threads: int) -> float:
    """Seconds in which a process was ready to run and had no processor (sched-stats.txt); 0 where it is gone."""
    names = [f"{process}/schedstat"]
    if threads > 1:
        try:
            names = [f"{process}/task/{task}/schedstat" for task in _tasks(proc, process)]
        except OSError:
            return 0.0
    contents = [_read(proc, name).split() for name in names]
    return sum(int(content[1]) for content in contents if len(content) > 1) / 1e9


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
