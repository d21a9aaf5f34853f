r"""Components held at thresholds, not hand-weighted: `Constrained`. What to compare it with is `Satisficing`.

Each component is a good proxy up to a value, its proxy point, and misleads beyond. `Constrained` keeps a Lagrange
multiplier per component and moves it after every training batch: a component below its threshold gains weight, one
above loses it. The arithmetic is in `guerdon.rewards.lagrange`.

The total of rollout j is $\sum_i w_i z_{ij}$, with $z_{ij}$ the component's advantage (its score less its group's mean)
divided by the spread of all its advantages in the batch: how far prompts lie apart has no part in it. An estimator that
centres without dividing (`group_relative: {std: false}`; in TRL `scale_rewards="none"`) leaves it the components' part
of the paper's mixed advantage. The other part, the KL objective with factor $N - \sum_i s_i$, belongs
to the trainer's loss; see `Constrained.kl`.

Source: arXiv:2310.04373 and its released code. Our choices: multipliers follow the mean of whole episodes' scores (the
code averages the reward-to-go over all steps, the same where reward comes at the end); there is no value head, so that
a component's advantage is its score less the group's mean.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

from guerdon.errors import ConfigError
from guerdon.fields import check_is, check_numbers, whole_number
from guerdon.rewards.algebra import walk
from guerdon.rewards.base import Context, End, Reward, Scores, same_batch
from guerdon.rewards.lagrange import (
    Kind,
    MultiplierSteps,
    component_weights,
    objective_factor,
    same_names,
    standardized,
)
from guerdon.rewards.shapes import finite, mean
from guerdon.types import Group, Score

Standardize = Literal["batch", "group", "none"]
_LEAST_DIVISOR = 1e-6
"""Below, a total divided by N - sum(s) is rounding, or nothing at all [choice]."""


@dataclass(frozen=True)
class Constrained(Reward, name="constrained-v1", sees="batch"):
    """Several rewards, each held at a threshold by a multiplier of its own.

    Each component's own score is a part under its name; beside it stand `NAME_multiplier` and `NAME_weight`, as they
    were in force. An unscored component is treated as a sum treats it: one that abstains adds nothing, any other makes
    the whole unscored; neither enters the component's mean. What is scored at once is a batch: with `train.refill`,
    each round of sampling.
    """

    audit_line = "guerdon audit RUN  # of a run that trained on it; before, audit each component by itself"

    components: Mapping[str, Reward] = field(hash=False)
    thresholds: Mapping[str, float] = field(hash=False)
    """By component, in units of its score for a whole rollout. A reward per token has to be summed up first."""
    kind: Kind = "xi"
    """`xi`: reach it, and do not exceed it. `mu`: reach it. `all`: maximise, and do not exceed it. `unsquashed`: as
    `mu`, with multipliers that are weights themselves. See `guerdon.rewards.lagrange`."""
    standardize: Standardize = "batch"
    """Over what a component's advantages (scores less their group's mean) are standardised before they are mixed: the
    batch, as in the paper, each `group` apart, or `none`: the scores themselves. A group of one attempt has no
    advantage to standardise and its total is 0: trainers that take one attempt per prompt need `none`. Standardised, a
    component pushes as hard near its threshold as far from it, and policy and multiplier may circle each other;
    with large steps and a small KL weight they do so with `none` too. A standardised total has mean 0: what to watch
    are the parts."""
    kl: Literal["controlled", "divided"] = "controlled"
    """Who gives the KL objective its factor N - sum(s). `controlled`: the controller `constrained-kl` sets the loss's
    KL weight; without one, who trains has to set it to `kl_factor` times theirs after every update. `divided`: the
    total is divided by the factor instead, which leads the same way in steps of another size: for trainers without
    controllers. It needs a `limit`, since the factor nears 0 as all weights near 1."""
    learning_rate: float = 0.1
    """Of the multipliers. 0 holds them still: the reward then keeps no state, and can be served by several
    processes."""
    momentum: float = 0.1
    grad_clip: float = 0.5
    limit: float | None = None
    """Multipliers stay within [-limit, limit], and start there: those of a state or of `start` that lie beyond count as
    the limit."""
    warmup_steps: int = 0
    """So many batches pass before the multipliers move."""
    initial: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Multipliers to start with, by component; others start at 0 (0.5 for `unsquashed`)."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """`multipliers`, `velocity`, `version`, and `measured`: the latest batch and its means, for `update`."""

    def __post_init__(self) -> None:
        for name in ("components", "thresholds", "initial"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise ConfigError(f"constrained.{name} is {given!r:.200}; a mapping by the components' names is needed")
            object.__setattr__(self, name, dict(given))
        for name, one in self.components.items():
            check_is(one, Reward, f"constrained.components.{name}", "such as what guerdon.reward makes of a function")
        check_numbers(self)
        same_names("constrained.components", self.components, "constrained.thresholds", self.thresholds)
        for what, numbers in (("thresholds", self.thresholds), ("initial", self.initial)):
            stated: Mapping[str, object] = numbers
            for name, number in stated.items():
                if name not in self.components or not isinstance(number, Real) or not math.isfinite(number):
                    known = ", ".join(self.components)
                    raise ConfigError(f"constrained.{what}.{name} is {number!r}; a finite number of {known} is needed")
        taken = {f"{name}_{what}" for name in self.components for what in ("multiplier", "weight")}
        if both := taken & set(self.components):
            raise ConfigError(
                f"constrained.components.{min(both)} has the name of a part that is logged; choose another"
            )
        if self.standardize not in ("batch", "group", "none"):
            raise ConfigError(f"constrained.standardize is {self.standardize!r}; accepted: 'batch', 'group', 'none'")
        if self.kl not in ("controlled", "divided"):
            raise ConfigError(f"constrained.kl is {self.kl!r}; accepted are 'controlled' and 'divided'")
        if self.kl == "divided" and self.limit is None:
            raise ConfigError("constrained.kl is 'divided' and limit is none: the divisor may near 0; 5.0 is a limit")
        whole_number("constrained.warmup_steps", self.warmup_steps, 0)
        self._steps  # noqa: B018 - checks kind, learning_rate, momentum, grad_clip and limit
        self._check_limit()
        self._warn_of_thresholds()

    def _warn_of_thresholds(self) -> None:
        for name, threshold in self.thresholds.items():
            low, high = self.components[name].bounds
            if not low <= threshold <= high:
                warnings.warn(
                    f"constrained.thresholds.{name} is {threshold:g}, and {self.components[name].name} lies in "
                    f"[{low:g}, {high:g}]: no mean reaches it, so the multiplier moves one way for good",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _check_limit(self) -> None:
        if self.limit is None:
            return
        for name, number in self.initial.items():
            if abs(number) > self.limit:
                raise ConfigError(f"constrained.initial.{name} is {number!r}, beyond the limit, {self.limit!r}")
        if self.kl == "divided" and self._least_factor < _LEAST_DIVISOR:
            raise ConfigError(
                f"constrained.limit is {self.limit!r}: with all multipliers there, the divisor N - sum(s) would be "
                f"{self._least_factor:.2g}, and {_LEAST_DIVISOR:g} is the least that is divided by; 5.0 is a limit"
            )

    @property
    def _least_factor(self) -> float:
        """N - sum(s) with every multiplier at the limit."""
        return objective_factor(dict.fromkeys(self.components, self.limit or 0.0), self.kind)

    @property
    def _steps(self) -> MultiplierSteps:
        return MultiplierSteps(self.kind, self.learning_rate, self.momentum, self.grad_clip, self.limit)

    @property
    def children(self) -> tuple[Reward, ...]:
        """The components, each under its name here."""
        return tuple(one if one.label == name else one.named(name) for name, one in self.components.items())

    @property
    def part_names(self) -> tuple[str, ...]:
        """The components, their multipliers and their weights."""
        return (*self.components, *(f"{name}_{what}" for what in ("multiplier", "weight") for name in self.components))

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """None where components are standardised; else from the components' own, at the extremes of the weights."""
        if self.standardize != "none":
            return -math.inf, math.inf
        lightest = -1.0 if self.kind == "xi" else 0.0
        heaviest = 1.0 if self.kind != "unsquashed" else math.inf if self.limit is None else self.limit
        ends = [
            [weight * end if weight and end else 0.0 for weight in (lightest, heaviest) for end in one.bounds] + [0.0]
            for one in self.components.values()
        ]  # 0 since any may abstain
        low, high = math.fsum(map(min, ends)), math.fsum(map(max, ends))
        if self.kl == "divided":
            low, high = low / self._least_factor, high / self._least_factor
        return low, high

    @property
    def relative(self) -> bool:
        """Whether components are standardised."""
        return self.standardize != "none" or super().relative

    @property
    def unaudited(self) -> str:
        """Of one all of whose weights are 0, as `xi` starts: every total is 0."""
        if any(component_weights(self.multipliers, self.kind).values()):
            return ""
        names = ", ".join(self.components)
        return (
            f"every multiplier of {self.label} is 0, as before its first training batch, and so is every total. Audit "
            f"its components, each by itself ({names}), and the whole in the folder of a run that trained on it"
        )

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Mix the components with the weights in force, and remember their means for `update`."""
        if self.standardize != "none" and len(groups) > 1 and all(len(group) == 1 for group in groups):
            warnings.warn(
                f"constrained: each of {len(groups)} prompts has one attempt, so every advantage and every total is 0; "
                f"standardize: none mixes the scores themselves",
                RuntimeWarning,
                stacklevel=2,
            )
        multipliers = self.multipliers
        weights = component_weights(multipliers, self.kind)
        divisor = objective_factor(multipliers, self.kind) if self.kl == "divided" else 1.0
        told = {f"{name}_multiplier": Score(value) for name, value in multipliers.items()}
        told |= {f"{name}_weight": Score(value) for name, value in weights.items()}
        scores = dict(zip(self.components, (context.scores(child, groups) for child in self.children), strict=True))
        if self.stateful:
            means = {name: mean for name, rows in scores.items() if (mean := _mean(rows)) is not None}
            self._held["measured"] = context.batch(groups), means
        shaped = {name: self._shaped(rows) for name, rows in scores.items()}
        return [
            [
                self._mixed(
                    {name: weight / divisor * shaped[name][i][j] for name, weight in weights.items()},
                    {name: rows[i][j] for name, rows in scores.items()},
                    told,
                )
                for j in range(len(group))
            ]
            for i, group in enumerate(groups)
        ]

    def _shaped(self, rows: Sequence[Sequence[Score]]) -> list[list[float]]:
        """One component's values as they are mixed; an unscored one is 0, and `_mixed` sees to the rest."""
        if self.standardize == "batch":
            return _standardized(rows)
        if self.standardize == "group":
            return [_standardized([row])[0] for row in rows]
        return [[score.value if score.scored else 0.0 for score in row] for row in rows]

    def _mixed(self, shares: Mapping[str, float], scores: Mapping[str, Score], told: Mapping[str, Score]) -> Score:
        parts = {**scores, **told}
        for status in ("infra", "invalid"):
            for name, score in scores.items():
                if score.status == status:
                    return Score(math.nan, f"{name}: {score.why}", parts, status)
        if not any(score.scored for score in scores.values()):
            return Score(math.nan, "every component abstains", parts, "abstain")
        return Score(math.fsum(shares.values()), "", parts)

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def multipliers(self) -> dict[str, float]:
        """Those in force, by component."""
        steps = self._steps
        held: Mapping[str, float] = self._held.get("multipliers", self.initial)
        return {name: steps.held(held.get(name, steps.start)) for name in self.components}

    @property
    def kl_factor(self) -> float:
        """What the KL objective's weight is to be multiplied by: N - sum(s); 1 where the total was divided by it."""
        return 1.0 if self.kl == "divided" else objective_factor(self.multipliers, self.kind)

    @property
    def scales_kl(self) -> bool:
        """Whether the multipliers have a say in the weight of the KL objective."""
        return self.kind in ("mu", "xi")

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether the multipliers move."""
        return self.learning_rate > 0.0

    @property
    def version(self) -> int:
        """How many training batches it has seen."""
        return int(self._held.get("version", 0))

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Move the multipliers by the means that this batch had when it was scored, if nothing was scored since."""
        scored, measured = self._held.pop("measured", (None, None))
        if scored is None or not same_batch(scored, groups):
            return
        if self.version >= self.warmup_steps:
            self._held["multipliers"], self._held["velocity"] = self._steps.step(
                self.multipliers, self._held.get("velocity", {}), measured, self.thresholds
            )
        self._held["version"] = self.version + 1

    def state_dict(self) -> dict[str, Any]:
        """The multipliers and their momentum, by name, and the version."""
        velocity = dict(self._held.get("velocity", {}))
        return {"multipliers": self.multipliers, "velocity": velocity, "version": self.version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave.

        Raises:
            ConfigError: it was that of other components.
        """
        same_names("constrained.components", self.components, "the state", state["multipliers"])
        self._held.clear()  # a batch scored before, but not learned from, is none of the restored state's
        self._held.update(
            multipliers=dict(state["multipliers"]), velocity=dict(state["velocity"]), version=state["version"]
        )

    def __getstate__(self) -> dict[str, Any]:
        """With its state, and without the batch scored last, which a copy elsewhere is never told to learn from."""
        return {**vars(self), "_held": {name: value for name, value in self._held.items() if name != "measured"}}

    def worse_end(self, child: Reward, end: End) -> End:
        """The other, of a component that counts against the whole as the multipliers now stand."""
        if component_weights(self.multipliers, self.kind)[child.label] >= 0.0:
            return end
        return "high" if end == "low" else "low"

    def frozen(self) -> Constrained:
        """The same with the multipliers as they are now, for good: for a server of several processes, or to look at."""
        return dataclasses.replace(self, learning_rate=0.0, initial=self.multipliers)


def uncontrolled(reward: Reward) -> str:
    """What to tell of a reward whose KL objective waits for a controller, where there is none; "" of any other."""
    if not any(isinstance(node, Constrained) and node.kl == "controlled" and node.scales_kl for node in walk(reward)):
        return ""
    return (
        "the KL term's factor N - sum(s) of the constrained reward is left to a controller, and there is none: let kl: "
        "divided (with a limit: 5.0) put it into the reward, or set the trainer's KL weight from Constrained.kl_factor "
        "after every update"
    )


def _mean(rows: Sequence[Sequence[Score]]) -> float | None:
    values = [score.value for row in rows for score in row if score.scored]
    return mean(values) if values else None


def _standardized(rows: Sequence[Sequence[Score]]) -> list[list[float]]:
    """Rows of advantages, each row's less its own mean, over the spread of all of them; 0 where unscored."""
    centred = [value for row in rows for value in _centred([score.value for score in row if score.scored])]
    shaped = iter(standardized(centred).tolist())
    return [[next(shaped) if score.scored else 0.0 for score in row] for row in rows]


def _centred(values: Sequence[float]) -> list[float]:
    """Values less their mean: exactly 0 where they are equal, whatever the mean's rounding."""
    if not values or min(values) == max(values):
        return [0.0] * len(values)
    level = mean(values)
    return [finite(value - level) for value in values]
