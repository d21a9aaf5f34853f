"""A control group for each server: what an answer's processes take *together* of memory and processes is bounded.

Address space is limited per process (`limits`), and a folder in memory belongs to none: several processes, or one and
its files, may take a multiple. A control group counts them all. It can be made where the machine hands that power down:

- version 2: below our own group or the one above it, if it has the controllers `memory` and `pids` and we may write
  there (a systemd unit with `Delegate=yes`, a user's own slice, a container that may);
- version 1: below our own groups of `memory` and `pids` (root).

Elsewhere there is none, which is the usual case, and no one is warned of it. Linux; standard library only.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from guerdon.sandbox import leftovers

OWN_BYTES = 256 * 2**20
"""For the server itself, what it was sent and what it read, beside what an answer may have."""
OWN_PROCESSES = 64
"""The server's own, and an answer's threads, beside the processes it may have."""
_PREFIX = "guerdon-sandbox-"
_MEMORY = ("memory.max", "memory.limit_in_bytes")
_PROCESSES = ("pids.max",)
_EMPTY_S = 0.25
"""How long the processes of a server that was killed may take to be gone."""


class Mount(NamedTuple):
    """Where a hierarchy of groups is mounted, and what of it is seen there."""

    kind: str
    """`cgroup` or `cgroup2`."""
    root: str
    """The group that the mount shows at its top."""
    folder: str
    controllers: frozenset[str]
    """Version 1 only."""


class Cgroup:
    """The groups of one server: one folder in version 2, one per controller in version 1."""

    def __init__(self, folders: list[Path], claims: list[int]) -> None:
        self._folders, self._claims = folders, claims
        self._limited = (0, 0)

    def take(self, pid: int) -> None:
        """Put a process in; what it starts is born there.

        Raises:
            OSError: it is not ours to move.
        """
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def limit(self, memory_bytes: int, processes: int) -> None:
        """What an answer may have: all its processes and files in memory together.

        Raises:
            OSError: the limits cannot be set.
        """
        wanted = memory_bytes + OWN_BYTES, processes + OWN_PROCESSES
        if wanted == self._limited:
            return
        self._limited = wanted  # first: what is refused would be refused again for each answer
        for folder in self._folders:
            for names, value in zip((_MEMORY, _PROCESSES), wanted, strict=True):
                for name in names:
                    if (folder / name).exists():
                        (folder / name).write_text(str(value))
            with contextlib.suppress(OSError):  # where there is no swap there is no such file
                (folder / "memory.swap.max").write_text("0")

    def remove(self) -> None:
        """End what is still in there, and take the groups away."""
        deadline = time.monotonic() + _EMPTY_S
        for folder in self._folders:
            with contextlib.suppress(OSError):
                (folder / "cgroup.kill").write_text("1")
            while folder.exists() and time.monotonic() < deadline:
                try:
                    folder.rmdir()
                except OSError:  # its processes are not gone yet
                    time.sleep(0.002)
        self.forget()

    def forget(self) -> None:
        """Let go of them without taking them away: they are another process's."""
        for claim in self._claims:
            os.close(claim)
        self._claims.clear()


def make() -> Cgroup:
    """Fresh groups below where we may make some.

    Raises:
        OSError: nowhere; the message says why.
    """
    own, mounts = _own(Path("/proc/self/cgroup").read_text()), list(_mounts(Path("/proc/self/mountinfo").read_text()))
    why = "no group of ours has the controllers memory and pids handed down to it"
    for places in candidates(own, mounts):
        folders: list[Path] = []
        claims: list[int] = []
        try:
            for place in places:
                for left in leftovers.abandoned(place, _PREFIX):
                    with contextlib.suppress(OSError):
                        left.rmdir()
                folder, claim = leftovers.made(partial(_fresh, place))
                folders.append(folder)
                claims.append(claim)
            files = {entry.name for folder in folders for entry in folder.iterdir()}
            if files.isdisjoint(_MEMORY) or files.isdisjoint(_PROCESSES):
                raise OSError(f"{places[0]} does not hand down memory and pids")
            return Cgroup(folders, claims)
        except OSError as error:
            why = str(error)
            Cgroup(folders, claims).remove()
    raise OSError(why)


def _fresh(place: Path) -> Path:
    folder = place / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir()
    return folder


def candidates(own: Mapping[str, str], mounts: list[Mount]) -> Iterator[list[Path]]:
    """Where to try: each a list of folders that have both controllers between them, our own groups first.

    Args:
        own: controller (or "" for version 2) -> the path of our group.
        mounts: of all hierarchies.
    """
    for mount in mounts:
        if mount.kind == "cgroup2" and "" in own:
            folder = _place(mount, own[""])
            yield [folder]
            if folder != Path(mount.folder):
                yield [folder.parent]
    old = {
        name: _place(mount, own[name])
        for mount in mounts
        if mount.kind == "cgroup"
        for name in ("memory", "pids")
        if name in mount.controllers and name in own
    }
    if len(old) == 2:
        yield sorted(set(old.values()))


def _place(mount: Mount, path: str) -> Path:
    return Path(mount.folder) / path.removeprefix(mount.root if mount.root != "/" else "").lstrip("/")


def _own(text: str) -> dict[str, str]:
    """`/proc/self/cgroup`: `4:memory:/a`, `0::/b`."""
    lines = (line.split(":", 2) for line in text.splitlines())
    return {name: path for _, names, path in lines for name in names.split(",")}


def _mounts(text: str) -> Iterator[Mount]:
    """`/proc/self/mountinfo`: `36 35 0:31 /root /mount/point options optional... - type source options`."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            root, folder = before.split(" ")[3:5]
            yield Mount(kind, root, folder, frozenset(options.split(",")))
