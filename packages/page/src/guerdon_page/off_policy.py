r"""Off-policy estimates: what a policy would have earned, from what another one's log says.

Row i of the log has a reward $r_i$, the chance $p_i$ that the logging policy took that action, and the chance $\pi_i$
that the policy in question takes it; $w_i = \min(\pi_i / p_i, c)$.

| estimate | value | |
|---|---|---|
| `ips` | $\frac1n \sum w_i r_i$ | unbiased without clipping; wide where weights are large |
| `snips` | $\sum w_i r_i / \sum w_i$ | a little biased, much steadier, never outside the rewards |
| `doubly_robust` | $\frac1n \sum (\hat q_i^\pi + w_i (r_i - \hat q_i))$ | right where either weights or model are |

Each comes with its standard error (over n - 1; `snips` by the delta method), a normal confidence interval, and the
effective sample size $(\sum w)^2 / \sum w^2$: an interval of a log whose effective size is a handful means little,
however narrow. Intervals are of the sampling error alone: an action that was never logged, and clipping, leave a bias
that nothing here shows; `mean_weight` far from 1 hints at it. They are those of large samples: where a few rows carry
all that was earned (rare clicks, large weights) they hold the truth less often than they say, and where no row with a
weight earned anything, `ips` and `snips` have an interval of no width, which says nothing.

Source: standard; clipping and self-normalisation as in the fact sheet's off-policy check of PageLLM.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon.fields import proper_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Estimate:
    """A policy's value, and how far to believe it."""

    value: float
    std_error: float
    """NaN of a single row."""
    low: float
    high: float
    effective_size: float
    """Between 0 and the rows; 0 where no row has a weight."""
    mean_weight: float
    """About 1 where the log covers what the policy does, and nothing is clipped."""
    largest_weight: float
    clipped: int
    """Rows whose weight was cut."""
    rows: int

    def __str__(self) -> str:
        if not self.effective_size:
            value = "none" if math.isnan(self.value) else f"{self.value:.6g}"
            return f"{value}: no row of {self.rows} has a weight, as the policy takes no action that was logged"
        ends = f" [{self.low:.6g}, {self.high:.6g}]" if self.rows > 1 else ", and one row tells no interval"
        return f"{self.value:.6g}{ends}, effective size {self.effective_size:.1f} of {self.rows}"


def ips(
    reward_N: ArrayLike,
    propensity_N: ArrayLike,
    target_N: ArrayLike,
    *,
    clip: float = math.inf,
    confidence: float = 0.95,
) -> Estimate:
    """Inverse propensity estimate.

    Args:
        reward_N: finite.
        propensity_N: in (0, 1].
        target_N: in [0, 1].
        clip: largest weight.
        confidence: of the interval, in (0, 1).

    Raises:
        ConfigError: there is no row, or one has a propensity of 0 or another number that cannot be; the message names
        it, counted from 1.

    >>> found = ips([1, 0, 0, 1], [0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.75, 0.25])
    >>> found.value, found.effective_size
    (0.25, 3.2)
    """
    reward, weight, clipped = _weighted(reward_N, propensity_N, target_N, clip)
    return _estimate(weight * reward, weight, clipped, confidence)


def snips(
    reward_N: ArrayLike,
    propensity_N: ArrayLike,
    target_N: ArrayLike,
    *,
    clip: float = math.inf,
    confidence: float = 0.95,
) -> Estimate:
    """Self-normalised estimate; arguments and errors as `ips`, and NaN where no row has a weight.

    >>> snips([1, 0, 0, 1], [0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.75, 0.25]).value
    0.25
    """
    reward, weight, clipped = _weighted(reward_N, propensity_N, target_N, clip)
    total = float(weight.sum())
    value = float((weight * reward).sum()) / total if total else math.nan
    influence = weight * (reward - value) / (total / len(weight)) if total else weight * math.nan
    return _estimate(influence, weight, clipped, confidence, value)


