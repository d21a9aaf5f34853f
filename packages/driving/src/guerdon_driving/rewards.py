"""What a plan in words earns: AlphaDrive's reward of a group of answers, and its pieces.

| name | value | sees |
|---|---|---|
| `driving/alphadrive-v1` | F1, action weight and diversity of both axes, and the layout; 0 to 3 | the group |
| `driving/format-v1` | the whole completion is a think block and an answer block, 0 or 1 | one answer |
| `driving/plan-f1-v1` | F1 of the actions, the mean of both axes or one alone, in [0, 1] | one answer |
| `driving/plan-exact-v1` | exactly the true actions, on both axes or on one, 0 or 1; for evaluation | one answer |

An answer that cannot be read is the policy's fault: `fail` with the reason, and a number. A solution that cannot be
read is the task's: `invalid`, except in `released`, which pays 0 for its axes as the authors' code does.

What they do not cover: whether the reasoning is any good, and whether the plan is safe; nothing is driven. The same
actions said twice count once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.rewards import Context, Reward
from guerdon.rewards.base import Sees
from guerdon.types import Group, Rollout, Score
from guerdon_driving import alphadrive
from guerdon_driving.actions import ACTIONS, WEIGHTS, Axis
from guerdon_driving.alphadrive import Mode
from guerdon_driving.answers import Plan, block_on_one_line, format_fault, read_plan, read_solution, unread
from guerdon_driving.examples import DrivingExample

Axes = Literal["both", "speed", "path"]
Actions = frozenset[str]
AXES: tuple[Axis, ...] = get_args(Axis)
DELTA = 0.4
"""The release's weight of diversity."""
MOST = 0.2
"""What sameness costs at most, of 1, in the paper's words."""
ONE_EACH = 1
"""Actions of one axis that `group_share` pays for."""


@dataclass(frozen=True)
class Format(Reward, name="driving/format-v1", bounds=(0.0, 1.0)):
    """1.0 when the whole completion is a think block, perhaps white space, and an answer block; else 0.0."""

    def score(self, rollout: Rollout) -> Score:
        """Look for the pieces of the layout."""
        return _format(rollout.completion)


def _format(text: str) -> Score:
    fault = format_fault(text)
    return Score(0.0, fault, status="fail") if fault else Score(1.0)


