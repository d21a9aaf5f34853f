"""Queries in processes of their own: what holds when SQLite itself does not return, or eats the memory.

An `Executor` keeps a few worker processes and hands them queries. Each query has a deadline in processor seconds,
watched from here (and, `WALL_FACTOR` times as long, by the wall clock): a worker that misses it (in one long machine
step, where SQLite cannot be interrupted) is killed and replaced, and only the query it was at is lost. Inside, the
kernel's limits on processor time, address space and file size stand behind SQLite's own. A worker holds no secret and
no reference answer; what it keeps from one query to the next is open files (see `guerdon_sql.connections`).

Workers are fresh interpreters (30 ms each), not forks: safe beside threads, torch and CUDA. They end with their
executor, with the interpreter, or when their stdin closes, whichever comes first.

Not covered: a query that makes SQLite's C code run code of its own choosing. It would run with the user's rights,
under the limits above; for that threat put the whole scorer into a container.
"""

from __future__ import annotations

import contextlib
import marshal
import multiprocessing
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from guerdon_sql.execute import refusal
from guerdon_sql.limits import WALL_FACTOR, Limits, Result, Status
from guerdon_sql.packed import PackedRows
from guerdon_sql.serve import HEADER, RUNS, STARVED, Action, frame

GRACE_S = 0.5
"""How far beyond its deadline a query may be before its worker is killed: SQLite's own interrupt comes first."""
START_S = 30.0
"""How long a worker may take to start."""
WINDOW = 32
"""Queries sent ahead to one worker, so that it need not wait for us between two."""
IN_FLIGHT = 256
"""Queries sent ahead in all, however many workers there are: each may come back with as many bytes as it is allowed."""
GATHER_S = 0.001
"""How long results may gather while many queries wait: to be woken for each one would cost more than many a query."""
PIPE_BYTES = 2**16
"""What Linux lets a pipe hold: to ask for more at once would only cost the memory to put it in."""
BY_KILL = "by ending the process"
"""How a `timeout`'s error ends where SQLite's own interrupt did not come."""
Visit = Callable[[int, Result], object]
"""What is called with the place of an item and its result."""
_BOOT = "import sys; sys.path.append(sys.argv[1]); from guerdon_sql.serve import main; main()"


