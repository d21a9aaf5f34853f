"""The readings of Reasoning-SQL's execution parts: what its paper says, what its code does, and what we repaired.

| reading | right (E) | runs (Y) |
|---|---|---|
| `repaired` (default) | one read-only query; all rows compared | one read-only query that returned a table |
| `paper` | rows equal as sets; a blank text has no rows | whatever SQLite would run: a blank text, DDL, DML |
| `released` | as `paper`; both sets non-empty, of the first 5,000 rows; SELECT in capitals in the text | as `paper` |

`released` also replaces every double quote by a single quote before anything runs, so that `"name"` becomes the text
'name'. No reading runs a statement that could change anything: for the last column such a statement is compiled only,
which tells a wrong table or column name but not, say, a violated constraint.

Source: Reasoning-SQL (arXiv 2503.23157) and its released training code.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal, get_args

from guerdon_sql.limits import Limits, Result
from guerdon_sql.statements import first_word, tokens

Reading = Literal["repaired", "paper", "released"]
"""See the module's head."""
READINGS: tuple[Reading, ...] = get_args(Reading)

RELEASED_ROWS = 5_000
"""How many rows the released code looks at."""

_ACTS_WHEN_COMPILED = frozenset({sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})


def as_run(query: str, reading: Reading) -> str:
    """The text that is run for `query`."""
    return query.replace('"', "'") if reading == "released" else query


def is_blank(query: str) -> bool:
    """Whether there is nothing but space, comments and semicolons. SQLite runs that without complaint."""
    return all(text == ";" for _, text in tokens(query))


def runs(query: str, result: Result, database: str, reading: Reading, limits: Limits) -> bool:
    """Whether the query counts as one that runs; `result` is what the executor made of it."""
    if result.status in ("ok", "truncated"):
        return True
    if reading == "repaired" or result.status != "rejected":
        return False
    return is_blank(query) or compiles(query, database, limits)


def compiles(query: str, database: str, limits: Limits) -> bool:
    """Whether SQLite accepts the text as one statement on this database. Nothing is executed.

    `PRAGMA`, `ATTACH` and `DETACH` may act while they are compiled, so they are recognised and stopped there, and count
    as accepted. For a file that is not SQLite's the answer is no.
    """
    if first_word(query) == "QUERY":  # EXPLAIN QUERY PLAN is a statement too
        return False
    accepted = False

    def authorize(action: int, *_: str | None) -> int:
        nonlocal accepted
        if action in _ACTS_WHEN_COMPILED:
            accepted = True
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    try:
        uri = f"{Path(database).resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits.max_query_bytes)
            connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, limits.max_depth)
            connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, limits.max_selects)
            connection.set_authorizer(authorize)
            connection.execute(f"EXPLAIN {query}").close()
    except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError, OSError):
        return accepted
    return True
