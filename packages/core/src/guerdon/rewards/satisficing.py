"""One fixed reward with thresholds, and no multipliers: what `guerdon.rewards.constrained` is to be compared with.

Source: arXiv:2310.04373 and its released code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import widest
from guerdon.rewards.base import Context, End, Reward, Scores, Sees
from guerdon.rewards.lagrange import same_names, satisfaction
from guerdon.types import Group, Score


@dataclass(frozen=True)
class Satisficing(Reward, name="satisficing-v1"):
    r"""PPO-SAT: one fixed reward, $-\sum_i (r_i - \theta_i)^2$, that is best where every component is at its threshold.

    It squares each rollout's own distance, not that of the mean: spread costs too, and a KL objective pulls the
    components to one side of their thresholds, with no multiplier to push back.
    """

    components: Mapping[str, Reward] = field(hash=False)
    thresholds: Mapping[str, float] = field(hash=False)
    """By component, in units of its score for a whole rollout."""

    def __post_init__(self) -> None:
        for name in ("components", "thresholds"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        same_names("satisficing.components", self.components, "satisficing.thresholds", self.thresholds)
        for name, theta in self.thresholds.items():
            if not math.isfinite(theta):
                raise ConfigError(f"satisficing.thresholds.{name} is {theta!r}; a finite number is needed")

    @property
    def children(self) -> tuple[Reward, ...]:
        """The components, each under its name here."""
        return tuple(one if one.label == name else one.named(name) for name, one in self.components.items())

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """What its components see: the distance itself is each rollout's own."""
        return widest(self.children)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The components."""
        return tuple(self.components)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """From minus the largest squared distances, up to 0."""
        far = {name: _farthest(one.bounds, self.thresholds[name]) for name, one in self.components.items()}
        if any(math.isinf(end) for end in far.values()):
            return -math.inf, 0.0
        return satisfaction(far, self.thresholds), 0.0

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Each rollout on its own; every component has to be scored."""
        columns = [context.scores(child, groups) for child in self.children]
        return [
            [self._distance(dict(zip(self.components, scores, strict=True))) for scores in zip(*rows, strict=True)]
            for rows in zip(*columns, strict=True)
        ]

    def _distance(self, parts: Mapping[str, Score]) -> Score:
        for status in ("infra", "invalid", "abstain"):  # the gravest first
            for name, part in parts.items():
                if part.status == status:
                    return Score(math.nan, f"{name}: {part.why}", parts, status)
        values = {name: part.value for name, part in parts.items()}
        return Score(satisfaction(values, self.thresholds), "", parts)

    def worse_end(self, child: Reward, end: End) -> End:
        """The one farther from the threshold; the nearer one, where the best is what is feared."""
        low, high = (abs(bound - self.thresholds[child.label]) for bound in child.bounds)
        return "high" if (high > low) == (end == "low") else "low"


def _farthest(bounds: tuple[float, float], theta: float) -> float:
    return max(bounds, key=lambda end: abs(end - theta))
