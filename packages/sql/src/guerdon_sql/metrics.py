"""BIRD's two further numbers, for reporting: nothing here is meant to be trained on.

`SoftF1` gives partial credit for a partly right table, `ValidEfficiency` measures how fast a right answer is. The
second measures time, so it differs from run to run and is no reward: a policy's doing and the machine's look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon.types import Score
from guerdon_sql.compare import MODES, Mode, compare, orders_rows, soft_f1, valid_efficiency
from guerdon_sql.executed import AgainstGold, counted
from guerdon_sql.limits import Result
from guerdon_sql.parts import Pair, at_least, one_of
from guerdon_sql.questions import SqlQuestion


@dataclass(frozen=True)
class SoftF1(AgainstGold, name="sql/soft-f1-v1", bounds=(0.0, 1.0)):
    """Overlap of the answer's table with the gold's, cell by cell, rows paired in order; see `compare.soft_f1`."""

    cells: Literal["repaired", "released"] = "repaired"
    """`released` counts a right cell as often as it is repeated, as BIRD's code does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "cells", ("repaired", "released"))

    def agreement(self, question: SqlQuestion, query: str, got: Result, golds: Sequence[tuple[str, Result]]) -> Score:
        """The best overlap with a gold table."""
        value, rows = max((soft_f1(got.rows, gold.rows, self.cells), len(gold.rows)) for _, gold in golds)
        return Score(value, f"{counted(got)}, gold has {rows} ({self.cells})")


@dataclass(frozen=True)
class ValidEfficiency(AgainstGold, name="sql/valid-efficiency-v1", bounds=(0.0, float("inf"))):
    """How fast a right answer runs beside the gold query that it agrees with; 0.0 for a wrong one.

    Gold and answer run in turn, `repeats` times each, in a worker process; fetching all rows is part of the time, and
    opening an SQLite file is not. `r_ves` is at most 111.8.
    """

    comparison: Mode = "bird_set"
    """What makes an answer right."""
    formula: Literal["r_ves", "ves"] = "r_ves"
    """BIRD's stepped ratio, or its older plain one."""
    repeats: int = 5
    """Runs of each of the two. BIRD takes 100."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "comparison", MODES)
        one_of(self, "formula", ("r_ves", "ves"))
        at_least(self, "repeats", 1)

    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """Find the right answers, then time each once: while results are handed over, nobody may run a query."""
        timed: dict[Pair, Score] = {}
        scores = super().grade(pairs)
        for place, (pair, score) in enumerate(zip(pairs, scores, strict=True)):
            if score.scored and score.status == "ok":
                question, query = pair
                if pair not in timed:
                    timed[pair] = self._timed(score.why, query, question.database)
                scores[place] = timed[pair]
        return scores

    def agreement(self, question: SqlQuestion, query: str, got: Result, golds: Sequence[tuple[str, Result]]) -> Score:
        """1.0 for a right answer, not timed yet; why: the gold query that it is to be timed beside."""
        for gold, result in golds:
            ordered = self.comparison == "spider" and orders_rows(gold)
            if compare(got.rows, result.rows, self.comparison, gold_ordered=ordered):
                return Score(1.0, gold)
        return Score(0.0, f"wrong ({self.comparison})", status="fail")

    def _timed(self, gold: str, query: str, database: str) -> Score:
        from guerdon_sql.workers import default_executor

        executor = default_executor()
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(self.repeats):
            for text, kept in zip((gold, query), times, strict=True):
                result = executor.run(text, database, self.limits)
                if not result.ok:
                    return self.failure(result)
                kept.append(max(result.elapsed_s, 1e-9))
        value = valid_efficiency(True, *times, self.formula)
        return Score(value, f"{min(times[1]) * 1e3:.2f} ms, gold {min(times[0]) * 1e3:.2f} ms ({self.formula})")
