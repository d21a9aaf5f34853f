"""What a step measures: what its batch earned, and the seconds its parts took."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from guerdon.advantages import Advantages
from guerdon.rewards import Scores
from guerdon.types import Group, Score

Metrics = dict[str, float]
"""One line of metrics.jsonl: flat names to numbers."""


def batch_metrics(groups: Sequence[Group], scores: Scores, advantages: Advantages) -> Metrics:
    """What one batch earned: the total and each part (means over what is scored), spread, dead groups, lengths.

    Of all that was sampled, also of what refill leaves out of the update: the means are the policy's, not those of the
    prompts that suit it.
    """
    flat = [score for row in scores for score in row]
    lengths = [rollout.steps for group in groups for rollout in group.rollouts]
    values = [score.value for score in flat if score.scored]
    parts: dict[str, list[float]] = {}
    for score in flat:
        for name, value in score.flat().items():
            parts.setdefault(name, []).append(value)
    return {
        "reward/total": mean(values),
        "reward/std": statistics.pstdev(values) if values else math.nan,
        **{f"reward/{name}": mean([value for value in column if value == value]) for name, column in parts.items()},
        "groups/count": len(groups),
        "groups/dead": sum(advantages.dead),
        "unscored": advantages.unscored,
        "length/mean": mean(lengths),
        "length/max": max(lengths, default=0),
        "length/truncated_share": mean([float(rollout.truncated) for group in groups for rollout in group.rollouts]),
        "tokens/sampled": sum(lengths),
    }


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def mean_scored(scores: Sequence[Score]) -> float:
    """The mean over what is scored."""
    return mean([score.value for score in scores if score.scored])


@dataclass
class Clock:
    """Seconds spent inside `with clock:`, all its blocks together."""

    seconds: float = 0.0
    _since: float = field(default=0.0, repr=False)

    def __enter__(self) -> Self:
        self._since = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._since
