"""Laying the shares of streams over an attempt's policy steps.

Credit is rollout x turn x step while it is added up: a turn without steps (its text alone is known) has one place all
the same, so that its group is not called dead.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence

from guerdon.types import Group, Rollout, Stream


def no_credit(group: Group) -> list[list[list[float]]]:
    """Rollout x turn x step; a turn without steps has one place."""
    return [[[0.0] * max(1, segment.steps) for segment in rollout.turns] for rollout in group.rollouts]


def add_credit(turns: list[list[float]], more: list[list[float]]) -> None:
    """Add one rollout's shares to its credit, in place; both turn x step."""
    for steps, added in zip(turns, more, strict=True):
        steps[:] = map(operator.add, steps, added)


def laid_out(group: Group, credit: list[list[list[float]]], *, dead: bool) -> list[list[float]]:
    """Per rollout its policy steps, turn after turn; exactly 0 where the group is dead."""
    return [
        [
            0.0 if dead else value
            for segment, steps in zip(rollout.turns, turns, strict=True)
            for value in steps[: segment.steps]
        ]
        for rollout, turns in zip(group.rollouts, credit, strict=True)
    ]


def over_steps(shares: list[float], stream: Stream, rollout: Rollout, after: float = 0.0) -> list[list[float]]:
    """One rollout's shares of a stream, turn by step; a turn without steps has its one place.

    Args:
        shares: one per value of the stream.
        stream: says what each belongs to.
        rollout: whose steps they are laid over.
        after: what steps behind the last span get.
    """
    sizes = [segment.steps for segment in rollout.turns]
    if stream.per in ("step", "span"):
        if not rollout.steps:  # a text alone: that there is a preference is all that can be said
            return [[math.fsum(shares) if not turn else 0.0] for turn in range(len(sizes))]
        each = iter(shares if stream.per == "step" else _over_spans(shares, stream.ends, rollout.steps, after))
        return [[next(each) for _ in range(size)] or [0.0] for size in sizes]
    by_turn = shares * len(sizes) if stream.per == "rollout" else shares
    return [[share] * max(1, size) for share, size in zip(by_turn, sizes, strict=True)]


def _over_spans(shares: Sequence[float], ends: Sequence[int], steps: int, after: float) -> Iterator[float]:
    place = 0
    for step in range(steps):
        while place < len(ends) and ends[place] < step:
            place += 1
        yield shares[place] if place < len(ends) else after
