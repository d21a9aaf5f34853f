"""The one folder where answers may write, made as new after each of them. Standard library only."""

from __future__ import annotations

import os


def renew(folder: str) -> None:
    """Empty the folder, however an answer left it: deep, full, closed to its owner, with names that are no text.

    Folders within folders are moved to the top before they are opened, so that neither paths nor a stack of calls or
    descriptors grow.

    Raises:
        OSError: something is still at work in there.
    """
    os.chmod(folder, 0o700)
    while entries := _entries(folder):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in _entries(entry.path):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # moving a folder writes in it
                    os.rename(inner.path, os.path.join(folder, os.urandom(16).hex()))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)
    os.utime(folder, (0, 0))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)
