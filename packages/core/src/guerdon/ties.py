"""When values count as equal: one tolerance for all that compares rewards of one group."""

from __future__ import annotations

from collections.abc import Sequence

EQUAL = 1e-12
"""Values this close (relative to the larger of 1 and their size) are one: the rounding of a sum, not a preference."""


def tied(values: Sequence[float]) -> bool:
    """Whether all values, one or more finite numbers, are one but for rounding.

    >>> tied([0.3, 0.1 + 0.2]), tied([0.0, 1e-9])
    (True, False)
    """
    least, most = min(values), max(values)
    return most - least <= EQUAL * max(1.0, abs(least), abs(most))
