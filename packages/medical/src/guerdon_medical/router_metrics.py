"""Metrics of R1-Router on its own history, from what the environment told: answer, look-ups, share of each base.

For evaluation; a trainer that rewards the last answer alone is what the claim `r1_router` argues against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from guerdon.fields import one_of
from guerdon.protocols import Turn
from guerdon.rewards import Reward
from guerdon.types import Rollout, Score
from guerdon_medical.router_steps import BASES, RouterQuestion
from guerdon_medical.router_text import best_recall

_OF_MANY_TURNS = (
    "it measures a question's whole conversation, and an audit plays one turn; "
    "audit 'medical/router-step-v1[encoder=hashed]'"
)


def told(rollout: Rollout) -> Mapping[str, Any]:
    """What the environment told last; empty where none answered. The budget may cut a turn before it is answered: what
    was told before that counts, and of a first turn that nothing was looked up.
    """
    for segment in reversed(rollout.turns):
        if isinstance(segment.observation, Turn):
            return segment.observation.info
    return {"look_ups": (), "malformed": 0, "failed": False} if rollout.truncated else {}


def _ours(info: Mapping[str, Any]) -> Score | None:
    """The score of a rollout that no fault of the policy's has spoilt."""
    if "look_ups" not in info:
        return Score.unscored("no environment of R1-Router's answered", status="abstain")
    return Score.unscored("a look-up failed") if info["failed"] else None


@dataclass(frozen=True)
class FinalAnswer(Reward, name="medical/router-answer-v1", bounds=(0.0, 1.0)):
    """Recall of the reference with the best F1 by the final answer; its mean in percent is the paper's F1-Recall.

    0 where there is none (`truncated` where the rollout was cut); unscored where a look-up failed (`infra`).
    """

    @property
    def unaudited(self) -> str:
        """An audit plays one turn."""
        return _OF_MANY_TURNS

    def score(self, rollout: Rollout) -> Score:
        """From the last turn."""
        question, info = rollout.example_as(RouterQuestion), told(rollout)
        if (fault := _ours(info)) is not None:
            return fault
        if not info.get("done"):
            return Score(0.0, "no final answer", status="truncated" if rollout.truncated else "fail")
        return Score(best_recall(info["answer"], question.answers))


@dataclass(frozen=True)
class LookUps(Reward, name="medical/router-look-ups-v1", bounds=(0.0, float("inf"))):
    """How many look-ups there were: in all, beyond those that are needed, or plans that were malformed."""

    count: Literal["all", "surplus", "malformed"] = "all"

    def __post_init__(self) -> None:
        one_of("medical/router-look-ups.count", self.count, ("all", "surplus", "malformed"))

    @property
    def unaudited(self) -> str:
        """An audit plays one turn."""
        return _OF_MANY_TURNS

    def score(self, rollout: Rollout) -> Score:
        """From the last turn."""
        question, info = rollout.example_as(RouterQuestion), told(rollout)
        if (fault := _ours(info)) is not None:
            return fault
        if self.count == "malformed":
            return Score(float(info["malformed"]))
        made = len(info["look_ups"])
        return Score(float(made if self.count == "all" else max(0, made - question.needed)))


@dataclass(frozen=True)
class BaseShare(Reward, name="medical/router-base-share-v1", bounds=(0.0, 1.0)):
    """One base's share of a rollout's look-ups; abstains where there were none."""

    base: str

    def __post_init__(self) -> None:
        one_of("medical/router-base-share.base", self.base, BASES)

    @property
    def unaudited(self) -> str:
        """An audit plays one turn."""
        return _OF_MANY_TURNS

    def score(self, rollout: Rollout) -> Score:
        """From the last turn."""
        info = told(rollout)
        if (fault := _ours(info)) is not None:
            return fault
        if not info["look_ups"]:
            return Score.unscored("nothing was looked up", status="abstain")
        return Score(sum(base == self.base for base, _ in info["look_ups"]) / len(info["look_ups"]))
