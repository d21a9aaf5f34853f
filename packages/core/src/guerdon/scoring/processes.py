"""Work that computes or may hang, spread over worker processes that are killed and replaced when they do.

A *piece* is what is scored at once: one rollout, one group, or the whole batch, as the reward sees it. A *task* is a
run of pieces sent in one message, so that what a worker caches per example serves all attempts at it. Whatever happens
to a worker, every piece gets exactly one outcome: what was answered before counts, the piece in hand is judged or tried
again, and the rest of the task goes to another worker.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from guerdon.errors import SandboxError
from guerdon.rewards.base import Context, Reward, Scores
from guerdon.types import Group

START_S = 120.0
"""How long a fresh worker may take to start, and to import and unpickle what it is sent (torch takes its time)."""


@dataclass(frozen=True)
class Piece:
    """What is scored at once, and for how long it may take."""

    groups: list[Group]
    deadline_s: float
    attempt: str | None = None
    """Which attempt this is a piece of, where attempts are cut into pieces: those in a row share its fate."""


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: its scores, or why there are none."""

    kind: Literal["done", "error", "misused", "timeout", "died"]
    """`error` is a bug in the reward, `misused` a setting under which it cannot score."""
    scores: Scores = field(default_factory=list)
    why: str = ""


@dataclass
class _Task:
    pieces: list[int]
    """Indices into the batch's pieces, in order."""
    answered: int = 0


class _Worker:
    """A child interpreter, its socket, and what it is busy with."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "guerdon.scoring.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # whatever a reward starts dies with its worker
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self.connection.send(sys.path)
        self.phase: Literal["starting", "idle", "loading", "receiving", "running"] = "starting"
        self.since = time.monotonic()
        self.loaded: set[int] = set()
        self.task: _Task | None = None

    def ask(self, phase: Literal["loading", "receiving"], message: tuple[Any, ...]) -> None:
        self.connection.send_bytes(pickle.dumps(message))
        self.phase, self.since = phase, time.monotonic()

    def kill(self) -> int:
        """End it and all it started; returns its exit status (negative: the signal)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.connection.close()
        return self.process.wait()


def _kill_all(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().kill()


class Pool:
    """Worker processes that start when first needed, stay, and are replaced when they die.

    Not for use from two threads at once.
    """

    def __init__(self, workers: int, infra_retries: int, stats: Counter[str]) -> None:
        self._limit, self._retries, self._stats = workers, infra_retries, stats
        self._workers: list[_Worker] = []
        self._rewards: list[tuple[Reward, bytes]] = []
        self.close = weakref.finalize(self, _kill_all, self._workers)

    def kill(self) -> None:
        """End all workers; fresh ones start when next needed."""
        _kill_all(self._workers)

    def run(self, reward: Reward, pieces: Sequence[Piece], context: Context, *, chunk: int) -> list[Outcome]:
        """Score each piece; outcomes in order. Whatever is raised in here leaves no worker behind."""
        batch = _Batch(self._key(reward), pieces, context, self._retries, self._stats)
        batch.cut(chunk)
        try:
            while len(batch.outcomes) < len(pieces):
                self._hand_out(batch)
                self._listen(batch)
        except BaseException:
            self.kill()
            raise
        return [batch.outcomes[index] for index in range(len(pieces))]

    def _key(self, reward: Reward) -> int:
        for key, (known, _) in enumerate(self._rewards):
            if known == reward:
                return key
        self._rewards.append((reward, pickle.dumps(reward)))
        return len(self._rewards) - 1

    def _hand_out(self, batch: _Batch) -> None:
        while len(self._workers) < min(self._limit, len(batch.tasks) + self._busy):
            self._workers.append(_Worker())
        for worker in list(self._workers):
            if worker.phase == "idle" and batch.tasks:
                try:
                    if batch.key not in worker.loaded:
                        worker.ask("loading", ("load", batch.key, self._rewards[batch.key][1]))
                    else:
                        task = batch.tasks.popleft()
                        worker.task = task
                        worker.ask("receiving", batch.message(task))
                except OSError:  # it died while idle
                    self._bury(worker, batch, late=False)

    @property
    def _busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _listen(self, batch: _Batch) -> None:
        if not self._workers:
            return
        limits = {worker: worker.since + batch.limit_s(worker) for worker in self._workers}
        timeout = max(0.0, min(limits.values()) - time.monotonic())
        speaking = set(wait([worker.connection for worker in self._workers], timeout))
        for worker in list(self._workers):
            if worker.connection in speaking:
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError, pickle.UnpicklingError):
                    self._bury(worker, batch, late=False)
                else:
                    _hear(worker, batch, message)
            elif time.monotonic() >= limits[worker]:
                self._bury(worker, batch, late=True)

    def _bury(self, worker: _Worker, batch: _Batch, *, late: bool) -> None:
        self._workers.remove(worker)
        status = worker.kill()
        if worker.phase in ("starting", "loading"):
            self._stats["worker_deaths"] += 1
            batch.failed_starts += 1
            if batch.failed_starts > self._limit + self._retries:
                how = f"did not start within {START_S:g} s" if late else f"ended at start with status {status}"
                raise SandboxError(f"scoring worker {how}; try `{sys.executable} -c 'import guerdon.scoring.worker'`")
        elif worker.task is not None:
            batch.interrupted(worker.task, late=late and worker.phase == "running", status=status)


