"""The sandbox, seen from outside: a few servers, each in a world of its own, and answers handed to them.

Promises, limits and layers stand in the repository's SECURITY.md; `guerdon doctor` puts each layer to the test.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from guerdon.errors import SandboxError
from guerdon.sandbox.confine import LAYERS
from guerdon.sandbox.jobs import Calls, Job, Programs
from guerdon.sandbox.limits import Limits, Outcome
from guerdon.sandbox.wire import HEADER, Malformed, frame, pack, unpack

_EXCEPTION = 1
"""Exit status of a server that raised."""
START_S = 30.0
"""How long a server may take to start."""
GRACE_S = 5.0
"""How long after the last possible moment a server is waited for."""
_PIPE_BYTES = 2**16
_BOOT = "import sys; sys.path.append(sys.argv[1]); from guerdon.sandbox.serve import main; sys.path.pop(); main()"
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # an answer that prints a set says the same each time
    "LD_BIND_NOW": "1",  # once, in the server, or every child looks up the same C functions
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
}


@dataclass(frozen=True)
class Layers:
    """Which layers a server has put on."""

    on: tuple[str, ...]
    missing: dict[str, str]
    """Layer -> why."""
    details: dict[str, str]

    def __str__(self) -> str:
        return "+".join(self.on)


class Sandbox:
    """Runs untrusted Python. A context manager; threads may share one, and take turns.

    Verdicts are none of its business: it returns values and outputs, and whoever knows what was expected compares.

    Args:
        workers: servers; None for one per core this process may use, or one inside a multiprocessing child.
        limits: of each answer, unless a call gives others.
        require: layers without which nothing runs; a layer that is missing and not required warns once.
        without: layers to leave off, for measuring and testing.

    >>> from guerdon.sandbox import Call, Calls
    >>> with Sandbox(workers=1) as sandbox:
    ...     [outcomes] = sandbox.run([Calls("def double(x): return 2 * x", (Call("double", (21,)),))])
    >>> outcomes[0].value
    42
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        require: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"a sandbox needs at least one worker, not {workers!r}")
        for name in (*require, *without):
            if name not in LAYERS:
                raise ValueError(f"no layer {name!r}; there are {', '.join(LAYERS)}")
        self.workers, self.limits = workers, limits
        self.require, self.without = tuple(require), tuple(without)
        self._pool: list[_Server] = []
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _end_all, self._pool)
        _SANDBOXES.add(self)

    def run(self, jobs: Iterable[Job], limits: Limits | None = None) -> list[list[Outcome]]:
        """One list of outcomes per job, one outcome per case, in order. Equal jobs run once.

        Raises:
            SandboxError: no server can be started, or a required layer is missing.
            Untransferable: a case's argument is no plain value.
        """
        batch = _Batch(list(jobs), limits or self.limits)
        with self._lock:
            try:
                self._drive(batch)
            except BaseException:
                self._stop()  # a half-read pipe is of no use to the next caller
                raise
        return batch.outcomes()

    @property
    def layers(self) -> Layers:
        """Which layers are on; starts a server if none runs.

        Raises:
            SandboxError: no server can be started.
        """
        with self._lock:
            if not self._pool:
                self._add_server()
            server = self._pool[0]
            server.await_layers()
            assert server.layers is not None
            return server.layers

    def close(self) -> None:
        """End the servers. The sandbox may be used again; it starts new ones."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self.workers, self.limits, self.require, self.without)

    def _stop(self) -> None:
        _end_all(self._pool)

    def _add_server(self) -> None:
        try:
            self._pool.append(_Server(self.without))
        except OSError as error:
            if not self._pool:
                raise SandboxError(f"a sandbox server cannot be started: {error}") from error

    def _drive(self, batch: _Batch) -> None:
        """Until every job has its outcomes: send, wait, read, and replace what is late or dead."""
        with selectors.DefaultSelector() as selector:
            while batch.unfinished:
                while len(self._pool) < min(self._size(), batch.unfinished):
                    before = len(self._pool)
                    self._add_server()
                    if len(self._pool) == before:
                        break  # fewer will do
                for server in self._pool:
                    server.take(batch)
                    _watch(selector, server)
                due = min(server.due for server in self._pool)
                events = selector.select(max(0.0, due - time.monotonic()))
                for key, mask in events:
                    server = key.data
                    alive = server.send() if mask & selectors.EVENT_WRITE else True
                    if mask & selectors.EVENT_READ:
                        alive = server.receive(batch)
                    if not alive:
                        self._bury(server, selector, batch)
                    elif server.layers is not None and not server.approved:
                        self._approve(server.layers)
                        server.approved = True
                if not events:
                    for server in [each for each in self._pool if time.monotonic() >= each.due]:
                        self._bury(server, selector, batch)
            for server in self._pool:
                _watch(selector, server)

    def _bury(self, server: _Server, selector: selectors.BaseSelector, batch: _Batch) -> None:
        for stream in (server.stdin, server.stdout):
            with contextlib.suppress(KeyError):
                selector.unregister(stream)
        self._pool.remove(server)
        server.end()
        batch.lost(server)

    def _approve(self, layers: Layers) -> None:
        lacking = [name for name in self.require if name in layers.missing]
        if lacking:
            told = "; ".join(f"{name}: {layers.missing[name]}" for name in lacking)
            raise SandboxError(f"the sandbox lacks what is required of it here: {told}")
        lacking = [name for name in layers.missing if name not in self.without]
        if lacking:
            told = "; ".join(f"{name} ({layers.missing[name]})" for name in lacking)
            warnings.warn(
                f"the sandbox runs without {told}; see `guerdon doctor` and SECURITY.md", RuntimeWarning, stacklevel=5
            )

    def _size(self) -> int:
        if self.workers is not None:
            return self.workers
        return 1 if multiprocessing.parent_process() is not None else len(os.sched_getaffinity(0))


def _remade(workers: int | None, limits: Limits, require: tuple[str, ...], without: tuple[str, ...]) -> Sandbox:
    return Sandbox(workers, limits, require=require, without=without)


class _Batch:
    """The distinct jobs of one call: which wait, which have outcomes."""

    def __init__(self, jobs: list[Job], limits: Limits) -> None:
        self._limits = limits
        self.waiting: deque[int] = deque()
        self.suspects: set[int] = set()
        self._jobs: list[Job] = []
        self._bodies: list[bytes] = []
        self._rows: dict[int, list[Outcome]] = {}
        self._places: list[int] = []
        seen: dict[bytes, int] = {}
        for job in jobs:
            body = _written(job, limits)
            number = seen.setdefault(body, len(self._jobs))
            if number == len(self._jobs):
                self._jobs.append(job)
                self._bodies.append(body)
                self.waiting.append(number)
            self._places.append(number)

    @property
    def unfinished(self) -> int:
        return len(self._jobs) - len(self._rows)

    def body(self, number: int) -> bytes:
        return self._bodies[number]

    def longest_s(self, number: int) -> float:
        """What a server may take over a job at the most: each case may need the code loaded anew."""
        job = self._jobs[number]
        return 2 * len(job.cases) * ((job.limits or self._limits).wall_s + 1.0) + GRACE_S

    def file(self, number: int, rows: Any, layers: tuple[str, ...]) -> None:
        """Take down what a server, which runs programs under these layers, says of a job.

        Raises:
            Malformed: it is not what a server says.
        """
        job = self._jobs[number]
        if not isinstance(rows, list) or len(rows) != len(job.cases):
            raise Malformed("not one row per case")
        room = _OUTPUTS * (job.limits or self._limits).output_bytes
        outcomes = []
        for row in rows:
            room -= len(row[1])
            outcomes.append(
                _read_row(row, isinstance(job, Programs), layers) if room >= 0 else replace(_TOO_MUCH, layers=layers)
            )
        self._rows[number] = outcomes

    def lost(self, server: _Server) -> None:
        """A server ended over a job: it gets one more try, alone; then that is the answer's doing, unless the server
        raised, which is a bug of ours.
        """
        flight, server.flight = list(server.flight), deque()
        if not flight:
            if not server.ready:
                raise SandboxError(f"a sandbox server did not start: {server.last_words()}")
            return
        first, ahead = flight[0], flight[1:]
        self.waiting.extendleft(reversed(ahead))
        if not server.ready:
            raise SandboxError(f"a sandbox server did not start: {server.last_words()}")
        if first not in self.suspects:
            self.suspects.add(first)
            self.waiting.appendleft(first)
            return
        if server.process.returncode == _EXCEPTION:
            lost = Outcome("infra", error=f"a bug of ours ended the sandbox's server twice: {server.last_words()}")
        else:
            lost = Outcome("fail", error="it ended the sandbox's server twice")
        self._rows[first] = [lost for _ in self._jobs[first].cases]

    def outcomes(self) -> list[list[Outcome]]:
        return [self._rows[number] for number in self._places]


class _Server:
    """One process and its pipes."""

    def __init__(self, without: tuple[str, ...]) -> None:
        self.folder = tempfile.mkdtemp(prefix="guerdon-sandbox-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read after the end
        root = str(Path(__file__).resolve().parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-P", "-B", "-c", _BOOT, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd="/",
            env=_ENVIRONMENT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us: the servers end because we do
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.outbox = bytearray(frame({"folder": self.folder, "unwanted": without}))
        self.inbox = bytearray()
        self.flight: deque[int] = deque()
        self.layers: Layers | None = None
        self.approved = False
        self.said_its_last = False
        """Its stdout has ended."""
        self.due = time.monotonic() + START_S
        """When to give it up."""

    @property
    def ready(self) -> bool:
        """It has said its first words."""
        return self.layers is not None

    def take(self, batch: _Batch) -> None:
        """Send jobs: one to work at, and one ahead. A suspect travels alone."""
        while batch.waiting and len(self.flight) < 2:
            number = batch.waiting[0]
            if self.flight and (number in batch.suspects or self.flight[0] in batch.suspects):
                break
            batch.waiting.popleft()
            if not self.flight and self.ready:
                self.due = time.monotonic() + batch.longest_s(number)
            self.flight.append(number)
            self.outbox += batch.body(number)
        if self.outbox:
            self.send()

    def send(self) -> bool:
        """Write what the pipe takes; whether the server still reads."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.stdin, memoryview(self.outbox)[:_PIPE_BYTES].tobytes())]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.outbox.clear()  # the end of its stdout says the rest
            return False
        return True

    def receive(self, batch: _Batch) -> bool:
        """Read what there is; False when the server is gone, or talks nonsense."""
        try:
            data = os.read(self.stdout, _PIPE_BYTES)
        except BlockingIOError:
            return True
        self.inbox += data
        self.said_its_last = not data
        try:
            while (message := self._message()) is not None:
                if self.layers is None:
                    self.layers = Layers(tuple(message["on"]), message["missing"], message["details"])
                else:
                    batch.file(self.flight[0], message, self.layers.on)
                    self.flight.popleft()
                self.due = time.monotonic() + batch.longest_s(self.flight[0]) if self.flight else float("inf")
        except (Malformed, ValueError, KeyError, TypeError, IndexError):
            return False
        return bool(data)

    def await_layers(self) -> None:
        """Wait for the first words.

        Raises:
            SandboxError: they do not come.
        """
        nothing = _Batch([], Limits())
        while not self.ready:
            self.send()
            with selectors.DefaultSelector() as selector:
                selector.register(self.stdout, selectors.EVENT_READ)
                if not selector.select(max(0.0, self.due - time.monotonic())) or not self.receive(nothing):
                    raise SandboxError(f"a sandbox server did not start: {self.last_words()}")

    def _message(self) -> Any:
        if len(self.inbox) < HEADER.size:
            return None
        size = HEADER.unpack_from(self.inbox)[0]
        if len(self.inbox) < HEADER.size + size:
            return None
        import json

        body = bytes(self.inbox[HEADER.size : HEADER.size + size])
        del self.inbox[: HEADER.size + size]
        return json.loads(body)

    def last_words(self) -> str:
        """The end of its stderr."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-500:] or "it said nothing"

    def end(self) -> None:
        """End the process, and with it all of its world; remove its folder."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1 if self.said_its_last else 0.0)  # how it ended by itself tells why
        self.process.kill()
        self.process.wait()
        self.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """Close our ends of the pipes."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _written(job: Job, limits: Limits) -> bytes:
    if isinstance(job, Calls):
        cases: list[Any] = [
            case if isinstance(case, str) else [case.function, [*map(pack, case.args)], _packed(case.kwargs)]
            for case in job.cases
        ]
    else:
        cases = list(job.cases)
    return frame(
        {
            "programs": isinstance(job, Programs),
            "code": job.code,
            "cases": cases,
            "limits": list(astuple(job.limits or limits)),
        }
    )


_OUTPUTS = 16
_TOO_MUCH = Outcome("truncated", error=f"the outputs or values are more than those of {_OUTPUTS} cases may be together")


def _packed(kwargs: Mapping[str, Any]) -> dict[str, str]:
    return {name: pack(value) for name, value in kwargs.items()}


def _read_row(row: Any, program: bool, layers: tuple[str, ...]) -> Outcome:
    status, text, error, cpu_s, wall_s = row
    if status not in ("ok", "fail", "timeout", "rejected", "truncated", "infra"):
        raise Malformed(f"no status {status!r}")
    value: Any = None
    if status == "ok":
        try:
            value = text.encode("latin-1") if program else unpack(text)
        except (Malformed, UnicodeEncodeError) as problem:
            status, value, error = "fail", None, f"it wrote what is no value ({problem})"
    return Outcome(status, value, str(error), float(cpu_s), float(wall_s), layers)


def _watch(selector: selectors.BaseSelector, server: _Server) -> None:
    """Wait for the server's words always, and for its stdin to take more as long as there is more."""
    watched = selector.get_map()
    if server.stdout not in watched:
        selector.register(server.stdout, selectors.EVENT_READ, server)
    registered = server.stdin in watched
    if server.outbox and not registered:
        selector.register(server.stdin, selectors.EVENT_WRITE, server)
    elif registered and not server.outbox:
        selector.unregister(server.stdin)


_SANDBOXES: weakref.WeakSet[Sandbox] = weakref.WeakSet()


def _end_all(pool: list[_Server]) -> None:
    while pool:
        pool.pop().end()


def _after_fork() -> None:
    """In a forked child: the servers are the parent's. Let go of them, so that their stdin closes when it ends."""
    for sandbox in list(_SANDBOXES):
        sandbox._lock = threading.Lock()
        for server in sandbox._pool:
            server.process.returncode = 0  # not ours to wait for
            server.forget()
        sandbox._pool.clear()


os.register_at_fork(after_in_child=_after_fork)

_DEFAULT: Sandbox | None = None
_DEFAULT_LOCK = threading.Lock()


def default_sandbox() -> Sandbox:
    """The process's own sandbox, made at first use.

    Layers named in the environment variable GUERDON_SANDBOX_REQUIRE (`namespaces,landlock,seccomp`, say) are required.
    """
    global _DEFAULT
    with _DEFAULT_LOCK:
        if _DEFAULT is None:
            named = os.environ.get("GUERDON_SANDBOX_REQUIRE", "")
            _DEFAULT = Sandbox(require=[name.strip() for name in named.split(",") if name.strip()])
        return _DEFAULT
