"""Whether two tables agree under some order of their columns.

With the row order given this is easy: the columns must be equal as a bag. With free rows too it is as hard as graph
isomorphism in the worst case, and the worst case can be written by a model. So: columns are matched only to columns
with the same cells, the search extends a partial assignment only while both sides' rows split into equal classes, and
it ends as soon as the classes tell all rows apart, which in real tables happens after a column or two. A step budget
ends the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

Row = tuple[Any, ...]
Classes = list[int]

BUDGET = 1_000_000
"""Cells visited before the search gives up (about half a second), if that is more than four passes over the table."""


def columns_match(got: Sequence[Row], gold: Sequence[Row]) -> bool:
    """Whether the lists of rows are equal under some permutation of columns."""
    return Counter(zip(*got, strict=True)) == Counter(zip(*gold, strict=True))


def bags_match(got: Sequence[Row], gold: Sequence[Row], budget: int | None = None) -> bool:
    """Whether the bags of rows are equal under some permutation of columns; False if `budget` ends first."""
    if len(got) != len(gold) or len(got[0]) != len(gold[0]):
        return False
    got_counts, gold_counts = Counter(got), Counter(gold)
    if got_counts == gold_counts:
        return True
    # Equal rows stay equal under any permutation: search over distinct rows, how often each occurs being its first
    # class.
    if Counter(got_counts.values()) != Counter(gold_counts.values()):
        return False
    search = _Search(list(zip(*got_counts, strict=True)), list(zip(*gold_counts, strict=True)), budget)
    return search.run(list(got_counts.values()), list(gold_counts.values()))


class _Search:
    """Depth-first assignment of the prediction's columns to the gold's, over distinct rows."""

    def __init__(self, got: list[Row], gold: list[Row], budget: int | None) -> None:
        self.got, self.gold = got, gold
        self.rows = len(gold[0]) if gold else 0
        self.budget = max(BUDGET, 4 * self.rows * len(gold)) if budget is None else budget

    def run(self, got_classes: Classes, gold_classes: Classes) -> bool:
        got_prints = [_fingerprint(column, got_classes) for column in self.got]
        gold_prints = [_fingerprint(column, gold_classes) for column in self.gold]
        if Counter(got_prints) != Counter(gold_prints):
            return False
        candidates = [[place for place, other in enumerate(got_prints) if other == mine] for mine in gold_prints]
        # The columns that decide most come first: few candidates, then many distinct cells.
        order = sorted(range(len(self.gold)), key=lambda place: (len(candidates[place]), -len(gold_prints[place])))
        used: list[int] = []
        levels: list[Iterator[tuple[int, Classes, Classes]]] = [
            self._choices(candidates[order[0]], order[0], used, got_classes, gold_classes)
        ]
        while levels:
            choice = next(levels[-1], None)
            if choice is None:
                levels.pop()
                if used:
                    used.pop()
                continue
            if self.budget <= 0:
                return False
            place, got_now, gold_now = choice
            used.append(place)
            depth = len(used)
            if depth == len(order):
                return True
            if len(set(gold_now)) == self.rows:
                if self._rest_match(used, order[depth:], got_now, gold_now):
                    return True
                used.pop()
                continue
            levels.append(self._choices(candidates[order[depth]], order[depth], used, got_now, gold_now))
        return False

    def _choices(
        self, places: list[int], target: int, used: list[int], got_classes: Classes, gold_classes: Classes
    ) -> Iterator[tuple[int, Classes, Classes]]:
        """The columns of `got` that could be gold column `target`, with the row classes that each choice leads to."""
        tried: set[Row] = set()
        for place in places:
            if place in used or self.got[place] in tried:
                continue
            tried.add(self.got[place])  # equal columns are interchangeable
            self.budget -= self.rows
            names: dict[tuple[int, Any], int] = {}
            gold_now = [
                names.setdefault(pair, len(names)) for pair in zip(gold_classes, self.gold[target], strict=True)
            ]
            got_now = [names.setdefault(pair, len(names)) for pair in zip(got_classes, self.got[place], strict=True)]
            if Counter(got_now) == Counter(gold_now):
                yield place, got_now, gold_now
            if self.budget <= 0:
                return

    def _rest_match(self, used: list[int], rest: list[int], got_classes: Classes, gold_classes: Classes) -> bool:
        """Every row has its own class, so the rows are paired and the remaining columns need only be equal as a bag."""
        self.budget -= self.rows * len(rest)
        gold_order = sorted(range(self.rows), key=gold_classes.__getitem__)
        got_order = sorted(range(self.rows), key=got_classes.__getitem__)
        free = set(range(len(self.got))).difference(used)
        ours = Counter(tuple(self.got[place][row] for row in got_order) for place in free)
        return ours == Counter(tuple(self.gold[place][row] for row in gold_order) for place in rest)


def _fingerprint(column: Row, classes: Classes) -> frozenset[tuple[tuple[Any, int], int]]:
    return frozenset(Counter(zip(column, classes, strict=True)).items())
