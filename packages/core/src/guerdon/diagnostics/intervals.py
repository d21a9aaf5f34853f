"""How sure a measured share is."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""The standard normal's 97.5 % quantile."""


def wilson(share: float, count: int, z: float = Z_95) -> tuple[float, float]:
    r"""The Wilson score interval of a share.

    $$\frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}$$

    For the mean of graded values in [0, 1] it errs on the wide side, since their variance is at most p(1-p).

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
