r"""Ensembles: several rewards asked about the same thing, one value of what they say, and how far they disagree.

| `how` | value of the members' scores | `k` |
|---|---|---|
| `worst` | the least | |
| `mean`, `median` | as usual; the median of an even number is the mean of the middle two | |
| `mean_minus_std` | mean - k std | 1 |
| `uwo` | mean - k variance ("uncertainty-weighted optimisation") | 0.5 |
| `quantile` | the k-quantile, between neighbours in a straight line | 0.25 [choice] |

Std and variance divide by M (ddof 0), so that one member has spread 0. Disagreement is a useful alarm; agreement is no
proof: what all members get wrong (length, lists) survives every aggregate. Members that share a pretrained trunk share
most of their errors.

Scores of preference models have no common zero: a member with a low offset decides every *worst*. `calibrated` measures
each member's mean and std on held-out rollouts once; the numbers are fields of the ensemble, and so of its recipe. For
a recipe, run this once on completions that the policy is not trained on, and copy what it prints into `with`:

```python
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec

members = [build_reward(RewardSpec.model_validate(one)) for one in ("my/first", "my/second")]
found = calibrated(members, [Group.of([Rollout.of(example, text) for text in texts]) for example, texts in held_out])
print({"centre": list(found.centre), "scale": list(found.scale)})
```

To aggregate first and compare in the group afterwards is what this does with `group_relative`; to standardise each
member within the group first is another method: members with `.then(standardize())`.

Sources: Eisenstein et al., "Helping or Herding?" (arXiv:2312.09244); `uwo` and its k after Coste et al.
(arXiv:2310.02743), best-of-n setting (with PPO they use 0.1 and ddof 1, which is not offered).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import widest
from guerdon.rewards.base import Context, Reward, Scores, Sees
from guerdon.rewards.shapes import finite, mean
from guerdon.types import Group, Score

How = Literal["worst", "mean", "median", "mean_minus_std", "uwo", "quantile"]
Spread = Literal["std", "range"]
K: dict[How, float] = {"mean_minus_std": 1.0, "uwo": 0.5, "quantile": 0.25}
"""What `k` is where none is given; the others have none."""
DISAGREEMENT = "disagreement"


def aggregate(values: Sequence[float], how: How, k: float | None = None) -> float:
    """One value of several; see the module's head.

    Args:
        values: M >= 1 finite numbers.
        how: the aggregate.
        k: its parameter; None means the one in the table.

    Raises:
        ValueError: there is no value.

    >>> aggregate([1.0, 2.0, 4.0, 2.5, -3.0], "median")
    2.0
    """
    if not values:
        raise ValueError("aggregate: at least one value is needed")
    k = K.get(how, 0.0) if k is None else k
    if how == "worst":
        return min(values)
    if how in ("median", "quantile"):
        return _quantile(sorted(values), 0.5 if how == "median" else k)
    centre = mean(values)
    if how == "mean" or not k:
        return centre
    std = spread(values, "std")
    return finite(centre - k * (std if how == "mean_minus_std" else std * std))


def spread(values: Sequence[float], kind: Spread = "std") -> float:
    """How far M >= 1 values lie apart: their std (ddof 0), or the largest less the least.

    >>> spread([1.0, 3.0]), spread([1.0, 3.0], "range"), spread([1.5])
    (1.0, 2.0, 0.0)
    """
    if min(values) == max(values):
        return 0.0
    if kind == "range":
        return finite(max(values) - min(values))
    centre = mean(values)
    apart = [finite(value - centre) for value in values]
    size = max(map(abs, apart))  # the square of a huge difference is no float, and that of a tiny one is 0
    return finite(size * math.sqrt(math.fsum((one / size) ** 2 for one in apart) / len(apart)))


def _quantile(rising: Sequence[float], level: float) -> float:
    place = level * (len(rising) - 1)
    below = min(int(place), len(rising) - 1)
    above = min(below + 1, len(rising) - 1)
    low, high = rising[below], rising[above]
    share = place - below
    return min(max(math.fsum((low, share * high, -share * low)), low), high)  # high - low may be no float


@dataclass(frozen=True)
class Ensemble(Reward, name="ensemble-v1"):
    """One value of several rewards; see the module's head. `ensemble([...])` builds one.

    Parts: each member's own score under its label, before centring; `disagreement`, over the members as aggregated;
    `missing`, how many members have no score. Those are left out of `mean` and `median`; any other aggregate is
    cautious because of all its members, and then the whole is unscored. Without any member's score it is unscored for
    the gravest reason. With one score left of several, nobody knows the disagreement, and it is unscored.
    """

    members: tuple[Reward, ...]
    how: How = "worst"
    k: float | None = None
    centre: tuple[float, ...] = ()
    """Per member, subtracted from its scores; empty: nothing is. Measured by `calibrated`."""
    scale: tuple[float, ...] = ()
    """Per member, what its scores are divided by after centring; empty: nothing is."""
    spread: Spread = "std"
    """How `disagreement` is measured; with two members the range is |r1 - r2|, and the std half of it."""

    def __post_init__(self) -> None:
        for name in ("members", "centre", "scale"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.members:
            raise ConfigError("Ensemble.members is empty; at least one reward is needed")
        labels = [member.label for member in self.members]
        for label in labels:
            if labels.count(label) > 1 or label in (DISAGREEMENT, "missing"):
                raise ConfigError(
                    f"a member of an ensemble is called {label!r}, as another part is; give it a name with .named(...)"
                )
        for name, accepted in (("how", get_args(How)), ("spread", get_args(Spread))):
            if getattr(self, name) not in accepted:
                found = getattr(self, name)
                raise ConfigError(f"Ensemble.{name} is {found!r}; accepted are {', '.join(map(repr, accepted))}")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if self.k is not None and self.how not in K:
            raise ConfigError(f"Ensemble.k is {self.k!r}, and {self.how!r} has none; leave it out")
        top = 1.0 if self.how == "quantile" else math.inf
        if not (0.0 <= self._k <= top and math.isfinite(self._k)):
            raise ConfigError(
                f"Ensemble.k is {self.k!r}; with {self.how!r} a finite number from 0 to {top:g} is needed"
            )
        for name in ("centre", "scale"):
            numbers = getattr(self, name)
            if numbers and len(numbers) != len(self.members):
                raise ConfigError(f"Ensemble.{name} has {len(numbers)} numbers for {len(self.members)} members")
            if not all(math.isfinite(number) and (name == "centre" or number > 0.0) for number in numbers):
                raise ConfigError(f"Ensemble.{name} is {numbers!r}; finite numbers are needed, and of `scale` above 0")

    @property
    def _k(self) -> float:
        return K.get(self.how, 0.0) if self.k is None else self.k

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """What the members' bounds allow, whoever of them is missing."""
        ends = [tuple(self._placed(place, end) for end in member.bounds) for place, member in enumerate(self.members)]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        if self.how == "worst":
            return low, min(high for _, high in ends)
        if self.how in ("mean", "median", "quantile"):
            return low, high
        width, k = high - low, self._k
        if not math.isfinite(width):
            return (-math.inf if k or low == -math.inf else low), high
        # Of values in [low, high] the least aggregate has a share p of them at the top, the others at the bottom.
        if self.how == "mean_minus_std":
            return low + width * (1.0 - math.sqrt(1.0 + k * k)) / 2.0, high
        share = max(0.0, (1.0 - 1.0 / (k * width)) / 2.0) if k * width else 0.0
        return low + width * share - k * width * width * share * (1.0 - share), high

    @property
    def widest_disagreement(self) -> float:
        """The most that `disagreement` can be, by the members' bounds."""
        ends = [self._placed(place, end) for place, member in enumerate(self.members) for end in member.bounds]
        width = max(ends) - min(ends)
        return width / 2.0 if self.spread == "std" else width

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The widest of its members."""
        return widest(self.members)

    @property
    def children(self) -> tuple[Reward, ...]:
        """The members."""
        return self.members

    @property
    def part_names(self) -> tuple[str, ...]:
        """What every score has, for logs under fixed names."""
        return (*(member.label for member in self.members), DISAGREEMENT, "missing")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Ask each member about the whole batch, one after the other."""
        columns = [context.scores(member, groups) for member in self.members]
        return [[self._one(scores) for scores in zip(*rows, strict=True)] for rows in zip(*columns, strict=True)]

    def _one(self, scores: Sequence[Score]) -> Score:
        values = [finite(self._placed(place, score.value)) for place, score in enumerate(scores) if score.scored]
        missing = len(scores) - len(values)
        parts = {member.label: score for member, score in zip(self.members, scores, strict=True)}
        parts["missing"] = Score(float(missing))
        if not values or (missing and self.how not in ("mean", "median")):
            for status in ("infra", "invalid", "abstain"):
                for member, score in zip(self.members, scores, strict=True):
                    if score.status == status:
                        return Score(math.nan, f"{member.label}: {score.why}", parts, status)
        if missing and len(values) == 1:
            parts[DISAGREEMENT] = Score.unscored(f"one of {len(scores)} members has a score", status="abstain")
        else:
            parts[DISAGREEMENT] = Score(spread(values, self.spread))
        low, high = self.bounds
        return Score(min(max(aggregate(values, self.how, self._k), low), high), "", parts)

    def _placed(self, place: int, value: float) -> float:
        """A member's score, centred and scaled."""
        centred = value - self.centre[place] if self.centre else value
        return centred / self.scale[place] if self.scale else centred

    def __repr__(self) -> str:
        # Defaults left out: five nested members are long enough.
        shown = [repr(self.members)]
        for each in fields(self)[1:]:
            if (value := getattr(self, each.name)) != each.default:
                shown.append(f"{each.name}={value!r}")
        return f"Ensemble({', '.join(shown)})"


