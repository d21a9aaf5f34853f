"""Trainers that ask for one score at a time, from many threads: those who wait are answered together.

A judge that takes two seconds then takes two seconds for all who ask meanwhile, rather than for each in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batching(Generic[T, R]):
    """Call it with one item; the first of those who wait answers for all of them, the next ones take turns.

    >>> double = Batching(lambda items: [2 * item for item in items])
    >>> double(4)
    8
    """

    def __init__(self, answer: Callable[[list[T]], Sequence[R]], most: int = 256) -> None:
        self._answer, self._most = answer, most
        self._waiting: list[tuple[T, Future[R]]] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def __call__(self, item: T) -> R:
        """The item's own answer, or what was raised on it."""
        mine: Future[R] = Future()
        with self._guard:
            self._waiting.append((item, mine))
        with self._turn:
            while not mine.done():
                with self._guard:
                    batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                self._serve(batch)
        return mine.result()

    def _serve(self, batch: list[tuple[T, Future[R]]]) -> None:
        try:
            answers = self._answer([item for item, _ in batch])
            assert len(answers) == len(batch), f"{len(answers)} answers to {len(batch)} items"
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:  # find out whom it concerns
                self._serve([one])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)
