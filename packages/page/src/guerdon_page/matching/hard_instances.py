"""Families on which rules do badly, as types of arrivals: lists of neighbours, each type of mass 1.

Source: the authors' code `onlinematching/stochastic-rewards` for the graph of twelve vertices [code], as the fact sheet
has it; the others are classic.
"""

from __future__ import annotations

from guerdon_page.matching.instances import Instance

Types = list[list[int]]


def triangular(n: int) -> Types:
    """Type j is adjacent to j and all after it. Equal chances in the limit: no rule gets more than .621 on n = 3."""
    return [list(range(j, n)) for j in range(n)]


def thick_z(k: int) -> Types:
    """2k vertices: type i < k is adjacent to i and to the second half, which then comes in single types."""
    second = list(range(k, 2 * k))
    return [*([i, *second] for i in range(k)), *([u] for u in second)]


def star(n: int) -> Types:
    """A type adjacent to all n, then a single type for each but the first."""
    return [list(range(n)), *([u] for u in range(1, n))]


def twelve() -> Types:
    """The hardest that is known: .592873 of the Matching LP in the limit, for whatever rule."""
    nested = [list(range(first, 12)) for first in range(3)]
    return [*nested, list(range(3, 11)), *([u] for u in range(4, 12))]


def against_greedy(n: int, copies: int) -> Instance:
    """The triangular family with its labels reversed: breaking ties by the smallest number is the worst there is."""
    return Instance.typed(n, triangular(n), copies).relabelled([n - 1 - u for u in range(n)])
