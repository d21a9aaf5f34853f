"""How sure a measured mean is: a share by Wilson's interval, any other mean by Student's t."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

Z_95 = 1.959963984540054
"""The standard normal's 97.5 % quantile."""


def wilson(share: float, count: int, z: float = Z_95) -> tuple[float, float]:
    r"""The Wilson score interval of a share.

    $$\frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}$$

    Args:
        share: the share p, in [0, 1].
        count: how many were asked, n >= 1.
        z: the normal quantile; 95 % by default.

    Returns:
        The lower and the upper end, in [0, 1].

    Raises:
        ValueError: `share` is not a share, or nothing was counted.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference.

    >>> [round(end, 4) for end in wilson(0.5, 100)]
    [0.4038, 0.5962]
    """
    if not (0.0 <= share <= 1.0 and count >= 1):
        raise ValueError(f"wilson needs a share in [0, 1] of at least one, was given {share!r} of {count!r}")
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    centre, scale = share + z * z / (2 * count), 1 + z * z / count
    low = 0.0 if share == 0.0 else max(0.0, (centre - spread) / scale)  # of 0 and 1, exactly; computed, nearly
    return low, 1.0 if share == 1.0 else min(1.0, (centre + spread) / scale)


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """Between which ends a mean lies, by 95 %."""

    low: float
    high: float
    count: int
    """Values it is the mean of."""
    kind: str
    """`Wilson`, where every value is 0 or 1; else `t`."""

    @property
    def reach(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


def mean_interval(values: Sequence[float]) -> MeanInterval | None:
    r"""The 95 % interval of a mean of independent values, such as one metric's over examples.

    Wilson's where every value is 0 or 1, as the mean is a share then; else $\bar x \pm t_{.975, n-1} s / \sqrt n$, s
    over n - 1, which knows no bounds of the values, and reaches beyond them where few values lie near one.

    Args:
        values: n values; those that are not finite (unscored) do not count.

    Returns:
        None where the values tell nothing of how far the mean may be off: there are none, or they are no zeros and ones
        and there is one alone, or all are equal.

    Source: Wilson (1927); Student (1908), The probable error of a mean.

    >>> mean_interval([0.0, 1.0, 1.0, 1.0])
    MeanInterval(low=0.3006418425824019, high=0.9544127391902995, count=4, kind='Wilson')
    >>> found = mean_interval([1.0, 2.0, 3.0])
    >>> round(found.low, 3), round(found.high, 3), found.kind
    (-0.484, 4.484, 't')
    """
    known = [float(value) for value in values if math.isfinite(value)]
    if not known:
        return None
    mean, count = math.fsum(known) / len(known), len(known)
    if set(known) <= {0.0, 1.0}:
        return MeanInterval(*wilson(mean, count), count, "Wilson")
    if min(known) == max(known):
        return None
    reach = t_95(count - 1) * statistics.stdev(known) / math.sqrt(count)
    return MeanInterval(mean - reach, mean + reach, count, "t")


@lru_cache(maxsize=64)
def t_95(freedom: int) -> float:
    """The 97.5 % quantile of Student's t with so many degrees of freedom, >= 1.

    >>> round(t_95(1), 3), round(t_95(10), 3), round(t_95(1_000_000), 3)
    (12.706, 2.228, 1.96)
    """
    if freedom >= _MANY:
        return Z_95 + (Z_95**3 + Z_95) / (4 * freedom)  # the expansion's first term; the next is below 1e-6
    low, high = Z_95, 16.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 0.95 else (low, middle)
    return (low + high) / 2


_MANY = 2000


def _within(t: float, freedom: int) -> float:
    """The chance that |T| <= t: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine, cosine if freedom > 1 else 0.0) if odd else (1.0, 1.0)
    for k in range(2 if odd else 1, freedom - 2, 2):
        term *= k / (k + 1) * cosine * cosine
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
