r"""How far predicted calls agree with gold calls: $S / S_{max}$, and what it is made of.

With gold calls $G_1 .. G_n$, predicted calls $P$ and the similarity `similarity` of two lists,

$$S = \mathrm{sim}(names) + \sum_j s(G_j, P_{match(j)}),\quad S_{max} = 1 + \sum_j \max s_j$$

| granularity | $s(G_j, P_i)$, for equal names | $\max s_j$ |
|---|---|---|
| `default` | similarity of the keys, and 1 for each key of $G_j$ with the same value in $P_i$ | 1 + keys of $G_j$ |
| `finegrained` | the same, where names and keys are similar only if they are equal, in order | 1 + keys of $G_j$ |
| `intermediate` | 1 for a call wholly equal, else 0 | 1 |
| `coarse` | (the lists wholly equal: share 1, else 0) | |

| assignment | which predicted call each gold call gets, none twice |
|---|---|
| `greedy`, as released | gold calls in their order take the free one with the largest s > 0; the first of equals |
| `optimal`, as printed | the one-to-one choice with the largest sum |

Source: ToolRL (arXiv 2504.13958), section on reward design, and released code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal

from guerdon_code.tool_calls import Call
from guerdon_code.tool_values import Accepted, Comparison, in_golds_words, same

Granularity = Literal["default", "finegrained", "intermediate", "coarse"]
GRANULARITIES: tuple[Granularity, ...] = ("default", "finegrained", "intermediate", "coarse")
Assignment = Literal["greedy", "optimal"]
ASSIGNMENTS: tuple[Assignment, ...] = ("greedy", "optimal")


@dataclass(frozen=True, slots=True)
class Rules:
    """How calls are compared."""

    granularity: Granularity = "default"
    """What is credited in part; the first table above."""
    assignment: Assignment = "greedy"
    """Which call is compared with which gold call; the second."""
    comparison: Comparison = "python"
    """When two values are the same; see `tool_values`."""


RELEASED = Rules()
"""As in the published runs."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `agreement` found."""

    earned: float
    """S, in [0, `most`]."""
    most: float
    """S_max, at least 1."""
    names: float
    """Similarity of the two lists of names, in [0, 1]."""
    matches: tuple[int | None, ...]
    """For each gold call the place of the predicted call it got; None where it got none."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a gold call and a predicted call have in common."""

    worth: float
    place: int


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    r"""Overlap of two lists, repetitions counted and order ignored: $c / (|a| + |b| - c)$.

    Returns:
        A share in [0, 1]; 1.0 for equal lists (two empty ones too), 0.0 where exactly one is empty.

    Source: ToolRL, released code (`match_score`).

    >>> similarity(["f"], ["f", "f"])
    0.5
    """
    if one == other:
        return 1.0
    common = sum((Counter(one) & Counter(other)).values())
    return common / (len(one) + len(other) - common)


def agreement(
    gold: Sequence[Call], predicted: Sequence[Call], rules: Rules = RELEASED, accepted: Sequence[Accepted] = ()
) -> Agreement:
    """How far the predicted calls agree with the gold calls.

    Args:
        gold: n >= 1 calls.
        predicted: m calls, of any number.
        rules: how to compare.
        accepted: what else each gold call accepts, n of them; or none, and gold alone is right.

    Returns:
        S and S_max, and what they are made of. The two are equal at once where the lists are, in order and wholly: the
        order of keys, which `finegrained` looks at, does not count there.

    Source: ToolRL, released code (`compute_tool_call_reward`); `optimal` is the paper's formula.

    >>> gold = [Call("f", {"x": 1}), Call("f", {"x": 1, "y": 2})]
    >>> said = [Call("f", {"x": 1, "y": 2}), Call("f", {"x": 9})]
    >>> agreement(gold, said).earned, agreement(gold, said, Rules(assignment="optimal")).earned
    (3.0, 5.0)
    """
    wanted, given = [call.name for call in gold], [call.name for call in predicted]
    names = similarity(wanted, given)
    if rules.granularity in ("finegrained", "coarse"):
        names = float(wanted == given)
    most = [_most(call, rules.granularity) for call in gold]
    whole = 1.0 + sum(most)
    if _all_equal(gold, predicted, rules, accepted):
        return Agreement(whole, whole, 1.0, tuple(range(len(gold))))
    if rules.granularity == "coarse":
        return Agreement(0.0, whole, names, (None,) * len(gold))
    rows = _pairs(gold, predicted, rules, accepted)
    chosen = _greedy(rows) if rules.assignment == "greedy" else _optimal(rows)
    earned = names
    for pair in chosen:
        earned += pair.worth if pair else 0.0
    return Agreement(earned, whole, names, tuple(pair.place if pair else None for pair in chosen))


def _most(call: Call, granularity: Granularity) -> float:
    return 1.0 if granularity == "intermediate" else 1.0 + len(call.parameters)


