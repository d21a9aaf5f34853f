"""When two result tables are the same answer, and how nearly: pure functions over rows, no database.

Each evaluator of the field answers "same?" by another rule, and the rules disagree often, so every rule has a name that
belongs beside the number: `compare` takes it as `mode`. A row is a tuple of cells as the database returned them. Cells
follow Python's equality: 1 == 1.0, '1' != 1, b'a' != 'a', NULL (None) equals NULL and NaN equals NaN.

Here `got` is the prediction's table and comes first, `gold` the reference's. `compare` is symmetric; `soft_f1` is not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import ne
from statistics import fmean, pstdev
from typing import Any, Literal, get_args

from guerdon_sql.columns import bags_match, columns_match
from guerdon_sql.packed import PackedRows
from guerdon_sql.tolerances import Closeness, near_match

Row = tuple[Any, ...]
Mode = Literal["bird_set", "bag", "ordered", "spider"]
"""`bird_set`: equal as sets of rows (BIRD's execution accuracy). `bag`: duplicates count. `ordered`: and the order
counts. `spider`: Spider's test-suite rule, bags (lists, if the gold orders its rows) that agree under some order of
columns."""
MODES: tuple[Mode, ...] = get_args(Mode)


def compare(
    got: Sequence[Row],
    gold: Sequence[Row],
    mode: Mode = "bird_set",
    *,
    gold_ordered: bool = False,
    columns: Literal["fixed", "any"] | None = None,
    tolerance: float = 0.0,
) -> bool:
    """Whether two result tables are the same answer under `mode`.

    Two empty tables are equal in every mode, whatever their columns. Under any column order the search for one is exact
    but bounded; a table wide and regular enough to exhaust it (no natural one does) counts as different.

    Args:
        got: rows of the prediction.
        gold: rows of the reference.
        mode: which rule; see `Mode`.
        gold_ordered: the gold query orders its rows; read by `spider` alone. See `orders_rows`.
        columns: `any` if some permutation of columns suffices; None for the mode's own rule (`any` for `spider`).
        tolerance: two numbers, at least one of them a float, are equal when they differ by at most this much,
            absolutely or relative to the greater one. Anything else is compared exactly.

    Raises:
        ValueError: no such mode, or a negative tolerance.

    Source: BIRD's and Spider's released evaluators; each rule as it is there, save that `DISTINCT` is never removed.

    >>> compare([(1,), (1,), (2,)], [(1,), (2,)]), compare([(1,), (1,), (2,)], [(1,), (2,)], "bag")
    (True, False)
    """
    if mode not in MODES:
        raise ValueError(f"no comparison mode {mode!r}; there are {', '.join(MODES)}")
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance must be 0 or more, not {tolerance!r}")
    if isinstance(got, PackedRows) and got.same_bytes(gold):
        return True
    got, gold = _tuples(got), _tuples(gold)
    if got == gold:
        return True
    if not got or not gold:
        return False
    any_column = (columns or ("any" if mode == "spider" else "fixed")) == "any"
    ordered = mode == "ordered" or (mode == "spider" and gold_ordered)
    as_set = mode == "bird_set"
    if as_set and (tolerance or any_column):
        got, gold = _unique(got), _unique(gold)
    if tolerance:
        return near_match(got, gold, Closeness(tolerance), ordered=ordered, as_set=as_set, any_column=any_column)
    if _same(got, gold, ordered, any_column, as_set):
        return True
    # NaN differs from itself in Python. No SQLite table has one, so it is looked for only where the tables differ.
    if _has_nan(gold) and _has_nan(got):
        return _same(_without_nan(got), _without_nan(gold), ordered, any_column, as_set)
    return False


def _same(got: list[Row], gold: list[Row], ordered: bool, any_column: bool, as_set: bool) -> bool:
    if as_set and not any_column:
        wanted = set(gold)
        return wanted.issuperset(got) and len(set(got)) == len(wanted)  # the first row often tells
    if len(got) != len(gold):
        return False
    if ordered:
        return columns_match(got, gold) if any_column else got == gold
    return bags_match(got, gold) if any_column else Counter(got) == Counter(gold)


def orders_rows(gold_query: str) -> bool:
    """Whether Spider's evaluator lets row order count for this gold query: its text says "order by" somewhere."""
    return "order by" in " ".join(gold_query.lower().split())


def soft_f1(got: Sequence[Row], gold: Sequence[Row], reading: Literal["repaired", "released"] = "repaired") -> float:
    r"""Overlap of two result tables, cell by cell, rows paired in order.

    With rows $p_i$ of `got` and $g_i$ of `gold`, each side without duplicate rows, cells counted with repetition:

    $$F = \frac{2\,tp}{2\,tp + fp + fn},\quad tp = \sum_i \frac{|p_i \cap g_i|}{|g_i|},\quad
      fp = \sum_i \frac{|p_i \setminus g_i|}{|g_i|},\quad fn = \sum_i \frac{|g_i \setminus p_i|}{|g_i|}$$
    and 1 more in $fp$ for each surplus row, in $fn$ for each missing one.

    Args:
        got: R rows of C cells, as the database returned them.
        gold: R' rows of C' >= 1 cells.
        reading: `repaired` takes rows as bags of cells. `released` asks of each cell only whether the other row has it,
            as BIRD's code does, so that selecting one right column a hundred times drives the score to 1.

    Returns:
        A share in [0, 1]; 1.0 when both tables are empty.

    Raises:
        ValueError: a row of `gold` has no cells.

    Source: BIRD mini-dev, soft F1. Row order counts and column order does not, as in its released evaluator.

    >>> soft_f1([("a",), ("b",)], [("a",), ("b",), ("c",)])
    0.8
    """
    got, gold = _unique(_without_nan(_tuples(got))), _unique(_without_nan(_tuples(gold)))
    if not got and not gold:
        return 1.0
    hits = surplus = missing = 0.0
    for row, wanted in zip(got, gold, strict=False):
        if not wanted:
            raise ValueError("a row of the gold table has no cells")
        if reading == "released":
            found = sum(cell in wanted for cell in row)
            lacking = sum(cell not in row for cell in wanted)
        else:
            found = (Counter(row) & Counter(wanted)).total()
            lacking = len(wanted) - found
        hits += found / len(wanted)
        surplus += (len(row) - found) / len(wanted)
        missing += lacking / len(wanted)
    surplus += max(0, len(got) - len(gold))
    missing += max(0, len(gold) - len(got))
    return 2 * hits / (2 * hits + surplus + missing)


def valid_efficiency(
    correct: bool, gold_s: Sequence[float], got_s: Sequence[float], reading: Literal["r_ves", "ves"] = "r_ves"
) -> float:
    r"""How fast a right answer ran beside the gold query, for one question.

    A benchmark's number is the mean over its questions.

    With $r$ the mean of `gold_s[i] / got_s[i]` over the runs within three standard deviations (ddof 0) of their mean,
    `ves` is $100\sqrt{r}$, and `r_ves` $100\sqrt{\rho}$ with $\rho$ = 1.25 for r >= 2, 1 for r >= 1, 0.75 for r >=
    0.5, 0.5 for r >= 0.25, else 0.25.

    One repair: the released filter keeps what lies *strictly* within three deviations, so equal ratios, or a single
    run, leave nothing, and the division by zero that follows is scored 0. Here the bounds are inclusive.

    Args:
        correct: whether the answer is right at all (`compare`).
        gold_s: seconds of each run of the gold query, > 0, rows fetched.
        got_s: seconds of the prediction's run beside it, > 0, same length.
        reading: which of BIRD's two numbers.

    Returns:
        0.0 for a wrong answer; else in [50, 111.8] for `r_ves`, above 0 for `ves`.

    Raises:
        ValueError: no runs, unequal counts, or a time that is not positive.

    >>> valid_efficiency(True, [0.2], [0.2]), valid_efficiency(True, [0.9], [0.4], "ves")
    (100.0, 150.0)
    """
    if not correct:
        return 0.0
    if not gold_s or len(gold_s) != len(got_s):
        raise ValueError(
            f"need as many runs of either query, and one at least; got {len(got_s)} and {len(gold_s)} of the gold"
        )
    if min(*gold_s, *got_s) <= 0:
        raise ValueError("a running time must be above 0")
    ratios = [ours / theirs for ours, theirs in zip(gold_s, got_s, strict=True)]
    centre = fmean(ratios)
    reach = 3 * pstdev(ratios) + 1e-12 * centre  # the last term: a mean of equal numbers may be off by one rounding
    ratio = fmean(value for value in ratios if abs(value - centre) <= reach)
    if reading == "ves":
        return 100.0 * math.sqrt(ratio)
    steps = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5), (0.0, 0.25))
    return 100.0 * math.sqrt(next(reward for least, reward in steps if ratio >= least))


def _tuples(rows: Iterable[Sequence[Any]]) -> list[Row]:
    if isinstance(rows, PackedRows):
        return rows.rows
    return [tuple(row) for row in rows]


def _unique(rows: list[Row]) -> list[Row]:
    return list(dict.fromkeys(rows))


def _has_nan(rows: list[Row]) -> bool:
    return any(map(ne, chain.from_iterable(rows), chain.from_iterable(rows)))


def _without_nan(rows: list[Row]) -> list[Row]:
    """The rows with every NaN replaced by one object that equals itself."""
    return [tuple(_NAN if cell != cell else cell for cell in row) for row in rows] if _has_nan(rows) else rows


_NAN = ("NaN",)  # a tuple: no cell of a database is one
