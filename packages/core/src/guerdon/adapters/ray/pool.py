"""The driver's side of `RayReward`: hand out, wait, and replace workers that die or stay silent.

A *piece* is the smallest thing the reward can be asked for (a rollout, a group, the batch). Pieces travel several at a
time; when their worker is lost, each travels alone, so that only what really kills workers is given up.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from guerdon import errors
from guerdon.adapters.ray.cluster import connected
from guerdon.errors import ConfigError, RewardError, SandboxError
from guerdon.rewards import Context, Reward, Scores
from guerdon.scoring.processes import Piece
from guerdon.types import Score

START_S = 120.0
"""How long a worker may take to start: Ray starts a process, which imports what the reward needs."""
MARGIN_S = 15.0
"""How long after its pieces' deadlines a worker is given up: the runner in it kills what is late, and tells."""
TASKS_PER_WORKER = 8
"""Into how many tasks per worker a batch is cut, at least: enough to even out slow ones."""


@dataclass(eq=False)
class _Worker:
    """An actor, and what it is at."""

    actor: Any
    waits_for: Any
    """The reference of what it will say next; None while it is idle."""
    asked: float
    limit_s: float
    """How long it may take to say it."""
    started: bool = False
    task: tuple[int, ...] = ()
    """The pieces it has in hand."""

    @property
    def due(self) -> float:
        """When to give it up."""
        return self.asked + self.limit_s


def _kill_all(workers: list[_Worker]) -> None:
    import ray

    while workers:
        worker = workers.pop()
        if ray.is_initialized():
            with contextlib.suppress(Exception):  # it has gone already, or its cluster has
                ray.kill(worker.actor)


