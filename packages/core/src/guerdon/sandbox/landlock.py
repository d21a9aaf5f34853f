"""Which files a process may read or write, by the kernel's Landlock (Linux 5.13 and later). Standard library only."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System call numbers, the same on every architecture."""
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
"""Rights that a rule about a file, and no folder, may give; the last two are truncating and ioctl on a device."""
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""By version: how many rights over files there are; from 5 on 16."""
_NETWORK = 0b11
_SCOPES = 0b11
"""Abstract sockets of others, and signals to others."""


def version(libc: ctypes.CDLL) -> int:
    """The version that the kernel offers; 0 if none."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def ruleset(libc: ctypes.CDLL, listable: Iterable[str], readable: Iterable[str], writable: Iterable[str]) -> int:
    """A descriptor of the rules: list the names below `listable`, read and run below `readable`, do anything below
    `writable`, and nothing elsewhere.

    From version 4 on no TCP port may be bound or connected to, and from 6 on no process outside be signalled.

    Args:
        libc: the C library.
        listable: folders; those that do not exist are passed over.
        readable: the same, and files.
        writable: the same.

    Raises:
        OSError: the kernel has no Landlock, or refuses the rules.
    """
    offered = version(libc)
    handled = (1 << _FILE_RIGHTS.get(offered, 16)) - 1
    attributes = struct.pack("=QQQ", handled, _NETWORK if offered >= 4 else 0, _SCOPES if offered >= 6 else 0)
    attributes = attributes[: 8 if offered < 4 else 16 if offered < 6 else 24]
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    for paths, rights in ((listable, _READ_DIR), (readable, _READ), (writable, handled)):
        for path in paths:
            _allow(libc, rules, path, rights & handled)
    return rules


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        beneath = struct.pack("=Qi", rights, place)
        if rights:  # of a file there is nothing to list
            _checked(libc.syscall(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(1), beneath, ctypes.c_uint32(0)))
    finally:
        os.close(place)


def restrict(libc: ctypes.CDLL, rules: int) -> None:
    """Hold this thread, and all it starts, to the rules for good. `no_new_privs` must be set.

    Raises:
        OSError: the kernel does not take it.
    """
    _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)