def _hear(worker: _Worker, batch: _Batch, message: tuple[Any, ...]) -> None:
    """Take in one message of a worker."""
    worker.since = time.monotonic()
    kind = message[0]
    if kind == "ready":
        worker.phase = "idle"
    elif kind == "loaded":
        worker.phase = "idle"
        worker.loaded.add(message[1])
    elif kind == "begun":
        worker.phase = "running"
    elif message[1] == -1:
        raise SandboxError(
            f"a scoring worker could not unpickle what it was sent: {message[2]}. A reward that runs in processes, and "
            f"the examples it scores, must live in an importable module (not in the script that is run)."
        )
    else:
        _, index, answer = message
        assert worker.task is not None, "a worker answers only while it has a task"
        outcome = Outcome("done", scores=answer) if kind == "done" else Outcome(kind, why=answer)
        batch.outcomes[worker.task.pieces[index]] = outcome
        worker.task.answered = index + 1
        if worker.task.answered == len(worker.task.pieces):
            worker.task, worker.phase = None, "idle"


class _Batch:
    """The pieces of one call: which wait, which are answered, which were tried how often."""

    def __init__(self, key: int, pieces: Sequence[Piece], context: Context, retries: int, stats: Counter[str]) -> None:
        self.key, self.pieces, self.context, self.retries, self.stats = key, pieces, context, retries, stats
        self.tasks: deque[_Task] = deque()
        self.outcomes: dict[int, Outcome] = {}
        self.deaths: Counter[int] = Counter()
        self.failed_starts = 0

    def cut(self, chunk: int) -> None:
        """Cut the pieces into tasks of at most `chunk`, never between two attempts at one prompt."""
        run: list[int] = []
        for index, piece in enumerate(self.pieces):
            if len(run) >= chunk and piece.groups[0].key != self.pieces[run[-1]].groups[0].key:
                self.tasks.append(_Task(run))
                run = []
            run.append(index)
        if run:
            self.tasks.append(_Task(run))

    def message(self, task: _Task) -> tuple[Any, ...]:
        pieces = [self.pieces[index] for index in task.pieces]
        fields = (self.context.step, self.context.total_steps, self.context.seed)
        # Pickled on its own, so that the worker can say "begun" after whatever unpickling it imports.
        return "run", self.key, fields, [p.deadline_s for p in pieces], pickle.dumps([p.groups for p in pieces])

    def limit_s(self, worker: _Worker) -> float:
        """How long the worker may stay silent."""
        if worker.phase == "running" and worker.task is not None:
            return self.pieces[worker.task.pieces[worker.task.answered]].deadline_s
        return float("inf") if worker.phase == "idle" else START_S

    def interrupted(self, task: _Task, *, late: bool, status: int) -> None:
        """A worker stopped in the middle of a task: judge the piece in hand, give back the rest."""
        in_hand, rest = task.pieces[task.answered], task.pieces[task.answered + 1 :]
        if late:
            self.outcomes[in_hand] = Outcome("timeout", why=f"no answer within {self.pieces[in_hand].deadline_s:g} s")
            if self.pieces[in_hand].attempt is not None:
                after = Outcome("timeout", why="not asked, since what came before in the same attempt hangs")
                fated = [i for i in rest if self.pieces[i].attempt == self.pieces[in_hand].attempt]
                self.outcomes |= dict.fromkeys(fated, after)
                rest = rest[len(fated) :]
            if rest:
                self.tasks.appendleft(_Task(rest))
            return
        if rest:
            self.tasks.appendleft(_Task(rest))
        self.stats["worker_deaths"] += 1
        self.deaths[in_hand] += 1
        if self.deaths[in_hand] <= self.retries:
            self.stats["retries"] += 1
            self.tasks.appendleft(_Task([in_hand]))
        else:
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            self.outcomes[in_hand] = Outcome(
                "died", why=f"the scoring worker died ({how}) {self.deaths[in_hand]} times on it"
            )
