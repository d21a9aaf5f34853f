"""Transforms of each value on its own: `clip`, `scale`, `gate`, and any function lifted by `stateless`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.transforms.base import UNBOUNDED, Scope, Transform, in_groups


@dataclass(frozen=True)
class clip(Transform):  # noqa: N801 - transforms are written like the functions they stand for
    """Hold each value within [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_numbers(self)
        if not self.low <= self.high:
            raise ConfigError(f"clip({self.low!r}, {self.high!r}): low <= high is needed")

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each value on its own; NaN compares false with both ends, and so stays."""
        return [min(max(value, self.low), self.high) for value in values], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Both ends, clipped."""
        low, high = (min(max(end, self.low), self.high) for end in bounds)
        return low, high


@dataclass(frozen=True)
class scale(Transform):  # noqa: N801
    """`factor * value + shift`."""

    factor: float
    shift: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)
        if not (math.isfinite(self.factor) and math.isfinite(self.shift)):
            raise ConfigError(f"scale({self.factor!r}, {self.shift!r}): finite numbers are needed")

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each value on its own."""
        return [self.factor * value + self.shift for value in values], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Both ends, scaled and put in order."""
        low, high = sorted(self.factor * end + self.shift if self.factor else self.shift for end in bounds)
        return low, high


@dataclass(frozen=True)
class gate(Transform):  # noqa: N801
    """Let values strictly above a threshold through; the others become `otherwise`."""

    above: float
    otherwise: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self)

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each value on its own; NaN stays."""
        return [value if value > self.above or value != value else self.otherwise for value in values], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """The part above the threshold, reaching to `otherwise`."""
        low, high = max(bounds[0], self.above), bounds[1]
        if high <= self.above:
            return self.otherwise, self.otherwise
        return min(low, self.otherwise), max(high, self.otherwise)


@dataclass(frozen=True)
class stateless(Transform):  # noqa: N801
    """Any function from values to as many values. Pickles and prints by import path, as functions do."""

    function: Callable[[Sequence[float]], Sequence[float]]
    within: tuple[float, float] = UNBOUNDED
    """The interval the function's values lie in."""
    scope: Scope = "sample"
    """`sample`: each value on its own. `group`: called once per group. `batch`: called once."""

    def __post_init__(self) -> None:
        if self.scope == "running":
            raise ConfigError("stateless: scope 'running' needs a state; accepted are 'sample', 'group', 'batch'")

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Call the function over each group, or over all."""
        chunks = in_groups(values, sizes) if self.scope == "group" else [list(values)]
        shaped = [value for chunk in chunks for value in self.function(chunk)]
        if len(shaped) != len(values):
            raise ValueError(f"{self!r} made {len(shaped)} values of {len(values)}")
        return shaped, state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """What `within` says."""
        return self.within

    def __repr__(self) -> str:
        extra = "" if self.within == UNBOUNDED else f", within={self.within!r}"
        extra += "" if self.scope == "sample" else f", scope={self.scope!r}"
        return f"stateless({self.function.__module__}.{self.function.__qualname__}{extra})"
