"""One thing at a time in, batches answered: for frameworks that ask for each completion's reward as it is finished.

`Grader` takes one call at a time and spreads its rows over the worker processes. What comes while it is at work waits
here and makes up its next call, so that many single questions keep all the workers busy, and a judge that takes two
seconds takes two seconds for all who ask meanwhile. The first never waits.

Only for what is scored on its own: whose company it is in is an accident here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Asks once for all that wait, for any number of threads and event loops.

    Args:
        answer: one answer per item, in order. Never called from two threads at once.

    >>> from guerdon import reward
    >>> from guerdon.grading import Grader
    >>> polite = reward(lambda rollout: float("please" in rollout.answer))
    >>> together = Together(Grader(polite).grade)
    >>> together.ask({"example": {"id": "1"}, "completion": "yes, please"}).result()
    Score(1.0)
    """

    def __init__(self, answer: Callable[[list[T]], Sequence[R]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[T, Future[R]]] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="guerdon-together")

    def ask(self, item: T) -> Future[R]:
        """The item's answer, some time, or what was raised on it. Cancelled before its batch begins, it is left out."""
        future: Future[R] = Future()
        with self._lock:
            self._waiting.append((item, future))
        self._thread.submit(self._answer_waiting)
        return future

    def _answer_waiting(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        self._serve([(item, future) for item, future in batch if future.set_running_or_notify_cancel()])

    def _serve(self, batch: Sequence[tuple[T, Future[R]]]) -> None:
        found = answers_of(self._answer, [item for item, _ in batch])
        for (_, future), answer in zip(batch, found, strict=True):
            if isinstance(answer, Failed):
                future.set_exception(answer.error)
            else:
                future.set_result(answer)


@dataclass(frozen=True)
class Failed:
    """What stands in the place of an answer: the error that the item alone raises."""

    error: Exception


def answers_of(answer: Callable[[list[T]], Sequence[R]], items: list[T]) -> list[R | Failed]:
    """One answer per item, in order, or why there is none: an item that raises takes none of the others with it.

    Where a batch raises, its halves are asked instead: one broken item among n costs about 2 log2(n) more calls.
    """
    if not items:
        return []
    try:
        answers = answer(items)
        if len(answers) != len(items):
            raise AssertionError(f"{len(answers)} answers to {len(items)} questions")
        return list(answers)
    except Exception as error:  # noqa: BLE001 - handed whole to whoever asked
        if len(items) == 1:
            return [Failed(error)]
    half = len(items) // 2
    return [*answers_of(answer, items[:half]), *answers_of(answer, items[half:])]
