"""The layers around untrusted code: which this machine has, and putting them on. Linux; standard library only.

| layer | what it stops | who puts it on |
|---|---|---|
| `limits` | more time, memory or open files than allowed, or larger files (rlimits) | each child |
| `namespaces` | seeing or signalling other processes, the network, changing any file outside the folder | the server |
| `landlock` | reading what is not Python's or the system's own, writing outside the folder, signals, TCP | each child |
| `seccomp` | the network, others' memory, mounts, the kernel's own machinery; new processes | the server; each child |
| `cgroups` | more memory or processes than allowed, of all of an answer's processes together | who starts the server |

A layer that is missing is said so, with the reason, in each server's first words; the others stay.
"""

from __future__ import annotations

import ctypes
import glob
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from guerdon.sandbox import landlock, namespaces, seccomp

LAYERS = ("limits", "namespaces", "landlock", "seccomp", "cgroups")
FOLDER_BYTES = 64 * 2**20
"""Of the files a program may keep at one time."""
STACK_BYTES = 64 * 2**20
"""Of the main thread, where a deep recursion ends in a crash."""
_READABLE = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 1, 4, 38, 24
_CAPSET_VERSION = 0x20080522


@dataclass
class Confinement:
    """What a server found at its start, and what each of its children puts on."""

    libc: ctypes.CDLL
    missing: dict[str, str] = field(default_factory=dict)
    """Layer -> why it is not there."""
    details: dict[str, str] = field(default_factory=dict)
    """Layer -> more of what it does here."""
    rules: int = -1
    """Landlock's ruleset."""
    no_processes: bytes = b""
    """seccomp's program for children that may start no further process."""
    mapped_bytes: int = 0
    """Address space of the server, which a child begins with."""
    ceilings: dict[int, int] = field(default_factory=dict)
    """The hard limits we were started with, by kind."""

    def describe(self) -> dict[str, Any]:
        """What is on and what is not, as plain values."""
        on = [layer for layer in LAYERS if layer not in self.missing and layer != "cgroups"]
        return {"on": on, "missing": self.missing, "details": self.details}


