"""A seccomp filter for programs and judges: system calls that no benchmark program needs fail with EPERM.

Namespaces already hide everything; the filter keeps the program from making new ones, from reaching kernel code that
few programs ever test, from memory that no limit counts (memfd, System V and POSIX message queues, keyrings, shared
memory without a file), from what slows the whole machine down, and from what every process of the machine shares
besides files that can be read: locks on them, the news that another process opened one, which of their pages and names
are in memory. By each of these a program could hand on what it found in one run to another run or another program. What
the kernel learnt to do later is unknown here.
"""

import ctypes
import errno
import os
import struct

from . import linux_calls

# name: (x86_64, aarch64); the numbers of the kernel's own tables (arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h).
DENIED = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),  # the channel's socket was made outside: what it binds is a name of the whole machine
    "bpf": (321, 280),
    "cachestat": (451, 451),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "fadvise64": (221, 223),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "inotify_init1": (294, 26),
    "io_setup": (206, 0),  # counted for the whole machine
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "landlock_add_rule": (445, 445),  # rules are memory of the kernel, as many as one likes
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "listen": (50, 201),
    "listmount": (458, 458),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mincore": (27, 232),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "readahead": (187, 213),
    "reboot": (169, 142),
    "recvmmsg": (299, 243),
    "request_key": (249, 218),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),  # who gives way to everybody waits for ever, and waiting has no limit
    "seccomp": (317, 277),  # a filter of its own writes what it likes to the machine's log
    "semget": (64, 190),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),  # descriptors on their way are counted for the user, in all jails and outside
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setsockopt": (54, 208),  # by which a pair of sockets holds 16 MiB of the kernel's memory, which no limit counts
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "socket": (41, 198),
    "statmount": (457, 457),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sync": (162, 81),  # waits for every disk of the machine, and cannot be killed meanwhile
    "syncfs": (306, 267),
    "sysinfo": (99, 179),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vmsplice": (278, 75),  # pages that a pipe holds are nobody's
}
# What a judge needs even less: other programs, other processes, and descriptors that come with a message.
DENIED_TO_JUDGES = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "prlimit64": (302, 261),
    "recvmsg": (47, 212),
    "rt_sigqueueinfo": (129, 138),
    "tkill": (200, 130),
}
# Where a program runs is the machine's choice.
# What a throw-away folder does not need: nobody waits for its content on a disk, and the processes of one trial lock
# nothing against others. The files that all see would be locked for all, and flushing them keeps the disk busy.
PRETENDED = {
    "fdatasync": (75, 83),
    "flock": (73, 32),
    "fsync": (74, 82),
    "msync": (26, 227),
    "sched_setaffinity": (203, 122),  # to the busiest processor, for which one waits without a limit
    "sync_file_range": (277, 84),
}
FCNTL = (72, 25)
# Commands of fcntl, by include/uapi/asm-generic/fcntl.h and linux/fcntl.h.
PRETENDED_COMMANDS = {"F_SETLK": 6, "F_SETLKW": 7, "F_OFD_SETLK": 37, "F_OFD_SETLKW": 38}
DENIED_COMMANDS = {"F_GETLK": 5, "F_OFD_GETLK": 36, "F_SETLEASE": 1024, "F_NOTIFY": 1026}
# The pages of pipes are counted for the user, in all jails and outside. A file's owner, and on older kernels anyone who
# may read it, leaves a hint on it that all others can ask for.
DENIED_COMMANDS |= {"F_SETPIPE_SZ": 1031, "F_SET_RW_HINT": 1036, "F_SET_FILE_RW_HINT": 1038}
# Reads what is in memory only, if told so; the C library does without it where a kernel does not know it.
PREADV2 = (327, 286)
OPENAT2 = (437, 437)  # the same of names (RESOLVE_CACHED)
NEWER = 463  # the first call that is not known here, on every processor; programs do without those
INOTIFY_INIT = (253, None)  # which aarch64 never had
SIGNAL_ACTION = (13, 134)  # rt_sigaction
# Calls that may not ask for a byte out of band, which is no part of the stream that judge and server wait for, by the
# place of their flags.
FLAGS_THIRD = ((47, 212),)  # recvmsg
FLAGS_FOURTH = ((44, 206), (45, 207))  # sendto, recvfrom
# Memory that is shared without a file stays when nobody has its pages in sight, so that no process is seen to use it;
# huge pages are a store of the whole machine's.
MMAP = (9, 222)
_MAP_SHARED, _MAP_ANONYMOUS, _MAP_HUGETLB = 0x1, 0x20, 0x40000
# Questions to network interfaces: the channel's socket was made outside, and knows those of the machine.
IOCTL = (16, 29)
_FIRST_OF_SOCKETS, _BEHIND_SOCKETS = 0x8900, 0x8C00
# What prctl may not set: a filter of one's own, which logs calls, and company on the core (PR_SCHED_CORE), which keeps
# the core's other processor idle.
PRCTL = (157, 167)
DENIED_FLAGS = (linux_calls.PR_SET_SECCOMP, 62)
# The limit of core files stays (`cells`).
SETRLIMIT = (160, 164)
PRLIMIT = (302, 261)
_RLIMIT_CORE = 4
CLONE = (56, 220)
CLONE3 = (435, 435)
FORKS = ((57, None), (58, None))  # fork and vfork, which aarch64 never had
PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH of linux/audit.h