def _all_equal(gold: Sequence[Call], predicted: Sequence[Call], rules: Rules, accepted: Sequence[Accepted]) -> bool:
    return len(gold) == len(predicted) and all(
        _equal(one, _as_gold_says(other, one, place, rules, accepted), rules.comparison)
        for place, (one, other) in enumerate(zip(gold, predicted, strict=True))
    )


def _equal(gold: Call, call: Call, comparison: Comparison) -> bool:
    return gold.name == call.name and not call.extra and same(gold.parameters, call.parameters, comparison)


def _as_gold_says(call: Call, gold: Call, place: int, rules: Rules, accepted: Sequence[Accepted]) -> Call:
    return in_golds_words(call, gold, accepted[place], rules.comparison) if accepted else call


def _pairs(
    gold: Sequence[Call], predicted: Sequence[Call], rules: Rules, accepted: Sequence[Accepted]
) -> list[list[_Pair]]:
    """For each gold call, the predicted calls of its name that are worth something, in order."""
    by_name: dict[str, list[int]] = {}
    for place, call in enumerate(predicted):
        by_name.setdefault(call.name, []).append(place)
    rows = []
    for row, wanted in enumerate(gold):
        found = [
            _Pair(_worth(wanted, _as_gold_says(predicted[place], wanted, row, rules, accepted), rules), place)
            for place in by_name.get(wanted.name, ())
        ]
        rows.append([pair for pair in found if pair.worth > 0.0])
    return rows


def _worth(gold: Call, call: Call, rules: Rules) -> float:
    if rules.granularity == "intermediate":
        return float(_equal(gold, call, rules.comparison))
    wanted, given = list(gold.parameters), list(call.parameters)
    keys = float(wanted == given) if rules.granularity == "finegrained" else similarity(wanted, given)
    return keys + sum(
        key in call.parameters and same(value, call.parameters[key], rules.comparison)
        for key, value in gold.parameters.items()
    )


def _greedy(rows: Sequence[Sequence[_Pair]]) -> list[_Pair | None]:
    used: set[int] = set()
    chosen: list[_Pair | None] = []
    for row in rows:
        best = max((pair for pair in row if pair.place not in used), key=lambda pair: pair.worth, default=None)
        if best:
            used.add(best.place)
        chosen.append(best)
    return chosen


def _optimal(rows: Sequence[Sequence[_Pair]]) -> list[_Pair | None]:
    """The choice with the largest sum.

    A gold call needs no more than its n best candidates, n being the number of gold calls: the others take n - 1 of
    them at most. So the work grows with the number of predicted calls only as fast as reading them does.
    """
    n = len(rows)
    best = [nsmallest(n, row, key=lambda pair: (-pair.worth, pair.place)) for row in rows]
    places = sorted({pair.place for row in best for pair in row})
    columns = {place: column for column, place in enumerate(places)}
    width = len(places) + n  # n more columns of worth 0, so that a gold call may stay without
    worth = [[0.0] * width for _ in rows]
    for line, row in zip(worth, best, strict=True):
        for pair in row:
            line[columns[pair.place]] = pair.worth
    found = assignment(worth)
    return [
        next((pair for pair in row if columns[pair.place] == column), None)
        for row, column in zip(best, found, strict=True)
    ]


def assignment(worth: Sequence[Sequence[float]]) -> list[int]:
    """The column of each row, none twice, for which the sum of worths is largest.

    Args:
        worth: n rows of m >= n numbers.

    Returns:
        n columns, each in [0, m).

    Source: the Hungarian method with potentials (Kuhn 1955; Munkres 1957), n times a shortest path: O(n * n * m).

    >>> assignment([[3.0, 2.0], [3.0, 0.0]])
    [1, 0]
    """
    n, m = len(worth), len(worth[0]) if worth else 0
    of_row, of_column = [0.0] * n, [0.0] * (m + 1)
    row_at = [-1] * (m + 1)  # column m is where each new row starts from
    for row in range(n):
        row_at[m], column = row, m
        least, before, seen = [float("inf")] * m, [m] * m, [False] * (m + 1)
        while row_at[column] >= 0:
            seen[column] = True
            here, step, nearest = row_at[column], float("inf"), m
            for other in range(m):
                if seen[other]:
                    continue
                cost = -worth[here][other] - of_row[here] - of_column[other]
                if cost < least[other]:
                    least[other], before[other] = cost, column
                if least[other] < step:
                    step, nearest = least[other], other
            for other in range(m + 1):
                if seen[other]:
                    of_row[row_at[other]] += step
                    of_column[other] -= step
                else:  # never column m, which was seen first
                    least[other] -= step
            column = nearest
        while column != m:  # shift along the path
            row_at[column] = row_at[before[column]]
            column = before[column]
    found = [0] * n
    for column in range(m):
        if row_at[column] >= 0:
            found[row_at[column]] = column
    return found
