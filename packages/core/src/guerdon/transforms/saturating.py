"""Bounded curves over each value: `sigmoid` and `tanh`, steep at first and flat far out, and the `ceiling` that cuts.

`logistic` and `softplus` are the two functions behind them, and behind the shapings by reference rewards
(`guerdon.rewards.shapes`); both take any finite or infinite number without overflow, and NaN to NaN.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.transforms.base import Transform


def logistic(z: float) -> float:
    """`1 / (1 + exp(-z))`, in [0, 1].

    >>> logistic(0.0), logistic(-1e300)
    (0.5, 0.0)
    """
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    grown = math.exp(z)  # of a negative number: it may vanish, and cannot overflow
    return grown / (1.0 + grown)


def softplus(z: float) -> float:
    """`log(1 + exp(z))`, at least 0; `-softplus(-z)` is the logarithm of `logistic(z)` where that has vanished too.

    >>> -softplus(800.0)
    -800.0
    """
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


class _Rising(Transform):
    """A curve that never falls: it carries both ends of an interval to those of its image."""

    @abstractmethod
    def curve(self, value: float) -> float:
        """The curve itself."""

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each value on its own; NaN stays."""
        return [self.curve(value) for value in values], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Both ends, on the curve."""
        return self.curve(bounds[0]), self.curve(bounds[1])


@dataclass(frozen=True)
class sigmoid(_Rising):  # noqa: N801 - transforms are written like the functions they stand for
    """`1 / (1 + exp(-k * value))`: not centred on anything, so it depends on the reward's arbitrary zero.

    Source: a shaping that PAR compares (arXiv:2502.18770); the centred one is `guerdon.rewards.shapes.par`.
    """

    k: float = 1.0
    """Steepness."""

    def __post_init__(self) -> None:
        check_numbers(self)
        check_steepness("sigmoid.k", self.k)

    def curve(self, value: float) -> float:
        """In [0, 1]."""
        return logistic(self.k * value)


@dataclass(frozen=True)
class tanh(_Rising):  # noqa: N801
    """`tanh(k * value)`, in [-1, 1]. Source: as `sigmoid`, with k = 1."""

    k: float = 1.0
    """Steepness."""

    def __post_init__(self) -> None:
        check_numbers(self)
        check_steepness("tanh.k", self.k)

    def curve(self, value: float) -> float:
        """In [-1, 1]."""
        return math.tanh(self.k * value)


@dataclass(frozen=True)
class ceiling(_Rising):  # noqa: N801
    """`min(value, at)`: nothing is gained beyond. PAR compares `at` 3, 4 and 5."""

    at: float

    def __post_init__(self) -> None:
        check_numbers(self)
        if not math.isfinite(self.at):
            raise ConfigError(f"ceiling.at is {self.at!r}; a finite number is needed")

    def curve(self, value: float) -> float:
        """At most `at`; NaN compares false, and so stays."""
        return min(value, self.at)


def check_steepness(what: str, k: float) -> None:
    """Refuse a curve that is flat, falls or has no slope at all."""
    if not 0.0 < k < math.inf:
        raise ConfigError(f"{what} is {k!r}; a finite number > 0 is needed")
