"""Dynamic sampling: what a step samples and scores, round by round, and which groups of it are worth an update.

Without refill a step has one round, and all its groups go into the update. With it, groups that teach nothing are left
out, and further rounds ask other prompts in their place. Source: DAPO (arXiv:2503.14476), section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guerdon.advantages import Estimator, alive, group_relative
from guerdon.rewards import Scores
from guerdon.trainer.batches import batch_at, shuffled
from guerdon.types import Group

if TYPE_CHECKING:
    from guerdon.trainer.config import RefillConfig
    from guerdon.trainer.measures import Metrics


@dataclass
class Batch:
    """What one step sampled so far."""

    refill: RefillConfig | None = None
    """Which groups are worth an update; None: all of them."""
    estimator: Estimator = field(default_factory=group_relative)
    """Says which groups are dead."""
    groups: list[Group] = field(default_factory=list)
    scores: Scores = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    """Per group: the round it was sampled in, from 0."""
    dead: list[bool] = field(default_factory=list)
    """Per group: the estimator finds no preference in it. Kept with refill only."""

    def add(self, groups: list[Group], scores: Scores) -> None:
        """A round more."""
        self.rounds += [self.next_round] * len(groups)
        self.groups += groups
        self.scores += scores
        if self.refill is not None:
            self.dead += self.estimator.estimate(groups, scores).dead

    @property
    def next_round(self) -> int:
        """How many rounds there were."""
        return self.rounds[-1] + 1 if self.rounds else 0

    @property
    def kept(self) -> list[bool]:
        """Per group: whether it goes into the update."""
        if self.refill is None:
            return [True] * len(self.groups)
        gone = self.dead if self.refill.dead == "drop" else [not values for values in _numbers(self.scores)]
        low, high = _limits(self.refill)
        return alive(self.scores, gone, low=low, high=high)

    @property
    def kept_groups(self) -> list[Group]:
        """Those that go into the update."""
        return [group for group, kept in zip(self.groups, self.kept, strict=True) if kept]

    def metrics(self) -> Metrics:
        """Further rounds sampled, groups kept for the update and groups left out of it; nothing without refill.

        And, of all groups sampled, how many are `dead` and of how many the mean lies `outside` the limits: the two
        grounds to leave one out, counted apart, whichever of them `refill.dead` heeds. A group may be both.
        """
        if self.refill is None:
            return {}
        kept = sum(self.kept)
        low, high = _limits(self.refill)
        inside = sum(low < math.fsum(values) / len(values) < high for values in _numbers(self.scores) if values)
        return {
            "refill/rounds": self.next_round - 1,
            "refill/kept": kept,
            "refill/dropped": len(self.groups) - kept,
            "refill/dead": sum(self.dead),
            "refill/outside": sum(map(bool, _numbers(self.scores))) - inside,
        }


def _limits(refill: RefillConfig) -> tuple[float, float]:
    low, high = refill.above, refill.below
    return -math.inf if low is None else low, math.inf if high is None else high


def _numbers(scores: Scores) -> list[list[float]]:
    """The scored values of each group."""
    return [[score.value for score in row if score.scored] for row in scores]


def prompt_order(step: int, size: int, units: Sequence[range], seed: int) -> Iterator[range]:
    """The units of a step in the order it may ask them: its own batch (`own_units` of them), then all others, shuffled.

    A pure function of its arguments, so that a resumed run refills with what an undisturbed one did.

    Args:
        step: from 0.
        size: prompts of a step; of units that differ in size, so many in the mean.
        units: the places of each unit of the training split (`units_of`).
        seed: the run's.

    >>> from guerdon.trainer.batches import units_of
    >>> order = list(prompt_order(0, 2, units_of("abcde"), seed=0))
    >>> [unit.start for unit in order[:2]] == batch_at(0, 2, 5, 0, "rl"), sorted(unit.start for unit in order)
    (True, [0, 1, 2, 3, 4])
    """
    own = batch_at(step, own_units(size, units), len(units), seed, "rl")
    others = (unit for unit in shuffled(len(units), seed, "refill", step) if unit not in own)
    yield from (units[unit] for unit in (*own, *others))


def own_units(size: int, units: Sequence[range]) -> int:
    """How many units a step's batch has, so that it has `size` prompts; in the mean, where units differ in size.

    >>> from guerdon.trainer.batches import units_of
    >>> own_units(4, units_of("aabbcc")), own_units(6, units_of("aabbb"))
    (2, 2)
    """
    return max(1, round(size * len(units) / units[-1].stop))


def whole_units(units: Iterator[range], missing: int) -> list[int]:
    """The places of the next units: as many as are needed for `missing` prompts, and the last one whole.

    >>> from guerdon.trainer.batches import units_of
    >>> whole_units(iter(units_of("aabbcc")), 3)
    [0, 1, 2, 3]
    """
    places: list[int] = []
    while len(places) < missing and (unit := next(units, None)) is not None:
        places += unit
    return places
