"""Rewards that run the answer: their limits, and comparing its table with the tables of the gold queries.

Where several gold queries are given, the best agreement counts, and one that does not run is passed over. Where none of
them runs, the task is broken and the answer goes unscored: that is not the policy's doing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from guerdon.errors import ConfigError
from guerdon.types import Score, Status
from guerdon_sql import executions
from guerdon_sql.executions import Asked
from guerdon_sql.gold import gold_results
from guerdon_sql.limits import Limits, Result
from guerdon_sql.parts import Pair, QueryReward, at_least, clipped
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.readings import RELEASED_ROWS, Reading, as_run, is_blank

MAX_RESULT_BYTES = 8 * 2**20
"""Of one result. An answer this large is `truncated`; a gold query's makes the task invalid."""


@dataclass(frozen=True)
class Executed(QueryReward):
    """A reward that runs the answer. Those with equal limits share their executions."""

    timeout_s: float = 5.0
    """Limit of one query, in seconds of the processor."""
    max_rows: int = 100_000
    """Longest result that is compared; a longer one earns nothing (`released`: the first 5,000 rows count)."""
    now: str | None = None
    """What 'now' means to a query, as `YYYY-MM-DD HH:MM:SS` in UTC; None for the real time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, "timeout_s", 0.0, strictly=True)
        at_least(self, "max_rows", 1)
        if self.now is not None and not _is_time(self.now):
            raise ConfigError(
                f"{self.name}.now is {self.now!r}; accepted is a time like '2024-01-31 12:00:00', or None"
            )

    @property
    def read_as(self) -> Reading:
        """How texts and rows are read; a reward with readings says which."""
        return "repaired"

    @property
    def limits(self) -> Limits:
        """The bounds of one query."""
        rows = min(self.max_rows, RELEASED_ROWS) if self.read_as == "released" else self.max_rows
        return Limits(deadline_s=self.timeout_s, max_rows=rows, max_bytes=MAX_RESULT_BYTES, now=self.now)

    def failure(self, result: Result) -> Score:
        """The score of an answer that gave no table: 0 for what it did, unscored for what the task or we did."""
        if result.status in ("invalid", "infra"):
            return Score.unscored(clipped(result.error), status="infra" if result.status == "infra" else "invalid")
        timed_out = result.status == "timeout"
        why = f"timed out after {self.timeout_s:g} s" if timed_out else result.error or result.status
        status: Status = "fail" if result.ok else result.status
        return Score(0.0, clipped(why), status=status)


@dataclass(frozen=True)
class AgainstGold(Executed):
    """A reward that compares the answer's table with those of the gold queries."""

    @abstractmethod
    def agreement(self, question: SqlQuestion, query: str, got: Result, golds: Sequence[tuple[str, Result]]) -> Score:
        """What a whole table earns; `golds` are the gold queries that gave one, at least one."""

    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """Run gold queries and answers, each once, then compare."""
        read = self.read_as
        golds = self._gold([(as_run(gold, read), one.database) for one, _ in pairs for gold in one.gold])
        asked: dict[Asked, list[int]] = {}
        for place, (question, query) in enumerate(pairs):
            asked.setdefault((as_run(query, read), question.database), []).append(place)
        scores: dict[int, Score] = {}

        def visit(pair: Asked, result: Result) -> None:
            for place in asked[pair]:
                scores[place] = self._graded(*pairs[place], result, golds)

        executions.each_result(asked, self.limits, visit)
        return [scores[place] for place in range(len(pairs))]

    def _gold(self, asked: list[Asked]) -> dict[Asked, Result]:
        if self.read_as == "released":  # its first rows count, however many there are
            found: dict[Asked, Result] = {}
            executions.each_result(asked, self.limits, found.__setitem__)
            return found
        distinct = list(dict.fromkeys(asked))
        return dict(zip(distinct, gold_results(distinct, self.limits), strict=True))

    def _graded(self, question: SqlQuestion, query: str, got: Result, golds: dict[Asked, Result]) -> Score:
        known = [(gold, golds[as_run(gold, self.read_as), question.database]) for gold in question.gold]
        usable = [(gold, result) for gold, result in known if self._whole(result)]
        if not usable:
            return _broken_gold([result for _, result in known])
        if got.status == "rejected" and self.read_as != "repaired" and is_blank(query):
            got = Result("ok")
        if not self._whole(got):
            return self.failure(got)
        return self.agreement(question, query, got, usable)

    def _whole(self, result: Result) -> bool:
        """Whether all rows that count are there."""
        return result.ok or (self.read_as == "released" and result.status == "truncated")


def counted(result: Result) -> str:
    """How many rows, in words."""
    return "1 row" if len(result.rows) == 1 else f"{len(result.rows)} rows"


def _broken_gold(results: Sequence[Result]) -> Score:
    """The unscored score of a question none of whose gold queries gave a table."""
    if not results:
        return Score.unscored("there is no gold query", status="invalid")
    ours = [result for result in results if result.status == "infra"]
    first = (ours or list(results))[0]
    return Score.unscored(clipped(first.error or first.status), status="infra" if ours else "invalid")


def _is_time(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError):
        return False
    return True