_NEW_NAMESPACES = 0x7E020000
_CLONE_THREAD = 0x10000
_X32_CALLS = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_DENY, _UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
# offsets in struct seccomp_data
_NUMBER, _PROCESSOR, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT, _FOURTH_ARGUMENT = 0, 4, 16, 24, 32, 40
_SIGCHLD = 17
_OUT_OF_BAND = 1  # MSG_OOB
_PRETEND = 0x00050000  # the call fails with error 0: it does nothing and says that it did
_SECCOMP_MODE_FILTER = 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def build(processor: str, role: str = "programs", processes: bool = True) -> bytes:
    """The filter as classic BPF, 8 bytes an instruction.

    What happens when a child ends stays as it is, though rt_sigaction says otherwise: a program that ignores SIGCHLD
    would have children whose processor time the kernel adds to nobody's.

    Args:
        processor: "x86_64" or "aarch64".
        role: "programs" or "judges"; a judge may do less, and starts no process.
        processes: whether new processes are allowed; threads are in any case.

    Raises:
        KeyError: no table of system calls for this processor.
    """
    column, audit = PROCESSORS[processor]
    calls = [*DENIED.values(), *(DENIED_TO_JUDGES.values() if role == "judges" else ())]
    denied = [numbers[column] for numbers in calls]
    processes = processes and role != "judges"
    # clone: no new namespaces, or nothing but threads
    flags, if_any, if_none = (_NEW_NAMESPACES, _DENY, _ALLOW) if processes else (_CLONE_THREAD, _ALLOW, _DENY)
    missing = [INOTIFY_INIT, *(() if processes else FORKS)]
    denied += [numbers[column] for numbers in missing if numbers[column] is not None]
    tests = [(_EQUAL, numbers[column], "unknown") for numbers in (CLONE3, PREADV2, OPENAT2)]
    tests += [(_EQUAL, CLONE[column], "clone"), (_AT_LEAST, _X32_CALLS, "deny"), (_AT_LEAST, NEWER, "unknown")]
    tests += [(_EQUAL, MMAP[column], "mmap"), (_EQUAL, IOCTL[column], "ioctl")]
    tests += [(_EQUAL, SIGNAL_ACTION[column], "signal"), (_EQUAL, FCNTL[column], "fcntl")]
    tests += [(_EQUAL, numbers[column], "pretend") for numbers in PRETENDED.values()]
    tests += [(_EQUAL, number, "deny") for number in denied]
    tests += [(_EQUAL, PRCTL[column], "prctl"), (_EQUAL, SETRLIMIT[column], "setrlimit")]
    tests += [(_EQUAL, PRLIMIT[column], "prlimit")]
    tests += [(_EQUAL, numbers[column], "third") for numbers in FLAGS_THIRD]
    tests += [(_EQUAL, numbers[column], "fourth") for numbers in FLAGS_FOURTH]
    # How far behind the last test each goal stands.
    goals = {"allow": 0, "clone": 1, "deny": 5, "unknown": 6, "signal": 7, "pretend": 14, "third": 15, "fourth": 17}
    goals |= {"mmap": 21, "ioctl": 27, "prctl": 32, "setrlimit": 37, "prlimit": 41, "fcntl": 49}
    code = [(_LOAD, 0, 0, _PROCESSOR), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    for left, (test, value, goal) in zip(reversed(range(len(tests))), tests, strict=True):
        code.append((test, left + goals[goal], 0, value))
    code += [(_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 1, 0, flags)]
    code += [(_RETURN, 0, 0, answer) for answer in (if_none, if_any, _DENY, _UNKNOWN)]
    # SIGCHLD, and a new action for it: a pointer of two halves, of which one at least is not 0.
    code += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 0, 4, _SIGCHLD)]
    code += [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_EQUAL, 0, 3, 0), (_LOAD, 0, 0, _SECOND_ARGUMENT + 4), (_EQUAL, 0, 1, 0)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _PRETEND)]
    code += [(_LOAD, 0, 0, _THIRD_ARGUMENT), (_ANY_BIT, 2, 3, _OUT_OF_BAND)]
    code += [(_LOAD, 0, 0, _FOURTH_ARGUMENT), (_ANY_BIT, 0, 1, _OUT_OF_BAND)]
    code += [(_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    # mmap: by its flags
    code += [(_LOAD, 0, 0, _FOURTH_ARGUMENT), (_ANY_BIT, 2, 0, _MAP_HUGETLB), (_ANY_BIT, 0, 2, _MAP_ANONYMOUS)]
    code += [(_ANY_BIT, 0, 1, _MAP_SHARED), (_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    code += [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_AT_LEAST, 0, 2, _FIRST_OF_SOCKETS), (_AT_LEAST, 1, 0, _BEHIND_SOCKETS)]
    code += [(_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    own_filter, own_core = DENIED_FLAGS
    code += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 2, 0, own_filter), (_EQUAL, 1, 0, own_core)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    code += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 1, 0, _RLIMIT_CORE)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _PRETEND)]
    # prlimit64 only asks where its pointer to new limits is 0.
    code += [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_EQUAL, 0, 4, _RLIMIT_CORE)]
    code += [(_LOAD, 0, 0, _THIRD_ARGUMENT), (_EQUAL, 0, 3, 0), (_LOAD, 0, 0, _THIRD_ARGUMENT + 4), (_EQUAL, 0, 1, 0)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _PRETEND)]
    # The command decides; each test has as many instructions before its goal as tests follow it.
    pretended, refused = PRETENDED_COMMANDS.values(), DENIED_COMMANDS.values()
    commands = [*((value, 1) for value in pretended), *((value, 2) for value in refused)]
    code.append((_LOAD, 0, 0, _SECOND_ARGUMENT))
    for left, (value, goal) in zip(reversed(range(len(commands))), commands, strict=True):
        code.append((_EQUAL, left + goal, 0, value))
    code += [(_RETURN, 0, 0, answer) for answer in (_ALLOW, _PRETEND, _DENY)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def install(code: bytes) -> None:
    """Put this process and all its children under the filter, for good; needs `linux_calls.drop_capabilities` first."""
    program = _Program(len(code) // 8, code)
    linux_calls.set_process_flag(linux_calls.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def for_this_machine(role: str, processes: bool = True) -> bytes:
    """The filter for the processor this runs on."""
    return build(os.uname().machine, role, processes)
