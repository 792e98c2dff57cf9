"""How much processor time and memory a whole process tree uses, read from /proc."""

import os

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_usage(proc: int, root: int) -> tuple[float, int]:
    """Processor seconds (ended and awaited children included) and resident bytes of everything below a process.

    Args:
        proc: descriptor of an open /proc directory.
        root: process whose descendants are counted, itself not among them.
    """
    rows = _rows(proc)
    seconds, resident = 0.0, 0
    for process in descendants(rows, root):
        _, ticks, pages = rows[process]
        seconds += ticks / _TICKS
        resident += pages * _PAGE
    return seconds, resident


def processes_below(proc: int, root: int) -> list[int]:
    """The processes below a process."""
    return descendants(_rows(proc), root)


def descendants(rows: dict[int, tuple[int, int, int]], root: int) -> list[int]:
    """The processes whose chain of parents leads to `root`."""
    children: dict[int, list[int]] = {}
    for process, (parent, _, _) in rows.items():
        children.setdefault(parent, []).append(process)
    found: list[int] = list(children.get(root, ()))
    for process in found:  # grows while it is walked
        found.extend(children.get(process, ()))
    return found


def _rows(proc: int) -> dict[int, tuple[int, int, int]]:
    """Parent, ticks and resident pages of each process (fields 4, 14-17 and 24 of proc(5)'s stat)."""
    rows = {}
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            file = os.open(f"{name}/stat", os.O_RDONLY, dir_fd=proc)
        except OSError:
            continue
        try:
            fields = os.read(file, 4096).rpartition(b")")[2].split()
        except OSError:
            continue
        finally:
            os.close(file)
        rows[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]))
    return rows