def ensemble(
    members: Sequence[Reward],
    how: How = "worst",
    k: float | None = None,
    *,
    centre: Sequence[float] = (),
    scale: Sequence[float] = (),
    spread: Spread = "std",
) -> Ensemble:
    """An `Ensemble` of rewards: its value is that of the worst, unless `how` says otherwise.

    >>> from guerdon.rewards import reward
    >>> from guerdon.types import Example, Rollout
    >>> short = reward(lambda rollout: float(len(rollout.answer) < 9), name="short")
    >>> plain = reward(lambda rollout: float(rollout.answer.isalpha()), name="plain")
    >>> ensemble([short, plain])(Rollout.of(Example(id="x"), "so long an answer")).flat()
    {'short': 0.0, 'plain': 0.0, 'missing': 0.0, 'disagreement': 0.0}
    """
    return Ensemble(tuple(members), how, k, tuple(centre), tuple(scale), spread)


@dataclass(frozen=True)
class Calibration:
    """Where each member's scores lie on one fixed set of rollouts: `ensemble(members, centre=..., scale=...)`."""

    centre: tuple[float, ...]
    """Means."""
    scale: tuple[float, ...]
    """Population standard deviations (ddof 0); 1.0 for a member that says the same everywhere [choice]."""


def calibrated(members: Sequence[Reward], groups: Sequence[Group], context: Context | None = None) -> Calibration:
    """Measure each member on held-out rollouts (not on those that are trained on), over what it scores.

    Raises:
        ConfigError: a member scores none of them.
        RewardError: as `Context.scores`.
    """
    context = context or Context()
    centre, scale = [], []
    for member in members:
        values = [score.value for row in context.scores(member, groups) for score in row if score.scored]
        if not values:
            raise ConfigError(f"calibrated: {member.label} scores none of {sum(map(len, groups))} rollouts")
        centre.append(mean(values))
        scale.append(spread(values) or 1.0)
    return Calibration(tuple(centre), tuple(scale))
