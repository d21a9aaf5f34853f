"""What an estimator is, and what it gives: one advantage per attempt, laid over its policy steps."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.advantages.dead_groups import is_dead
from guerdon.types import Group, Score


@dataclass(frozen=True)
class Advantages:
    """What an update learns from, with what it has to leave out."""

    values: list[list[list[float]]]
    """Group x rollout x policy step; finite, 0 where dead or unscored."""
    dead: list[bool]
    """Per group: it carries no preference."""
    scored: list[list[bool]]
    """Group x rollout: False keeps the rollout out of the loss and of its token counts."""

    @property
    def unscored(self) -> int:
        """How many rollouts have no score."""
        return sum(not flag for row in self.scored for flag in row)

    def only(self, kept: Sequence[bool]) -> Advantages:
        """Those of the groups that are kept."""
        places = [place for place, keep in enumerate(kept) if keep]
        return Advantages(
            [self.values[place] for place in places],
            [self.dead[place] for place in places],
            [self.scored[place] for place in places],
        )


class Estimator(ABC):
    """Turns a group's scored values into one advantage per attempt; spreading them over steps is common to all."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Paths of the parts and streams it looks for in scores; none, for one that looks at values alone."""
        return ()

    @abstractmethod
    def centred(self, values: Sequence[float]) -> list[float]:
        """One advantage per value.

        Args:
            values: n >= 2 finite numbers, not all equal.
        """

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """One advantage per policy step: each rollout's own, repeated over its `steps`.

        Args:
            groups: G groups.
            scores: G rows, one score per rollout, in the same order.

        Raises:
            ValueError: the two do not have the same shape.
        """
        values, dead, scored = [], [], []
        if alone := sum(len(group) == 1 for group in groups):
            message = (
                f"{alone} of {len(groups)} groups have one attempt: there is nobody to compare it with, advantage 0"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        for group, row in zip(groups, scores, strict=True):
            flags = [score.scored for score in row]
            numbers = [score.value for score in row if score.scored]
            dead.append(is_dead(numbers))
            found = iter([0.0] * len(numbers) if dead[-1] else self.centred(numbers))
            each = [next(found) if flag else 0.0 for flag in flags]
            values.append([[value] * rollout.steps for value, rollout in zip(each, group.rollouts, strict=True)])
            scored.append(flags)
        return Advantages(values, dead, scored)
