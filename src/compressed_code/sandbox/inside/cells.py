"""Where the processes of one trial run, what they may use, and how nothing of them stays."""

import contextlib
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import linux_calls, syscall_filter, watch
from .processes import Usage, fork

WORK = "/tmp"
_FILES_ON_DISK = 4096
_OPEN_FILES = 64


class Cell:
    """A jail of namespaces: each process gets a process namespace of its own; a program has an empty throw-away
    directory, a judge has none."""

    beside = 0  # a child of this process that is none of a trial's (`aside`)

    def __init__(self, limits: dict[str, Any], role: str) -> None:
        self.limits = limits
        self.judges = role == "judges"
        self.filter = syscall_filter.for_this_machine(role)
        # Only root can give a jail two users; the program is then another one than the server.
        self.two_users = len(Path("/proc/self/uid_map").read_text().splitlines()) > 1
        self.own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self.proc = os.open("/proc", os.O_RDONLY)
        self.waits = watch.counts_waiting(self.proc)
        linux_calls.unmount("/proc")
        for device in Path("/dev").iterdir():
            if device.is_char_device():  # anyone may write to it, and so set its time to now, for all to see
                linux_calls.make_read_only(str(device), device=True)
        if not self.judges:
            self.mount_work()
        _limit(limits)
        # Counted for this user in this namespace (Linux 5.14 and newer), so with one user only the server counts, too,
        # and what runs programs for their judges beside it.
        processes = limits["processes"] + (0 if self.two_users else 1 if self.judges else 2)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        self.check_process_limit()

    def check_process_limit(self) -> None:
        """Refuse a machine where the limit does not bind, as for the real root in a namespace of one user."""

        def fork_beyond_limit() -> NoReturn:
            self.give_up_privileges()
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            try:
                os._exit(1 if os.fork() else 0)
            except BlockingIOError:
                os._exit(0)

        _, status = os.waitpid(fork(fork_beyond_limit), 0)
        if status != 0:
            raise OSError("processes cannot be limited here; run as another user than root, or as the machine's root")

    def mount_work(self) -> None:
        options = f"size={self.limits['disk_bytes']},nr_inodes={_FILES_ON_DISK},mode=1777"
        flags = linux_calls.MS_NOSUID | linux_calls.MS_NODEV | linux_calls.MS_NOEXEC | linux_calls.MS_NOATIME
        linux_calls.mount("tmpfs", WORK, "tmpfs", flags, options)

    def fork(self, body: Callable[[], NoReturn]) -> int:
        """Run `body` in a child, the first process of a new process namespace: whatever it starts ends with it."""
        linux_calls.unshare(linux_calls.CLONE_NEWPID)
        try:
            return fork(body)
        finally:
            linux_calls.join_namespace(self.own_processes, linux_calls.CLONE_NEWPID)

    def confine(self) -> None:
        """Take everything from this process that a program, or a judge, does not need."""
        limit_processor_time(self.limits)
        os.setpgid(0, 0)  # a process group reaches across process namespaces: kill(0) would meet the server
        if self.judges:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        self.give_up_privileges()
        syscall_filter.install(self.filter)
        os.chdir("/" if self.judges else WORK)

    def give_up_privileges(self) -> None:
        if self.two_users:
            os.setgroups([])
            os.setresgid(1, 1, 1)
            os.setresuid(1, 1, 1)
        linux_calls.drop_capabilities()

    def usage(self) -> Usage:
        """What the trial has used so far."""
        return watch.tree_usage(self.proc, os.getpid(), self.waits, self.beside)

    def clean(self) -> None:
        """Give the next program a directory of its own: an empty one that was used still tells by its times, attributes
        and numbers of files."""
        if not self.judges:
            linux_calls.unmount(WORK)
            self.mount_work()

    def leave(self) -> NoReturn:
        """End everything: with the jail's first process the kernel ends all others."""
        os._exit(0)


class OpenCell:
    """No jail: limits, an own directory and no new processes, but the user's files are in reach."""

    def __init__(self, limits: dict[str, Any], role: str) -> None:
        self.limits = limits
        self.judges = role == "judges"
        # Nothing here could count or find all processes of a program, so it gets only its first one.
        self.filter = syscall_filter.for_this_machine(role, processes=False)
        self.proc = os.open("/proc", os.O_RDONLY)
        self.waits = watch.counts_waiting(self.proc)
        self.folder = ""
        self.place = tempfile.gettempdir()  # found in the environment, which is cleared below
        linux_calls.set_process_flag(linux_calls.PR_SET_CHILD_SUBREAPER, 1)  # orphans come back here and are found
        linux_calls.set_process_flag(linux_calls.PR_SET_DUMPABLE, 0)
        _limit(limits)

    def fork(self, body: Callable[[], NoReturn]) -> int:
        """Run `body` in a child, a program in a directory of its own."""
        if not self.judges:
            self.folder = tempfile.mkdtemp(prefix="unsafe-execution-", dir=self.place)
        return fork(body)

    def confine(self) -> None:
        """Limits, and no new privileges or processes."""
        linux_calls.set_process_flag(linux_calls.PR_SET_PDEATHSIG, signal.SIGKILL)
        limit_processor_time(self.limits)
        os.setsid()
        linux_calls.drop_capabilities()
        syscall_filter.install(self.filter)
        os.chdir(self.folder or "/")

    def usage(self) -> Usage:
        """What the trial has used so far."""
        return watch.tree_usage(self.proc, os.getpid(), self.waits)

    def clean(self) -> None:
        """Kill what the program left running and remove its directory."""
        while left := watch.processes_below(self.proc, os.getpid()):
            for process in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):  # not ours yet: its parent was killed before it
                    os.waitpid(process, 0)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> NoReturn:
        """End everything."""
        self.clean()
        os._exit(0)


def limit_processor_time(limits: dict[str, Any]) -> None:
    """The kernel's own limit, in whole seconds, far behind the server's, which counts the whole tree.

    The kernel counts for this limit the ticks of its clock that find a process at work: on a busy machine a tenth more
    than it used, or more than that. Were the limit near, the kernel would kill before the server's limit is reached,
    which looks like lack of memory.
    """
    seconds = kernel_seconds(limits["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def kernel_seconds(cpu_seconds: float) -> int:
    """The kernel's limit of processor time where the server's is so many seconds."""
    return 4 * math.ceil(cpu_seconds) + 1


def _limit(limits: dict[str, Any]) -> None:
    """What every process of the jail inherits."""
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        # Of 0 bytes the kernel writes no file, but still starts a handler (a core_pattern with a pipe) outside of all
        # jails and feeds it the process; of 1 byte it does neither.
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, _OPEN_FILES),
    ):
        _, highest = resource.getrlimit(kind)
        most = value if highest == resource.RLIM_INFINITY else min(value, highest)
        resource.setrlimit(kind, (most, most))
    os.environ.clear()
    os.umask(0o077)
    sys.argv = [""]
    sys.stdout.reconfigure(errors="backslashreplace")
