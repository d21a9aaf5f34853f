"""Reasoning-SQL's rewards: what a completion earns for its query and for its layout.

| name | value | weight in the paper's total |
|---|---|---|
| `sql/execution-v1` | same rows as a gold query | 3 |
| `sql/judge-v1` (in `guerdon_sql.judged`) | a judge's partial credit, asked only where execution is 0 | 2 |
| `sql/runs-v1` | one read-only query that runs | 1 |
| `sql/schema-linking-v1` | overlap of tables and columns with the gold's | 1 |
| `sql/ngram-v1` | overlap of neighbouring words with the gold's | 1 |
| `sql/format-v1`, `sql/format-graded-v1` | the layout is kept | 1 |
| `sql/reasoning-sql-v1` | the total, 0 to 7 | |

Where several gold queries are given, the best agreement counts. Where none of them runs, the task is broken and the
answer goes unscored: that is not the policy's doing. What is run, and how it is boxed in: `guerdon_sql.execute`.

Source: Reasoning-SQL (arXiv 2503.23157); its flaws are repaired by default, its own readings are named (`readings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from guerdon.errors import ConfigError
from guerdon.rewards import Reward
from guerdon.types import Rollout, Score
from guerdon_sql import executions, formats, similarity
from guerdon_sql.answers import Fallback
from guerdon_sql.compare import MODES, Mode, compare, orders_rows
from guerdon_sql.executed import AgainstGold, Executed, counted
from guerdon_sql.formats import Layout
from guerdon_sql.limits import Result
from guerdon_sql.parts import Pair, QueryReward, at_least, clipped, one_of
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.readings import READINGS, Reading, as_read, as_run
from guerdon_sql.similarity import OVERLAPS, Overlap


@dataclass(frozen=True)
class Execution(AgainstGold, name="sql/execution-v1", bounds=(0.0, 1.0)):
    """1.0 when the query returns the same table as a gold query, else 0.0.

    Statuses: `fail` (another table, or an SQL error), `timeout`, `rejected` (not one read-only query), `truncated`
    (too large to compare); `invalid` where no gold query runs or there is no database; `infra` where we failed.
    """

    comparison: Mode = "bird_set"
    """What "same" means: `bird_set` (BIRD's; duplicates and order ignored), `bag`, `ordered` or `spider`."""
    tolerance: float = 0.0
    """How far two numbers may differ and be equal, absolutely or relative to the greater one."""
    reading: Reading = "repaired"
    """Which form of the paper's reward; see `guerdon_sql.readings`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "reading", READINGS)
        one_of(self, "comparison", MODES)
        at_least(self, "tolerance", 0.0)
        if self.reading != "repaired" and (self.comparison, self.tolerance) != ("bird_set", 0.0):
            raise ConfigError(
                f"{self.name}.comparison is {self.comparison!r} with tolerance {self.tolerance!r}; the reading "
                f"{self.reading!r} compares by 'bird_set' with tolerance 0.0"
            )

    @property
    def read_as(self) -> Reading:
        """The option."""
        return self.reading

    def agreement(self, question: SqlQuestion, query: str, got: Result, golds: Sequence[tuple[str, Result]]) -> Score:
        """Whether any gold table is the same."""
        rule = self.comparison if self.reading == "repaired" else f"{self.comparison}, {self.reading}"
        if self.reading == "released" and "SELECT" not in query:
            return Score(0.0, f"no SELECT in capitals ({rule})", status="rejected")
        if any(self._same(got, result, gold) for gold, result in golds):
            return Score(1.0, f"{counted(got)}, as gold ({rule})")
        counts = sorted({len(result.rows) for _, result in golds})
        if len(got.rows) not in counts:
            told = f"gold has {' or '.join(map(str, counts[:3]))}"
        else:
            told = "as many as gold, but not the same" if got.rows else "and an empty table earns nothing"
        return Score(0.0, f"{counted(got)}, {told} ({rule})", status="fail")

    def _same(self, got: Result, gold: Result, gold_query: str) -> bool:
        if self.reading == "released" and not (got.rows and gold.rows):
            return False
        ordered = self.comparison == "spider" and orders_rows(gold_query)
        return compare(got.rows, gold.rows, self.comparison, gold_ordered=ordered, tolerance=self.tolerance)


@dataclass(frozen=True)
class Runs(Executed, name="sql/runs-v1", bounds=(0.0, 1.0)):
    """1.0 when the answer is one read-only query that runs and returns a table (which may be empty), else 0.0.

    It looks at no gold query. The other readings also pay for what merely "runs": a blank text, DDL, DML.
    """

    reading: Reading = "repaired"
    """Which form of the paper's reward; see `guerdon_sql.readings`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "reading", READINGS)

    @property
    def read_as(self) -> Reading:
        """The option."""
        return self.reading

    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """Run the answers; where an `Execution` of the same limits came first, they have run already."""
        asked = [(as_run(query, self.reading), question.database) for question, query in pairs]
        found = as_read(executions.outcomes(asked, self.limits), self.reading, self.limits)
        return [self._graded(found[pair]) for pair in asked]

    def _graded(self, result: Result) -> Score:
        if result.status in ("ok", "truncated"):
            return Score(1.0, "runs" if self.reading == "repaired" else f"runs ({self.reading})")
        return self.failure(result)


@dataclass(frozen=True)
class SchemaLinking(QueryReward, name="sql/schema-linking-v1", bounds=(0.0, 1.0)):
    """Overlap of the tables and columns that the answer names with those of the gold query.

    0.0 for an answer that is not one query that parses. Abstains where no gold query parses: the question may still be
    a good one for the parts that execute.
    """

    overlap: Overlap = "jaccard"
    """`jaccard` (the paper's), or `recall` (the released code's, where naming every column there is earns the top)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "overlap", OVERLAPS)

    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """Compare names; nothing is run."""
        return [self._graded(question, query) for question, query in pairs]

    def _graded(self, question: SqlQuestion, query: str) -> Score:
        golds = [gold for gold in question.gold if similarity.schema_items(gold)]
        if not golds:
            return Score.unscored("no gold query names a table or column that can be parsed", status="abstain")
        named = similarity.schema_items(query)
        if named is None:
            return Score(0.0, "not one query that parses", status="fail")
        value, gold = max(
            ((similarity.schema_linking(gold, query, self.overlap), gold) for gold in golds), key=lambda found: found[0]
        )
        wanted = similarity.schema_items(gold) or frozenset()
        told = [
            f"{word} {', '.join(sorted(names))}"
            for word, names in (("lacks", wanted - named), ("adds", named - wanted))
            if names
        ]
        return Score(value, clipped(f"{'; '.join(told) or 'the same names'} ({self.overlap})"))


@dataclass(frozen=True)
class Ngram(QueryReward, name="sql/ngram-v1", bounds=(0.0, 1.0)):
    """Jaccard overlap of the runs of `n` words in the answer's and the gold query's normal forms."""

    n: int = 2
    """Words in a run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, "n", 1)
        if not isinstance(self.n, int):
            raise ConfigError(f"{self.name}.n is {self.n!r}; a whole number of at least 1 is accepted")

    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """Compare words; nothing is run."""
        return [self._graded(question, query) for question, query in pairs]

    def _graded(self, question: SqlQuestion, query: str) -> Score:
        if not question.gold:
            return Score.unscored("there is no gold query", status="abstain")
        return Score(max(similarity.bigram_jaccard(gold, query, self.n) for gold in question.gold))


