"""A world of its own for a server and all it starts: processes, network, mounts. Linux; standard library only.

Inside, the server is process 1: no process of it can signal the server, none outlives it, and at its word all others
end. Everything mounted is read-only, but for one small folder in memory.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_NEW_MOUNTS, _NEW_IPC, _NEW_UTS = 0x00020000, 0x08000000, 0x04000000
_NEW_USER, _NEW_PIDS, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1
MAX_FILES = 4096
"""In the folder, folders included."""
_SHOWN_UID = 1000
"""Who the server seems to be, inside."""


def enter(libc: ctypes.CDLL) -> None:
    """Leave the outer world: new user, process, network, mount, IPC and host-name namespaces.

    The process numbers change for the next child only: fork, and go on in the child.

    Raises:
        OSError: the kernel or the machine's settings do not allow it; nothing has changed then.
    """
    uid, gid = os.geteuid(), os.getegid()
    _checked(libc.unshare(_NEW_USER | _NEW_PIDS | _NEW_NETWORK | _NEW_MOUNTS | _NEW_IPC | _NEW_UTS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_SHOWN_UID} {uid} 1"),
        ("gid_map", f"{_SHOWN_UID} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def furnish(libc: ctypes.CDLL, folder: str, size_bytes: int) -> list[str]:
    """Mount what the inner world sees; what of it could be done, in words.

    Args:
        libc: the C library.
        folder: an existing folder, which becomes an empty one in memory.
        size_bytes: of that folder.

    Raises:
        OSError: the folder cannot be mounted.
    """
    done = ["processes", "network"]
    _mount(libc, b"none", b"/", b"", _MS_REC | _MS_PRIVATE)  # nothing done here shows outside
    attributes = struct.pack("=QQQQ", _READ_ONLY, 0, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    if not libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", ctypes.c_uint(_AT_RECURSIVE), attributes, size):
        done.append("read-only mounts")
    flags = _MS_NOSUID | _MS_NODEV
    _mount(
        libc,
        b"tmpfs",
        os.fsencode(folder),
        b"tmpfs",
        flags,
        f"size={size_bytes},nr_inodes={MAX_FILES},mode=700".encode(),
    )
    done.append("folder in memory")
    try:
        _mount(libc, b"proc", b"/proc", b"proc", flags | _MS_NOEXEC | _MS_RDONLY)
    except OSError:  # a container that hides parts of its own /proc may not show a whole one
        return done
    return [*done, "own /proc"]


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, kind: bytes, flags: int, options: bytes = b"") -> None:
    _checked(libc.mount(source, target, kind or None, ctypes.c_ulong(flags), options or None))


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
