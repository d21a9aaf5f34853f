"""Work that waits (a judge, a server), spread over threads, with a deadline for each piece.

A thread cannot be killed: one that misses its deadline is abandoned (it is a daemon, takes no further piece, and what
it may still return is dropped) and another takes its place.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Late:
    """The outcome of a piece that missed its deadline."""


class _Job(Generic[T, R]):
    def __init__(self, work: Callable[[T], R], pieces: Sequence[T]) -> None:
        self.work, self.pieces = work, pieces
        self.waiting = deque(range(len(pieces)))
        self.started: dict[int, float] = {}
        self.finished: queue.Queue[tuple[int, R | Exception]] = queue.Queue()
        self.abandoned: set[int] = set()

    def serve(self) -> None:
        """One thread's life: take a piece, do it, hand it in."""
        while True:
            try:
                index = self.waiting.popleft()
            except IndexError:
                return
            self.started[index] = time.monotonic()
            outcome: R | Exception
            try:
                outcome = self.work(self.pieces[index])
            except Exception as error:  # noqa: BLE001 - handed to the caller whole, who raises or counts it
                outcome = error
            self.finished.put((index, outcome))
            if index in self.abandoned:
                return

    def hire(self) -> None:
        threading.Thread(target=self.serve, name="guerdon-scoring", daemon=True).start()


def in_threads(
    work: Callable[[T], R], pieces: Sequence[T], *, threads: int, deadline_s: float
) -> list[R | Exception | Late]:
    """Each piece's result, the exception it raised, or `Late`, in order.

    Args:
        work: called once per piece, from several threads.
        pieces: what to work on.
        threads: at most this many at once (beside abandoned ones).
        deadline_s: wall-clock limit of one piece, in seconds.
    """
    job = _Job(work, pieces)
    outcomes: dict[int, R | Exception | Late] = {}
    for _ in range(min(threads, len(pieces))):
        job.hire()
    try:
        while len(outcomes) < len(pieces):
            running = [at for index, at in list(job.started.items()) if index not in outcomes]
            wait_s = min(running, default=time.monotonic()) + deadline_s - time.monotonic()
            try:
                index, outcome = job.finished.get(timeout=max(wait_s, 0.001))
                outcomes.setdefault(index, outcome)
                continue
            except queue.Empty:
                pass
            for index, at in list(job.started.items()):
                if index not in outcomes and time.monotonic() - at >= deadline_s:
                    job.abandoned.add(index)
                    outcomes[index] = Late()
                    job.hire()
    finally:
        job.waiting.clear()
    return [outcomes[index] for index in range(len(pieces))]
