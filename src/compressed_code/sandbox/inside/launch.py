"""Starts a jail: enters a user namespace, then lets bubblewrap make the other ones or makes the same by hand."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from . import linux_calls

# The same order of sets, so the same verdict, every time; no threads beside those a program starts.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_DEVICES = ("null", "full", "random", "urandom")  # not zero: it gives memory that no process is seen to use
_FROM_THE_END = 16
_STAGE = "/tmp"  # exists everywhere; only this process ever sees what is mounted over it


def main(plan: dict[str, Any]) -> NoReturn:
    """Become the jail.

    Args:
        plan: `isolation` ("bubblewrap" or "namespaces"), `bubblewrap` (its program), `shown` (pairs of a real path and
            where it appears, read-only), `hidden` (folders below those that appear empty), `writable` (whether there is
            a place for a throw-away directory), `user` (which of the powerless users it gets), `command` (what runs).
    """
    enter_user_namespace(plan["user"])
    if plan["isolation"] == "bubblewrap":
        os.execv(plan["bubblewrap"], [plan["bubblewrap"], *bubblewrap_options(plan), *plan["command"]])
    namespaces = linux_calls.CLONE_NEWNS | linux_calls.CLONE_NEWPID | linux_calls.CLONE_NEWNET
    linux_calls.unshare(namespaces | linux_calls.CLONE_NEWIPC | linux_calls.CLONE_NEWUTS | linux_calls.CLONE_NEWCGROUP)
    process = os.fork()
    if process == 0:
        linux_calls.set_process_flag(linux_calls.PR_SET_PDEATHSIG, signal.SIGKILL)
        build_root(plan)
        os.execve(plan["command"][0], plan["command"], ENVIRONMENT)
    _, status = os.waitpid(process, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def enter_user_namespace(which: int) -> None:
    """Become root of a new user namespace; where this is the machine's root, with a second, powerless user.

    Without root there is one user only: the caller's own.

    Args:
        which: jails with different numbers get different users.
    """
    user, group = _unused_identity("uid", which), _unused_identity("gid", which)
    if os.getuid() != 0 or user is None or group is None:
        maps = f"0 {os.getuid()} 1", f"0 {os.getgid()} 1"
        linux_calls.unshare(linux_calls.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        _write_maps("self", *maps)
        return
    # Two users can only be mapped from outside the new namespace, so a child that stays there does it.
    parent = os.getpid()
    here, there = socket.socketpair()
    helper = os.fork()
    if helper == 0:
        there.recv(1)
        _write_maps(parent, f"0 0 1\n1 {user} 1", f"0 0 1\n1 {group} 1")
        os._exit(0)
    linux_calls.unshare(linux_calls.CLONE_NEWUSER)
    here.send(b"x")
    _, status = os.waitpid(helper, 0)
    if status != 0:
        raise OSError("the users of the jail could not be mapped")


def _write_maps(process: int | str, users: str, groups: str) -> None:
    Path(f"/proc/{process}/uid_map").write_text(users)
    Path(f"/proc/{process}/gid_map").write_text(groups)


def _unused_identity(kind: str, which: int) -> int | None:
    """A user or group near the upper end of those this machine (or container) knows, where no account lives."""
    start, _, count = map(int, Path(f"/proc/self/{kind}_map").read_text().splitlines()[-1].split())
    return start + count - _FROM_THE_END + which if count > _FROM_THE_END else None


def bubblewrap_options(plan: dict[str, Any]) -> list[str]:
    """What bubblewrap is told: every namespace but the user's, which this process entered already, and few files.

    The server inside keeps root's powers over the jail, which it needs to start each program in a process namespace
    of its own; the programs get none.
    """
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-add", "ALL", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    # Without being told, bubblewrap closes the folders above a path to the program's user.
    above = {str(folder) for _, target in plan["shown"] for folder in Path(target).parents} - {"/"}
    for folder in sorted({*above, "/dev", *(["/tmp"] if plan["writable"] else [])}):
        options += ["--perms", "0755", "--dir", folder]
    for source, target in plan["shown"]:
        options += ["--ro-bind", source, target]
    for folder in plan["hidden"]:
        options += ["--tmpfs", folder, "--remount-ro", folder]
    for device in _DEVICES:
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    options += ["--proc", "/proc", *(["--symlink", "/tmp", "/dev/shm"] if plan["writable"] else [])]
    return [*options, "--remount-ro", "/", "--chdir", "/", "--"]


def build_root(plan: dict[str, Any]) -> None:
    """By hand what the options above say: a new, read-only root directory with few files and devices."""
    linux_calls.mount("none", "/", None, linux_calls.MS_REC | linux_calls.MS_PRIVATE)
    linux_calls.mount("tmpfs", _STAGE, "tmpfs", linux_calls.MS_NOSUID | linux_calls.MS_NODEV, "mode=755")
    Path(f"{_STAGE}/old").mkdir()
    Path(f"{_STAGE}/new").mkdir()
    linux_calls.pivot_root(_STAGE, f"{_STAGE}/old")
    os.chdir("/")
    linux_calls.mount("tmpfs", "/new", "tmpfs", linux_calls.MS_NOSUID | linux_calls.MS_NODEV, "mode=755")
    for source, target in plan["shown"]:
        _bind(source, target)
        linux_calls.make_read_only(f"/new{target}")
    for folder in plan["hidden"]:
        linux_calls.mount(
            "tmpfs", f"/new{folder}", "tmpfs", linux_calls.MS_RDONLY | linux_calls.MS_NOSUID | linux_calls.MS_NODEV
        )
    for device in _DEVICES:
        _bind(f"/dev/{device}", f"/dev/{device}")
    Path("/new/proc").mkdir()
    linux_calls.mount("proc", "/new/proc", "proc", linux_calls.MS_NOSUID | linux_calls.MS_NODEV)
    if plan["writable"]:
        Path("/new/tmp").mkdir()
        Path("/new/dev/shm").symlink_to("/tmp")
    os.chdir("/new")
    linux_calls.pivot_root(".", ".")
    linux_calls.unmount(".")
    os.chdir("/")
    flags = (
        linux_calls.MS_REMOUNT
        | linux_calls.MS_BIND
        | linux_calls.MS_RDONLY
        | linux_calls.MS_NOSUID
        | linux_calls.MS_NODEV
    )
    linux_calls.mount("none", "/", None, flags)
    os.setsid()


def _bind(source: str, target: str) -> None:
    old, new = Path(f"/old{source}"), Path(f"/new{target}")
    if old.is_dir():
        new.mkdir(parents=True, exist_ok=True)
    else:
        new.parent.mkdir(parents=True, exist_ok=True)
        new.touch()
    linux_calls.mount(str(old), str(new), None, linux_calls.MS_BIND | linux_calls.MS_REC)