def doubly_robust(
    reward_N: ArrayLike,
    propensity_N: ArrayLike,
    target_N: ArrayLike,
    modelled_N: ArrayLike,
    expected_N: ArrayLike,
    *,
    clip: float = math.inf,
    confidence: float = 0.95,
) -> Estimate:
    """Doubly robust estimate; further arguments and errors as `ips`.

    Args:
        reward_N: finite.
        propensity_N: in (0, 1].
        target_N: in [0, 1].
        modelled_N: what a model of rewards says of the logged action. Fit it on other rows than these.
        expected_N: what it says of the policy in question, in the same context, in the mean over its actions.
        clip: largest weight.
        confidence: of the interval.

    >>> doubly_robust([1, 0], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.5, 0.5]).value
    0.25
    """
    reward, weight, clipped = _weighted(reward_N, propensity_N, target_N, clip)
    modelled, expected = (
        _numbers(name, values, len(reward)) for name, values in (("modelled", modelled_N), ("expected", expected_N))
    )
    return _estimate(expected + weight * (reward - modelled), weight, clipped, confidence)


ESTIMATORS: dict[str, Callable[..., Estimate]] = {"ips": ips, "snips": snips}
"""Those that need no model of rewards, by name."""


def _weighted(
    reward_N: ArrayLike, propensity_N: ArrayLike, target_N: ArrayLike, clip: float
) -> tuple[np.ndarray, np.ndarray, int]:
    import numpy as np

    if not clip > 0.0:
        raise ConfigError(f"clip is {clip!r}; a number above 0 is needed")
    reward = _numbers("reward", reward_N, None)
    if not len(reward):
        raise ConfigError("there is no row to estimate from")
    propensity = _numbers("propensity", propensity_N, len(reward))
    target = _numbers("target", target_N, len(reward))
    above_0 = "above 0 and at most 1 is needed: what was logged cannot have been impossible"
    for name, values, wrong, needed in (
        ("propensity", propensity, ~((propensity > 0.0) & (propensity <= 1.0)), above_0),
        ("target", target, ~((target >= 0.0) & (target <= 1.0)), "from 0 to 1 is needed"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise ConfigError(f"the {name} of row {row + 1} is {float(values[row])!r}; a chance {needed}")
    with np.errstate(over="ignore"):  # a propensity of 1e-320: refused below, unless clipped
        weight = target / propensity
    clipped = np.minimum(weight, clip)
    if not np.isfinite(clipped).all():
        row = int(np.isinf(clipped).argmax())
        raise ConfigError(
            f"the propensity of row {row + 1} is {float(propensity[row])!r}, too small for a finite weight; set clip"
        )
    return reward, clipped, int((weight > clip).sum())


def _numbers(name: str, values: ArrayLike, rows: int | None) -> np.ndarray:
    import numpy as np

    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or (rows is not None and len(found) != rows):
        raise ConfigError(
            f"{name} has the shape {found.shape}; one number for each of the {rows or 'N'} rows is needed"
        )
    wrong = ~np.isfinite(found)
    if wrong.any():
        row = int(wrong.argmax())
        raise ConfigError(f"the {name} of row {row + 1} is {float(found[row])!r}; a finite number is needed")
    return found


def _estimate(
    terms: np.ndarray, weight: np.ndarray, clipped: int, confidence: float, value: float | None = None
) -> Estimate:
    """The mean of the terms, or a value whose influence they are."""
    proper_share("confidence", confidence)
    n = len(terms)
    middle = float(terms.mean()) if value is None else value
    error = float(terms.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    wide = NormalDist().inv_cdf(0.5 + confidence / 2.0) * error
    squares = float((weight * weight).sum())
    size = float(weight.sum()) ** 2 / squares if squares else 0.0
    return Estimate(
        middle, error, middle - wide, middle + wide, size, float(weight.mean()), float(weight.max()), clipped, n
    )
