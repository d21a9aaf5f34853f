"""The sandbox, seen from outside: a few servers, each in a world of its own, and answers handed to them.

Promises, limits and layers stand in the repository's SECURITY.md; `guerdon doctor` puts each layer to the test.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from guerdon.errors import ConfigError, SandboxError
from guerdon.sandbox.batches import Batch, Visit
from guerdon.sandbox.confine import LAYERS
from guerdon.sandbox.jobs import Job
from guerdon.sandbox.limits import Limits, Outcome
from guerdon.sandbox.servers import Layers, Server


class Sandbox:
    """Runs untrusted Python. A context manager; threads may share one, and take turns.

    Verdicts are none of its business: it returns values and outputs, and whoever knows what was expected compares.

    Args:
        workers: servers; None for one per core this process may use, or one inside a multiprocessing child.
        limits: of each answer, unless a call gives others.
        require: layers without which nothing runs; one that is missing and not required warns once (not so `cgroups`,
            which few machines hand down).
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
        self._pool: list[Server] = []
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _end_all, self._pool)
        _SANDBOXES.add(self)

    def run(self, jobs: Iterable[Job], limits: Limits | None = None) -> list[list[Outcome]]:
        """One list of outcomes per job, one outcome per case, in order. Equal jobs run once.

        Raises:
            SandboxError: no server can be started.
            ConfigError: a limit is none, or a required layer is missing.
            Untransferable: a case's argument is no plain value.
        """
        found: dict[int, list[Outcome]] = {}
        self.run_each(jobs, found.__setitem__, limits)
        return [found[place] for place in range(len(found))]

    def run_each(self, jobs: Iterable[Job], visit: Visit, limits: Limits | None = None) -> None:
        """As `run`, with the outcomes handed over job by job, as they come, and not kept: programs choose how large
        their values are.

        Args:
            jobs: what to run.
            visit: called with a job's place and its outcomes; not in order. It must not use this sandbox.
            limits: of each answer; the sandbox's own if None.

        Raises:
            SandboxError, ConfigError, Untransferable: as `run`.
        """
        batch = Batch(list(jobs), limits or self.limits, visit)
        with self._lock:
            try:
                self._drive(batch)
            except BaseException:
                self._stop()  # a half-read pipe is of no use to the next caller
                raise

    def check(self) -> None:
        """Start a server, and see that it has the layers required.

        Raises:
            ConfigError: it has not.
            SandboxError: no server can be started.
        """
        with self._lock:
            self._approve(self._first_server())

    @property
    def layers(self) -> Layers:
        """Which layers are on; starts a server if none runs.

        Raises:
            SandboxError: no server can be started.
        """
        with self._lock:
            server = self._first_server()
            assert server.layers is not None
            return server.layers

    def _first_server(self) -> Server:
        """A server that has said which layers are on."""
        if not self._pool:
            self._add_server()
        self._pool[0].await_layers()
        return self._pool[0]

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
            self._pool.append(Server(self.without, self._free_core()))
        except OSError as error:
            if not self._pool:
                raise SandboxError(f"a sandbox server cannot be started: {error}") from error

    def _free_core(self) -> int | None:
        """The core that the next server keeps to, where each has its own: a server and its child take turns, and spread
        over two cores, each would first wake one that sleeps. Fewer servers go where there is room.
        """
        if self.workers is not None or multiprocessing.parent_process() is not None:
            return None
        return min(os.sched_getaffinity(0) - {server.core for server in self._pool}, default=None)

    def _drive(self, batch: Batch) -> None:
        """Until every job has its outcomes: send, wait, read, and replace what is late or dead."""
        with selectors.DefaultSelector() as selector:
            while batch.unfinished:
                while len(self._pool) < min(self._size(), batch.unfinished):
                    before = len(self._pool)
                    self._add_server()
                    if len(self._pool) == before:
                        break  # fewer will do
                for server in self._pool:
                    self._approve(server)
                    server.allow(*batch.most)
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
                if not events:
                    for server in [each for each in self._pool if time.monotonic() >= each.due]:
                        self._bury(server, selector, batch)
            for server in self._pool:
                _watch(selector, server)

    def _bury(self, server: Server, selector: selectors.BaseSelector, batch: Batch) -> None:
        for stream in (server.stdin, server.stdout):
            with contextlib.suppress(KeyError):
                selector.unregister(stream)
        self._pool.remove(server)
        server.end()
        batch.lost(server)

    def _approve(self, server: Server) -> None:
        """See, once it has said what it has, that it is all that is required; warn of what is missing."""
        layers = server.layers
        if layers is None or server.approved:
            return
        lacking = [name for name in self.require if name in layers.missing]
        if lacking:
            told = "; ".join(f"{name}: {layers.missing[name]}" for name in lacking)
            raise ConfigError(f"the sandbox lacks what is required of it here: {told}. See `guerdon doctor`.")
        server.approved = True
        lacking = [name for name in layers.missing if name not in (*self.without, "cgroups")]
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


def _watch(selector: selectors.BaseSelector, server: Server) -> None:
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


def _end_all(pool: list[Server]) -> None:
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

REQUIRE = "GUERDON_SANDBOX_REQUIRE"
WORKERS = "GUERDON_SANDBOX_WORKERS"
_DEFAULT: Sandbox | None = None
_DEFAULT_LOCK = threading.Lock()


def default_sandbox() -> Sandbox:
    """The process's own sandbox, made at first use.

    Layers named in the environment variable GUERDON_SANDBOX_REQUIRE (`namespaces,landlock,seccomp`, say) are required.
    GUERDON_SANDBOX_WORKERS says how many servers it has: one, say, in each of several processes that share a machine.

    Raises:
        ConfigError: a variable names what is no layer, or no number of servers.
    """
    global _DEFAULT
    with _DEFAULT_LOCK:
        if _DEFAULT is None:
            named = os.environ.get(REQUIRE, "").replace(",", " ").split()
            if unknown := [name for name in named if name not in LAYERS]:
                raise ConfigError(f"{REQUIRE} has {unknown[0]!r}; accepted are {', '.join(LAYERS)}")
            workers = os.environ.get(WORKERS, "")
            if workers and not (workers.isdecimal() and int(workers) >= 1):
                raise ConfigError(f"{WORKERS} is {workers!r}; a number of servers >= 1 is needed")
            _DEFAULT = Sandbox(int(workers) if workers else None, require=named)
        return _DEFAULT
