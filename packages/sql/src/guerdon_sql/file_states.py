"""Whether a file is still the one it was: what every cache of this package goes by. Standard library only."""

from __future__ import annotations

import os
import time

FileState = tuple[int, ...]

SETTLED_NS = 100_000_000
"""A file changed this recently may change again without a change of its times, whose grain is the kernel's tick."""


def file_state(path: str) -> FileState:
    """What tells one state of a file from the next; empty where a change might go unseen, or the file is not there:
    nothing may be kept under that.

    Take it before the file is read: what is then read of a newer state is kept under one that does not come back. The
    time of the last change of status is part of it, which no `utime` puts back.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    if max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - SETTLED_NS:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
