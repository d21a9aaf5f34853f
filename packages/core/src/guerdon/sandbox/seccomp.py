"""A filter of system calls, as a program for the kernel (BPF). Linux on x86-64 and arm64; standard library only.

What untrusted code has no use for and an escape has is refused with EPERM: the network, other processes' memory and
limits, mounts and namespaces, memory that outlives its process, the kernel's own machinery. Everything else is left
alone: a list of what is allowed would differ from one C library to the next. (A program may not even make way for
others: whoever never got the processor is not judged.)
Filters add up: where several are installed, what any of them refuses is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable

_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "move_mount": 429,
        "open_tree": 428, "fsopen": 430, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "swapon": 167,
        "swapoff": 168, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "keyctl": 250, "add_key": 248, "request_key": 249,
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "open_by_handle_at": 304, "name_to_handle_at": 303, "reboot": 169, "acct": 163, "quotactl": 179, "syslog": 103,
        "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "personality": 135, "iopl": 172, "ioperm": 173,
        "sethostname": 170,
        "setdomainname": 171, "setpriority": 141, "sched_setscheduler": 144, "sched_setattr": 314,
        "sched_setparam": 142, "ioprio_set": 251, "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240,
        "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463,
        "prlimit64": 302, "sched_setaffinity": 203, "clone": 56, "fork": 57, "vfork": 58, "clone3": 435,
    },
    "aarch64": {
        "socket": 198, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "pidfd_getfd": 438, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268,
        "move_mount": 429, "open_tree": 428, "fsopen": 430, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
        "swapon": 224, "swapoff": 225, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "keyctl": 219, "add_key": 217, "request_key": 218,
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "open_by_handle_at": 265, "name_to_handle_at": 264, "reboot": 142, "acct": 89, "quotactl": 60, "syslog": 116,
        "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "personality": 92, "sethostname": 161,
        "setdomainname": 162,
        "setpriority": 140, "sched_setscheduler": 119, "sched_setattr": 274,
        "sched_setparam": 118, "ioprio_set": 30, "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180,
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "setxattrat": 463,
        "prlimit64": 261, "sched_setaffinity": 122, "clone": 220, "clone3": 435,
    },
}  # fmt: skip
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_PROCESSES = ("clone", "fork", "vfork", "clone3")
_OF_OTHERS = ("prlimit64", "sched_setaffinity")
"""Calls whose first argument is a process, 0 for the one that calls: only that one is let through."""
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000
"""All flags of `clone` that make a namespace (time's shares its bit with a signal and is not among them)."""

_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _MISSING = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_X32 = 0x40000000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def no_escapes() -> bytes:
    """The filter that refuses what an escape needs; empty where there is none for this machine."""
    return _filter(
        lambda numbers: [
            *(
                step
                for name in numbers
                if name not in (*_PROCESSES, *_OF_OTHERS)
                for step in _refused(numbers[name], _REFUSE)
            ),
            *(step for name in _OF_OTHERS for step in _refused_unless_zero(numbers[name])),
            # The flags of clone3 are out of a filter's sight; where it is missing, C libraries use clone.
            *_refused(numbers["clone3"], _MISSING),
            (_JUMP_EQUAL, 0, 3, numbers["clone"]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
            (_JUMP_ANY_BIT, 0, 1, _CLONE_NEW),
            (_RETURN, 0, 0, _REFUSE),
        ]
    )


def no_processes() -> bytes:
    """The filter that refuses further processes, and no threads; empty where there is none for this machine."""
    return _filter(
        lambda numbers: [
            *(step for name in ("fork", "vfork") if name in numbers for step in _refused(numbers[name], _REFUSE)),
            (_JUMP_EQUAL, 0, 3, numbers["clone"]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
            (_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD),
            (_RETURN, 0, 0, _REFUSE),
        ]
    )


_Step = tuple[int, int, int, int]
"""Operation, steps to skip where it holds, where it does not, operand."""


def _filter(refusals: Callable[[dict[str, int]], list[_Step]]) -> bytes:
    machine = platform.machine()
    numbers = _NUMBERS.get(machine)
    if numbers is None:
        return b""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_FROM, 0, 1, _X32),  # the other calling convention of x86-64: its numbers are not the ones below
        (_RETURN, 0, 0, _REFUSE),
        *refusals(numbers),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _refused(number: int, how: int) -> list[_Step]:
    return [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, how)]


def _refused_unless_zero(number: int) -> list[_Step]:
    """Refused if the first argument, a 32-bit number, is not 0."""
    return [
        (_JUMP_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]


def install(program: bytes, libc: ctypes.CDLL) -> None:
    """Confine this thread, and all it starts, for good. `no_new_privs` must be set.

    Raises:
        OSError: the kernel does not take it.
    """
    given = _Program(len(program) // 8, program)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