class Executor:
    """Runs queries in worker processes; a context manager. Threads may share one, and take turns.

    Args:
        workers: processes; None for one per core this process may use, or one inside a multiprocessing child.
        limits: of each query. `memory_bytes` is fixed here for the workers' lifetime; the rest may differ per call.
    """

    def __init__(self, workers: int | None = None, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        if workers is not None and workers < 1:
            raise ValueError(f"an executor needs at least one worker, not {workers!r}")
        self.workers, self.limits = workers, limits
        self._pool: list[_Worker] = []
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _kill_all, self._pool)
        _EXECUTORS.add(self)

    def run(self, query: str, database: str | Path, limits: Limits | None = None) -> Result:
        """Run one query; as `guerdon_sql.execute.run`, but killed from outside if need be."""
        return self.run_many([(query, database)], limits)[0]

    def run_many(self, items: Iterable[tuple[str, str | Path]], limits: Limits | None = None) -> list[Result]:
        """Run (query, database) pairs and return their results in order. Equal pairs run once and share their result.

        A query that hangs costs itself its result and the others nothing. A worker that dies by itself gets one more
        try at the query it was on, with nothing else in flight; dying twice of a signal is that query's failure
        (`fail`); of an exception, ours (`infra`), as is a query that never got the processor.
        """
        return self._in_order("run", items, limits)

    def prove_many(self, items: Iterable[tuple[str, str | Path]], limits: Limits | None = None) -> list[Result]:
        """As `run_many`, but a query that runs is run once more, at once and in the same worker: where the two results
        differ, its own is `invalid` (`guerdon_sql.serve.FICKLE`).
        """
        return self._in_order("prove", items, limits)

    def compile_many(self, items: Iterable[tuple[str, str | Path]], limits: Limits | None = None) -> list[Result]:
        """Whether SQLite accepts each query, any statement, on its database, without running it: `ok` or `fail`, or
        what befalls a query that is run (`timeout`, `infra`).
        """
        return self._in_order("compile", items, limits)

    def run_each(self, items: Iterable[tuple[str, str | Path]], visit: Visit, limits: Limits | None = None) -> None:
        """As `run_many`, but hand over each result as it comes, while others run: no more rows are in memory than what
        is in flight.

        Args:
            items: (query, database) pairs.
            visit: called here, in this thread, with the place of each item and its result, in no order. It must not
                ask this executor for anything. What it raises ends the workers, and is raised.
            limits: of each query; None for the executor's own.
        """
        self._do("run", items, limits, visit)

    def _in_order(self, action: Action, items: Iterable[tuple[str, str | Path]], limits: Limits | None) -> list[Result]:
        results: dict[int, Result] = {}
        self._do(action, items, limits, results.__setitem__)
        return [results[place] for place in range(len(results))]

    def _do(self, action: Action, items: Iterable[tuple[str, str | Path]], limits: Limits | None, visit: Visit) -> None:
        batch = _Batch(action, limits or self.limits, items, visit)
        if batch.waiting:
            with self._lock:
                try:
                    self._drive(batch)
                except BaseException:
                    self._stop()  # a half-read pipe is of no use to the next caller
                    raise
        batch.hand_over()

    def close(self) -> None:
        """End the workers. The executor may be used again; it starts new ones."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Executor, (self.workers, self.limits)

    def _stop(self) -> None:
        _kill_all(self._pool)

    def _drive(self, batch: _Batch) -> None:
        """Until every query of the batch has its result: send, wait, read, and replace what is late or dead."""
        failed_starts = 0
        with selectors.DefaultSelector() as selector:
            for worker in self._pool:
                selector.register(worker.stdout, selectors.EVENT_READ, worker)
            while batch.unfinished:
                while batch.waiting and len(self._pool) < min(self._size(), len(batch.waiting)) and failed_starts < 3:
                    try:
                        worker = _Worker(self.limits.memory_bytes)
                    except OSError as error:
                        failed_starts += 1
                        batch.trouble = f"cannot start a worker process: {error}"
                        continue
                    self._pool.append(worker)
                    selector.register(worker.stdout, selectors.EVENT_READ, worker)
                if not self._pool:
                    batch.give_up()
                    break
                window = min(WINDOW, max(1, IN_FLIGHT // len(self._pool)), -(-len(batch.waiting) // len(self._pool)))
                for worker in self._pool:
                    worker.take(batch, window)
                    _watch(selector, worker)
                batch.hand_over()  # the workers have enough to do
                if len(batch.waiting) > WINDOW:
                    time.sleep(GATHER_S)
                due = min(worker.due(batch.deadline_s) for worker in self._pool)
                events = selector.select(max(0.0, due - time.monotonic()))
                for key, mask in events:
                    worker = key.data
                    if worker.process.returncode is not None:
                        continue
                    alive = worker.send() if mask & selectors.EVENT_WRITE else True
                    if mask & selectors.EVENT_READ:
                        alive = worker.receive(batch)
                    if worker.ready:
                        failed_starts = 0
                    if not alive:
                        failed_starts += not worker.ready
                        self._bury(worker, selector, batch, late=False)
                if not events:
                    now = time.monotonic()
                    for worker in [worker for worker in self._pool if worker.overdue(batch.deadline_s, now)]:
                        failed_starts += not worker.ready
                        self._bury(worker, selector, batch, late=True)
            for worker in self._pool:
                _watch(selector, worker)

    def _bury(self, worker: _Worker, selector: selectors.BaseSelector, batch: _Batch, late: bool) -> None:
        for stream in (worker.stdout, worker.stdin):
            with contextlib.suppress(KeyError):
                selector.unregister(stream)
        self._pool.remove(worker)
        code = worker.kill()
        batch.lost(worker, code, late)

    def _size(self) -> int:
        if self.workers is not None:
            return self.workers
        return 1 if multiprocessing.parent_process() is not None else len(os.sched_getaffinity(0))


class _Batch:
    """The distinct queries of one call: which wait, which have results."""

    def __init__(self, action: Action, limits: Limits, items: Iterable[tuple[str, str | Path]], visit: Visit) -> None:
        self.action, self.limits = action, limits
        self.deadline_s = RUNS[action] * limits.deadline_s
        """Of one query, all its runs together."""
        self.jobs: list[tuple[str, str]] = []
        self.waiting: deque[int] = deque()
        self.suspects: set[int] = set()
        self.trouble = ""
        self.unfinished = 0
        self._visit = visit
        self._results: list[tuple[int, Result]] = []
        """Not handed over yet."""
        self._asked: list[list[int]] = []
        """For each job, the places of the items that asked for it."""
        self._limit_values = astuple(limits)
        self._add_all(items)

    def _add_all(self, items: Iterable[tuple[str, str | Path]]) -> None:
        numbers: dict[tuple[str, str], int] = {}
        paths: dict[str | Path, str] = {}
        for place, (query, database) in enumerate(items):
            path = paths.get(database) or paths.setdefault(database, _absolute(os.fspath(database)))
            number = numbers.setdefault((query, path), len(self.jobs))
            if number < len(self.jobs):
                self._asked[number].append(place)
                continue
            self.jobs.append((query, path))
            self._asked.append([place])
            self.unfinished += 1
            if reason := self._refusal(query):  # a megabyte of junk need not cross a pipe
                status: Status = "fail" if self.action == "compile" else "rejected"
                self.file(number, Result(status, error=reason, mode="worker"))
            else:
                self.waiting.append(number)

    def _refusal(self, query: str) -> str:
        if self.action == "compile":
            return "too long" if len(query) > self.limits.max_query_bytes else ""
        return refusal(query, self.limits)

    def file(self, number: int, result: Result) -> None:
        """Take down what came of a query."""
        self._results.append((number, result))
        self.unfinished -= 1

    def hand_over(self) -> None:
        """Let the caller have what there is."""
        results, self._results = self._results, []
        for number, result in results:
            for place in self._asked[number]:
                self._visit(place, result)

    def message(self, number: int) -> bytes:
        """What is sent to a worker."""
        return frame((self.action, *self.jobs[number], *self._limit_values))

    def lost(self, worker: _Worker, code: int, late: bool) -> None:
        """Judge the query a dead worker was at; those sent ahead go back to the head of the queue."""
        queue = list(worker.flight)
        if not queue:
            self.trouble = f"a worker ended before it was ready ({_how(code)})"
            return
        if code == 0 and worker.delivered:  # it ends by itself after an answer only, with no query begun since
            self.waiting.extendleft(reversed(queue))
            return
        first, ahead = queue[0], queue[1:]
        self.waiting.extendleft(reversed(ahead))
        spent = time.monotonic() - worker.since
        if not worker.ready:
            self.trouble = f"a worker did not start ({_how(code)})"
            self.waiting.appendleft(first)
        elif late and worker.watched_s < self.limits.deadline_s / 2:
            self.file(first, Result("infra", error=STARVED, mode="worker"))
        elif late or code == -signal.SIGXCPU:
            why = f"stopped at the deadline of {self.limits.deadline_s:g} s {BY_KILL}"
            self.file(first, Result("timeout", (), [], why, spent, worker.cpu_s, "worker"))
        elif first not in self.suspects:
            self.suspects.add(first)
            self.waiting.appendleft(first)
        elif code in _OUTSIDE:
            why = f"the worker was ended from outside ({_how(code)})"
            self.file(first, Result("infra", error=why, mode="worker"))
        elif code >= 0:  # a Python exception: no query has a way to ask for an exit
            why = f"a bug of ours ended the worker twice ({_how(code)}); see it with guerdon_sql.execute.run"
            self.file(first, Result("infra", error=why, mode="worker"))
        else:
            why = f"crashed the worker twice ({_how(code)})"
            self.file(first, Result("fail", (), [], why, spent, worker.cpu_s, "worker"))

    def give_up(self) -> None:
        """No worker is to be had."""
        for number in self.waiting:
            self.file(number, Result("infra", error=self.trouble or "no worker process", mode="worker"))
        self.waiting.clear()


class _Worker:
    """One process and its pipes."""

    def __init__(self, memory_bytes: int) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=kept,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us: the workers end because we do
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.outbox = bytearray(frame((memory_bytes, [entry for entry in sys.path if entry])))
        self.inbox = bytearray()
        self.flight: deque[int] = deque()
        self.ready = False
        self.delivered = False
        """Whether any result has come from it."""
        self.since = time.monotonic()
        """When the query at the head of the flight could have begun: its clock's zero."""
        self.since_cpu_s = 0.0
        """The process's own clock at that moment."""
        self.patience = 0.0
        """Not to be asked again whether it is overdue before this moment."""
        self.accounted_s = 0.0
        """Processor seconds of the results it delivered."""
        self.cpu_s = 0.0
        """Set by `kill`: the processor seconds beyond those, so of the query it died on (and of starting up, and of
        second runs)."""
        self.watched_s = 0.0
        """Set by `kill`: those since `begin` last looked at its clock, so none of earlier queries or of starting up."""

    def take(self, batch: _Batch, window: int) -> None:
        """Send queries ahead, up to `window` in flight. A suspect travels alone, so that a second death is its own."""
        if 2 * len(self.flight) > window:
            return  # refill in strides: a write for each result would cost more than many a query
        while batch.waiting and len(self.flight) < max(1, window):
            if self.flight and (batch.waiting[0] in batch.suspects or self.flight[0] in batch.suspects):
                return
            place = batch.waiting.popleft()
            if not self.flight and self.ready:
                self.begin()
            self.flight.append(place)
            self.outbox += batch.message(place)
        if self.outbox:
            self.send()

    def send(self) -> bool:
        """Write what the pipe takes; whether the worker still reads."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.stdin, memoryview(self.outbox)[:PIPE_BYTES].tobytes())]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.outbox.clear()  # the end of its stdout says the rest
            return False
        return True

    def receive(self, batch: _Batch) -> bool:
        """Read what there is and file the results; False when the worker is gone."""
        try:
            data = os.read(self.stdout, PIPE_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.inbox += data
        messages, start = [], 0
        while len(self.inbox) >= start + HEADER.size:
            end = start + HEADER.size + HEADER.unpack_from(self.inbox, start)[0]
            if len(self.inbox) < end:
                break
            messages.append(marshal.loads(memoryview(self.inbox)[start + HEADER.size : end]))
            start = end
        if not messages:
            return True
        del self.inbox[:start]
        self.begin()
        if not self.ready:
            self.ready = messages.pop(0) is not None
        for status, columns, count, rows, error, elapsed_s, cpu_s in messages:
            self.delivered = True
            self.accounted_s += cpu_s
            table = PackedRows(rows, count) if count else []
            batch.file(self.flight.popleft(), Result(status, columns, table, error, elapsed_s, cpu_s, "worker"))
        return True

    def begin(self) -> None:
        """The query at the head of the flight begins, as far as can be seen from here."""
        self.since, self.since_cpu_s = time.monotonic(), _processor_s(self.process.pid) or 0.0

    def due(self, deadline_s: float) -> float:
        """The moment at which to ask whether the worker is overdue."""
        if not self.ready:
            return self.since + START_S
        return max(self.since + deadline_s + GRACE_S, self.patience) if self.flight else float("inf")

    def overdue(self, deadline_s: float, now: float) -> bool:
        """Whether its query has had its processor time; on a busy machine that takes longer by the wall clock."""
        if now < self.due(deadline_s):
            return False
        clock = _processor_s(self.process.pid)
        if not self.ready or clock is None or now >= self.since + WALL_FACTOR * deadline_s + GRACE_S:
            return True
        missing = deadline_s + GRACE_S / 2 - (clock - self.since_cpu_s)
        self.patience = now + max(missing, 0.05)
        return missing <= 0.0

    def kill(self) -> int:
        """End the process and everything of it here; its exit code, negative for a signal."""
        self.process.kill()
        with contextlib.suppress(ChildProcessError):
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            total_s = usage.ru_utime + usage.ru_stime
            self.cpu_s, self.watched_s = max(0.0, total_s - self.accounted_s), max(0.0, total_s - self.since_cpu_s)
        self.forget()
        return self.process.returncode or 0

    def forget(self) -> None:
        """Close our ends of the pipes."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