class Pool:
    """Actors that start when first needed, stay, and are replaced when they are lost. Not for two threads at once."""

    def __init__(
        self,
        reward: Reward,
        workers: int,
        deadline_s: float,
        *,
        retries: int,
        rollouts_per_task: int,
        stats: Counter[str],
    ) -> None:
        self._ray = connected(workers)
        from guerdon.adapters.ray.worker import Worker

        self._reward, self._limit, self._deadline_s = reward, workers, deadline_s
        self._retries, self._rollouts_per_task, self._stats = retries, rollouts_per_task, stats
        self._pickled = self._ray.cloudpickle.dumps(reward)
        self._made = self._ray.remote(num_cpus=1, max_restarts=0)(Worker)
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self.close = weakref.finalize(self, _kill_all, self._workers)

    def run(self, pieces: Sequence[Piece], context: Context) -> list[Scores]:
        """The scores of each piece, in order. Whatever is raised in here leaves no worker behind."""
        batch = _Batch(pieces, context, self._retries, self._stats)
        batch.cut(self._rollouts_per_task, self._limit * TASKS_PER_WORKER)
        self._failed_starts = 0
        try:
            while len(batch.found) < len(pieces):
                self._hand_out(batch)
                self._listen(batch)
        except BaseException:
            _kill_all(self._workers)
            raise
        return [batch.found[place] for place in range(len(pieces))]

    def _hand_out(self, batch: _Batch) -> None:
        busy = sum(bool(worker.task) for worker in self._workers)
        while len(self._workers) < min(self._limit, busy + len(batch.tasks)):
            actor = self._made.remote(self._pickled, self._deadline_s)
            self._workers.append(_Worker(actor, actor.ready.remote(), time.monotonic(), START_S))
        for worker in self._workers:
            if worker.waits_for is None and batch.tasks:
                worker.task = batch.tasks.popleft()
                groups = [group for place in worker.task for group in batch.pieces[place].groups]
                worker.waits_for = worker.actor.score.remote(groups, batch.fields)
                worker.asked, worker.limit_s = time.monotonic(), batch.longest_s(worker.task) + MARGIN_S

    def _listen(self, batch: _Batch) -> None:
        speaking = {worker.waits_for: worker for worker in self._workers if worker.waits_for is not None}
        wait_s = max(0.0, min(worker.due for worker in speaking.values()) - time.monotonic())
        ready, _ = self._ray.wait(list(speaking), num_returns=1, timeout=wait_s)
        for reference in ready:
            self._hear(speaking[reference], batch)
        if not ready:
            for worker in [each for each in speaking.values() if time.monotonic() >= each.due]:
                self._bury(worker, batch, f"it was silent for {worker.limit_s:.3g} s", late=True)

    def _hear(self, worker: _Worker, batch: _Batch) -> None:
        """Take in what a worker says, or that it says nothing any more."""
        try:
            said = self._ray.get(worker.waits_for)
        except self._ray.exceptions.RayTaskError as error:  # none of our own errors: a bug in a reward or in the worker
            raise RewardError(f"{self._reward.name} failed in a worker: {error.cause or error}") from error
        except self._ray.exceptions.RayError as error:
            self._bury(worker, batch, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return
        worker.waits_for = None
        if not worker.started:
            worker.started = True
            if said:
                raise ConfigError(
                    f"a worker could not unpickle {self._reward.name}: {said}. A reward that Ray's workers score, and "
                    f"what it is made of, must live in a module that they can import (not in the script that is run)."
                )
            return
        kind, answer = said
        if kind != "done":
            _raise(kind, answer)
        batch.answered(worker.task, answer)
        worker.task = ()

    def _bury(self, worker: _Worker, batch: _Batch, why: str, *, late: bool = False) -> None:
        """Replace a worker that is dead or silent, and see what becomes of its task."""
        self._workers.remove(worker)
        _kill_all([worker])
        if worker.started:
            self._stats["late" if late else "worker_deaths"] += 1
            batch.lost(worker.task, why)
            return
        self._failed_starts += 1
        if not self._workers and self._failed_starts > self._retries:
            free, there = (
                resources.get("CPU", 0.0)
                for resources in (self._ray.available_resources(), self._ray.cluster_resources())
            )
            raise SandboxError(
                f"no worker of RayReward could be started ({why}); each needs 1 CPU, and {free:g} of the cluster's "
                f"{there:g} are free. See `ray status`, or ask for fewer workers."
            )


def _raise(kind: str, message: str) -> NoReturn:
    made = getattr(errors, kind, errors.GuerdonError)
    raise (ConfigError if made is errors.UnknownName else made)(message)


class _Batch:
    """The pieces of one call: which wait, which are answered, which lost a worker how often."""

    def __init__(self, pieces: Sequence[Piece], context: Context, retries: int, stats: Counter[str]) -> None:
        self.pieces, self.retries, self.stats = pieces, retries, stats
        self.fields = context.step, context.total_steps, context.seed
        self.tasks: deque[tuple[int, ...]] = deque()
        self.found: dict[int, Scores] = {}
        self.losses: Counter[int] = Counter()

    def cut(self, most: int, tasks: int) -> None:
        """Cut the pieces into about so many tasks of at most `most` rollouts (one piece may be larger)."""
        sizes = [sum(map(len, piece.groups)) for piece in self.pieces]
        room = max(1, min(most, -(-sum(sizes) // tasks)))
        task: list[int] = []
        for place, size in enumerate(sizes):
            if task and sum(sizes[each] for each in task) + size > room:
                self.tasks.append(tuple(task))
                task = []
            task.append(place)
        self.tasks.append(tuple(task))

    def longest_s(self, task: tuple[int, ...]) -> float:
        return sum(self.pieces[place].deadline_s for place in task)

    def answered(self, task: tuple[int, ...], scores: Scores) -> None:
        rows = iter(scores)
        for place in task:
            self.found[place] = [next(rows) for _ in self.pieces[place].groups]

    def lost(self, task: tuple[int, ...], why: str) -> None:
        """A worker is gone: ask again for each of its pieces alone, or give up what has cost too many workers."""
        for place in reversed(task):
            self.losses[place] += 1
            if self.losses[place] <= self.retries:
                self.stats["retries"] += 1
                self.tasks.appendleft((place,))
            else:
                self.stats["lost"] += 1
                told = f"Ray lost the worker {self.losses[place]} times on it; the last time: {why}"
                self.found[place] = [
                    [Score.unscored(told) for _ in group.rollouts] for group in self.pieces[place].groups
                ]