@dataclass(frozen=True)
class Format(Reward, name="sql/format-v1", bounds=(0.0, 1.0)):
    """1.0 when the completion keeps its layout, else 0.0.

    `tags`: each tag opens and closes once, in order. `plain`: one fenced SQL block and nothing else.
    """

    tags: tuple[str, ...] = formats.TAGS
    """The tags' names, in order."""
    layout: Layout = "tags"
    """What the task's prompt asks for."""

    def __post_init__(self) -> None:
        one_of(self, "layout", get_args(Layout))
        tags: object = self.tags  # unchecked until now
        if not (isinstance(tags, tuple) and tags and all(isinstance(tag, str) and tag for tag in tags)):
            raise ConfigError(f"{self.name}.tags is {self.tags!r}; a tuple of at least one tag's name is accepted")

    def score(self, rollout: Rollout) -> Score:
        """Look for the tags, or for the fence."""
        if self.layout == "plain":
            kept = formats.fence_alone(rollout.answer)
            return Score(1.0) if kept else Score(0.0, "not one fenced SQL block alone", status="fail")
        if formats.tags_in_order(rollout.answer, self.tags):
            return Score(1.0)
        return Score(0.0, f"the tags {', '.join(self.tags)} are not there once each, in order", status="fail")


@dataclass(frozen=True)
class FormatGraded(Reward, name="sql/format-graded-v1", bounds=(float("-inf"), 0.5)):
    """The released code's layout score: an eighth per tag, 0.001 off per character after the end; see `formats`."""

    def score(self, rollout: Rollout) -> Score:
        """Count the tags and what follows them."""
        return Score(formats.tag_score(rollout.answer), "released")


def reasoning_sql(
    judge: Reward | None = None,
    *,
    reading: Reading = "repaired",
    comparison: Mode = "bird_set",
    overlap: Overlap | None = None,
    n: int = 2,
    tags: tuple[str, ...] = formats.TAGS,
    layout: Layout = "tags",
    fallback: Fallback = "whole",
    timeout_s: float = 5.0,
    execution_weight: float = 3.0,
) -> Reward:
    """The paper's total, $R = 3E + 2(1 - E)J + Y + L + N + F$: 7 at most.

    Args:
        judge: the judge's part (`sql/judge-v1`, or any reward in [0, 1]), asked only where execution is 0; or None.
        reading: `repaired`, `paper` or `released`, for every part that has readings. `released` also means the recall
            form of schema linking and the graded layout score (so 6.5 at most).
        comparison: what "same table" means to execution.
        overlap: of schema linking; None for the reading's own.
        n: words in a run, for the n-gram part.
        tags: of the layout `tags`.
        layout: what the task's prompt asks for, `tags` (the paper's) or `plain`, which `released` does not have.
        fallback: what is the query where there is no fenced block.
        timeout_s: processor seconds of one query.
        execution_weight: 3 in the paper; 2 in the released script for the 3B model, which has no judge.

    Raises:
        ConfigError: an option is none of those accepted.

    >>> reasoning_sql().bounds
    (0.0, 7.0)
    """
    execution = Execution(reading=reading, comparison=comparison, timeout_s=timeout_s, fallback=fallback)
    released = reading == "released"
    if released and layout != "tags":
        raise ConfigError(f"layout is {layout!r}; the reading 'released' grades the tags of the layout 'tags'")
    total = (
        execution_weight * execution
        + Runs(reading=reading, timeout_s=timeout_s, fallback=fallback)
        + SchemaLinking(overlap or ("recall" if released else "jaccard"), fallback=fallback)
        + Ngram(n, fallback=fallback)
        + (FormatGraded() if released else Format(tags, layout))
    )
    return total if judge is None else total + 2.0 * judge.unless(execution)
