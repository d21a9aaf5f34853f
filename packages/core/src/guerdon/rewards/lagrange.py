r"""Lagrange multipliers as learned weights: the arithmetic of constrained RLHF, without state and without rewards.

N components with values $J_i$ (mean episode reward) and thresholds $\theta_i$, by name; the KL reward $A_0$ is the
objective. With multipliers $\lambda_i$ and weights $s_i$:

| kind | constraint | $s_i$ | weight of component i | factor of the KL objective | origin |
|---|---|---|---|---|---|
| `mu` | $J_i \ge \theta_i$ | sigmoid($\lambda_i$) | $s_i$ | $N - \sum s_i$ | code |
| `xi` | $J_i = \theta_i$ | tanh($\lambda_i$) | $s_i$ | $N - \sum s_i$ | code |
| `all` | $J_i \le \theta_i$ | sigmoid($\lambda_i$) | $1 - s_i$ | 1 | the weights are our choice |
| `unsquashed` | $J_i \ge \theta_i$ | $\max(\lambda_i, 0)$ | $s_i$ | 1 | the factor is our choice |

Of `all`, notes on the paper say only that the components' sum is maximised under $J_i \le \theta_i$; of `unsquashed`,
the released code reads its multipliers shifted by one place, and we do not: both are plain Lagrangians here.

Everything goes by name: the released search orders its components otherwise than its thresholds.

Source: Confronting Reward Model Overoptimization with Constrained RLHF (arXiv:2310.04373) and its released code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.rewards.shapes import finite
from guerdon.transforms.saturating import logistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Kind = Literal["mu", "xi", "all", "unsquashed"]
KINDS: tuple[Kind, ...] = get_args(Kind)

EPSILON = 1e-8
"""Added to the std that a component is divided by [code]."""


def squashed(multiplier: float, kind: Kind) -> float:
    """`s`: in (0, 1) for `mu` and `all`, (-1, 1) for `xi`, [0, inf) for `unsquashed`.

    >>> squashed(0.0, "mu"), squashed(0.0, "xi"), squashed(-1.0, "unsquashed")
    (0.5, 0.0, 0.0)
    """
    if kind == "xi":
        return math.tanh(multiplier)
    if kind == "unsquashed":
        return max(multiplier, 0.0)
    return logistic(multiplier)


def slope(multiplier: float, kind: Kind) -> float:
    """Slope of `s`: s(1 - s), 1 - s^2, or 1 (also where an unsquashed multiplier rests on 0, so that it may leave)."""
    s = squashed(multiplier, kind)
    return 1.0 - s * s if kind == "xi" else 1.0 if kind == "unsquashed" else s * (1.0 - s)


def component_weights(multipliers: Mapping[str, float], kind: Kind) -> dict[str, float]:
    """What each component's advantage is multiplied by."""
    weights = {name: squashed(value, kind) for name, value in multipliers.items()}
    return {name: 1.0 - s for name, s in weights.items()} if kind == "all" else weights


def objective_factor(multipliers: Mapping[str, float], kind: Kind) -> float:
    """What the KL objective's advantage is multiplied by; with `xi` as much as 2 N, with `mu` more than 0.

    >>> objective_factor({"intent": 0.0, "meteor": 0.0}, "mu")
    1.0
    """
    if kind in ("all", "unsquashed"):
        return 1.0
    return len(multipliers) - math.fsum(squashed(value, kind) for value in multipliers.values())


def standardized(values: ArrayLike) -> NDArray[np.float64]:
    """`(A - mean) / (std + 1e-8)`, ddof 1, over all values; zeros where they are equal, or only one is there [code].

    Args:
        values: any shape, finite.

    >>> standardized([1.0, 2.0, 4.0]).round(6).tolist()
    [-0.872872, -0.218218, 1.091089]
    """
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return np.zeros_like(array)
    if np.ptp(array) == 0.0:  # the mean of equal numbers may be off by their rounding, which 1e-8 would not hide
        return np.zeros_like(array)
    apart = array - array.mean()
    size = max(float(np.abs(apart).max()), 1.0)  # the square of a huge difference is no float
    shrunk = apart / size
    scaled: NDArray[np.float64] = shrunk / (shrunk.std(ddof=1) + EPSILON / size)
    return scaled


def mixed_advantage(
    objective: ArrayLike,
    components: Mapping[str, ArrayLike],
    multipliers: Mapping[str, float],
    kind: Kind,
    *,
    standardize: bool = False,
    standardize_kl: bool = False,
) -> NDArray[np.float64]:
    r"""$A = f A_0 + \sum_i w_i A_i$, with `objective_factor` $f$ and `component_weights` $w_i$.

    Args:
        objective: $A_0$, the advantage of the KL reward; shape (n,).
        components: $A_i$ by name; each of shape (n,).
        multipliers: $\lambda_i$ by the same names.
        kind: see the module's head.
        standardize: divide each component by its spread first, as the released code does.
        standardize_kl: the objective too. The code does; it takes the size out of the KL gradient, and near the
            solution the multipliers then swing: off unless asked for.

    Raises:
        ConfigError: names differ, or shapes do.

    >>> components = {"a": [1.0, 0.0], "b": [2.0, -1.0]}
    >>> mixed_advantage([1.0, -1.0], components, {"a": 0.5, "b": -0.2}, "xi").round(6).tolist()
    [1.802625, -1.537883]
    """
    import numpy as np

    same_names("components", components, "multipliers", multipliers)
    start = np.asarray(objective, dtype=np.float64)
    mixed: NDArray[np.float64] = objective_factor(multipliers, kind) * (
        standardized(start) if standardize_kl else start
    )
    for name, weight in component_weights(multipliers, kind).items():
        values = np.asarray(components[name], dtype=np.float64)
        if values.shape != start.shape:
            raise ConfigError(f"component {name!r} has shape {values.shape}, the KL objective {start.shape}")
        mixed = mixed + weight * (standardized(values) if standardize else values)
    return mixed