@dataclass(frozen=True)
class AlphaDrive(Reward, name="driving/alphadrive-v1"):
    """Both axes' F1, weighted by action and by diversity within the group, plus 1 for the layout.

    Which reading is meant says `mode`; the equations stand in `guerdon_driving.alphadrive`. Parts: `speed`, `path` and
    `format`, the first two with `f1`, `weight` and `diversity` of their own. `ok` where all of it is right.
    """

    mode: Mode = "group_share"
    """`group_share` (what the paper's words say; ours), `printed` (its Algorithm 1), or `released` (the code, with its
    strict parser, and the 0.4 it pays per axis to empty answers)."""
    at_most: int | None = None
    """More actions than this on an axis earn F1 0 there, unless the truth has as many. None: 1 in `group_share`, since
    F1 alone pays for hedging and the plan is one action per axis, and no limit in the others, as published. 5 lifts it
    in `group_share`: no axis has more actions."""
    diversity: float | None = None
    """What sameness costs. None: 0.2 at most as a share, or 0.4 either way in `released`. 0 leaves diversity out."""
    weights: Mapping[str, float] | tuple[tuple[str, float], ...] = ()
    """Weights of actions that are to differ from `actions.WEIGHTS`, as pairs or as a mapping: the paper's Figure 2 has
    `{"ACCELERATE": 1.0}`."""
    counted_over: Literal["group", "batch"] = "group"
    """What `released` counts actions over. Its counter covers one call: the prompts of one device's batch, and that is
    one prompt in the release, hence `group`. `batch` counts over all groups scored in one call, in order, as the code
    would with a larger device batch."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.mode", self.mode, get_args(Mode))
        one_of(f"{self.name}.counted_over", self.counted_over, ("group", "batch"))
        _check_cap(self.name, self.at_most)
        most = math.inf if self.mode == "released" else 1.0
        if self.diversity is not None and not (_number(self.diversity) and 0.0 <= self.diversity <= most):
            raise ConfigError(
                f"{self.name}.diversity is {self.diversity!r}; a finite number from 0 to {most:g} is needed"
            )
        if self.counted_over == "batch" and self.mode != "released":
            raise ConfigError(f"{self.name}.counted_over is 'batch'; mode {self.mode!r} counts within a group alone")
        object.__setattr__(self, "weights", _weight_pairs(f"{self.name}.weights", self.weights))

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The group, unless `released` counts over the batch."""
        return self.counted_over

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """From 0, or from minus what two axes lose, up to the heaviest action of each axis and the layout's 1."""
        weights = self._weights
        heaviest = sum(max(weights[action] for action in ACTIONS[axis]) for axis in AXES)
        apart = 2.0 * self._diversity if self.mode == "released" else 0.0
        return 0.0 - apart, heaviest + apart + 1.0

    @property
    def part_names(self) -> tuple[str, ...]:
        """The two axes and the layout."""
        return *AXES, "format"

    @property
    def _weights(self) -> Mapping[str, float]:
        return {**WEIGHTS, **dict(self.weights)}

    @property
    def _diversity(self) -> float:
        if self.diversity is not None:
            return self.diversity
        return DELTA if self.mode == "released" else MOST

    @property
    def _cap(self) -> int | None:
        return ONE_EACH if self.at_most is None and self.mode == "group_share" else self.at_most

    def score_group(self, group: Group) -> list[Score]:
        """All answers to one prompt."""
        return self._scores(group.rollouts, {axis: Counter() for axis in AXES})

    def score_batch(self, groups: Sequence[Group], context: Context) -> Sequence[Sequence[Score]]:
        """Group by group; where `released` counts over the batch, with one count for all."""
        if self.counted_over == "group":
            return super().score_batch(groups, context)
        seen: dict[Axis, Counter[str]] = {axis: Counter() for axis in AXES}
        return [self._scores(group.rollouts, seen) for group in groups]

    def _scores(self, rollouts: Sequence[Rollout], seen: Mapping[Axis, Counter[str]]) -> list[Score]:
        if self.mode == "released":
            return [self._released(rollout, seen) for rollout in rollouts]
        plans = [read_plan(rollout.completion) for rollout in rollouts]
        shape = alphadrive.group_share if self.mode == "group_share" else alphadrive.printed_diversity
        factors = shape(plans, self._diversity)
        return [self._one(*each) for each in zip(rollouts, plans, factors, strict=True)]

    def _one(self, rollout: Rollout, plan: Plan, factor: float) -> Score:
        """`group_share` or `printed`."""
        example = rollout.example_as(DrivingExample)
        truth = read_solution(example.solution, "tolerant")
        if truth == Plan():
            return _no_truth(example, "action")
        weights, cap = self._weights, self._cap
        parts = {}
        for axis in AXES:
            named, true = plan.on(axis), truth.on(axis)
            accuracy = alphadrive.capped(named, true, cap)
            weight = alphadrive.action_weight(named, weights)
            why = _differs(named, true, cap)
            parts[axis] = _product(accuracy, weight, factor, accuracy * weight * factor, why)
        return _total(parts, rollout.completion, plan)

    def _released(self, rollout: Rollout, seen: Mapping[Axis, Counter[str]]) -> Score:
        """One answer, counted; the next one depends on it."""
        example = rollout.example_as(DrivingExample)
        if block_on_one_line(example.solution) is None:
            why = "the solution has no answer block on one line, for which the released code pays 0"
            broken = Score(0.0, why, status="fail")
            return _total(dict.fromkeys(AXES, broken), rollout.completion, None)
        truth = read_solution(example.solution, "released")
        plan = read_plan(rollout.completion, "released")
        weights = self._weights
        parts = {}
        for axis in AXES:
            named, true = plan.on(axis), truth.on(axis)
            over = self._cap is not None and len(named) > max(self._cap, len(true))
            accuracy = 0.0 if over else alphadrive.released_f1(named, true)
            weight = alphadrive.released_weight(named, weights)
            new = alphadrive.released_diversity(named, seen[axis], self._diversity)
            parts[axis] = _product(accuracy, weight, new, accuracy * weight + new, _differs(named, true, self._cap))
        return _total(parts, rollout.completion, plan)


def _product(accuracy: float, weight: float, diversity: float, value: float, why: str) -> Score:
    """One axis, with what it was made from."""
    made_from = {"f1": Score(accuracy), "weight": Score(weight), "diversity": Score(diversity)}
    return Score(value, why, made_from, status="fail" if why else "ok")


def _total(axes: Mapping[Axis, Score], text: str, plan: Plan | None) -> Score:
    """The plain sum; `plan` is what was read, None where it was not asked for."""
    parts: dict[str, Score] = {"speed": axes["speed"], "path": axes["path"], "format": _format(text)}
    faults = {name: part.why for name, part in parts.items() if part.status != "ok"}
    if plan == Plan():  # one reason for both axes
        faults = {"plan": unread(text)} | {name: fault for name, fault in faults.items() if name == "format"}
    why = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    value = parts["speed"].value + parts["path"].value + parts["format"].value
    return Score(value, why, parts, status="fail" if faults else "ok")


