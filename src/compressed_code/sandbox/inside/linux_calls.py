"""The Linux calls that Python 3.11 does not offer: namespaces, mounts, capabilities, process flags."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_RDONLY = 0x1
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_NOEXEC = 0x8
MS_NOATIME = 0x400
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_VERSION_3 = 0x20080522
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_MOUNT_SETATTR = 442  # the same on every processor, as all calls since Linux 5.1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_READ_ONLY = 0x1
_MOUNT_ATTR_NOSUID_NODEV = 0x6

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the given namespaces for new ones (unshare(2)); `CLONE_NEWPID` counts for the next child."""
    _checked(_libc.unshare(flags), "unshare")


def join_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace behind an open file of /proc/PID/ns (setns(2))."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """Mount a filesystem (mount(2))."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), options.encode()
    )
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount out of sight at once, even while something still uses it (umount2(2))."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def make_read_only(target: str, device: bool = False) -> None:
    """Make a mount and all mounts below it read-only, without set-user-id files and devices (mount_setattr(2)).

    Args:
        device: it is one, which stays in use: what is written to it is no change of its file system.
    """
    set_ones = _MOUNT_ATTR_READ_ONLY | (0 if device else _MOUNT_ATTR_NOSUID_NODEV)
    attributes = (ctypes.c_uint64 * 4)(set_ones, 0, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, target.encode(), _AT_RECURSIVE, attributes, ctypes.sizeof(attributes)
    )
    _checked(result, f"mount_setattr {target} (Linux 5.12 or newer)")


def pivot_root(new_root: str, old_root: str) -> None:
    """Make `new_root` the root directory and hang the old one at `old_root` (pivot_root(2))."""
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _checked(_libc.syscall(number, new_root.encode(), old_root.encode()), "pivot_root")


def set_process_flag(flag: int, *values: int) -> None:
    """prctl(2) with whole-number arguments."""
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(flag, *arguments), f"prctl {flag}")


def drop_capabilities() -> None:
    """Give up every privilege of root for good: this process and whatever it starts can get none back."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, nothing), "capset")
    set_process_flag(PR_SET_NO_NEW_PRIVS, 1)
