r"""What feedback is worth, and how a page's order is judged by it.

| symbol | meaning |
|---|---|
| $e_k$ | engagement with the item at place k: 0 none, 1 click, 2 cart, 3 purchase |
| $g(e) = 2^e - 1$ | gain |
| $d_k = 1 / \log_2(k + 1)$ | discount of place k, from 1 |

Source: PageLLM (arXiv 2506.09084) names NDCG and swaps that change engagement; the grades, the stable order and the
weight of a swap are the fact sheet's choices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from guerdon.errors import ConfigError

Event = Literal["none", "click", "cart", "purchase"]
GRADES: dict[str, int] = {"none": 0, "click": 1, "cart": 2, "purchase": 3}
"""Engagement of an event."""
TOP = 3
"""The highest grade."""


def grade_of_rating(stars: float) -> int:
    """Engagement of a rating of 1 to 5 stars: 5 is 3, 4 is 2, 3 is 1, less is none [choice].

    Raises:
        ConfigError: it is no number from 1 to 5.

    >>> [grade_of_rating(stars) for stars in (1, 2, 3, 4, 5)]
    [0, 0, 1, 2, 3]
    """
    if not 1.0 <= stars <= 5.0:
        raise ConfigError(f"a rating is {stars!r}; a number from 1 to 5 is needed")
    return max(0, math.floor(stars) - 2)


def gain(engagement: float) -> float:
    """`2**e - 1`: 0, 1, 3, 7."""
    return float(2.0**engagement - 1.0)


def discount(place: int) -> float:
    """`1 / log2(place + 1)`; places count from 1."""
    return 1.0 / math.log2(place + 1)


def dcg(engagement: Sequence[float], k: int | None = None) -> float:
    """Discounted gain of the first k places; all of them by default."""
    return math.fsum(gain(e) * discount(place) for place, e in enumerate(engagement[:k], 1))


def ndcg(engagement: Sequence[float], k: int | None = None, ideal: Sequence[float] | None = None) -> float:
    """DCG of the first k places over that of the best order.

    Args:
        engagement: grades in the order shown, finite and 0 or more.
        k: places that count; None means all.
        ideal: grades that could have been shown; the shown ones by default.

    Returns:
        A share in [0, 1]; 0 where nothing is engaged with, and of an empty page.

    Raises:
        ConfigError: a grade is no finite number >= 0, or k is below 1.

    >>> round(ndcg([0, 1, 3]), 6), ndcg([3, 1, 0]), round(ndcg([1, 0, 0, 2], k=2), 6)
    (0.54134, 1.0, 0.275412)
    """
    possible = engagement if ideal is None else ideal
    for grade in (*engagement, *possible):
        if not 0.0 <= grade < 64.0:
            raise ConfigError(f"an engagement is {grade!r}; a finite number from 0 to 63 is needed")
    if k is not None and k < 1:
        raise ConfigError(f"k is {k!r}; a whole number >= 1 is needed")
    best = dcg(sorted(possible, reverse=True), k)
    return min(1.0, dcg(engagement, k) / best) if best else 0.0


def err(engagement: Sequence[float], top: float = TOP) -> float:
    r"""Expected reciprocal rank: a reader goes down the page and stops at place k with chance $(2^{e_k} - 1) /
    2^{top}$.

    Source: Chapelle et al., Expected Reciprocal Rank for Graded Relevance (CIKM 2009) [memory].

    >>> err([3, 0]), err([0, 3]), err([])
    (0.875, 0.4375, 0.0)
    """
    going, found = 1.0, []
    for place, grade in enumerate(engagement, 1):
        stops = gain(grade) / 2.0**top
        if not 0.0 <= stops <= 1.0:
            raise ConfigError(f"an engagement is {grade!r}; a number from 0 to {top!r} is needed")
        found.append(going * stops / place)
        going *= 1.0 - stops
    return math.fsum(found)


def gains(engagement: Sequence[float], propensities: Sequence[float] | None = None) -> list[float]:
    """The gain at each place of a logged page.

    Raw feedback prefers what was shown on top, where people look. The gain over the chance that its place was looked at
    does not: its mean is the gain of an item that everybody looks at.

    Args:
        engagement: grades as shown.
        propensities: chance in (0, 1] that a place was looked at, one per place; None takes the feedback as it is.

    Raises:
        ConfigError: the lengths differ, or a propensity is outside (0, 1].

    >>> gains([0, 2, 1]), gains([1, 1], [1.0, 0.25])
    ([0.0, 3.0, 1.0], [1.0, 4.0])
    """
    looked = [1.0] * len(engagement) if propensities is None else list(propensities)
    if len(looked) != len(engagement):
        raise ConfigError(f"{len(engagement)} places have {len(looked)} propensities; one each is needed")
    for chance in looked:
        if not 0.0 < chance <= 1.0:
            raise ConfigError(f"a propensity is {chance!r}; a number above 0 and at most 1 is needed")
    return [gain(e) / chance for e, chance in zip(engagement, looked, strict=True)]


def positive_order(gained: Sequence[float]) -> list[int]:
    """Places of a logged page, from 0, in the order of the positive page y+: the largest gain first, ties as shown.

    >>> positive_order(gains([0, 2, 0, 1])), positive_order(gains([1, 1], [1.0, 0.25]))
    ([1, 3, 0, 2], [1, 0])
    """
    return sorted(range(len(gained)), key=lambda place: -gained[place])


def swap_weight(gained: Sequence[float], one: int, other: int) -> float:
    """`|g_i - g_j| * |d_i - d_j|`: by how much DCG changes when two places, from 1, are swapped.

    >>> round(swap_weight(gains([3, 1, 0, 0]), 1, 4), 6), swap_weight(gains([3, 1, 0, 0]), 3, 4)
    (3.985264, 0.0)
    """
    return abs(gained[one - 1] - gained[other - 1]) * abs(discount(one) - discount(other))
