"""How much memory a process may still take, and what it keeps of what it frees."""

import ctypes
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
# Where each version of control groups says its limit and what is used, and what files hold of that, which comes back.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}

# Parameters of glibc's mallopt, from malloc.h. Blocks up to the largest threshold that it takes are cut from the heap,
# whose freed end is kept up to so many bytes: a layer's results, 3 MB each, would else be paged in anew each time.
# Threads share one heap, so that each takes what another has freed.
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD, _ARENA_MAX = -3, -1, -2, -8
_KEPT = {_MMAP_THRESHOLD: 1 << 25, _TRIM_THRESHOLD: 1 << 28, _TOP_PAD: 1 << 26, _ARENA_MAX: 1}

# For the environment of a process of its own: glibc keeps what was freed whatever its size, up to 1 GB. A notebook
# spends a tenth of its time on fresh pages otherwise, a step of training half. Elsewhere than with glibc no effect.
KEEPING_ENVIRONMENT: Mapping[str, str] = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(1 << 26),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


def keep_freed_memory() -> None:
    """Have this process keep freed memory for the next result; elsewhere than with glibc nothing happens.

    A tenth of a pass over a model goes into fresh pages otherwise. What is larger than 32 MB goes back at once as ever.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _KEPT.items():
            mallopt(parameter, value)


def free_memory() -> int:
    """Bytes that can be taken without swapping: what is free, within the limits of control groups and `ulimit -v`."""
    import psutil

    free = [int(psutil.virtual_memory().available), *_left_of_groups()]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        free.append(max(0, address_space - psutil.Process().memory_info().vms))
    return min(free)


def _left_of_groups() -> Iterator[int]:
    """What each control group that this process is in has left: its own, and those around it.

    A container sees its own as the outermost, whatever name the machine has for it; names that lead nowhere are passed.
    """
    try:
        lines = _OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    paths = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    for version, place, path in ((1, _CGROUPS / "memory", paths.get("memory", "/")), (2, _CGROUPS, paths.get("", "/"))):
        own = PurePosixPath(path.lstrip("/"))
        for group in (own, *own.parents):
            yield from _left(place / group, *_FILES[version])


def _left(group: Path, limit_file: str, used_file: str, files: str) -> Iterator[int]:
    """What one group has left; nothing where it is none, or has no limit."""
    try:
        limit, used = ((group / name).read_text().strip() for name in (limit_file, used_file))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        if limit != "max":
            yield max(0, int(limit) - int(used) + int(stat.get(files, 0)))
    except (OSError, ValueError):  # no such limit here
        return
