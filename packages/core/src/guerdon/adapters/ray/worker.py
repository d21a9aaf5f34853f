"""The actor's side of `RayReward`: one process that holds the reward and scores what it is sent."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import Any

from guerdon.errors import GuerdonError
from guerdon.rewards import Context, Reward, Scores
from guerdon.sandbox.pool import WORKERS
from guerdon.scoring import Runner
from guerdon.types import Group

Answer = tuple[str, Any]
"""("done", scores), or the name of one of our errors and its message: not every exception survives pickling."""


class Worker:
    """Made an actor by `guerdon.adapters.ray.pool`.

    It scores through a `Runner`, so that time-outs and crashes of a reward mean here what they mean everywhere.
    """

    def __init__(self, pickled: bytes, deadline_s: float) -> None:
        os.environ.setdefault(WORKERS, "1")  # the pool has a worker per core; each has one server
        self._runner = Runner(workers=1, deadline_s=deadline_s)
        self._reward, self._problem = _unpickled(pickled)

    def ready(self) -> str:
        """What keeps it from scoring; nothing, if all is well."""
        return self._problem

    def score(self, groups: Sequence[Group], fields: tuple[int, int, int]) -> Answer:
        """Scores of the groups, in order. `fields` are the context's step, total steps and seed."""
        assert self._reward is not None, "nothing is sent to a worker that was not ready"
        try:
            found: Scores = self._runner.score(self._reward, groups, Context(*fields))
        except GuerdonError as error:
            return type(error).__name__, str(error)
        return "done", found


def _unpickled(pickled: bytes) -> tuple[Reward | None, str]:
    try:
        reward = pickle.loads(pickled)
    except Exception as error:  # noqa: BLE001 - the boundary: the driver raises it
        return None, f"{type(error).__name__}: {error}"
    if not isinstance(reward, Reward):  # a function of the script that is run: its name leads nowhere in here
        return None, f"what arrived is {reward!r}, not a reward"
    return reward, ""