@dataclass(frozen=True)
class MultiplierSteps:
    r"""SGD on the multipliers: $\sum_i s(\lambda_i) (\hat V_i - \theta_i)$, the values taken as constants.

    A component below its threshold gains weight, one above loses it; of `all` it is the penalty that does.
    """

    kind: Kind = "xi"
    learning_rate: float = 0.1
    momentum: float = 0.1
    grad_clip: float = 0.5
    """Largest L2 norm of the gradient over all components."""
    limit: float | None = None
    """Multipliers stay within [-limit, limit]; None leaves them free, as the released code does."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"kind is {self.kind!r}; accepted are {', '.join(map(repr, KINDS))}")
        if not 0.0 <= self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate is {self.learning_rate!r}; a finite number >= 0 is needed")
        if not 0.0 <= self.momentum < 1.0:
            raise ConfigError(f"momentum is {self.momentum!r}; a number in [0, 1) is needed")
        if not self.grad_clip > 0.0:
            raise ConfigError(f"grad_clip is {self.grad_clip!r}; a number > 0 is needed")
        if self.limit is not None and not 0.0 < self.limit < math.inf:
            raise ConfigError(f"limit is {self.limit!r}; a finite number > 0 is needed, or none")

    @property
    def start(self) -> float:
        """0.5 unsquashed [code]; else 0, the mean of the N(0, 0.01) that the code draws from."""
        return 0.5 if self.kind == "unsquashed" else 0.0

    def step(
        self,
        multipliers: Mapping[str, float],
        velocity: Mapping[str, float],
        values: Mapping[str, float],
        thresholds: Mapping[str, float],
    ) -> tuple[dict[str, float], dict[str, float]]:
        """The multipliers and their momentum after one step.

        Args:
            multipliers: by name.
            velocity: by name; a name that is missing has not moved yet.
            values: mean episode reward of each component, over the batch. A name that is missing was not measured, and
                its multiplier stays where it is.
            thresholds: by name, in the same units.

        Raises:
            ConfigError: a value is not finite, or belongs to no component.

        >>> steps = MultiplierSteps("xi")
        >>> moved, _ = steps.step({"intent": 0.0}, {}, {"intent": 0.5}, {"intent": 0.44})
        >>> round(moved["intent"], 6)
        -0.006
        """
        for name, value in values.items():
            if name not in multipliers or not math.isfinite(value):
                raise ConfigError(f"the value of component {name!r} is {value!r}; finite ones of {list(multipliers)}")
        sign = -1.0 if self.kind == "all" else 1.0
        gradient = {
            name: sign * slope(multipliers[name], self.kind) * (value - thresholds[name])
            for name, value in values.items()
        }
        norm = math.hypot(*gradient.values())
        scale = self.grad_clip / norm if norm > self.grad_clip else 1.0
        moved, pace = dict(multipliers), {name: velocity.get(name, 0.0) for name in multipliers}
        for name, g in gradient.items():
            pace[name] = self.momentum * pace[name] + scale * g
            moved[name] = self.held(moved[name] - self.learning_rate * pace[name])
        return moved, pace

    def held(self, multiplier: float) -> float:
        """The multiplier within its limits: 0 or more unsquashed, and no further from 0 than `limit`."""
        low = 0.0 if self.kind == "unsquashed" else -math.inf if self.limit is None else -self.limit
        return min(max(multiplier, low), math.inf if self.limit is None else self.limit)


def reached(values: Mapping[str, float], thresholds: Mapping[str, float], tolerance: float = 0.05) -> bool:
    """Whether every component lies within `tolerance` (a share of its threshold) of where it should be [code].

    >>> reached({"intent": 0.45, "meteor": 0.226}, {"intent": 0.44, "meteor": 0.238})  # meteor is 5.04 % off
    False
    """
    same_names("values", values, "thresholds", thresholds)
    return all(abs(values[name] - theta) <= tolerance * abs(theta) for name, theta in thresholds.items())


def satisfaction(values: Mapping[str, float], thresholds: Mapping[str, float], *, finished: bool = True) -> float:
    r"""PPO-SAT's one reward: $-\sum_i (r_i - \theta_i)^2$ at the end of an episode, 0 before [code].

    The largest float where a square is beyond it. `finished` is for trainers that ask for a reward after every token,
    as the authors' does; ours ask for one of a whole rollout (`guerdon.rewards.satisficing`).

    >>> round(satisfaction({"intent": 0.5, "meteor": 0.2}, {"meteor": 0.238, "intent": 0.44}), 6)
    -0.005044
    """
    same_names("values", values, "thresholds", thresholds)
    if not finished:
        return 0.0
    try:
        return finite(-math.fsum((values[name] - theta) * (values[name] - theta) for name, theta in thresholds.items()))
    except OverflowError:  # the sum of finite squares is no float
        return finite(-math.inf)


def same_names(what: str, one: Mapping[str, Any], other_what: str, other: Mapping[str, Any]) -> None:
    """See that two mappings speak of the same components.

    Raises:
        ConfigError: they do not, or there are none.
    """
    if set(one) != set(other) or not one:
        raise ConfigError(
            f"{what} names {sorted(one)}, {other_what} {sorted(other)}: the same names are needed in both"
        )