def enter_namespaces(wanted: bool, folder: str) -> Confinement:
    """Put on what covers the server too. Returns in a child process, where there are namespaces; the parent waits.

    Args:
        wanted: False leaves them out.
        folder: where programs may write.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    found = Confinement(libc)
    if not wanted:
        found.missing["namespaces"] = "not asked for"
        return found
    try:
        namespaces.enter(libc)
    except (OSError, AttributeError) as error:
        found.missing["namespaces"] = f"{error}"
        return found
    inner = os.fork()
    if inner:
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    try:
        found.details["namespaces"] = ", ".join(namespaces.furnish(libc, folder, FOLDER_BYTES))
    except OSError as error:
        found.missing["namespaces"] = f"only own processes and no network; no mounts of its own: {error}"
    return found


def prepare(found: Confinement, folder: str, unwanted: tuple[str, ...] = ()) -> None:
    """Make ready what the children will put on, and find out what is missing."""
    drop_capabilities(found.libc)
    found.libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # or /proc would hand a child the server's memory
    if "landlock" in unwanted:
        found.missing["landlock"] = "not asked for"
    else:
        _prepare_landlock(found, folder)
    if "seccomp" in unwanted:
        found.missing["seccomp"] = "not asked for"
    elif not seccomp.no_escapes():
        found.missing["seccomp"] = f"no table of system calls for {os.uname().machine}"
    found.libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for layer in ("landlock", "seccomp"):
        if layer not in found.missing and (reason := _trial(found, layer)):
            found.missing[layer] = reason
    if "seccomp" not in found.missing:
        seccomp.install(seccomp.no_escapes(), found.libc)  # the server has no use for those calls either
        found.no_processes = seccomp.no_processes()
    found.mapped_bytes = _mapped_bytes()
    found.ceilings = {kind: resource.getrlimit(kind)[1] for kind in _LIMITED}
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_STACK, STACK_BYTES)):
        resource.setrlimit(kind, _within(found, kind, value, value))  # the same for all: children inherit them


def _prepare_landlock(found: Confinement, folder: str) -> None:
    offered = landlock.version(found.libc)
    if not offered:
        found.missing["landlock"] = "the kernel does not offer it"
        return
    try:
        found.rules = landlock.ruleset(found.libc, *libraries(), (folder, *_DEVICES))
        found.details["landlock"] = f"version {offered}"
    except OSError as error:
        found.missing["landlock"] = f"{error}"


def libraries() -> tuple[set[str], set[str]]:
    """The system's and Python's own folders; and what in them answers may read: all but the packages that were
    installed for Python, which hold data sets, with the tests and the references of problems.
    """
    prefixes = {sys.base_prefix, sys.base_exec_prefix}
    roots = {*_READABLE, os.path.dirname(os.__file__)} | {
        os.path.join(prefix, part) for prefix in prefixes for part in ("bin", "lib", "lib64", "share/zoneinfo")
    }
    roots = {os.path.realpath(root) for root in roots}
    packages = {
        path
        for root in roots
        for place in ("", "python*/", "lib*/python*/", "local/lib*/python*/")
        for path in glob.glob(f"{glob.escape(root)}/{place}*-packages")
    }
    return roots, {path for root in roots for path in _without(root, packages)}


def _without(folder: str, hidden: set[str]) -> Iterator[str]:
    """The folder, or if something below it is hidden, what else is in it."""
    if folder in hidden:
        return
    if not any(path.startswith(f"{folder}/") for path in hidden):
        yield folder
        return
    for name in os.listdir(folder):
        yield from _without(os.path.join(folder, name), hidden)


def _trial(found: Confinement, layer: str) -> str:
    """Let a child put the layer on; why it could not, or nothing."""
    child = os.fork()
    if not child:
        code = 0
        try:
            if layer == "landlock":
                landlock.restrict(found.libc, found.rules)
            else:
                seccomp.install(seccomp.no_escapes(), found.libc)
                seccomp.install(seccomp.no_processes(), found.libc)
        except OSError as error:
            code = error.errno or 1
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "" if not code else os.strerror(code) if code > 0 else f"the trial ended by signal {-code}"


@dataclass(frozen=True)
class Coat:
    """What one answer's children put on, worked out in the server: a child's every step there copies memory."""

    limits: tuple[tuple[int, tuple[int, int]], ...]
    """Kind, and (soft, hard)."""
    processes: int


def coat(found: Confinement, *, cpu_s: float, memory_bytes: int, file_bytes: int, files: int, processes: int) -> Coat:
    """Make ready what a child puts on.

    Args:
        found: the server's.
        cpu_s: processor seconds after which the kernel ends the process, come what may.
        memory_bytes: address space beyond what is mapped now.
        file_bytes: largest file, the captured streams included.
        files: open files.
        processes: further processes.
    """
    soft = int(cpu_s) + 1
    memory = found.mapped_bytes + memory_bytes
    wanted = [
        (resource.RLIMIT_CPU, soft, soft + 1),  # the soft limit's signal can be caught
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, files, files),
    ]
    if processes:
        wanted.append((resource.RLIMIT_NPROC, processes + 1, processes + 1))
    return Coat(tuple((kind, _within(found, kind, *pair)) for kind, *pair in wanted), processes)


def _within(found: Confinement, kind: int, soft: int, hard: int) -> tuple[int, int]:
    ceiling = found.ceilings[kind]
    return (soft, hard) if ceiling == resource.RLIM_INFINITY else (min(soft, ceiling), min(hard, ceiling))


def put_on(found: Confinement, ready: Coat) -> None:
    """Everything a child puts on, before any untrusted code. From here on it can only lose more.

    Raises:
        OSError: a layer that could be put on at start cannot now.
    """
    libc = found.libc
    libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    for kind, pair in ready.limits:
        resource.setrlimit(kind, pair)
    if "landlock" not in found.missing:
        landlock.restrict(libc, found.rules)
    if found.no_processes and not ready.processes:
        seccomp.install(found.no_processes, libc)


_LIMITED = (
    resource.RLIMIT_CPU,
    resource.RLIMIT_AS,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_CORE,
    resource.RLIMIT_STACK,
    resource.RLIMIT_NPROC,
)


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Be nobody special, inside the namespaces too: a child could otherwise mount again what is read-only."""
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPSET_VERSION, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())


def _mapped_bytes() -> int:
    """The address space of this process."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 64 * 2**20
