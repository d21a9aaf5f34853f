"""Transforms: shaping of reward values. A transform is a value with two pure functions and a declared scope.

```
state = shape.init()                                  # JSON-able: saved, forked and replayed like any other value
values, state = shape.update(values, state, sizes)    # a flat batch of values, and how many of them each group has
```

| scope | a value depends on | |
|---|---|---|
| sample | itself | `clip`, `scale`, `gate`, `stateless` |
| group | the attempts at its prompt | `center`, `standardize` |
| batch | all values of the batch | `center`, `standardize` |
| running | all batches so far | `center`, `standardize` |

An unscored NaN stays NaN and enters no statistic. Running statistics are *updated before they are used*: a batch is
measured against moments that include it, so the first batch is centred on its own mean.

>>> shape = chain(center(decay=0.99), clip(-1.0, 1.0))
>>> values, state = shape.update([1.0, 0.0, 0.5], shape.init())
>>> values
[0.5, -0.5, 0.0]
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from guerdon.errors import ConfigError

Scope = Literal["sample", "group", "batch", "running"]
_WIDTH: dict[Scope, int] = {"sample": 0, "group": 1, "batch": 2, "running": 3}
_UNBOUNDED = (-math.inf, math.inf)
_EQUAL = 1e-12  # a spread this small beside its mean is the rounding of a sum


class Transform(ABC):
    """The base of all transforms: frozen dataclasses, so that they compare, pickle, and print what rebuilds them."""

    scope: Scope = "sample"

    def init(self) -> Any:
        """The state before the first batch: None, or plain lists, dicts and numbers."""
        return None

    @abstractmethod
    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Shape a batch.

        Args:
            values: flat, group by group; NaN where unscored.
            state: what `init` or the last `update` gave; never changed in place.
            sizes: values per group, adding up to `len(values)`; None means one group.

        Returns:
            As many values, NaN where they were NaN, and the new state.
        """

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """The closed interval the shaped values lie in, given that of the raw ones."""
        return _UNBOUNDED


@dataclass(frozen=True)
class clip(Transform):  # noqa: N801 - transforms are written like the functions they stand for
    """Hold each value within [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
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
    within: tuple[float, float] = _UNBOUNDED
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
        chunks = _groups(values, sizes) if self.scope == "group" else [list(values)]
        shaped = [value for chunk in chunks for value in self.function(chunk)]
        if len(shaped) != len(values):
            raise ValueError(f"{self!r} made {len(shaped)} values of {len(values)}")
        return shaped, state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """What `within` says."""
        return self.within

    def __repr__(self) -> str:
        extra = "" if self.within == _UNBOUNDED else f", within={self.within!r}"
        extra += "" if self.scope == "sample" else f", scope={self.scope!r}"
        return f"stateless({self.function.__module__}.{self.function.__qualname__}{extra})"


@dataclass(frozen=True)
class center(Transform):  # noqa: N801
    """Subtract the mean of the group, of the batch, or of all batches so far."""

    decay: float = 1.0
    """Running only: how much a batch's values still weigh one batch later; 1.0 never forgets."""
    scope: Scope = "running"

    def __post_init__(self) -> None:
        _check_statistic("center", self.scope, self.decay)

    def init(self) -> Any:
        """No value seen."""
        return [0.0, 0.0, 0.0] if self.scope == "running" else None

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """`value - mean`."""
        chunks, moments, state = _moments(values, state, sizes, self.scope, self.decay)
        return [value - mean for chunk, (_, mean, _) in zip(chunks, moments, strict=True) for value in chunk], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """A mean lies within the bounds too, so no difference exceeds their width."""
        width = bounds[1] - bounds[0]
        return -width, width


