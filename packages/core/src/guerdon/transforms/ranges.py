"""Running transforms by the range of what was seen: `min_max` by its extremes, `clip_to_spread` by mean and std.

Both update before they use, as all running transforms do: a batch is measured against a range that includes it. Within
one group either is affine (or a clip), so a group-standardised advantage (GRPO with its std) undoes `min_max` whole;
they make a difference to estimators that keep the reward's scale. Source: shapings that PAR compares
(arXiv:2502.18770, its released code).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.transforms.base import Transform
from guerdon.transforms.statistics import check_statistic, measured, spread_of


@dataclass(frozen=True)
class min_max(Transform):  # noqa: N801 - transforms are written like the functions they stand for
    """`(value - least) / (greatest - least)` over all batches so far, in [0, 1]; 0 while all were equal.

    The authors' code starts from extremes of +1e4 and -1e4, the same for rewards within them, and divides 0 by 0 where
    all are equal; here nothing has been seen at the start, and 0 is a choice.
    """

    scope = "running"

    def init(self) -> Any:
        """No value seen: None; later [least, greatest]."""
        return None

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Widen the extremes by the batch, then measure by them."""
        scored = [value for value in values if value == value]
        seen = [*(state or ()), *scored]
        if not seen:
            return list(values), state
        low, high = min(seen), max(seen)
        width = high / 2 - low / 2  # halved, so that the width of two huge extremes is a number
        shaped = [(value / 2 - low / 2) / width if width else value - value for value in values]
        return [min(max(value, 0.0), 1.0) for value in shaped], [low, high]

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """[0, 1]."""
        return 0.0, 1.0


@dataclass(frozen=True)
class clip_to_spread(Transform):  # noqa: N801
    """Hold each value within `width` standard deviations of the mean of all batches so far."""

    width: float = 1.0
    """In standard deviations; PAR's is 1."""
    ddof: int = 0
    """The std divides by n - ddof; PAR's is the population's."""
    decay: float = 1.0
    """How much a batch's values still weigh one batch later; 1.0 never forgets."""

    scope = "running"

    def __post_init__(self) -> None:
        check_numbers(self)
        check_statistic("clip_to_spread", self.scope, self.decay)
        if not 0.0 < self.width < math.inf:
            raise ConfigError(f"clip_to_spread.width is {self.width!r}; a finite number > 0 is needed")
        if self.ddof not in (0, 1):
            raise ConfigError(f"clip_to_spread.ddof is {self.ddof!r}; accepted are 0 and 1")

    def init(self) -> Any:
        """No value seen."""
        return [0.0, 0.0, 0.0]

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Take the batch into mean and std, then clip by them."""
        _, (moments,), state = measured(values, state, sizes, self.scope, self.decay)
        mean, reach = moments[1], self.width * spread_of(moments, self.ddof)
        return [min(max(value, mean - reach), mean + reach) for value in values], state

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """The child's: the mean lies within them, and a value only ever moves towards it."""
        return bounds
