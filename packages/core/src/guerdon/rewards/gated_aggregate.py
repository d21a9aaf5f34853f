r"""Two layers of criteria: bottom lines that must hold, behaviours that may be traded. `GatedAggregate`.

With bottom-line scores $s_1 .. s_m$, behavioural scores $s'_i$ and weights $w_i$, all scores in [0, 1] with 1 = good:

$$B = \exp\Big(\frac{1}{m} \sum_i \log \frac{s_i + d}{1 + d}\Big), \quad U = \frac{\sum_i w_i s'_i}{\sum_i w_i}, \quad
  R = B \, U$$

B is a smoothed geometric mean, a soft "and". It never reaches 0: one broken criterion of m leaves $(d/(1+d))^{1/m}$,
which is .0099 at m = 1, .215 at m = 3 and .599 at m = 9, so that more criteria make each one weaker, and an answer that
breaks one may beat an answer that breaks none. `gate="hard"` and `thresholds` are for what must not be bought. The
sensitivity $d \log B / d s_i$ is at most $1/(m d)$.

A criterion that counts something bad (conflict, repetition) has to be turned round before it comes here.

Source: SearchLLM (arXiv:2603.10473); the hard gate, the thresholds and `missing` are our choices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import widest
from guerdon.rewards.base import Context, Reward, Scores, Sees
from guerdon.types import Group, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

GateKind = Literal["soft", "hard"]
Missing = Literal["unscored", "filled"]
FILL_BOTTOM_LINE, FILL_BEHAVIOUR = 0.0, 0.5


def soft_and(scores: ArrayLike, smoothing: float = 0.01) -> NDArray[np.float64]:
    """B over the last axis, in log space; 1 of no scores at all.

    Args:
        scores: (..., m), in [0, 1].
        smoothing: d > 0.

    Returns:
        (...), in [d / (1 + d), 1].

    Raises:
        ValueError: a score is NaN or outside [0, 1].

    >>> round(float(soft_and([0.0] + 8 * [1.0])), 6)
    0.598822
    """
    import numpy as np

    array = _in_unit(scores)
    if array.shape[-1] == 0:
        return np.ones(array.shape[:-1])
    log_ratio = np.log((array + smoothing) / (1.0 + smoothing))
    mixed: NDArray[np.float64] = np.exp(log_ratio.mean(axis=-1))
    return mixed


def hard_and(scores: ArrayLike) -> NDArray[np.float64]:
    """The product over the last axis: 0 where one is 0. Arguments as of `soft_and`."""
    product: NDArray[np.float64] = _in_unit(scores).prod(axis=-1)
    return product


def weighted_mean(scores: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """U over the last axis.

    Args:
        scores: (..., n), in [0, 1].
        weights: (n,), each >= 0, not all 0.

    Raises:
        ValueError: a score is NaN or outside [0, 1], or the weights are not as needed.
    """
    import numpy as np

    array, weight = _in_unit(scores), np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0.0).all() and weight.sum() > 0.0):
        raise ValueError(f"weights are {weight.tolist()!r}; finite numbers >= 0 are needed, not all 0")
    mean: NDArray[np.float64] = np.minimum((array * weight).sum(axis=-1) / weight.sum(), 1.0)  # 1 but for rounding
    return mean


def _in_unit(scores: ArrayLike) -> NDArray[np.float64]:
    import numpy as np

    array = np.asarray(scores, dtype=np.float64)
    if not ((array >= 0.0) & (array <= 1.0)).all():  # NaN compares false
        raise ValueError(f"scores are {array.tolist()!r:.200}; numbers in [0, 1] are needed")
    return array


@dataclass(frozen=True)
class GatedAggregate(Reward, name="gated-aggregate-v1", bounds=(0.0, 1.0)):
    """What must hold, as a gate on the weighted mean of what may be traded; in [0, 1].

    Each criterion is a part under its name; `bottom_line` is B (with `hard`, the product) and `behaviour` is U.
    """

    bottom_line: Mapping[str, Reward] = field(hash=False)
    """By name; bounds within [0, 1]. None at all leave the gate open."""
    behaviour: Mapping[str, Reward] = field(hash=False)
    """By name, at least one; bounds within [0, 1]."""
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Of behaviours, by name; 1 where not given (the paper does not give its own)."""
    gate: GateKind = "soft"
    smoothing: float = 0.01
    """d; of the soft gate only."""
    thresholds: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Of bottom lines, by name: a score below closes the gate altogether, whatever `gate` is."""
    missing: Missing = "unscored"
    """What a criterion without a score does. `unscored`: one that abstains leaves its mean, any other makes the whole
    unscored. `filled`: a bottom line counts as 0 and a behaviour as 0.5, said in `why` and counted in the part `filled`
    (for those who would rather punish than lose a rollout to a judge that cannot be read)."""

    def __post_init__(self) -> None:
        for name in ("bottom_line", "behaviour", "weights", "thresholds"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        if not self.behaviour:
            raise ConfigError("gated-aggregate.behaviour is empty; name at least one")
        names = [*self.bottom_line, *self.behaviour]
        for name in names:
            if names.count(name) > 1 or name in ("bottom_line", "behaviour", "filled"):
                raise ConfigError(f"gated-aggregate: a criterion is called {name!r}, as another part is; rename it")
        for name, one in {**self.bottom_line, **self.behaviour}.items():
            if not 0.0 <= one.bounds[0] <= one.bounds[1] <= 1.0:
                raise ConfigError(
                    f"gated-aggregate: the criterion {name!r} ({one.name}) has bounds {one.bounds}; within (0, 1) is "
                    f"needed. Bring it there with `then: [{{use: clip, with: {{low: 0, high: 1}}}}]`, or scale it."
                )
        _check_numbers("weights", self.weights, self.behaviour, 0.0, math.inf)
        _check_numbers("thresholds", self.thresholds, self.bottom_line, 0.0, 1.0)
        if not sum(self._weight(name) for name in self.behaviour) > 0.0:
            raise ConfigError("gated-aggregate.weights are 0 for every behaviour; one above 0 is needed")
        if self.gate not in get_args(GateKind):
            raise ConfigError(f"gated-aggregate.gate is {self.gate!r}; accepted are 'soft' and 'hard'")
        if self.missing not in get_args(Missing):
            raise ConfigError(f"gated-aggregate.missing is {self.missing!r}; accepted are 'unscored' and 'filled'")
        if not 0.0 < self.smoothing < math.inf:
            raise ConfigError(f"gated-aggregate.smoothing is {self.smoothing!r}; a number > 0, or gate='hard'")

    @property
    def children(self) -> tuple[Reward, ...]:
        """The bottom lines, then the behaviours, each under its name here."""
        named = {**self.bottom_line, **self.behaviour}.items()
        return tuple(one if one.label == name else one.named(name) for name, one in named)

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The widest of its criteria."""
        return widest(self.children)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The criteria, and the two layers."""
        counted = ("filled",) if self.missing == "filled" else ()
        return (*self.bottom_line, *self.behaviour, "bottom_line", "behaviour", *counted)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Each rollout on its own, from its criteria."""
        names = [*self.bottom_line, *self.behaviour]
        columns = [context.scores(child, groups) for child in self.children]
        return [
            [self._mixed(dict(zip(names, scores, strict=True))) for scores in zip(*rows, strict=True)]
            for rows in zip(*columns, strict=True)
        ]

    def _mixed(self, parts: dict[str, Score]) -> Score:
        if self.missing == "unscored" and (gone := _unscored(parts)):
            return gone
        lines, traits = self._values(self.bottom_line, parts), self._values(self.behaviour, parts)
        if not any(self._weight(name) for name in traits):
            return Score(math.nan, "every behaviour abstains", parts, "abstain")
        utility = float(weighted_mean(list(traits.values()), [self._weight(name) for name in traits]))
        scores = list(lines.values())
        gate = float(soft_and(scores, self.smoothing) if self.gate == "soft" else hard_and(scores))
        why = []
        if closed := [name for name, least in self.thresholds.items() if lines.get(name, least) < least]:
            gate = 0.0
            why.append(f"below its threshold: {', '.join(closed)}")
        filled = [name for name, part in parts.items() if not part.scored]
        layers = {"bottom_line": Score(gate), "behaviour": Score(utility)}
        if self.missing == "filled":
            layers["filled"] = Score(float(len(filled)))
            if filled:
                why.append(f"no score, filled in: {', '.join(filled)}")
        return Score(gate * utility, "; ".join(why), {**parts, **layers})

    def _values(self, layer: Mapping[str, Reward], parts: Mapping[str, Score]) -> dict[str, float]:
        """The layer's scores by name: filled in where so chosen, else without those that abstain."""
        found = {name: parts[name].value for name in layer if parts[name].scored}
        if self.missing == "unscored":
            return found
        fill = FILL_BOTTOM_LINE if layer is self.bottom_line else FILL_BEHAVIOUR
        return {name: found.get(name, fill) for name in layer}

    def _weight(self, name: str) -> float:
        return self.weights.get(name, 1.0)


def _unscored(parts: Mapping[str, Score]) -> Score | None:
    """The whole's score where a part failed or its task is broken."""
    for status in ("infra", "invalid"):
        for name, part in parts.items():
            if part.status == status:
                return Score(math.nan, f"{name}: {part.why}", parts, status)
    return None


def _check_numbers(
    what: str, numbers: Mapping[str, float], known: Mapping[str, Reward], low: float, high: float
) -> None:
    for name, number in numbers.items():
        if name not in known:
            raise ConfigError(f"gated-aggregate.{what} names {name!r}; accepted are {', '.join(known) or 'none'}")
        if not low <= number <= high or math.isinf(number):
            raise ConfigError(f"gated-aggregate.{what}.{name} is {number!r}; a number from {low:g} to {high:g}")
