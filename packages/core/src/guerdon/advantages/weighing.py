"""`weighted_by`: how far an attempt is to be believed, on its advantage and not on its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from guerdon.advantages.attempts import group_relative
from guerdon.advantages.estimator import Advantages, Estimator
from guerdon.advantages.reading import paths, stream_at
from guerdon.errors import ConfigError, RewardError
from guerdon.types import Group, Rollout, Score, Stream


@dataclass(frozen=True)
class weighted_by(Estimator):  # noqa: N801 - as group_relative
    """Another estimator's advantages, each attempt's times a weight that its score tells: how far it is to be believed.

    The weight multiplies the *advantage* and not the value, so that an attempt of low weight moves the policy less in
    either direction, and is not ranked last. Every attempt keeps its part in the group's mean.

    A group whose weights are all 0 is dead. Where nobody measured a weight (the part is unscored, or stands behind a
    closed gate), it is 1.

    Source: for rewards without a gradient, in place of Ctrl-U's weighted loss (arXiv:2410.11236) [choice].

    >>> from guerdon.types import Example, Segment
    >>> attempt = Rollout(Example(id="x"), (Segment("policy", action=0),))
    >>> row = [Score(1.0, parts={"weight": Score(0.5)}), Score(0.0, parts={"weight": Score(1.0)})]
    >>> weighted_by("weight", group_relative(std=False)).estimate([Group.of([attempt, attempt])], [row]).values
    [[[0.25], [-0.5]]]
    """

    part: str
    """Path of the part whose value is the weight, as in logs: "uncertainty/weight"."""
    of: Estimator = field(default_factory=group_relative)

    @property
    def reads(self) -> tuple[str, ...]:
        """The part, and what the other reads."""
        return (self.part, *self.of.reads)

    def centred(self, values: Sequence[float]) -> list[float]:
        """Unweighted: the other estimator's."""
        return self.of.centred(values)

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """See `Estimator.estimate`.

        Raises:
            ValueError, ConfigError, RewardError: as the other estimator; no score has that part; a weight is below 0.
        """
        plain = self.of.estimate(groups, scores)
        values = [
            [
                [self._weight(score, rollout) * value for value in steps]
                for rollout, score, steps in zip(group.rollouts, row, rows, strict=True)
            ]
            for group, row, rows in zip(groups, scores, plain.values, strict=True)
        ]
        dead = [
            was or (any(rows) and not any(value for steps in rows for value in steps))  # a text alone has no steps
            for was, rows in zip(plain.dead, values, strict=True)
        ]
        return Advantages(values, dead, plain.scored)

    def _weight(self, score: Score, rollout: Rollout) -> float:
        found = stream_at(score, self.part)
        if found is None:
            there = ", ".join(map(repr, paths(score))) or "none"
            raise ConfigError(
                f"weighted_by.part is {self.part!r}; the score of example {rollout.example.id!r} has {there}"
            )
        if not isinstance(found, Stream) or found.values[0] != found.values[0]:
            return 1.0
        if found.per != "rollout" or found.values[0] < 0.0:
            raise RewardError(
                f"the weight {self.part!r} of example {rollout.example.id!r} is {found!r}; one number >= 0 for the "
                f"whole rollout is needed. That is a bug in the reward."
            )
        return found.values[0]
