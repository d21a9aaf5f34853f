"""The server: forks a confined child for each answer, watches its clocks, and passes on what came of each case.

It runs as a process of its own, inside the namespaces where there are any, and holds nothing that an answer could want:
no expected values, no environment, no descriptors of ours. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
from typing import Any

from guerdon.sandbox import confine, folders, inside
from guerdon.sandbox.children import Child, Records
from guerdon.sandbox.limits import Limits
from guerdon.sandbox.wire import HEADER, frame, read_frame

_PRELOADED = (
    "array", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "heapq", "io", "itertools", "json", "math", "numbers", "operator", "queue",
    "random", "re", "statistics", "string", "textwrap", "threading", "typing",
)  # fmt: skip
"""What answers import most: there at once in every child. (Each library that is mapped makes every fork dearer:
OpenSSL, behind `hashlib`, by a twelfth.)"""
_RECORDS_AT = 3
"""The descriptor of the private pipe, in a child."""
_STDERR_CHARS = 500

_LIBRARY = ctypes.PyDLL(None, use_errno=True)
"""For its `fork`: Python's own makes locks, threads and random numbers anew in the child, which copies some two hundred
pages for it. The server has one thread, so that no lock is held by another, and random numbers are to be the same. (A
program that may start processes does so by Python's own.)"""

_Row = list[Any]
"""An outcome as it crosses: status, value as text, error, processor seconds, seconds of the wall clock."""


def main() -> None:
    """Serve until stdin ends. The first message says how; the first answer says which layers are on."""
    # Unbuffered: a child inherits what was read ahead, and that is another answer.
    source, sink = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 gets no signal that it does not ask for
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    settings = read_frame(source)
    folder, unwanted = settings["folder"], tuple(settings["unwanted"])
    if settings["core"] is not None:
        with contextlib.suppress(OSError):  # it is no longer ours: any other will do
            os.sched_setaffinity(0, {settings["core"]})
    found = confine.enter_namespaces("namespaces" not in unwanted, folder)
    os.chdir(folder)  # here, since an answer may close the folder to the next child
    for name in _PRELOADED:
        __import__(name)
    inside.get_ready()
    confine.prepare(found, folder, unwanted)
    os.umask(0o077)
    server = _Server(found, folder, nowhere)
    gc.collect()
    gc.freeze()
    sink.write(frame(found.describe()))
    while (job := read_frame(source)) is not None:
        rows = server.run(job)
        try:
            server.tidy()
        except OSError:
            os._exit(_UNTIDY)  # the answer's doing: something of it is still at work
        sink.write(frame(rows))


_UNTIDY = 3
"""Exit status of a server that an answer left in no state for the next."""


class _Server:
    def __init__(self, found: confine.Confinement, folder: str, nowhere: int) -> None:
        self._found, self._folder, self._nowhere = found, folder, nowhere
        self._first_process = os.getpid() == 1
        self._troubles, self._trouble = os.pipe2(os.O_NONBLOCK)
        self._limits = Limits()
        self._bare_fork = _LIBRARY.fork
        self._coats: dict[int, confine.Coat] = {}

    def run(self, job: dict[str, Any]) -> list[_Row]:
        """All cases of one answer."""
        self._limits = Limits(*job["limits"])
        self._coats.clear()
        return self._programs(job) if job["programs"] else self._calls(job)

    def tidy(self) -> None:
        """End whatever is left over, and empty the folder."""
        if self._first_process and self._may_leave_processes:
            with contextlib.suppress(ProcessLookupError):  # nobody is left
                os.kill(-1, signal.SIGKILL)
        while True:
            try:
                if os.waitpid(-1, 0 if self._first_process else os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        folders.renew(self._folder)

    @property
    def _may_leave_processes(self) -> bool:
        return bool(self._limits.processes) or "seccomp" in self._found.missing

    # -- calls: one child for all cases, begun anew after a case that ended it -------------------------------------

    def _calls(self, job: dict[str, Any]) -> list[_Row]:
        code, cases, rows = job["code"], job["cases"], list[_Row]()
        late = 0
        while len(rows) < len(cases):
            if late >= self._limits.timeouts:
                rows.append(["timeout", "", f"not run: {late} cases before timed out", 0.0, 0.0])
                continue
            ended = self._some_calls(code, cases, rows)
            late += ended == "timeout"
        return rows

    def _some_calls(self, code: str, cases: list[Any], rows: list[_Row]) -> str:
        """Start a child at the first case without a row, and add rows until it ends; how the last of them ended."""
        read_end, write_end = os.pipe()
        child = self._fork(write_end, rest=len(cases) - len(rows))
        if child.pid == 0:
            try:
                inside.answer_calls(code, cases[len(rows) :], _RECORDS_AT)
            finally:
                os._exit(0)
        os.close(write_end)
        records = Records(read_end, self._limits.output_bytes)
        loaded = False
        try:
            child.begin()
            while True:
                got = records.next(child, self._limits)
                if isinstance(got, bytes):
                    kind, text = got[:1], got[1:].decode("utf-8", "replace")
                    if not loaded and kind == inside.LOADED:
                        loaded = True
                    elif not loaded:
                        row = ["fail", "", text or "it did not load", *child.spent()]
                        rows.extend([list(row) for _ in range(len(cases) - len(rows))])
                        return "fail"
                    else:
                        rows.append([*_read_record(kind, text), *child.spent()])
                        if len(rows) == len(cases):
                            return str(rows[-1][0])
                    child.begin()
                    continue
                status, why = got
                if status == "ended":
                    status, why = self._how_it_ended(child)
                if status == "done":
                    status, why = "fail", f"it ended before it answered ({why})"
                row = [status, "", why, *child.spent()]
                count = 1 if loaded else len(cases) - len(rows)
                rows.extend([list(row) for _ in range(count)])
                return status
        finally:
            records.close()
            child.end(self._may_leave_processes)

    # -- programs: a child for each case -----------------------------------------------------------------------------

    def _programs(self, job: dict[str, Any]) -> list[_Row]:
        rows = list[_Row]()
        late = 0
        compiled = b""
        for text in job["cases"]:
            if late >= self._limits.timeouts:
                rows.append(["timeout", "", f"not run: {late} cases before timed out", 0.0, 0.0])
                continue
            keep = -1 if compiled or len(rows) + 1 == len(job["cases"]) else os.memfd_create("compiled")
            rows.append(self._one_run(job["code"], text, compiled, keep))
            late += rows[-1][0] == "timeout"
            if keep >= 0:
                compiled = _kept(keep)
                os.close(keep)
        return rows

    def _one_run(self, code: str, text: str, compiled: bytes, keep: int) -> _Row:
        streams = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
        try:
            given = text.encode("utf-8", "surrogatepass")
            written = 0
            while written < len(given):
                written += os.pwrite(streams[0], given[written:], written)
            child = self._fork(keep, rest=0, streams=streams)
            if child.pid == 0:
                try:
                    inside.end_program(inside.run_program(code, compiled, keep if keep < 0 else _RECORDS_AT))
                finally:
                    os._exit(1)
            child.begin()
            try:
                status, why = child.wait(self._limits)
                if status == "ended":
                    status, why = self._how_it_ended(child)
                if status == "done":
                    status, why = "ok", ""
                spent = child.spent()
            finally:
                child.end(self._may_leave_processes)
            wrote, said = (os.lseek(stream, 0, os.SEEK_END) for stream in streams[1:])
            output = b""
            if max(wrote, said) >= self._limits.output_bytes:
                status, why = "truncated", f"more than {self._limits.output_bytes:,} bytes of output"
            elif status == "ok":
                output = os.pread(streams[1], wrote, 0)
            elif status == "fail":
                tail = os.pread(streams[2], said, 0).decode("utf-8", "replace").strip()[-_STDERR_CHARS:]
                why = f"{why}: {tail}" if tail else why
            return [status, output.decode("latin-1"), why, *spent]
        finally:
            for stream in streams:
                os.close(stream)

    # -- children ----------------------------------------------------------------------------------------------------

    def _fork(self, pipe: int, rest: int, streams: list[int] | None = None) -> Child:
        """A confined child (its `pid` is 0 there), with nothing open but its streams and the pipe (-1 for none)."""
        ready = self._coat(rest)
        pid = self._bare_fork()
        if pid < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        if pid:
            return Child(pid)
        try:
            os.setsid()
            if pipe >= 0:
                os.dup2(pipe, _RECORDS_AT + 1)  # the number 3 may be its other end
            for number, stream in enumerate(streams or [self._nowhere] * 3):
                os.dup2(stream, number)
            confine.put_on(self._found, ready)
            if pipe >= 0:
                os.dup2(_RECORDS_AT + 1, _RECORDS_AT)
            os.closerange(_RECORDS_AT + (pipe >= 0), 256)
            gc.enable()
        except BaseException as error:  # noqa: BLE001 - not confined: nothing may run
            os.write(self._trouble, str(error).encode()[:_STDERR_CHARS])
            os._exit(1)
        return Child(0)

    def _coat(self, rest: int) -> confine.Coat:
        ready = self._coats.get(rest)
        if ready is None:
            limits = self._limits
            ready = self._coats[rest] = confine.coat(
                self._found,
                cpu_s=limits.cpu_s * (rest + 1),
                memory_bytes=limits.memory_bytes,
                file_bytes=limits.output_bytes,
                files=limits.files,
                processes=limits.processes,
            )
        return ready

    def _how_it_ended(self, child: Child) -> tuple[str, str]:
        """As the child itself says, unless it could not be confined: that is said on a pipe which no answer has."""
        with contextlib.suppress(BlockingIOError):
            why = os.read(self._troubles, _STDERR_CHARS).decode("utf-8", "replace")
            return "infra", f"a layer of the sandbox could not be put on: {why}"
        return child.how_it_ended(self._limits)


def _kept(place: int) -> bytes:
    """What a child kept of its compiled code; nothing, where it did not come to that."""
    size = os.lseek(place, 0, os.SEEK_END)
    if size < HEADER.size:
        return b""
    data = os.pread(place, size, 0)
    return data[HEADER.size :] if HEADER.unpack_from(data)[0] == size - HEADER.size else b""


def _read_record(kind: bytes, text: str) -> list[str]:
    """Status, value as text, and error."""
    if kind == inside.VALUE:
        return ["ok", text, ""]
    if kind == inside.ODD:
        return ["rejected", "", text]
    return ["fail", "", text or "it failed" if kind == inside.ERROR else "it wrote on the sandbox's own pipe"]
