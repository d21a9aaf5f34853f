"""Measures of a page as a whole: how its categories mix, what stands there twice, what it covers and sells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Sequence


def category_entropy(categories: Sequence[Hashable]) -> float:
    """Entropy of the categories over `log n`: 1 where all n differ, 0 for one item, one category, or none.

    >>> round(category_entropy("aabc"), 6), category_entropy("aaaa"), category_entropy("ab"), category_entropy("")
    (0.75, 0.0, 1.0, 0.0)
    """
    n = len(categories)
    if n < 2:
        return 0.0
    shares = [count / n for count in Counter(categories).values()]
    return max(0.0, min(1.0, -math.fsum(share * math.log(share) for share in shares) / math.log(n)))


def duplicate_share(ids: Sequence[Hashable]) -> float:
    """`1 - distinct / n`; 0 of an empty page.

    >>> duplicate_share([1, 2, 2, 2]), duplicate_share([])
    (0.5, 0.0)
    """
    return 1.0 - len(set(ids)) / len(ids) if ids else 0.0


def coverage(categories: Sequence[Hashable], possible: Collection[Hashable], places: int) -> float:
    """Share of the possible categories that a page has, of as many as fit on its places: a short page covers less.

    >>> coverage("aab", "abcd", 3), coverage("ab", "abcd", 2), coverage("ab", "abcd", 4)
    (0.6666666666666666, 1.0, 0.5)
    """
    room = min(places, len(set(possible)))
    return len(set(categories) & set(possible)) / room if room else 0.0


def merchandise_value(prices: Sequence[float], bought: Sequence[bool]) -> float:
    """GMV: the prices of what is bought, added up.

    Raises:
        ValueError: a price is no finite number >= 0, or the lengths differ.

    >>> merchandise_value([10.0, 5.0], [False, True])
    5.0
    """
    if any(not 0.0 <= price < math.inf for price in prices):
        raise ValueError(f"prices are {list(prices)!r}; finite numbers >= 0 are needed")
    return math.fsum(price for price, sold in zip(prices, bought, strict=True) if sold)
