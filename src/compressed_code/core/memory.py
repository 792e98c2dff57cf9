"""How much memory a process may still take."""

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that can be taken without swapping, within the limit of the container where there is one."""
    import psutil

    available = int(psutil.virtual_memory().available)
    left = _of_container()
    return available if left is None else min(available, left)


def _of_container() -> int | None:
    """Of control groups, version 2; what files hold in memory can be given back and counts as free."""
    try:
        limit, used = ((_CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return None if limit == "max" else int(limit) - int(used) + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):  # no such limit here
        return None
