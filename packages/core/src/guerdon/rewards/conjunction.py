"""Sums that need every one of their terms, and the logical AND that a sum of log-probabilities is.

A plain `Sum` leaves an abstaining term out, which is right where a term is a bonus. It is wrong where the terms are one
quantity: a log-probability is at most 0, so a property left out counts as one that is certainly met, the *maximum*. The
penalty on a reward that abstains is no reward either. `every` makes the whole unscored, and the row leaves the update.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import Sum, shared_why
from guerdon.rewards.base import Reward
from guerdon.types import Score, Status

_GRAVEST: tuple[Status, ...] = ("infra", "invalid", "abstain")


@dataclass(frozen=True)
class Every(Sum):
    """The weighted sum of named terms, unscored where any of them is; built by `every` and `log_and`, or `Every.of`."""

    _may_abstain: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.terms:
            raise ConfigError("a sum that needs every term has none: give it at least one")
        super().__post_init__()

    @property
    def name(self) -> str:  # type: ignore[override]
        """The word "every"; name one that stands inside another sum."""
        return "every"

    @staticmethod
    def _add(weights: list[float], labels: list[str], scores: tuple[Score, ...]) -> Score:
        parts = dict(zip(labels, scores, strict=True))
        for status in _GRAVEST:
            for label, score in parts.items():
                if score.status == status:
                    return Score(math.nan, f"{label}: {score.why}", parts, status)
        total = 0.0
        for weight, score in zip(weights, scores, strict=True):  # in the order in which the bounds are added
            total += weight * score.value
        return Score(total, shared_why(scores), parts)

    def __repr__(self) -> str:
        return f"Every({self.terms!r})"


def every(rewards: Mapping[str, Reward]) -> Every:
    """The sum of rewards by name, unscored where any of them is.

    Raises:
        ConfigError: there are none.
    """
    return Every.of(*(reward.named(name) for name, reward in rewards.items()))


def log_and(rewards: Mapping[str, Reward]) -> Every:
    """The log-probability that an answer is good in *all* properties: the sum of log-probabilities by name.

    Each reward is a log-probability, as `reward.against(references, lsc())` is; the sum treats the properties as
    independent given prompt and answer, and two models of one property count it twice. Weights other than 1 mean
    p ** weight and are no plain AND; nor is a sum of probabilities (`par` per property), which is an average. Under
    group-normalised advantages the sum is what may be normalised, not each reward alone: TRL's option to do the latter
    gives every property the same variance, saturated or not, and the AND is gone.

    Source: "Transforming and Combining Rewards for Aligning Large Language Models" (arXiv:2402.00742).

    Raises:
        ConfigError: there are none, or one may be above 0 and so is no log-probability.
    """
    for name, reward in rewards.items():
        if reward.bounds[1] > 0.0:
            raise ConfigError(
                f"log_and: {name!r} ({reward.name}) lies in {reward.bounds}, and a log-probability is at most 0; shape "
                f"it first: reward.against(references, lsc())"
            )
    return every(rewards)
