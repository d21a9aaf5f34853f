"""One writer per run folder.

The lock is the operating system's, held by the process and gone with it, however it dies: nothing can be left stale.
Record locks (`lockf`) rather than `flock`, because worker processes inherit the latter, and one that outlives a killed
trainer would keep its run locked. Where the system has no `fcntl` (Windows), only this process is guarded against.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from guerdon.errors import RunError

try:
    import fcntl
except ImportError:  # pragma: no cover - not on POSIX
    fcntl = None  # type: ignore[assignment]

_held: set[tuple[int, Path]] = set()
"""(process, path) of the locks this process holds: record locks do not exclude their own process. The process id is
kept because a fork inherits this set, and not the locks."""


class FolderLock:
    """Held from construction to `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._key = (os.getpid(), self.path)
        if self._key in _held:
            raise _busy(self.path.parent, str(os.getpid()))
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        if fcntl is not None:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                owner = os.read(self._fd, 32).decode(errors="replace").strip()
                os.close(self._fd)
                raise _busy(self.path.parent, owner) from error
        _held.add(self._key)
        with contextlib.suppress(OSError):  # the number only serves the message; a full disk must not stop a resume
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others write. Safe to call twice."""
        if self._key in _held and self._key[0] == os.getpid():
            _held.discard(self._key)
            os.close(self._fd)


def _busy(folder: Path, owner: str) -> RunError:
    return RunError(
        f"{str(folder)!r} is being written by process {owner or 'unknown'}. Wait for it, or give another folder."
    )
