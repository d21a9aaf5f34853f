"""Rewards made of rewards: a tree that prints, compares, pickles, and keeps each part's name in every score.

| node | value |
|---|---|
| `weight * a` | the product; `a` keeps its name |
| `a + b` | the weighted sum; `parts` holds each term before its weight |
| `a.gated_by(c)`, `a.unless(c)` | `a` where the gate is open, else 0 |
| `a.then(transform)` | `a`'s values, shaped over their groups |
| `a.against(references, shape)` | `a`'s values, shaped by those of reference answers to the same prompt |
| `a.named("x")` | `a` under another name |

Streams (`Score.dense`): a weight scales them with the value, an open gate and a name let them through, and a closed
gate gives a bare 0, which counts as 0 in every stream. A sum has none of its own, and a transform shapes the value
alone: below them the streams stay with the parts that have them, unweighted, at the path that logs use (`verpo/turn`).

Unscored parts: one that *abstains* leaves the sum; one that is *invalid* or *infra* makes the whole unscored, since a
sum without it would rank this rollout below its siblings for something it did not do. Where an abstention must do the
same, as in a sum of log-probabilities, the sum is `guerdon.rewards.conjunction.every`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from guerdon.errors import ConfigError
from guerdon.fields import check_is
from guerdon.rewards.base import Context, End, Reward, Scores, Sees, Targets, same_batch
from guerdon.types import Group, Score, Target

if TYPE_CHECKING:
    from guerdon.transforms import Transform

_WIDTH: dict[Sees, int] = {"rollout": 0, "group": 1, "batch": 2}


def widest(rewards: Sequence[Reward]) -> Sees:
    """What a composite of these looks at, at least."""
    return max((reward.sees for reward in rewards), key=_WIDTH.__getitem__)


def _scaled(weight: float, bounds: tuple[float, float]) -> tuple[float, float]:
    ends = [weight * end if weight else 0.0 for end in bounds]  # 0 * inf would be NaN
    return min(ends), max(ends)


def _other(end: End) -> End:
    return "high" if end == "low" else "low"


def operand(reward: Reward) -> str:
    """How a reward prints where a method or a weight follows: a product needs brackets there."""
    return f"({reward!r})" if isinstance(reward, Weighted) else repr(reward)


def _visible(reward: Reward) -> Iterator[Reward]:
    """The rewards whose labels stand in a score's parts."""
    if isinstance(reward, Named) or not reward.children:
        yield reward
    else:
        for child in reward.children:
            yield from _visible(child)


class OfOne(Reward):
    """The base of what is put around one child, the field `reward`: what it does not say otherwise is the child's."""

    reward: Reward

    @property
    def name(self) -> str:  # type: ignore[override]
        """The child's."""
        return self.reward.name

    @property
    def label(self) -> str:
        """The child's."""
        return self.reward.label

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The child's."""
        return self.reward.sees

    @property
    def children(self) -> tuple[Reward, ...]:
        """The one child."""
        return (self.reward,)

    @property
    def unaudited(self) -> str:
        """The child's."""
        return self.reward.unaudited


@dataclass(frozen=True)
class Weighted(OfOne):
    """`weight * reward`."""

    weight: float
    reward: Reward

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ConfigError(f"the weight of {self.reward.name} is {self.weight!r}; a finite number is needed")

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The child's, scaled."""
        return _scaled(self.weight, self.reward.bounds)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Scale each value; an unscored NaN stays NaN."""
        return [
            [
                Score(
                    self.weight * score.value,
                    score.why,
                    {self.label: score},
                    score.status,
                    score.dense and {name: stream.scaled(self.weight) for name, stream in score.dense.items()},
                )
                for score in row
            ]
            for row in context.scores(self.reward, groups)
        ]

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """The child's, scaled."""
        rows = context.instance(self.reward).targets(groups, _parts(scores, self.label), context)
        return [[tuple(target.scaled(self.weight) for target in each) for each in row] for row in rows]

    def worse_end(self, child: Reward, end: End) -> End:
        """The other, under a weight below 0."""
        return _other(end) if self.weight < 0.0 else end

    def __repr__(self) -> str:
        return f"{self.weight!r} * {operand(self.reward)}"


