r"""Advantages: how much better each attempt was than its siblings, spread over the policy's steps.

An estimator is a frozen dataclass with one method, `estimate(groups, scores) -> Advantages`. With the scored values
$r_1 .. r_n$ of one group, their mean $m$ and their std $s$ (`ddof=1`: over n - 1):

| estimator | advantage of attempt i | source |
|---|---|---|
| `group_relative()` | $(r_i - m) / (s + \epsilon)$ | GRPO (DeepSeekMath, arXiv:2402.03300, section 4.1) |
| `group_relative(std=False)` | $r_i - m$ | Dr. GRPO (arXiv:2503.20783) |
| `leave_one_out()` | $r_i - \frac{1}{n-1} \sum_{j \ne i} r_j$ | RLOO (arXiv:2402.14740) |

An unscored rollout leaves mean, std and n, gets advantage 0 over its steps, and is marked in `Advantages.scored`, so
that the trainer can keep its tokens out of the loss *and* out of what the loss is averaged over. A dead group (fewer
than two scored attempts, or all of them equal) teaches nothing: its advantages are exactly 0, whatever the epsilon.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.types import Group, Score

EQUAL = 1e-12
"""Values this close (relative to the larger of 1 and their size) are one: the rounding of a sum, not a preference."""


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
        for group, row in zip(groups, scores, strict=True):
            flags = [score.scored for score in row]
            numbers = [score.value for score in row if score.scored]
            dead.append(_is_dead(numbers))
            found = iter([0.0] * len(numbers) if dead[-1] else self.centred(numbers))
            each = [next(found) if flag else 0.0 for flag in flags]
            values.append([[value] * rollout.steps for value, rollout in zip(each, group.rollouts, strict=True)])
            scored.append(flags)
        return Advantages(values, dead, scored)


@dataclass(frozen=True)
class group_relative(Estimator):  # noqa: N801 - a value one builds in a recipe, beside `clip` and `center`
    """Centre each group on its mean and, with `std`, divide by its spread.

    >>> [round(value, 4) for value in group_relative().centred([7.0, 5.014286, 1.0, 1.0])]
    [1.1645, 0.5032, -0.8338, -0.8338]
    """

    std: bool = True
    """Off, the size of the difference stays in the gradient, and easy and hard prompts weigh as their spread says."""
    ddof: int = 1
    """The std divides by n - ddof: 1 as torch and TRL do, 0 as numpy and the paper's formula do."""
    epsilon: float = 1e-4
    """Added to the std."""

    def __post_init__(self) -> None:
        if self.ddof not in (0, 1):
            raise ConfigError(f"group_relative.ddof is {self.ddof!r}; accepted are 0 and 1")
        if not 0.0 <= self.epsilon < math.inf:
            raise ConfigError(f"group_relative.epsilon is {self.epsilon!r}; a finite number >= 0 is needed")

    def centred(self, values: Sequence[float]) -> list[float]:
        """`(value - mean) / (std + epsilon)`, or the difference alone."""
        mean = math.fsum(values) / len(values)
        apart = [value - mean for value in values]
        if not self.std:
            return apart
        spread = math.sqrt(math.fsum(value * value for value in apart) / (len(values) - self.ddof))
        return [value / (spread + self.epsilon) for value in apart]


@dataclass(frozen=True)
class leave_one_out(Estimator):  # noqa: N801 - as group_relative
    """Each attempt against the mean of the others: an unbiased baseline, since it does not contain the attempt itself.

    >>> leave_one_out().centred([1.0, 0.0, 0.5])
    [0.75, -0.75, 0.0]
    """

    def centred(self, values: Sequence[float]) -> list[float]:
        """`value - mean of the others`, which is `n / (n - 1) * (value - mean)`."""
        n = len(values)
        mean = math.fsum(values) / n
        return [(value - mean) * n / (n - 1) for value in values]


def alive(scores: Sequence[Sequence[Score]], *, low: float = -math.inf, high: float = math.inf) -> list[bool]:
    """Which groups are worth an update: for a trainer that drops the others and samples more in their place.

    A group is alive when its scored values differ and their mean lies strictly between `low` and `high` (DAPO,
    arXiv:2503.14476, keeps groups that are neither all wrong nor all right: with values 0 and 1, that is
    what the spread alone says; the limits serve graded rewards).
    """
    numbers = [[score.value for score in row if score.scored] for row in scores]
    return [not _is_dead(row) and low < math.fsum(row) / len(row) < high for row in numbers]


def _is_dead(values: Sequence[float]) -> bool:
    if len(values) < 2:
        return True
    least, most = min(values), max(values)
    return most - least <= EQUAL * max(1.0, abs(least), abs(most))
