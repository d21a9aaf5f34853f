"""`RayReward`: any reward, scored by a pool of Ray actors instead of in this process.

```py
from guerdon.adapters.ray import RayReward

with RayReward(reward, workers=8) as spread:
    grader = Grader(spread, task)
```

What it promises: the same scores as the reward itself, in order. A worker that dies (killed, out of memory, its node
gone) or stays silent past its deadline is replaced, and what it held is asked again; what still has no answer after
`retries` more workers is `infra`, unscored. Never is our failure a number.

What it does not: rewards that keep state are refused, since each worker would hold another state. A reward of the whole
batch goes to one worker. Each worker has one process for what hangs and one sandbox server, so that as many workers as
there are cores fill the cores.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.grading import Grader
from guerdon.rewards import Context, Reward, Scores
from guerdon.rewards.algebra import OfOne
from guerdon.scoring.runner import cut, joined
from guerdon.types import Group


@dataclass
class _Held:
    """The pool of one `RayReward` and its lock: made at first use, and never sent anywhere."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stats: Counter[str] = field(default_factory=Counter)
    pool: Any = None


@dataclass(frozen=True)
class RayReward(OfOne, runs_in="elsewhere"):
    """The reward's own scores, computed by Ray actors; a context manager that ends them."""

    reward: Reward
    """Pickles, and lives in a module that the workers can import."""
    workers: int = 2
    """Actors, of one CPU each."""
    deadline_s: float = 30.0
    """Wall-clock limit of one rollout, in seconds, as `Runner.deadline_s`. A worker that is sent n rollouts may stay
    silent n times as long before it is replaced."""
    retries: int = 2
    """How often a rollout (or group) whose worker was lost is asked again before it is `infra`."""
    rollouts_per_task: int = 32
    """Rollouts that a worker is sent at once, at most; a group is not cut where the reward compares its attempts."""
    _held: _Held = field(default_factory=_Held, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("retries", 0), ("rollouts_per_task", 1)):
            whole_number(f"RayReward.{name}", getattr(self, name), least)
        if not self.deadline_s > 0.0:
            raise ConfigError(f"RayReward.deadline_s is {self.deadline_s!r}; a number of seconds > 0 is needed")
        Grader(self.reward).refuse_learning(
            "Ray's workers share no state (give RayReward the parts that keep none: `RayReward(a) + b`)"
        )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The reward's own."""
        return self.reward.bounds

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """The reward's scores, from the workers; threads take turns.

        Raises:
            RewardError: a bug in the reward, with the sample that shows it.
            ConfigError: Ray is not installed, or the workers cannot import what they are sent.
            SandboxError: no worker could be started.
        """
        if not groups:
            return []
        pieces = cut(self.reward, groups, self.deadline_s)
        with self._held.lock:
            if self._held.pool is None:
                self._held.pool = self._pool()
            return joined(self._held.pool.run(pieces, context), groups)

    def _pool(self) -> Any:
        from guerdon.adapters.ray.pool import Pool

        return Pool(
            self.reward,
            self.workers,
            self.deadline_s,
            retries=self.retries,
            rollouts_per_task=self.rollouts_per_task,
            stats=self._held.stats,
        )

    @property
    def stats(self) -> Mapping[str, int]:
        """Counts since the start: `worker_deaths`, `late` (workers given up), `retries`, `lost` (pieces, `infra`)."""
        return self._held.stats

    def close(self) -> None:
        """End the workers. Scoring again starts fresh ones."""
        with self._held.lock:
            if self._held.pool is not None:
                self._held.pool.close()
                self._held.pool = None

    def __enter__(self) -> RayReward:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return RayReward, (self.reward, self.workers, self.deadline_s, self.retries, self.rollouts_per_task)