_OUTSIDE = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
_EXECUTORS: weakref.WeakSet[Executor] = weakref.WeakSet()


def _kill_all(pool: list[_Worker]) -> None:
    while pool:
        pool.pop().kill()


def _after_fork() -> None:
    """In a forked child: the workers are the parent's. Let go of them, so that their stdin closes when the parent
    ends.
    """
    for executor in list(_EXECUTORS):
        executor._lock = threading.Lock()
        for worker in executor._pool:
            worker.process.returncode = 0  # not ours to wait for
            worker.forget()
        executor._pool.clear()


os.register_at_fork(after_in_child=_after_fork)


def _watch(selector: selectors.BaseSelector, worker: _Worker) -> None:
    """Wait for the worker's stdin to take more exactly as long as there is more."""
    registered = worker.stdin in selector.get_map()
    if worker.outbox and not registered:
        selector.register(worker.stdin, selectors.EVENT_WRITE, worker)
    elif registered and not worker.outbox:
        selector.unregister(worker.stdin)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory is gone
        return path


def _how(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


_DEFAULT: Executor | None = None
_DEFAULT_LOCK = threading.Lock()


def default_executor() -> Executor:
    """The process's own executor, made at first use. After a fork the child's starts workers of its own."""
    global _DEFAULT
    with _DEFAULT_LOCK:
        if _DEFAULT is None:
            _DEFAULT = Executor()
        return _DEFAULT


def _processor_s(pid: int) -> float | None:
    """Processor seconds another process has used, by Linux's per-process clock; None where there is no such clock."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None
