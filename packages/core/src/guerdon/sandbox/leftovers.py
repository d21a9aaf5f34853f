"""Folders that a process made and, killed, left behind: the next one takes them away.

Whose owner still lives is told by a lock on the folder itself, which the kernel lets go of when the owner ends, however
it ends; process numbers would not do, as containers that share a folder count them apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def claim(folder: Path) -> int:
    """Mark a folder as ours, as long as the descriptor that is returned stays open.

    Raises:
        OSError: it is gone, or cannot be opened.
    """
    descriptor = os.open(folder, _OPEN)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def made(make: Callable[[], Path]) -> tuple[Path, int]:
    """A fresh folder, and our claim on it.

    Until it is claimed a fresh folder looks abandoned; one that another process took away meanwhile is made anew.

    Args:
        make: makes a folder under a name that is new each time.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        folder = make()
        with contextlib.suppress(FileNotFoundError):
            descriptor = claim(folder)
            try:
                if os.stat(folder).st_ino == os.fstat(descriptor).st_ino:
                    return folder, descriptor
            except FileNotFoundError:
                os.close(descriptor)


def abandoned(place: Path, prefix: str) -> Iterator[Path]:
    """The folders there whose names begin so, that we may open, and that nobody has claimed."""
    for name in os.listdir(place):
        if not name.startswith(prefix):
            continue
        with contextlib.suppress(OSError):  # not a folder, not ours to open, or somebody's
            descriptor = os.open(place / name, _OPEN)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield place / name
            finally:
                os.close(descriptor)