@dataclass(frozen=True)
class standardize(Transform):  # noqa: N801
    """Subtract the mean and divide by `std + epsilon`; values without spread become 0."""

    scope: Scope = "group"
    ddof: int = 1
    """The std divides by n - ddof."""
    epsilon: float = 1e-4
    decay: float = 1.0
    """As for `center`."""

    def __post_init__(self) -> None:
        _check_statistic("standardize", self.scope, self.decay)
        if self.ddof not in (0, 1):
            raise ConfigError(f"standardize.ddof is {self.ddof!r}; accepted are 0 and 1")
        if not 0.0 <= self.epsilon < math.inf:
            raise ConfigError(f"standardize.epsilon is {self.epsilon!r}; a finite number >= 0 is needed")

    def init(self) -> Any:
        """No value seen."""
        return [0.0, 0.0, 0.0] if self.scope == "running" else None

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """`(value - mean) / (std + epsilon)`."""
        chunks, moments, state = _moments(values, state, sizes, self.scope, self.decay)
        shaped: list[float] = []
        for chunk, (count, mean, squares) in zip(chunks, moments, strict=True):
            spread = math.sqrt(squares / (count - self.ddof)) if count > self.ddof else 0.0
            flat = spread <= _EQUAL * max(1.0, abs(mean))
            shaped += [value - value if flat else (value - mean) / (spread + self.epsilon) for value in chunk]
        return shaped, state


@dataclass(frozen=True)
class Chain(Transform):
    """Transforms applied left to right; built by `chain`."""

    parts: tuple[Transform, ...]

    @property
    def scope(self) -> Scope:  # type: ignore[override]
        """The widest of its parts'."""
        return max((part.scope for part in self.parts), key=_WIDTH.__getitem__, default="sample")

    def init(self) -> Any:
        """One state per part."""
        return [part.init() for part in self.parts]

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each part sees what the one before it made."""
        shaped, states = list(values), []
        for part, own in zip(self.parts, state, strict=True):
            shaped, own = part.update(shaped, own, sizes)
            states.append(own)
        return shaped, states

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Each part's promise, given the one before it."""
        for part in self.parts:
            bounds = part.bounds(bounds)
        return bounds

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.parts))})"


def chain(*parts: Transform) -> Chain:
    """Apply transforms left to right; chains within flatten."""
    return Chain(tuple(one for part in parts for one in (part.parts if isinstance(part, Chain) else (part,))))


# A triple (count, mean, sum of squared differences from the mean); the count is a float, since decay discounts it.
_Moments = tuple[float, float, float]


def _check_statistic(name: str, scope: Scope, decay: float) -> None:
    if scope not in ("group", "batch", "running"):
        raise ConfigError(f"{name}.scope is {scope!r}; accepted are 'group', 'batch', 'running'")
    if not 0.0 < decay <= 1.0:
        raise ConfigError(f"{name}.decay is {decay!r}; a number in (0, 1] is needed")
    if decay != 1.0 and scope != "running":
        raise ConfigError(f"{name}.decay is {decay!r} but scope {scope!r} remembers nothing; use scope='running'")


def _groups(values: Sequence[float], sizes: Sequence[int] | None) -> list[list[float]]:
    if sizes is None:
        return [list(values)]
    if sum(sizes) != len(values):
        raise ValueError(f"group sizes add up to {sum(sizes)}, but there are {len(values)} values")
    chunks, start = [], 0
    for size in sizes:
        chunks.append(list(values[start : start + size]))
        start += size
    return chunks


def _moments(
    values: Sequence[float], state: Any, sizes: Sequence[int] | None, scope: Scope, decay: float
) -> tuple[list[list[float]], list[_Moments], Any]:
    """The chunks that share a statistic, each chunk's moments, and the new state."""
    chunks = _groups(values, sizes) if scope == "group" else [list(values)]
    moments = [_measure(chunk) for chunk in chunks]
    if scope != "running":
        return chunks, moments, state
    count, mean, squares = state
    merged = _merge((decay * count, mean, decay * squares), moments[0])
    return chunks, [merged], list(merged)


def _measure(values: Sequence[float]) -> _Moments:
    scored = [value for value in values if value == value]
    if not scored:
        return 0.0, 0.0, 0.0
    mean = math.fsum(scored) / len(scored)
    return float(len(scored)), mean, math.fsum((value - mean) * (value - mean) for value in scored)


def _merge(old: _Moments, new: _Moments) -> _Moments:
    """Moments of two weighted samples taken together (Chan, Golub and LeVeque, 1983)."""
    if not old[0] or not new[0]:
        return new if new[0] else old
    count = old[0] + new[0]
    apart = new[1] - old[1]
    mean = old[1] + apart * new[0] / count
    # Rounding may carry the mean an ulp past both; a bounded reward's centre must stay within its bounds.
    mean = min(max(mean, min(old[1], new[1])), max(old[1], new[1]))
    return count, mean, old[2] + new[2] + apart * apart * old[0] * new[0] / count
