"""One row at a time in, whole batches scored: for frameworks that ask for each completion's reward as it is finished.

`Grader` takes one call at a time and spreads its rows over the worker processes. Rows that come while it is at work
wait here and make up its next call, so that many single questions keep all the workers busy. The first never waits.

Only for rewards that look at one rollout alone: whose company a row is in is an accident here.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.grading import Grader, Row
    from guerdon.types import Score


class Together:
    """Scores single rows for any number of threads and event loops.

    >>> from guerdon import reward
    >>> from guerdon.grading import Grader
    >>> polite = reward(lambda rollout: float("please" in rollout.answer))
    >>> Together(Grader(polite)).grade({"example": {"id": "1"}, "completion": "yes, please"}).result()
    Score(1.0)
    """

    def __init__(self, grader: Grader) -> None:
        if grader.reward.sees != "rollout":
            raise ConfigError(
                f"{grader.reward.name} compares the attempts at one example: it cannot score them one by one"
            )
        self.grader = grader
        self._waiting: list[tuple[Row, Future[Score]]] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="guerdon-grading")

    def grade(self, row: Row) -> Future[Score]:
        """The row's score, some time. Cancelled before its batch begins, it is left out."""
        future: Future[Score] = Future()
        with self._lock:
            self._waiting.append((row, future))
        self._thread.submit(self._grade_waiting)
        return future

    def _grade_waiting(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        batch = [(row, future) for row, future in batch if future.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            scores = self.grader.grade([row for row, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed whole to whoever asked for that row
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            else:
                self._grade_each(batch)
            return
        for (_, future), score in zip(batch, scores, strict=True):
            future.set_result(score)

    def _grade_each(self, batch: list[tuple[Row, Future[Score]]]) -> None:
        """One of them is broken: find out which, and let the others have their scores."""
        for row, future in batch:
            try:
                [score] = self.grader.grade([row])
            except Exception as error:  # noqa: BLE001 - as above
                future.set_exception(error)
            else:
                future.set_result(score)
