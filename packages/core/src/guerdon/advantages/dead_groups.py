"""Which groups carry no preference, and which are worth an update."""

from __future__ import annotations

import math
from collections.abc import Sequence

from guerdon.ties import EQUAL, tied
from guerdon.types import Score


def alive(
    scores: Sequence[Sequence[Score]],
    dead: Sequence[bool] | None = None,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> list[bool]:
    """Which groups are worth an update: for a trainer that drops the others and samples more in their place.

    A group is alive when it is not `dead` and the mean of its scored values lies strictly between `low` and `high`
    (DAPO, arXiv:2503.14476, keeps groups that are neither all wrong nor all right: with values 0 and 1, that is
    what the spread alone says; the limits serve graded rewards).

    Args:
        scores: one row per group.
        dead: per group, as the estimator in use found it; None says it by whether the scored values differ.
        low: limit from below.
        high: limit from above.
    """
    numbers = [[score.value for score in row if score.scored] for row in scores]
    gone = [is_dead(row) for row in numbers] if dead is None else dead
    return [not out and low < math.fsum(row) / len(row) < high for out, row in zip(gone, numbers, strict=True)]


def is_dead(values: Sequence[float]) -> bool:
    """Whether scored values prefer nobody: fewer than two, or all equal."""
    return len(values) < 2 or tied(values)


def is_zero(credit: list[list[list[float]]], largest: float) -> bool:
    """Whether credit (rollout x turn x step) is 0 but for rounding, beside the largest weighted value it came from."""
    found = max((abs(value) for turns in credit for steps in turns for value in steps), default=0.0)
    return found <= EQUAL * max(1.0, largest)
