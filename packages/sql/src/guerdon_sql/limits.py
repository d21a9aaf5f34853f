"""What a query may use, and what came of it. Standard library only: the worker processes import this too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Row = tuple[Any, ...]
Status = Literal["ok", "fail", "timeout", "rejected", "truncated", "invalid", "infra"]
"""What came of a query, in `guerdon.types.Status`'s words.

`ok`: it ran, and all its rows are here. The query's own fault: `fail` (SQL error, out of memory, crashed the worker),
`timeout`, `rejected` (not one read-only query, or it called what is not allowed), `truncated` (more rows or bytes
than the caps; `rows` holds the first ones, and never counts as equal to anything). The task's: `invalid` (the
database file is missing, empty, or not a database: a retry will not help). Ours: `infra` (no process or no
processor, no file handle, I/O error).
"""


WALL_FACTOR = 10.0
"""A query that does not even get the processor is given up after so many deadlines by the wall clock."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one query."""

    deadline_s: float = 5.0
    """Processor seconds, so that a busy machine makes no right answer late. Checked every 1,000 steps of SQLite's
    machine; in a worker also from outside, by a kill."""
    max_rows: int = 100_000
    max_bytes: int = 32 * 2**20
    """Of the whole result, serialised."""
    max_query_bytes: int = 100_000
    """Of the query text in UTF-8."""
    max_value_bytes: int = 1_000_000
    """Of any one string or blob, intermediate ones included: what keeps a single machine step short."""
    max_depth: int = 200
    """Of an expression's tree."""
    max_selects: int = 50
    """Terms of one compound SELECT."""
    max_columns: int = 500
    """Of a result, a table, an index, or a GROUP BY."""
    memory_bytes: int = 512 * 2**20
    """Of the database engine, enforced in worker processes and by DuckDB."""
    now: str | None = None
    """Freezes the clock: what 'now' and CURRENT_TIMESTAMP mean, as `YYYY-MM-DD HH:MM:SS` (UTC). None: the real time."""

    def excess(self, count: int, size_bytes: int) -> str:
        """Which cap so many rows of this size pass; empty if none."""
        if count > self.max_rows:
            return f"more than {self.max_rows:,} rows"
        return f"more than {self.max_bytes:,} bytes of rows" if size_bytes > self.max_bytes else ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one query. Picklable; rows are tuples of None, int, float, str and bytes (DuckDB adds dates)."""

    status: Status
    columns: tuple[str, ...] = ()
    rows: Sequence[Row] = field(default_factory=list)
    """From a worker they are decoded each time they are looked at (`guerdon_sql.packed`): look once."""
    error: str = ""
    """Why the status is not `ok`, for people."""
    elapsed_s: float = 0.0
    """Wall-clock seconds, fetching included; opening an SQLite file, or finding it open, is not."""
    cpu_s: float = 0.0
    """Processor seconds of the same; far below `elapsed_s` on a timeout, the machine was too busy to judge by."""
    mode: str = ""
    """`process` or `worker`: where it ran, for records."""

    @property
    def ok(self) -> bool:
        """It ran within its limits, and `rows` is the whole answer."""
        return self.status == "ok"
