"""What an environment paid: the sum of its turns' own rewards, as a reward."""

from __future__ import annotations

import math
from dataclasses import dataclass

from guerdon.protocols import Turn
from guerdon.rewards.base import Reward
from guerdon.types import Rollout, Score, Stream

TURNS = "turns"
"""The stream with what each turn earned."""


@dataclass(frozen=True)
class EnvironmentReturn(Reward, name="environment-return-v1"):
    """The sum of `Turn.reward` over an attempt; what each turn earned stands in the stream `turns`.

    Policies keep what the environment answered to a turn of theirs as that segment's `observation`. A turn without an
    answer (the last one, where it was cut) earns 0; an attempt without any answer (a text scored from a file) abstains.
    """

    @property
    def unaudited(self) -> str:
        """An environment pays for what is done there, and attacks are texts."""
        return "an environment pays for what is done in it, and an audit writes texts; test the environment"

    def score(self, rollout: Rollout) -> Score:
        """Add up what was paid."""
        answered = [segment.observation for segment in rollout.turns]
        if not any(isinstance(turn, Turn) for turn in answered):
            return Score.unscored("no environment answered this attempt", status="abstain")
        paid = tuple(float(turn.reward) if isinstance(turn, Turn) else 0.0 for turn in answered)
        if not all(map(math.isfinite, paid)):
            return Score.unscored(f"the environment paid {paid!r:.200}; finite numbers are needed", status="invalid")
        return Score(
            math.fsum(paid), status="truncated" if rollout.truncated else "ok", dense={TURNS: Stream("turn", paid)}
        )