# -- pieces ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OfPlan(Reward):
    """What the rewards of one answer's sets have in common: reading both sides, axis by axis."""

    axis: Axes = "both"
    """Which axis counts."""

    _whole_truth: ClassVar[bool] = True
    """Whether a truth that lacks one of the axes asked for is `invalid`; one that lacks them all always is."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.axis", self.axis, get_args(Axes))

    @property
    def _cap(self) -> int | None:
        return None

    @abstractmethod
    def _grade(self, pairs: Sequence[tuple[Actions, Actions]]) -> float:
        """What the actions named and the true ones, of each axis asked for, are worth together."""

    def score(self, rollout: Rollout) -> Score:
        """The tolerant parser's sets, compared."""
        example = rollout.example_as(DrivingExample)
        truth = read_solution(example.solution, "tolerant")
        asked = AXES if self.axis == "both" else (self.axis,)
        lacking = [axis for axis in asked if not truth.on(axis)]
        if len(lacking) == len(asked) or (lacking and self._whole_truth):
            return _no_truth(example, f"{' or '.join(lacking)} action")
        plan = read_plan(rollout.completion)
        pairs = {axis: (plan.on(axis), truth.on(axis)) for axis in asked}
        faults = [f"{axis}: {why}" for axis, pair in pairs.items() if (why := _differs(*pair, self._cap))]
        why = unread(rollout.completion) if plan == Plan() else "; ".join(faults)
        return Score(self._grade(list(pairs.values())), why, status="fail" if why else "ok")


@dataclass(frozen=True)
class PlanF1(_OfPlan, name="driving/plan-f1-v1", bounds=(0.0, 1.0)):
    """F1 of the actions named and the true ones, per axis, of both axes the mean; 0.0 for an axis the truth lacks."""

    at_most: int | None = None
    """More actions than this on an axis earn 0 there. None: no limit, as F1 is meant, and then hedging pays; set 1
    where it is trained on."""

    _whole_truth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cap(self.name, self.at_most)

    @property
    def _cap(self) -> int | None:
        return self.at_most

    def _grade(self, pairs: Sequence[tuple[Actions, Actions]]) -> float:
        return sum(alphadrive.capped(named, true, self.at_most) for named, true in pairs) / len(pairs)


@dataclass(frozen=True)
class PlanExact(_OfPlan, name="driving/plan-exact-v1", bounds=(0.0, 1.0)):
    """1.0 when exactly the true actions are named on both axes, or on the one asked for; else 0.0.

    Its mean over a data set is the paper's planning accuracy (there in percent), on parsed sets rather than on
    substrings of the whole completion as the released evaluator has it.
    """

    def _grade(self, pairs: Sequence[tuple[Actions, Actions]]) -> float:
        return float(all(named == true for named, true in pairs))


# -- what all share --------------------------------------------------------------------------------------------------


def _no_truth(example: DrivingExample, what: str) -> Score:
    shown = example.solution if len(example.solution) <= 80 else f"{example.solution[:77]}..."
    return Score.unscored(f"the solution {shown!r} of {example.id!r} names no {what}", status="invalid")


def _differs(named: Actions, true: Actions, cap: int | None) -> str:
    """How an axis's actions differ from the true ones; "" where they do not."""
    if named == true and true:
        return ""
    said = f"names {_listed(named)}; true is {_listed(true)}"
    over = cap is not None and len(named) > max(cap, len(true))
    return f"{said}; more than {cap} earns 0" if over else said


def _listed(actions: Actions) -> str:
    return ", ".join(sorted(actions)) or "none"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_cap(name: str, at_most: object) -> None:
    whole = isinstance(at_most, int) and not isinstance(at_most, bool)
    if at_most is not None and not (whole and at_most >= 1):  # type: ignore[operator]  # a whole number by now
        raise ConfigError(f"{name}.at_most is {at_most!r}; a whole number of at least 1, or None, is needed")


def _weight_pairs(field: str, given: object) -> tuple[tuple[str, float], ...]:
    """The pairs, sorted, as floats; a mapping (which recipes write) becomes pairs.

    Raises:
        ConfigError: not pairs of a known action and a finite number >= 0, or an action twice.
    """
    items = list(given.items()) if isinstance(given, Mapping) else given
    needed = f"{field} is {given!r}; pairs of an action and a finite number >= 0 are needed"
    if not isinstance(items, list | tuple):
        raise ConfigError(needed)
    found: dict[str, float] = {}
    for item in items:
        if not (isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str)):
            raise ConfigError(needed)
        action, weight = item
        if action not in WEIGHTS:
            raise ConfigError(f"{field} has {action!r}; accepted are {', '.join(WEIGHTS)}")
        if not (_number(weight) and weight >= 0.0):
            raise ConfigError(f"{field} of {action} is {weight!r}; a finite number >= 0 is needed")
        if action in found:
            raise ConfigError(f"{field} has {action!r} twice")
        found[action] = float(weight)
    return tuple(sorted(found.items()))
