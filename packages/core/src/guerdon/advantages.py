r"""Advantages: how much better each attempt was than its siblings, spread over the policy's steps.

An estimator is a frozen dataclass with one method, `estimate(groups, scores) -> Advantages`. With the scored values
$r_1 .. r_n$ of one group, their mean $m$ and their std $s$ (`ddof=1`: over n - 1):

| estimator | advantage of attempt i | source |
|---|---|---|
| `group_relative()` | $(r_i - m) / (s + \epsilon)$ | GRPO (DeepSeekMath, arXiv:2402.03300, section 4.1) |
| `group_relative(std=False)` | $r_i - m$ | Dr. GRPO (arXiv:2503.20783) |
| `leave_one_out()` | $r_i - \frac{1}{n-1} \sum_{j \ne i} r_j$ | RLOO (arXiv:2402.14740) |
| `streams({name: weight, ...})` | $\sum_k w_k (v_{k,u} - m_k)$ over streams $k$ | VeRPO (arXiv:2601.03525, eq. 7-9) |
| `returns_to_go({name: weight, ...})` | $\sum_k w_k \sum_{j \ge u} v_{k,j}$, less the group's mean | REINFORCE |
| `weighted_by(part, of)` | another's, times a weight in the score | after Ctrl-U (arXiv:2410.11236) |

An unscored rollout leaves mean, std and n, gets advantage 0 over its steps, and is marked in `Advantages.scored`, so
that the trainer can keep its tokens out of the loss *and* out of what the loss is averaged over. A dead group (fewer
than two scored attempts, or all of them equal) teaches nothing: its advantages are exactly 0, whatever the epsilon.
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from guerdon.errors import ConfigError, RewardError
from guerdon.types import Group, Per, Rollout, Score, Stream

EQUAL = 1e-12
"""Values this close (relative to the larger of 1 and their size) are one: the rounding of a sum, not a preference."""


@dataclass(frozen=True)
class Advantages:
    """What an update learns from, with what it has to leave out."""

    values: list[list[list[float]]]
    """Group x rollout x policy step; finite, 0 where dead or unscored."""
    dead: list[bool]
    """Per group: it carries no preference."""
    scored: list[list[bool]]
    """Group x rollout: False keeps the rollout out of the loss and of its token counts."""

    @property
    def unscored(self) -> int:
        """How many rollouts have no score."""
        return sum(not flag for row in self.scored for flag in row)

    def only(self, kept: Sequence[bool]) -> Advantages:
        """Those of the groups that are kept."""
        places = [place for place, keep in enumerate(kept) if keep]
        return Advantages(
            [self.values[place] for place in places],
            [self.dead[place] for place in places],
            [self.scored[place] for place in places],
        )


class Estimator(ABC):
    """Turns a group's scored values into one advantage per attempt; spreading them over steps is common to all."""

    @abstractmethod
    def centred(self, values: Sequence[float]) -> list[float]:
        """One advantage per value.

        Args:
            values: n >= 2 finite numbers, not all equal.
        """

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """One advantage per policy step: each rollout's own, repeated over its `steps`.

        Args:
            groups: G groups.
            scores: G rows, one score per rollout, in the same order.

        Raises:
            ValueError: the two do not have the same shape.
        """
        values, dead, scored = [], [], []
        if alone := sum(len(group) == 1 for group in groups):
            message = (
                f"{alone} of {len(groups)} groups have one attempt: there is nobody to compare it with, advantage 0"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        for group, row in zip(groups, scores, strict=True):
            flags = [score.scored for score in row]
            numbers = [score.value for score in row if score.scored]
            dead.append(_is_dead(numbers))
            found = iter([0.0] * len(numbers) if dead[-1] else self.centred(numbers))
            each = [next(found) if flag else 0.0 for flag in flags]
            values.append([[value] * rollout.steps for value, rollout in zip(each, group.rollouts, strict=True)])
            scored.append(flags)
        return Advantages(values, dead, scored)


@dataclass(frozen=True)
class group_relative(Estimator):  # noqa: N801 - a value one builds in a recipe, beside `clip` and `center`
    """Centre each group on its mean and, with `std`, divide by its spread.

    >>> [round(value, 4) for value in group_relative().centred([7.0, 5.014286, 1.0, 1.0])]
    [1.1645, 0.5032, -0.8338, -0.8338]
    """

    std: bool = True
    """Off, the size of the difference stays in the gradient, and easy and hard prompts weigh as their spread says."""
    ddof: int = 1
    """The std divides by n - ddof: 1 as torch and TRL do, 0 as numpy and the paper's formula do."""
    epsilon: float = 1e-4
    """Added to the std."""

    def __post_init__(self) -> None:
        if self.ddof not in (0, 1):
            raise ConfigError(f"group_relative.ddof is {self.ddof!r}; accepted are 0 and 1")
        if not 0.0 <= self.epsilon < math.inf:
            raise ConfigError(f"group_relative.epsilon is {self.epsilon!r}; a finite number >= 0 is needed")

    def centred(self, values: Sequence[float]) -> list[float]:
        """`(value - mean) / (std + epsilon)`, or the difference alone."""
        mean = math.fsum(values) / len(values)
        apart = [value - mean for value in values]
        if not self.std:
            return apart
        spread = math.sqrt(math.fsum(value * value for value in apart) / (len(values) - self.ddof))
        return [value / (spread + self.epsilon) for value in apart]


@dataclass(frozen=True)
class leave_one_out(Estimator):  # noqa: N801 - as group_relative
    """Each attempt against the mean of the others: an unbiased baseline, since it does not contain the attempt itself.

    >>> leave_one_out().centred([1.0, 0.0, 0.5])
    [0.75, -0.75, 0.0]
    """

    def centred(self, values: Sequence[float]) -> list[float]:
        """`value - mean of the others`, which is `n / (n - 1) * (value - mean)`."""
        n = len(values)
        mean = math.fsum(values) / n
        return [(value - mean) * n / (n - 1) for value in values]


@dataclass(frozen=True)
class log_mean_exp(Estimator):  # noqa: N801 - as group_relative
    r"""JEPO's: values are log-probs l; each attempt gets what the group's log mean probability owes to it.

    $$A_g = \log \tfrac1n \sum_h e^{\ell_h} - \log \tfrac1{n-1} \sum_{h \ne g} e^{\ell_h}$$

    It lies in [log(1 - 1/n), largest difference of two l]: where a single l of a group is not at its clamp, it gets
    nearly the whole distance to the clamp. The direct gradient that goes with it is the reward
    `likelihood-v1` with `variant: jepo`.

    Source: JEPO (arXiv 2503.19618), as "Likelihood-Based Reward Designs" (arXiv 2602.03979) has it.

    >>> [round(value, 6) for value in log_mean_exp().centred([math.log(0.5), math.log(0.1), math.log(0.1)])]
    [0.847298, -0.251314, -0.251314]
    """

    def centred(self, values: Sequence[float]) -> list[float]:
        """The group's value less the value of the others."""
        whole = self.value(values)
        return [whole - self.value([*values[:place], *values[place + 1 :]]) for place in range(len(values))]

    @staticmethod
    def value(values: Sequence[float]) -> float:
        """The log of the mean of the exponentials; what JEPO maximises."""
        top = max(values)
        return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))


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

    >>> from guerdon.types import Example, Segment
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
        object.__setattr__(self, "weights", _checked_weights("streams", self.weights))
        self._baseline  # noqa: B018 - checks ddof and epsilon

    @property
    def _baseline(self) -> group_relative:
        return group_relative(self.std, self.ddof, self.epsilon)

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
            dead.append(_all_zero(credit, largest))
            values.append(_laid_out(group, credit, dead=dead[-1]))
            scored.append([score.scored for score in row])
        return Advantages(values, dead, scored)

    def _credit(self, group: Group, row: Sequence[Score]) -> tuple[list[list[list[float]]], float]:
        """Rollout x turn x step, and the largest weighted value met.

        A turn without steps (its text alone is known) has one place all the same, so that its group is not called dead.
        """
        credit, largest = _no_credit(group), 0.0
        if sum(score.scored for score in row) < 2:
            return credit, largest
        for name, weight in self.weights.items():
            found = _read(name, group, row)
            flat = [value for stream in found for value in stream.values if value == value]
            if _is_dead(flat):
                continue
            largest = max(largest, *(abs(weight * value) for value in flat))
            centred = iter(self.centred(flat))
            for rollout, turns, stream in zip(group.rollouts, credit, found, strict=True):
                shares = [weight * next(centred) if value == value else 0.0 for value in stream.values]
                _add(turns, _spread(shares, stream, rollout))
        return credit, largest


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

    >>> from guerdon.types import Example, Segment
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
        object.__setattr__(self, "weights", _checked_weights("returns_to_go", self.weights))
        if self.baseline not in ("group", "none"):
            raise ConfigError(f"returns_to_go.baseline is {self.baseline!r}; accepted are 'group' and 'none'")

    def centred(self, values: Sequence[float]) -> list[float]:
        """Attempts of one place each: the value, less the group's mean where there is a baseline."""
        mean = math.fsum(values) / len(values) if self.baseline == "group" else 0.0
        return [value - mean for value in values]

    def estimate(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Advantages:
        """See `streams.estimate`; raises the same."""
        values, dead, scored = [], [], []
        for group, row in zip(groups, scores, strict=True):
            credit, largest = self._credit(group, row)
            dead.append(_all_zero(credit, largest))
            values.append(_laid_out(group, credit, dead=dead[-1]))
            scored.append([score.scored for score in row])
        return Advantages(values, dead, scored)

    def _credit(self, group: Group, row: Sequence[Score]) -> tuple[list[list[list[float]]], float]:
        """As `streams._credit`."""
        credit, largest = _no_credit(group), 0.0
        for name, weight in self.weights.items():
            found = _read(name, group, row)
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
                _add(turns, _spread(shares, stream, rollout, after))
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
        found = _stream(score, self.part)
        if found is None:
            there = ", ".join(map(repr, _paths(score))) or "none"
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


def _checked_weights(name: str, weights: Mapping[str, float]) -> dict[str, float]:
    if not weights:
        raise ConfigError(f"{name}.weights is empty; name at least one stream")
    for stream, weight in weights.items():
        if not math.isfinite(weight):
            raise ConfigError(f"{name}.weights.{stream} is {weight!r}; a finite number is needed")
    return dict(weights)


def _no_credit(group: Group) -> list[list[list[float]]]:
    """Rollout x turn x step; a turn without steps has one place."""
    return [[[0.0] * max(1, segment.steps) for segment in rollout.turns] for rollout in group.rollouts]


def _add(turns: list[list[float]], more: list[list[float]]) -> None:
    for steps, added in zip(turns, more, strict=True):
        steps[:] = map(operator.add, steps, added)


def _all_zero(credit: list[list[list[float]]], largest: float) -> bool:
    found = max((abs(value) for turns in credit for steps in turns for value in steps), default=0.0)
    return found <= EQUAL * max(1.0, largest)


def _laid_out(group: Group, credit: list[list[list[float]]], *, dead: bool) -> list[list[float]]:
    """Per rollout its policy steps, turn after turn; exactly 0 where the group is dead."""
    return [
        [
            0.0 if dead else value
            for segment, steps in zip(rollout.turns, turns, strict=True)
            for value in steps[: segment.steps]
        ]
        for rollout, turns in zip(group.rollouts, credit, strict=True)
    ]


def _spread(shares: list[float], stream: Stream, rollout: Rollout, after: float = 0.0) -> list[list[float]]:
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


def _read(name: str, group: Group, row: Sequence[Score]) -> list[Stream]:
    """One stream of each rollout, all of one kind; NaN where it is unscored."""
    found: list[Stream | float] = []
    kinds: dict[Per, int] = {}
    for index, (rollout, score) in enumerate(zip(group.rollouts, row, strict=True)):
        stream = _stream(score, name) if score.scored else math.nan
        where = f"rollout {index} of example {rollout.example.id!r}"
        if stream is None:
            there = ", ".join(map(repr, _paths(score))) or "none"
            raise ConfigError(f"the advantage estimator asks for stream {name!r}; the score of {where} has {there}")
        if isinstance(stream, Stream):
            kinds.setdefault(stream.per, index)
            _check_fit(name, stream, rollout, where)
        found.append(stream)
    if len(kinds) > 1:
        said = " and ".join(f"per {per} on rollout {index}" for per, index in kinds.items())
        raise RewardError(f"stream {name!r} of example {group.example.id!r} is {said}. That is a bug in the reward.")
    per: Per = next(iter(kinds), "rollout")
    return [
        stream if isinstance(stream, Stream) else _everywhere(stream, per, rollout)
        for stream, rollout in zip(found, group.rollouts, strict=True)
    ]


def _check_fit(name: str, stream: Stream, rollout: Rollout, where: str) -> None:
    if stream.per != "span":
        if len(stream.values) != _count(rollout, stream.per):
            raise RewardError(
                f"stream {name!r} has {len(stream.values)} values per {stream.per} on {where}, which has "
                f"{_count(rollout, stream.per)}. That is a bug in the reward."
            )
    elif stream.ends and stream.ends[-1] >= rollout.steps:
        raise RewardError(
            f"stream {name!r} has a span that ends at step {stream.ends[-1]} of {where}, which has {rollout.steps}. "
            f"That is a bug in the reward."
        )
    elif stream.values and rollout.steps and not stream.ends:
        raise ConfigError(
            f"stream {name!r} of {where} knows the text of its spans and not their tokens, so it cannot be placed: "
            f"give the reward a tokenizer (`step-scores-v1` has an option of that name), or steps that are turns"
        )


def _everywhere(value: float, per: Per, rollout: Rollout) -> Stream:
    if per == "span":
        return Stream("span", (value,), (rollout.steps - 1,) if rollout.steps else ())
    return Stream(per, (value,) * _count(rollout, per))


def _count(rollout: Rollout, per: Per) -> int:
    return 1 if per == "rollout" else len(rollout.turns) if per == "turn" else rollout.steps


def _stream(score: Score, path: str) -> Stream | float | None:
    """The stream at a path; a number stands for that value everywhere, None for a stream that is not there."""
    if path in score.dense:
        return score.dense[path]
    if path in score.parts:
        return Stream("rollout", (score.parts[path].value,))
    for name, part in score.parts.items():
        if path.startswith(f"{name}/"):
            return _stream(part, path[len(name) + 1 :])
    if not score.scored:
        return math.nan
    return score.value if score.value == 0.0 or score.status == "timeout" else None


def _paths(score: Score, prefix: str = "") -> Iterator[str]:
    """Everything that `_stream` finds."""
    yield from (prefix + name for name in score.dense)
    for name, part in score.parts.items():
        yield prefix + name
        yield from _paths(part, f"{prefix}{name}/")


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
    gone = [_is_dead(row) for row in numbers] if dead is None else dead
    return [not out and low < math.fsum(row) / len(row) < high for out, row in zip(gone, numbers, strict=True)]


def _is_dead(values: Sequence[float]) -> bool:
    if len(values) < 2:
        return True
    least, most = min(values), max(values)
    return most - least <= EQUAL * max(1.0, abs(least), abs(most))
