"""The desk: a bounded queue of accepted batches, and one thread per lane that brings them there.

A batch is *accepted* when `submit` returns. From then on it is answered: with its scores, or with what went wrong. Only
its client can withdraw it, by hanging up. A lane that dies over a batch is replaced and the batch tried once more, on
its own account; one that is late is killed, so that no worker stays busy for nobody.

OpenRLHF asks for one sample at a time. What waits of one reward's is brought together, as one batch; if that breaks its
lane, each goes on its own.

`submit` and `withdraw` are called from the event loop; answers reach it through `Job.parts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import pickle
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError, ServerError
from guerdon.serve.answering import Kind, Part, failure
from guerdon.serve.lane import Lane, LaneDiedError, LaneLateError
from guerdon.serve.settings import Settings

if TYPE_CHECKING:
    from guerdon.grading import Grader
    from guerdon.serve.metrics import Metrics

TRIES = 2
"""How often a batch is given to a lane, if lanes die over it."""
TOGETHER = 16
"""How many of OpenRLHF's requests are brought to a lane at once, at most: as many as a grader has threads for rewards
that wait. They are answered together, so that more would only make the first wait for the last."""

_ENDED = "the server ended before this batch was scored"


class FullError(Exception):
    """There is no room for another batch; how many seconds to wait before asking again."""

    def __init__(self, why: str, retry_after_s: int) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Job:
    """One accepted batch. Made in the event loop that waits for it."""

    def __init__(self, kind: Kind, name: str | None, body: bytes) -> None:
        self.kind, self.name, self.body = kind, name, body
        self.parts: asyncio.Queue[Part] = asyncio.Queue()
        self.unwanted = False
        self.submitted_at = time.monotonic()
        self.begun = False
        self.alone = False
        """It may break its lane, and is brought there in no company."""
        self.given = self.answered = False
        """Whether a part of the answer has been handed over, and all of it."""
        self._loop = asyncio.get_running_loop()

    def put(self, part: Part) -> None:
        """Hand over a part of the answer, from any thread."""
        self.given, self.answered = True, part.last
        if not self.unwanted:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                self._loop.call_soon_threadsafe(self.parts.put_nowait, part)


class Desk:
    """The queue and its lanes.

    Args:
        graders: what can be asked for, by name. They travel to the lanes by pickle.
        settings: limits.
        metrics: what happens here is counted there.

    Raises:
        ConfigError: a grader does not pickle.
    """

    def __init__(self, graders: Mapping[str, Grader], settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        try:
            load = pickle.dumps((dict(graders), settings))
        except Exception as error:  # pickle raises what it likes
            raise ConfigError(
                f"a grader cannot be sent to the scoring processes ({type(error).__name__}: {error}): its reward and "
                f"its task must be built of things that live in importable modules"
            ) from error
        self._lanes = [Lane(load) for _ in range(settings.lanes)]
        self._threads: list[threading.Thread] = []
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._busy = 0
        self._typical_s = 1.0
        self.pending_bytes = 0

    def start(self) -> None:
        """Start all lanes, at once; returns when they are ready.

        Raises:
            ServerError: one could not be started. None then runs.
        """
        problems: list[ServerError] = []

        def start(lane: Lane) -> None:
            try:
                lane.start()
            except ServerError as error:
                problems.append(error)

        starting = [threading.Thread(target=start, args=(lane,)) for lane in self._lanes]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        if problems:
            for lane in self._lanes:
                lane.kill()
            raise problems[0]
        self._threads = [
            threading.Thread(target=self._serve, args=(lane,), name="guerdon-lane", daemon=True) for lane in self._lanes
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End the lanes. What is still waiting or scored is not answered: empty the desk first, or have it lost."""
        with self._changed:
            self._ended.set()
            dropped, self._waiting = list(self._waiting), deque()
            busy = self._busy
            self._changed.notify_all()
        _fail(dropped, 503, _ENDED)
        if busy:
            for lane in self._lanes:
                lane.interrupt()
        for thread in self._threads:
            thread.join()
        for lane in self._lanes:
            lane.end()

    # -- called from the event loop ------------------------------------------------------------------------------------

    def reserve(self, count: int) -> None:
        """Make room for bytes of a body.

        Raises:
            FullError: there is none; also where the queue is full already, before anything is read.
        """
        if len(self._waiting) >= self._settings.queue:
            raise FullError(f"{self._settings.queue} batches are waiting", self.retry_after_s)
        if self.pending_bytes and self.pending_bytes + count > self._settings.max_pending_bytes:
            raise FullError(f"{self._settings.max_pending_mb:g} MiB of batches are waiting", self.retry_after_s)
        self.pending_bytes += count

    def release(self, count: int) -> None:
        """Give back what was reserved, once the batch is answered or refused."""
        self.pending_bytes -= count

    def submit(self, job: Job) -> None:
        """Accept a batch.

        Raises:
            FullError: the queue is full.
        """
        with self._changed:
            if len(self._waiting) >= self._settings.queue:
                raise FullError(f"{self._settings.queue} batches are waiting", self.retry_after_s)
            self._waiting.append(job)
            self._changed.notify()

    def withdraw(self, job: Job) -> bool:
        """Take a batch out of the queue. Whether it was still there, and now never begins."""
        with self._changed, contextlib.suppress(ValueError):
            self._waiting.remove(job)
            return True
        return False

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Batches being scored."""
        return self._busy

    @property
    def retry_after_s(self) -> int:
        """When room can be expected: half the queue's time, in seconds from 1 to 60."""
        return max(1, min(60, math.ceil(0.5 * len(self._waiting) * self._typical_s / self._settings.lanes)))

    @property
    def pids(self) -> list[int]:
        """The lanes' processes."""
        return [lane.pid for lane in self._lanes if lane.pid is not None]

    # -- one thread per lane -------------------------------------------------------------------------------------------

    def _serve(self, lane: Lane) -> None:
        while jobs := self._next():
            try:
                self._score(lane, jobs)
                self._revive(lane)
            finally:
                with self._changed:
                    self._busy -= 1

    def _next(self) -> list[Job]:
        """What is brought to a lane at once: a batch, or OpenRLHF's samples of one reward. None at the end."""
        with self._changed:
            while not self._waiting and not self._ended.is_set():
                self._changed.wait()
            if self._ended.is_set():
                return []
            self._busy += 1
            jobs = [first := self._waiting.popleft()]
            if first.kind == "openrlhf" and not first.alone:
                like = [
                    job for job in self._waiting if (job.kind, job.name, job.alone) == ("openrlhf", first.name, False)
                ]
                for job in like[: TOGETHER - 1]:
                    self._waiting.remove(job)
                    jobs.append(job)
            for job in jobs:
                job.begun = True
            return jobs

    def _score(self, lane: Lane, jobs: Sequence[Job]) -> None:
        started = time.monotonic()
        for job in jobs:
            if not job.alone:  # or it was counted before
                self._metrics.waited(started - job.submitted_at)
        try:
            self._bring(lane, jobs)
        except ServerError as error:  # no lane can be had: the next batch tries again
            _fail(jobs, 503, str(error))
        except Exception as error:  # the boundary: the thread must live, and the client be told
            logging.getLogger(__name__).exception("a batch was lost to a bug of the server")
            _fail(jobs, 502, f"a bug of the server: {type(error).__name__}: {error}")
            lane.kill()
        self._typical_s += 0.2 * ((time.monotonic() - started) / len(jobs) - self._typical_s)

    def _bring(self, lane: Lane, jobs: Sequence[Job]) -> None:
        """Have a lane answer. Whoever waits is told of a failure before the lane is started again.

        Raises:
            ServerError: the lane is lost, and no other can be started.
        """
        for tries_left in reversed(range(1 if jobs[0].alone else TRIES)):
            if self._ended.is_set():
                _fail(jobs, 503, _ENDED)
                return
            if lane.pid is None:
                lane.start()
            try:
                self._ask(lane, jobs)
                return
            except LaneDiedError as error:
                self._metrics.lane_lost("died")
                if self._ended.is_set():
                    _fail(jobs, 503, _ENDED)
                elif len(jobs) > 1:
                    self._part(jobs)
                elif tries_left and not jobs[0].given:
                    continue
                else:
                    _fail(jobs, 502, f"the scoring process died over this batch ({error})")
                return
            except LaneLateError:
                self._metrics.lane_lost("late")
                if len(jobs) > 1:
                    self._part(jobs)
                else:
                    _fail(jobs, 504, f"scoring took longer than {self._settings.score_timeout_s:g} s")
                return

    def _ask(self, lane: Lane, jobs: Sequence[Job]) -> None:
        started, reward, answered = time.monotonic(), "", 0
        parts = lane.ask(jobs[0].kind, jobs[0].name, [job.body for job in jobs], self._settings.score_timeout_s)
        with contextlib.suppress(StopIteration):
            part = next(parts)
            while True:
                job, reward = jobs[answered], part.reward
                self._metrics.scored(reward, part.statuses)
                job.put(part)
                answered += part.last
                part = parts.send(not job.unwanted)
        self._metrics.took(reward, time.monotonic() - started)

    def _part(self, jobs: Sequence[Job]) -> None:
        """Put samples that broke a lane together back into the queue, to go one by one: one of them is to blame."""
        left = [job for job in jobs if not job.answered and not job.unwanted]
        with self._changed:
            if not self._ended.is_set():
                for job in reversed(left):
                    job.alone = True
                    self._waiting.appendleft(job)
                self._changed.notify_all()
                return
        _fail(left, 503, _ENDED)

    def _revive(self, lane: Lane) -> None:
        if lane.pid is None and not self._ended.is_set():
            try:
                lane.start()
            except ServerError as error:  # the next batch tries again, and is told
                logging.getLogger(__name__).warning("%s", error)


def _fail(jobs: Sequence[Job], code: int, why: str) -> None:
    """Tell those that are not answered yet; of a stream that has begun, in a last line."""
    for job in jobs:
        if not job.answered:
            job.put(failure(code, why, line=job.given))
