"""`streams`: several values per attempt, turn, span or step, each centred on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guerdon.advantages.attempts import group_relative
from guerdon.advantages.dead_groups import is_dead, is_zero
from guerdon.advantages.estimator import Advantages, Estimator
from guerdon.advantages.placing import add_credit, laid_out, no_credit, over_steps
from guerdon.advantages.reading import checked_weights, streams_of
from guerdon.types import Group, Score


@dataclass(frozen=True)
class streams(Estimator):  # noqa: N801 - as group_relative
    r"""Several values per attempt, each centred on its own over the group, weighted, and added up at every policy step.

    A stream is a `guerdon.types.Stream` in `Score.dense`. With $m_k$ the mean of all values of stream $k$ in the group
    (those of all attempts, or of all their turns, steps or spans), a policy step gets

    $$A = \sum_k w_k \, (v_{k,u} - m_k)$$

    where $u$ is its attempt, its turn, its span or itself, as the stream says: a turn's value reaches every token of
    that policy segment. An unscored attempt has no part in any stream, and a NaN place none in its own. A group is dead
    where fewer than two attempts are scored, or every $A$ is 0 but for rounding.

    A stream of a part is named by its path, as in logs ("verpo/turn"), and a path that ends at a part ("format") means
    that part's value, one per rollout; both are taken before the weights of the sum they stand in. A score of exactly 0
    that lacks a stream counts as 0 in it (behind a closed gate nobody was asked), and one of a reward that hung as its
    value, the worst it can give; an unscored part counts nowhere.

    Source: VeRPO (arXiv:2601.03525), equations 7-9; with `std`, one stream per reward is GDPO's (arXiv:2601.05242).

    >>> from guerdon.types import Example, Rollout, Segment, Stream
    >>> two_turns = Rollout(Example(id="x"), (Segment("policy", action=0), Segment("policy", action=1)))
    >>> scores = [
    ...     Score(1.0, dense={"solved": Stream("rollout", (1.0,)), "tests": Stream("turn", (0.0, 1.0))}),
    ...     Score(0.0, dense={"solved": Stream("rollout", (0.0,)), "tests": Stream("turn", (0.5, 0.5))}),
    ... ]
    >>> streams({"solved": 1.0, "tests": 2.0}).estimate([Group.of([two_turns, two_turns])], [scores]).values
    [[[-0.5, 1.5], [-0.5, -0.5]]]
    """

    weights: Mapping[str, float] = field(hash=False)
    """Stream to weight; 0 leaves a stream out."""
    std: bool = False
    """Divide each stream by its spread, over the same values that its mean is over."""
    ddof: int = 1
    epsilon: float = 1e-4

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", checked_weights("streams", self.weights))
        self._baseline  # noqa: B018 - checks ddof and epsilon

    @property
    def _baseline(self) -> group_relative:
        return group_relative(self.std, self.ddof, self.epsilon)

    @property
    def reads(self) -> tuple[str, ...]:
        """The streams."""
        return tuple(self.weights)

    def centred(self, values: Sequence[float]) -> list[float]:
        """One stream's values, centred; as `group_relative` with this `std`, `ddof` and `epsilon`."""
        return self._baseline.centred(values)

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """See `Estimator.estimate`.

        Raises:
            ValueError: groups and scores do not have the same shape.
            ConfigError: a score has no stream of that name.
            RewardError: a stream's values are not as many as the rollout has turns or steps, or attempts of one group
                disagree on what they belong to.
        """
        values, dead, scored = [], [], []
        for group, row in zip(groups, scores, strict=True):
            credit, largest = self._credit(group, row)
            dead.append(is_zero(credit, largest))
            values.append(laid_out(group, credit, dead=dead[-1]))
            scored.append([score.scored for score in row])
        return Advantages(values, dead, scored)

    def _credit(self, group: Group, row: Sequence[Score]) -> tuple[list[list[list[float]]], float]:
        """Rollout x turn x step, and the largest weighted value met.

        A turn without steps (its text alone is known) has one place all the same, so that its group is not called dead.
        """
        credit, largest = no_credit(group), 0.0
        if sum(score.scored for score in row) < 2:
            return credit, largest
        for name, weight in self.weights.items():
            found = streams_of(name, group, row)
            flat = [value for stream in found for value in stream.values if value == value]
            if is_dead(flat):
                continue
            largest = max(largest, *(abs(weight * value) for value in flat))
            centred = iter(self.centred(flat))
            for rollout, turns, stream in zip(group.rollouts, credit, found, strict=True):
                shares = [weight * next(centred) if value == value else 0.0 for value in stream.values]
                add_credit(turns, over_steps(shares, stream, rollout))
        return credit, largest
