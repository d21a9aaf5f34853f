"""`returns_to_go`: rewards placed along the attempt, and what is earned from each place to the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from guerdon.advantages.dead_groups import is_zero
from guerdon.advantages.estimator import Advantages, Estimator
from guerdon.advantages.placing import add_credit, laid_out, no_credit, over_steps
from guerdon.advantages.reading import checked_weights, streams_of
from guerdon.errors import ConfigError
from guerdon.types import Group, Score


@dataclass(frozen=True)
class returns_to_go(Estimator):  # noqa: N801 - as group_relative
    r"""Rewards placed along the attempt: each policy step gets what is earned from its place to the end.

    With the values $v_1 .. v_K$ of a stream, one per place (turn, policy step, span, or one for the whole rollout,
    earned at its end), the return from place u is the plain sum $R_u = \sum_{j \ge u} v_j$, and a policy step in
    place u gets

    $$A = \sum_k w_k \, (R_{k,u} - b_{k,u})$$

    where $b_{k,u}$ is the mean of $R_{k,u}$ over the attempts of the group. An attempt that has ended before place u
    counts with what is left to it: 0 of places, all of a rollout's value. So a step that only a longer attempt has is
    still compared.

    No discount and no standard deviation, on purpose: process rewards whose *sum* is bounded
    (`guerdon.rewards.process`) stay so only undiscounted and unwhitened. Source: "On Designing Effective RL Reward"
    (arXiv:2410.15115) for what it serves; the baseline is a choice of ours (theirs is PPO's value function).

    Streams are named as in `streams`. An attempt with a NaN in a stream leaves that stream: a sum with a hole is no
    return. A group is dead where every $A$ is 0 but for rounding.

    >>> from guerdon.types import Example, Rollout, Segment, Stream
    >>> two_turns = Rollout(Example(id="x"), (Segment("policy", action=0), Segment("policy", action=1)))
    >>> group = Group.of([two_turns])
    >>> score = Score(1.0, dense={"solved": Stream("rollout", (1.0,)), "steps": Stream("turn", (0.5, -0.25))})
    >>> returns_to_go({"solved": 1.0, "steps": 1.0}, baseline="none").estimate([group], [[score]]).values
    [[[1.25, 0.75]]]
    """

    weights: Mapping[str, float] = field(hash=False)
    """Stream to weight; 0 leaves a stream out."""
    baseline: Literal["group", "none"] = "group"
    """`none`: the returns themselves, for whoever subtracts a baseline of their own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", checked_weights("returns_to_go", self.weights))
        if self.baseline not in ("group", "none"):
            raise ConfigError(f"returns_to_go.baseline is {self.baseline!r}; accepted are 'group' and 'none'")

    @property
    def reads(self) -> tuple[str, ...]:
        """The streams."""
        return tuple(self.weights)

    def centred(self, values: Sequence[float]) -> list[float]:
        """Attempts of one place each: the value, less the group's mean where there is a baseline."""
        mean = math.fsum(values) / len(values) if self.baseline == "group" else 0.0
        return [value - mean for value in values]

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """See `streams.estimate`; raises the same."""
        values, dead, scored = [], [], []
        for group, row in zip(groups, scores, strict=True):
            credit, largest = self._credit(group, row)
            dead.append(is_zero(credit, largest))
            values.append(laid_out(group, credit, dead=dead[-1]))
            scored.append([score.scored for score in row])
        return Advantages(values, dead, scored)

    def _credit(self, group: Group, row: Sequence[Score]) -> tuple[list[list[list[float]]], float]:
        """As `streams._credit`."""
        credit, largest = no_credit(group), 0.0
        for name, weight in self.weights.items():
            found = streams_of(name, group, row)
            whole = [not any(value != value for value in stream.values) for stream in found]
            returns = [to_go(stream.values) if keep else [] for stream, keep in zip(found, whole, strict=True)]
            places = max(map(len, returns), default=0)
            bases = [
                self._base([_from(own, place) for own, keep in zip(returns, whole, strict=True) if keep])
                for place in range(places + 1)
            ]
            for rollout, turns, stream, own, keep in zip(group.rollouts, credit, found, returns, whole, strict=True):
                if not keep:
                    continue
                largest = max(largest, *(abs(weight * value) for value in own), 0.0)
                shares = [weight * (_from(own, place) - bases[place]) for place in range(len(own))]
                after = -weight * bases[len(own)] if stream.per == "span" else 0.0
                add_credit(turns, over_steps(shares, stream, rollout, after))
        return credit, largest

    def _base(self, values: Sequence[float]) -> float:
        return math.fsum(values) / len(values) if values and self.baseline == "group" else 0.0


def to_go(values: Sequence[float]) -> list[float]:
    """The sum from each place to the end.

    >>> to_go([1.0, 0.0, 2.0])
    [3.0, 2.0, 2.0]
    """
    return list(itertools.accumulate(reversed(values)))[::-1]


def _from(returns: Sequence[float], place: int) -> float:
    """The return from a place on; 0 after the last."""
    return returns[place] if place < len(returns) else 0.0
