"""A group's attempts, brought together: each is scored by another worker, and a reward that compares them needs all.

Every worker joins with its row at one actor. Whoever completes the group (or came last when the wait for the others
ends) is given all rows, scores them in its own process, and settles; the others are then told their scores. So the
actor computes nothing, and a thousand groups are scored by as many workers as there are.

A group is compared once. An attempt that comes after that is told that it is late, and has no score.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from guerdon.types import Score

ACTOR = "guerdon_siblings"
SETTLE_S = 60.0
"""How long, beside the deadline of each attempt, the others wait for whoever scores the group."""
_REMEMBERED = 100_000
"""Keys of groups that are over, kept to tell who is late."""


@dataclass(frozen=True)
class Told:
    """What a worker hears that joined."""

    kind: Literal["score", "done", "lost"]
    """Score these rows and settle; here is your score; there is none."""
    rows: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    score: Score | None = None
    why: str = ""


@dataclass
class _Group:
    rows: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[Told]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


class Siblings:
    """The meeting place. All of its methods run in one event loop."""

    def __init__(self, wait_s: float, deadline_s: float) -> None:
        self._wait_s, self._deadline_s = wait_s, deadline_s
        self._groups: dict[str, _Group] = {}
        self._scored: dict[str, _Group] = {}
        """Groups that somebody scores at this moment."""
        self._over: OrderedDict[str, None] = OrderedDict()

    async def join(self, key: str, session: int, of: int, row: Mapping[str, Any]) -> Told:
        """Wait for the group's other attempts.

        Args:
            key: which group.
            session: which of its attempts; one that joins again takes its own place.
            of: how many attempts there are.
            row: what is scored.
        """
        if key in self._over:
            return Told("lost", why="its group was compared without it: it came later than siblings_s after the others")
        group = self._groups.setdefault(key, _Group())
        if (earlier := group.waiting.pop(session, None)) is not None and not earlier.done():
            earlier.set_result(Told("lost", why="the same attempt came again"))
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Told] = loop.create_future()
        group.waiting[session] = mine
        group.rows[session] = row
        if group.timer is not None:
            group.timer.cancel()
        if len(group.rows) >= of:
            self._compare(key)
        else:
            group.timer = loop.call_later(self._wait_s, self._compare, key)
        return await mine

    def _compare(self, key: str) -> None:
        """Let one attempt's worker score all that are here: the last to come of those that still wait."""
        group = self._scored[key] = self._groups.pop(key)
        self._over[key] = None
        while len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
        limit_s = self._deadline_s * len(group.rows) + SETTLE_S
        why = f"the worker that scored its group did not answer within {limit_s:g} s"
        group.timer = asyncio.get_running_loop().call_later(limit_s, self._tell, key, {}, why)
        waiting = [session for session, future in group.waiting.items() if not future.done()]
        if waiting:
            group.waiting.pop(waiting[-1]).set_result(Told("score", dict(sorted(group.rows.items()))))
        else:  # all were cancelled: there is nobody to tell
            self._tell(key, {}, "nobody waited any more")

    async def settle(self, key: str, scores: Mapping[int, Score], why: str = "") -> None:
        """Tell the others: their scores by session, or why there are none."""
        self._tell(key, scores, why)

    def _tell(self, key: str, scores: Mapping[int, Score], why: str) -> None:
        group = self._scored.pop(key, None)
        if group is None:
            return
        if group.timer is not None:
            group.timer.cancel()
        for session, future in group.waiting.items():
            if not future.done():
                score = scores.get(session)
                future.set_result(Told("lost", why=why) if score is None else Told("done", score=score))


def meeting_place(wait_s: float, deadline_s: float) -> Any:
    """The job's actor of that kind, made by whoever asks first; it ends with the job."""
    import ray

    made = ray.remote(num_cpus=0, max_concurrency=100_000)(Siblings)
    return made.options(name=ACTOR, get_if_exists=True).remote(wait_s, deadline_s)
