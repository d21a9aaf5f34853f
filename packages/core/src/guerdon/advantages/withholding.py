"""`withheld`: no praise for what breaks a rule, however much worse its siblings are.

Centring on the group forgets the absolute level: where all attempts break a rule, the best of them is reinforced, and
so is one whose gate let a little through among siblings that earned less still.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from guerdon.advantages.attempts import group_relative
from guerdon.advantages.estimator import Advantages, Estimator
from guerdon.errors import ConfigError
from guerdon.types import Group, Score


@dataclass(frozen=True)
class withheld(Estimator):  # noqa: N801 - a value one builds in a recipe, as `group_relative`
    """Another estimator's advantages, but none above 0 for a rollout whose `part` is scored below `below`.

    The siblings' advantages stay as they are: those of a group no longer add up to 0, which is the point. A rollout
    that has no such part, or has it unscored, breaks nothing that is known of.

    Source: an option of the fact sheet on SearchLLM (arXiv:2603.10473); the paper does without.

    >>> from guerdon.types import Example, Rollout, Segment
    >>> rollouts = [Rollout(Example(id="x"), (Segment("policy", action=0),), index=index) for index in range(2)]
    >>> scores = [Score(value, parts={"safe": Score(0.0)}) for value in (0.75, 0.25)]  # both break the rule
    >>> withheld("safe", of=group_relative(std=False)).estimate([Group.of(rollouts)], [scores]).values
    [[[0.0], [-0.25]]]
    """

    part: str
    """A part's path in the scores, as logs have it ("search/bottom_line")."""
    below: float = 1.0
    of: Estimator = field(default_factory=group_relative)

    def __post_init__(self) -> None:
        if not math.isfinite(self.below):
            raise ConfigError(f"withheld.below is {self.below!r}; a finite number is needed")

    @property
    def reads(self) -> tuple[str, ...]:
        """The part, and what the other reads."""
        return (self.part, *self.of.reads)

    def centred(self, values: Sequence[float]) -> list[float]:
        """The other's."""
        return self.of.centred(values)

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """See `Estimator.estimate`. A group in which nothing but praise was left to give is dead.

        Raises:
            ConfigError: no score of the whole batch has such a part.
        """
        found = self.of.estimate(groups, scores)
        levels = [[score.flat() for score in row] for row in scores]
        # A score of exactly 0 may come from behind a closed gate, where nobody was asked for parts.
        asked = [score.flat() for row in scores for score in row if score.scored and score.value != 0.0]
        if asked and not any(self.part in paths for paths in asked):
            there = ", ".join(sorted({path for paths in asked for path in paths})) or "none"
            raise ConfigError(f"withheld.part is {self.part!r}; the scores' parts are {there}")
        values = [
            [
                [min(value, 0.0) for value in steps] if paths.get(self.part, math.nan) < self.below else steps
                for steps, paths in zip(rows, row, strict=True)
            ]
            for rows, row in zip(found.values, levels, strict=True)
        ]
        dead = [
            was or (any(rows) and not any(value for steps in rows for value in steps))  # a text alone has no steps
            for was, rows in zip(found.dead, values, strict=True)
        ]
        return Advantages(values, dead, found.scored)
