"""A filter on groups whose values hardly differ, by what is usual in the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

from guerdon.errors import ConfigError
from guerdon.rewards.base import Context, Reward, Scores, Targets, same_batch
from guerdon.types import Group, Score


@dataclass(frozen=True)
class SpreadFilter(Reward, name="spread-filter-v1", sees="group"):
    """Another reward, which abstains where a group's values spread less than is usual in this run.

    A group stays if the standard deviation of its scored values (ddof 1 [choice]) is at least `share` of the running
    mean of the batches' mean deviations; the running mean is that before the batch [choice]. Steps count from 1.
    With `train.refill`, groups that leave are replaced.

    Source: RLPR, std filtering [code].
    """

    reward: Reward
    share: float = 0.5
    decay: float = 0.99
    """Of the running mean: ema' = decay * ema + (1 - decay) * mean deviation; the first one is taken whole."""
    statistics_from: int = 6
    """The first step whose deviations count."""
    filters_from: int = 11
    """The first step in which a group may be left out."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """`usual` in force, `next` as the latest batch would leave it, `version`."""

    def __post_init__(self) -> None:
        if not (0.0 <= self.share < math.inf and 0.0 <= self.decay <= 1.0):
            raise ConfigError(f"spread-filter: share {self.share!r} >= 0 and decay {self.decay!r} in [0, 1] are needed")

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The child's."""
        return self.reward.bounds

    @property
    def label(self) -> str:
        """The child's."""
        return self.reward.label

    @property
    def children(self) -> tuple[Reward, ...]:
        """The one child."""
        return (self.reward,)

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """It is: what spread is usual."""
        return True

    @property
    def part_names(self) -> tuple[str, ...]:
        """The value, also where the group is left out."""
        return (self.label,)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """The child's scores, or abstentions."""
        rows = context.scores(self.reward, groups)
        spreads = [_spread(row) for row in rows]
        known = [spread for spread in spreads if spread is not None]
        usual, step = self._held.get("usual"), context.step + 1
        if known and step >= self.statistics_from:
            mean = math.fsum(known) / len(known)
            moved = mean if usual is None else self.decay * usual + (1.0 - self.decay) * mean
            self._held["next"] = context.batch(groups), moved
        least = -math.inf if usual is None or step < self.filters_from else self.share * usual
        return [[self._kept(score, spread, least) for score in row] for row, spread in zip(rows, spreads, strict=True)]

    def _kept(self, score: Score, spread: float | None, least: float) -> Score:
        parts = {**score.parts, self.label: score}
        if score.scored and spread is not None and spread < least:
            why = f"its group's spread {spread:.4g} is below {least:.4g}"
            return Score(math.nan, why, parts, "abstain")
        return Score(score.value, score.why, parts, score.status, score.dense)

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """The child's, of those that did not abstain."""
        inner = [[score.parts.get(self.label, score) if score.scored else score for score in row] for row in scores]
        return self.reward.targets(groups, inner, context)

    @property
    def version(self) -> int:
        """How often `update` moved the state."""
        return int(self._held.get("version", 0))

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Take the batch into the running mean, if it is the one that was scored last."""
        scored, moved = self._held.pop("next", ((), None))
        if moved is not None and same_batch(scored, groups):
            self._held["usual"] = moved
            self._held["version"] = self.version + 1

    def state_dict(self) -> dict[str, Any]:
        """The running mean and the version."""
        return {"usual": self._held.get("usual"), "version": self.version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self._held.clear()
        if state["usual"] is not None:
            self._held["usual"] = float(state["usual"])
        self._held["version"] = state["version"]


def _spread(row: Sequence[Score]) -> float | None:
    """The standard deviation of the scored values; None for fewer than two."""
    values = [score.value for score in row if score.scored]
    return stdev(values) if len(values) > 1 else None