@dataclass(frozen=True)
class Sum(Reward):
    """The weighted sum of named terms."""

    terms: tuple[tuple[float, Reward], ...]

    _may_abstain: ClassVar[bool] = True
    """Whether a term that abstains leaves the sum."""

    @classmethod
    def of(cls, *rewards: Reward) -> Self:
        """Add rewards up; sums flatten and weights stay as written."""
        terms: list[tuple[float, Reward]] = []
        for reward in rewards:
            if type(reward) is cls:  # a sum of another kind treats its own terms in its own way
                terms += reward.terms
            elif isinstance(reward, Weighted):
                terms.append((reward.weight, reward.reward))
            else:
                terms.append((1.0, reward))
        return cls(tuple(terms))

    def __post_init__(self) -> None:
        labels = [reward.label for _, reward in self.terms]
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(f"two terms of one sum are called {label!r}; give one another name with .named(...)")

    @property
    def name(self) -> str:  # type: ignore[override]
        """The word "sum"; name one that stands inside another sum."""
        return "sum"

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The least and the greatest sum, reaching to 0 since any term may abstain.

        Terms that hang on one gate are taken together: `3 * a + 2 * b.unless(a)`, both in [0, 1], ends at 3 and not at
        5, since the second counts only where a is 0.
        """
        ends = [self._bounds_if(case) for case in _cases(self.children)]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def _bounds_if(self, case: _Case) -> tuple[float, float]:
        low = high = 0.0
        for weight, reward in self.terms:  # added in the order of `_add`: `sum` rounds otherwise from Python 3.12 on
            ends = _scaled(weight, _bounds_if(reward, case))
            if self._may_abstain:
                ends = min(ends[0], 0.0), max(ends[1], 0.0)
            low, high = low + ends[0], high + ends[1]
        return low, high

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The widest of its terms."""
        return widest(self.children)

    @property
    def children(self) -> tuple[Reward, ...]:
        """The terms, without their weights."""
        return tuple(reward for _, reward in self.terms)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The terms' labels."""
        return tuple(reward.label for _, reward in self.terms)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Add the terms up, rollout by rollout."""
        weights = [weight for weight, _ in self.terms]
        labels = [reward.label for reward in self.children]
        columns = [context.scores(reward, groups) for reward in self.children]
        return [
            [self._add(weights, labels, scores) for scores in zip(*rows, strict=True)]
            for rows in zip(*columns, strict=True)
        ]

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """Those of all terms, each scaled by its weight."""
        found: list[list[list[Target]]] = [[[] for _ in group.rollouts] for group in groups]
        for weight, reward in self.terms:
            if not reward.has_targets:
                continue
            more_rows = context.instance(reward).targets(groups, _parts(scores, reward.label), context)
            for row, more in zip(found, more_rows, strict=True):
                for each, targets in zip(row, more, strict=True):
                    each += [target.scaled(weight) for target in targets]
        return [[tuple(each) for each in row] for row in found]

    def worse_end(self, child: Reward, end: End) -> End:
        """The other, of a term with a weight below 0."""
        return _other(end) if any(weight < 0.0 and reward == child for weight, reward in self.terms) else end

    @staticmethod
    def _add(weights: list[float], labels: list[str], scores: tuple[Score, ...]) -> Score:
        parts = dict(zip(labels, scores, strict=True))
        total = 0.0
        for weight, score in zip(weights, scores, strict=True):
            total += weight * score.value
        if total == total:
            return Score(total, shared_why(scores), parts)
        return _sum_without_abstainers(weights, parts)

    def __repr__(self) -> str:
        shown = [repr(reward) if weight == 1.0 else f"{weight!r} * {operand(reward)}" for weight, reward in self.terms]
        return f"({' + '.join(shown)})" if len(shown) > 1 else f"Sum({self.terms!r})"


def _parts(scores: Sequence[Sequence[Score]], label: str) -> Scores:
    """The part of that name of each score; unscored where a gate kept it from being asked."""
    return [
        [score.parts.get(label) or Score.unscored("not asked", status="abstain") for score in row] for row in scores
    ]


_Case = Sequence[tuple[Reward, tuple[float, float]]]
"""Where the values of some gates lie: intervals on one side of every threshold."""


def _cases(terms: Sequence[Reward]) -> Iterator[_Case]:
    """All that can be true at once of the gates on which more than one of the terms hang."""
    gates = [term for term in terms if isinstance(term, Gate)]
    shared: list[Reward] = []
    for by in (gate.by for gate in gates):
        if by not in shared and (by in terms or sum(gate.by == by for gate in gates) > 1):
            shared.append(by)
    sides = []
    for by in shared:
        low, high = by.bounds
        cuts = sorted({gate.above for gate in gates if gate.by == by and low <= gate.above < high})
        sides.append([(by, side) for side in itertools.pairwise([low, *cuts, high])])
    return itertools.product(*sides)


def _bounds_if(reward: Reward, case: _Case) -> tuple[float, float]:
    """A term's bounds in that case."""
    for by, side in case:
        if reward == by:
            return side
        if isinstance(reward, Gate) and reward.by == by:
            beyond = side[1] > reward.above
            return reward.reward.bounds if beyond == (reward.opens == "above") else (0.0, 0.0)
    return reward.bounds


