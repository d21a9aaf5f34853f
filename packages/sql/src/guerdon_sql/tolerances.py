"""Equality of tables whose numbers may differ a little.

"Nearly equal" is not transitive, so rows cannot be hashed: sets need a near partner on either side for every row,
bags a one-to-one matching. Candidates for a row are the rows that agree in everything but numbers and lie in a window
of one number column, so the work stays near-linear where the tolerance is small beside the spread of values.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

Row = tuple[Any, ...]

MAX_EDGES = 500_000
"""Row pairs looked at before a match is given up (as different)."""
MAX_PERMUTATIONS = 500
"""Column orders tried under a tolerance; those whose columns cannot agree one by one are never tried."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """The rule for two cells."""

    tolerance: float

    def cells(self, a: Any, b: Any) -> bool:
        """Numbers of which one is a float: within the tolerance, absolute or relative. Anything else: equal."""
        if a == b or (a != a and b != b):
            return True
        if _is_number(a) and _is_number(b) and (isinstance(a, float) or isinstance(b, float)):
            return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=self.tolerance)
        return False

    def rows(self, a: Row, b: Row) -> bool:
        """Cell by cell; rows of unequal width differ."""
        return len(a) == len(b) and all(map(self.cells, a, b))

    def window(self, value: float) -> tuple[float, float]:
        """Bounds outside which no number is near `value` (a little wider than need be)."""
        if math.isinf(value):
            return value, value
        # |a - b| <= t·max(|a|, |b|) bounds |b| by |a|/(1 - t); from t = 1 on, everything may be near.
        relative = math.inf if self.tolerance >= 1 else self.tolerance * abs(value) / (1 - self.tolerance)
        reach = 1.000001 * max(self.tolerance, relative)
        return value - reach, value + reach


class _Exhausted(Exception):  # noqa: N818 - private: the work bound was reached
    pass


def near_match(
    got: Sequence[Row], gold: Sequence[Row], near: Closeness, *, ordered: bool, as_set: bool, any_column: bool
) -> bool:
    """Whether the tables (both non-empty) agree under the tolerance; False where the bounded search is exhausted."""
    if len(got[0]) != len(gold[0]) or (not as_set and len(got) != len(gold)):
        return False
    try:
        if not any_column:
            return _match(got, gold, near, ordered, as_set)
        return any(
            _match([tuple(row[place] for place in order) for row in got], gold, near, ordered, as_set)
            for order in islice(_column_orders(got, gold, near, ordered, as_set), MAX_PERMUTATIONS)
        )
    except _Exhausted:
        return False


def _match(got: Sequence[Row], gold: Sequence[Row], near: Closeness, ordered: bool, as_set: bool) -> bool:
    if ordered:
        return all(map(near.rows, got, gold))
    forward = _neighbours(got, gold, near)
    if forward is None:
        return False
    if as_set:
        return len(set().union(*forward)) == len(gold)
    return _perfect(forward)


def _neighbours(rows: Sequence[Row], others: Sequence[Row], near: Closeness) -> list[list[int]] | None:
    """For each of `rows`, the places of the near ones among `others`; None as soon as a row has none."""
    pivot = _pivot(others)
    buckets: dict[Row, list[tuple[float, int]]] = defaultdict(list)
    for place, other in enumerate(others):
        buckets[_skeleton(other)].append((_sort_value(other, pivot), place))
    for bucket in buckets.values():
        bucket.sort()
    found: dict[Row, list[int]] = {}  # equal rows have the same neighbours
    looked_at = 0
    for row in rows:
        if row in found:
            continue
        bucket = buckets.get(_skeleton(row), [])
        low, high = near.window(_sort_value(row, pivot))
        start, end = bisect_left(bucket, (low, -1)), bisect_right(bucket, (high, len(others)))
        looked_at += end - start
        if looked_at > MAX_EDGES:
            raise _Exhausted
        places = [place for _, place in bucket[start:end] if near.rows(row, others[place])]
        if not places:
            return None
        found[row] = places
    return [found[row] for row in rows]


def _perfect(edges: list[list[int]]) -> bool:
    """Whether every left vertex gets a right vertex of its own (augmenting paths, kept on an explicit stack)."""
    owner: dict[int, int] = {}
    partner: dict[int, int] = {}
    work = 0
    for start in range(len(edges)):
        came_from: dict[int, int] = {}  # right vertex -> the left vertex it was reached from
        queue = [start]
        free: int | None = None
        for left in queue:
            for right in edges[left]:
                work += 1
                if right in came_from:
                    continue
                came_from[right] = left
                if right not in owner:
                    free = right
                    break
                queue.append(owner[right])
            if free is not None:
                break
        if free is None:
            return False
        if work > MAX_EDGES * 4:
            raise _Exhausted
        while free is not None:  # flip the path: each left vertex takes the right one it reached, and frees its old one
            left = came_from[free]
            previous = partner.get(left)
            owner[free], partner[left] = left, free
            free = previous
    return True


def _column_orders(
    got: Sequence[Row], gold: Sequence[Row], near: Closeness, ordered: bool, as_set: bool
) -> Iterator[tuple[int, ...]]:
    """Orders of `got`'s columns in which each column agrees with the gold's on its own, found depth first."""
    ours, theirs = list(zip(*got, strict=True)), list(zip(*gold, strict=True))

    def agrees(mine: Row, other: Row) -> bool:
        if mine == other if ordered else Counter(mine) == Counter(other):
            return True  # most that agree do so exactly: no search is needed to see it
        single, wanted = [(cell,) for cell in mine], [(cell,) for cell in other]
        return _match(single, wanted, near, ordered, as_set)

    options = [[place for place, mine in enumerate(ours) if agrees(mine, other)] for other in theirs]
    chosen: list[int] = []
    levels = [iter(options[0])]
    steps = 0
    while levels:
        place = next((place for place in levels[-1] if place not in chosen), None)
        steps += 1
        if steps > MAX_EDGES:
            raise _Exhausted
        if place is None:
            levels.pop()
            if chosen:
                chosen.pop()
            continue
        if len(chosen) + 1 == len(options):
            yield (*chosen, place)
            continue
        chosen.append(place)
        levels.append(iter(options[len(chosen)]))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float))


def _skeleton(row: Row) -> Row:
    """The row with its numbers blanked: near rows have equal skeletons."""
    return tuple(_NUMBER if _is_number(cell) else cell for cell in row)


_NUMBER = ("number",)


def _pivot(rows: Sequence[Row]) -> int | None:
    """The column with the most distinct finite numbers: the best one to window by."""
    counts = [len({cell for cell in column if _is_number(cell)}) for column in zip(*rows, strict=True)]
    best = max(range(len(counts)), key=counts.__getitem__)
    return best if counts[best] else None


def _sort_value(row: Row, pivot: int | None) -> float:
    cell = row[pivot] if pivot is not None else 0.0
    if not _is_number(cell) or cell != cell:
        return 0.0  # its skeleton keeps it apart; NaN only meets NaN
    try:
        return float(cell)
    except OverflowError:
        return math.inf if cell > 0 else -math.inf
