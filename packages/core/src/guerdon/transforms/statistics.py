"""Transforms by mean and spread, of the group, the batch or the run: `center` and `standardize`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.ties import EQUAL
from guerdon.transforms.base import Scope, Transform, in_groups


@dataclass(frozen=True)
class center(Transform):  # noqa: N801
    """Subtract the mean of the group, of the batch, or of all batches so far."""

    decay: float = 1.0
    """Running only: how much a batch's values still weigh one batch later; 1.0 never forgets."""
    scope: Scope = "running"

    def __post_init__(self) -> None:
        check_numbers(self)
        check_statistic("center", self.scope, self.decay)

    def init(self) -> Any:
        """No value seen."""
        return [0.0, 0.0, 0.0] if self.scope == "running" else None

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """`value - mean`."""
        chunks, moments, state = measured(values, state, sizes, self.scope, self.decay)
        return [value - mean for chunk, (_, mean, _) in zip(chunks, moments, strict=True) for value in chunk], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """A mean lies within the bounds too, so no difference exceeds their width."""
        width = bounds[1] - bounds[0]
        return -width, width


@dataclass(frozen=True)
class standardize(Transform):  # noqa: N801
    """Subtract the mean and divide by `std + epsilon`; values without spread become 0.

    PAR's "mean-std" (arXiv:2502.18770, its released code) is `standardize(scope="running", ddof=0, epsilon=0.0)`.
    On each term of a sum, `w * a.then(standardize())`, it keeps a term of large values from drowning the others: each
    is standardised over its group (or its batch) before it is weighted. In the built-in trainer `advantages.streams`
    with `std=True` comes to the same, and leaves values and their bounds as they are; this one works in any trainer.
    Source: GDPO (arXiv:2601.05242) for what it is good for.
    """

    scope: Scope = "group"
    ddof: int = 1
    """The std divides by n - ddof."""
    epsilon: float = 1e-4
    decay: float = 1.0
    """As for `center`."""

    def __post_init__(self) -> None:
        check_numbers(self)
        check_statistic("standardize", self.scope, self.decay)
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
        chunks, moments, state = measured(values, state, sizes, self.scope, self.decay)
        shaped: list[float] = []
        for chunk, each in zip(chunks, moments, strict=True):
            mean, spread = each[1], spread_of(each, self.ddof)
            # Of a spread that is no float (values beyond 1e150), every finite difference is a vanishing part.
            flat = spread <= EQUAL * max(1.0, abs(mean)) or spread == math.inf
            shaped += [value - value if flat else (value - mean) / (spread + self.epsilon) for value in chunk]
        return shaped, state


# A triple (count, mean, sum of squared differences from the mean); the count is a float, since decay discounts it.
_Moments = tuple[float, float, float]


def check_statistic(name: str, scope: Scope, decay: float) -> None:
    """Refuse a scope without statistics, and a memory where nothing is remembered."""
    if scope not in ("group", "batch", "running"):
        raise ConfigError(f"{name}.scope is {scope!r}; accepted are 'group', 'batch', 'running'")
    if not 0.0 < decay <= 1.0:
        raise ConfigError(f"{name}.decay is {decay!r}; a number in (0, 1] is needed")
    if decay != 1.0 and scope != "running":
        raise ConfigError(f"{name}.decay is {decay!r} but scope {scope!r} remembers nothing; use scope='running'")


def measured(
    values: Sequence[float], state: Any, sizes: Sequence[int] | None, scope: Scope, decay: float
) -> tuple[list[list[float]], list[_Moments], Any]:
    """The chunks that share a statistic, each chunk's moments, and the new state."""
    chunks = in_groups(values, sizes) if scope == "group" else [list(values)]
    moments = [_measure(chunk) for chunk in chunks]
    if scope != "running":
        return chunks, moments, state
    count, mean, squares = state
    merged = _merge((decay * count, mean, decay * squares), moments[0])
    return chunks, [merged], list(merged)


def spread_of(moments: _Moments, ddof: int) -> float:
    """The standard deviation, over count - ddof; 0 where that is not above 0."""
    count, _, squares = moments
    return math.sqrt(squares / (count - ddof)) if count > ddof else 0.0


def _measure(values: Sequence[float]) -> _Moments:
    scored = [value for value in values if value == value]
    if not scored:
        return 0.0, 0.0, 0.0
    try:
        mean = math.fsum(scored) / len(scored)
    except OverflowError:  # the sum is no float; the mean is one, and lies among the values
        halved = math.fsum(value / len(scored) / 2.0 for value in scored)
        mean = min(max(2.0 * halved, min(scored)), max(scored))
    apart = [(value - mean) * (value - mean) for value in scored]
    try:
        squares = math.fsum(apart)
    except OverflowError:
        squares = math.inf
    return float(len(scored)), mean, squares


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