def _sum_without_abstainers(weights: list[float], parts: dict[str, Score]) -> Score:
    for status in ("infra", "invalid"):
        for name, part in parts.items():
            if part.status == status:
                return Score(math.nan, f"{name}: {part.why}", parts, status)
    if not any(part.scored for part in parts.values()):
        return Score(math.nan, "every part abstains", parts, "abstain")
    total = 0.0
    for weight, part in zip(weights, parts.values(), strict=True):
        if part.scored:
            total += weight * part.value
    return Score(total, shared_why([part for part in parts.values() if part.scored]), parts)


def shared_why(scores: Sequence[Score]) -> str:
    """Why every term failed, where they say the same: an answer that none of them could read. "" otherwise."""
    first = scores[0] if scores else None
    if first is None or first.status == "ok" or not first.why:
        return ""
    return first.why if all(one.status != "ok" and one.why == first.why for one in scores) else ""


@dataclass(frozen=True)
class Gate(OfOne):
    """`reward` where the gate is open, else 0.

    A closed gate's child is not even asked, if it looks at one rollout alone. A gate without a score has no say: the
    whole is then unscored for the gate's reason.
    """

    reward: Reward
    by: Reward
    above: float = 0.0
    opens: Literal["above", "not_above"] = "above"

    def __post_init__(self) -> None:
        if any(seen.label == self.by.label and seen != self.by for seen in _visible(self.reward)):
            raise ConfigError(
                f"a gate and what it gates are both called {self.by.label!r}; give one another name with .named(...)"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The child's, reaching to 0."""
        low, high = self.reward.bounds
        return min(low, 0.0), max(high, 0.0)

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The wider of child and gate."""
        return widest(self.children)

    @property
    def children(self) -> tuple[Reward, ...]:
        """The child, then the gate."""
        return (self.reward, self.by)

    def is_open(self, gate: Score) -> bool:
        """Whether a gate's score lets the child through."""
        return (gate.value > self.above) == (self.opens == "above")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Score the gate first, then whom it lets through."""
        gates = context.scores(self.by, groups)
        if self.reward.sees != "rollout":
            inner = context.scores(self.reward, groups)
            return [[self._gate(g, s) for g, s in zip(*rows, strict=True)] for rows in zip(gates, inner, strict=True)]
        let_in = [[j for j, gate in enumerate(row) if gate.scored and self.is_open(gate)] for row in gates]
        narrowed = [
            replace(group, rollouts=tuple(group.rollouts[j] for j in places))
            for group, places in zip(groups, let_in, strict=True)
            if places
        ]
        rows = iter(context.scores(self.reward, narrowed) if narrowed else [])
        found = [dict(zip(places, next(rows), strict=True)) if places else {} for places in let_in]
        return [[self._gate(gate, found[i].get(j)) for j, gate in enumerate(row)] for i, row in enumerate(gates)]

    def _gate(self, gate: Score, inner: Score | None) -> Score:
        parts = {self.by.label: gate}
        if not gate.scored:
            return Score(math.nan, f"its gate {self.by.label} is unscored: {gate.why}", parts, gate.status)
        if inner is None or not self.is_open(gate):
            return Score(0.0, f"gate {self.by.label} = {gate.value:g} is closed", parts)
        inner_parts = inner.parts or {self.reward.label: inner}
        return Score(inner.value, inner.why, {**inner_parts, **parts}, inner.status, inner.dense)

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """The child's, of those that the gate let through; the gate's own step has no gradient."""
        if self.by.has_targets:
            return super().targets(groups, scores, context)  # refuses
        let_in = [[self._inner(score) for score in row] for row in scores]
        return context.instance(self.reward).targets(groups, let_in, context)

    def worse_end(self, child: Reward, end: End) -> End:
        """Of the gate, the one that closes it; unless nothing is to be gained beyond it, so that a 0 is the best."""
        if child != self.by:
            return end
        low, high = self.reward.bounds
        open_is_worse = high <= 0.0 if end == "low" else low >= 0.0
        return "high" if open_is_worse == (self.opens == "above") else "low"

    def _inner(self, score: Score) -> Score:
        """The child's score, out of what `_gate` made of it."""
        gate = score.parts.get(self.by.label)
        if gate is None or not gate.scored or not self.is_open(gate):
            return Score.unscored("its gate is closed", status="abstain")
        parts = {name: part for name, part in score.parts.items() if name != self.by.label}
        return Score(score.value, score.why, parts, score.status, score.dense)

    def __repr__(self) -> str:
        method = "gated_by" if self.opens == "above" else "unless"
        return f"{operand(self.reward)}.{method}({self.by!r}" + (f", above={self.above!r})" if self.above else ")")


@dataclass(frozen=True)
class Named(OfOne):
    """A reward under another name."""

    reward: Reward
    new_label: str

    @property
    def name(self) -> str:  # type: ignore[override]
        """The new label."""
        return self.new_label

    @property
    def label(self) -> str:
        """The new label."""
        return self.new_label

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The child's."""
        return self.reward.bounds

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """The child's scores."""
        return context.scores(self.reward, groups)

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """The child's."""
        return context.instance(self.reward).targets(groups, scores, context)

    def __repr__(self) -> str:
        return f"{operand(self.reward)}.named({self.new_label!r})"


@dataclass(frozen=True)
class Then(OfOne):
    """A reward's values, shaped by a transform whose state (if it runs) is part of the checkpoint."""

    reward: Reward
    transform: Transform
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """`state` in force, `next` as the latest batch would leave it and which batch that was, `version`."""

    def __post_init__(self) -> None:
        from guerdon.transforms import Transform

        example = "such as guerdon.transforms.clip(-1.0, 1.0)"
        check_is(self.transform, Transform, f"the transform of {self.reward.name}", example)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """What the transform promises of the child's bounds."""
        return self.transform.bounds(self.reward.bounds)

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """At least what the transform's scope needs."""
        return (
            "batch"
            if self.transform.scope in ("batch", "running")
            else "group"
            if self.transform.scope == "group"
            else self.reward.sees
        )

    @property
    def relative(self) -> bool:
        """Whether the transform looks at more than the value itself, or the child is so."""
        return self.transform.scope != "sample" or self.reward.relative

    @property
    def part_names(self) -> tuple[str, ...]:
        """The value before it was shaped."""
        return (self.label,)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Shape all values at once; each keeps its evidence and its raw value as a part."""
        rows = context.scores(self.reward, groups)
        flat = [score for row in rows for score in row]
        values, after = self.transform.update(
            [score.value for score in flat], self._state, sizes=[len(row) for row in rows]
        )
        if self.stateful:
            self._held["next"] = context.batch(groups), after
        shaped = iter(
            Score(value, score.why, {**score.parts, self.label: score}, score.status)
            for value, score in zip(values, flat, strict=True)
        )
        return [[next(shaped) for _ in row] for row in rows]

    def worse_end(self, child: Reward, end: End) -> End:
        """The other where the transform turns the child's two ends round."""
        ends = [bound if math.isfinite(bound) else None for bound in self.reward.bounds]
        low = ends[0] if ends[0] is not None else 0.0 if ends[1] is None else ends[1] - 1.0
        high = ends[1] if ends[1] is not None else low + 1.0
        (from_low, from_high), _ = self.transform.update([low, high], self._state, sizes=[2])
        return _other(end) if from_low > from_high else end

    @property
    def _state(self) -> Any:
        return self._held["state"] if "state" in self._held else self.transform.init()

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether the transform runs over batches."""
        return self.transform.scope == "running"

    @property
    def version(self) -> int:
        """How often `update` moved the state."""
        return int(self._held.get("version", 0))

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Keep the state that this batch left when it was scored; call it before anything else is scored."""
        scored, after = self._held.pop("next", (None, None))
        if scored is not None and same_batch(scored, groups):
            self._held["state"], self._held["version"] = after, self.version + 1

    def state_dict(self) -> dict[str, Any]:
        """The transform's state and the version."""
        return {"state": self._held.get("state"), "version": self.version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self._held.clear()  # a batch scored before, but not learned from, is none of the restored state's
        if state["state"] is not None:
            self._held["state"] = state["state"]
        self._held["version"] = state["version"]

    def __getstate__(self) -> dict[str, Any]:
        """With its state, and without the batch scored last, which a copy elsewhere is never told to learn from."""
        return {**vars(self), "_held": {name: value for name, value in self._held.items() if name != "next"}}

    def __repr__(self) -> str:
        return f"{operand(self.reward)}.then({self.transform!r})"


def walk(reward: Reward) -> list[Reward]:
    """Every node of the tree, parents before children, each once."""
    nodes: dict[Reward, None] = {}
    pending = [reward]
    while pending:
        node = pending.pop()
        if node not in nodes:
            nodes[node] = None
            pending += reversed(node.children)
    return list(nodes)
