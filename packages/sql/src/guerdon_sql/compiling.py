"""Whether SQLite accepts a text as a statement, asked without running it. For worker processes only.

Compiling is not harmless: views and common table expressions are expanded, and a few hundred characters may take all
time and memory there are, with no chance to interrupt (before SQLite 3.41). Hence `Executor.compile_many`, whose
workers end by the same deadline and under the same limits as with a query. Standard library only, as all that they
import.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from guerdon_sql.limits import Limits
from guerdon_sql.statements import first_word

_ACTS_WHEN_COMPILED = frozenset({sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})


def compiles(query: str, database: str, limits: Limits) -> bool:
    """Whether SQLite accepts the text as one statement on this database. Nothing is executed.

    `PRAGMA`, `ATTACH` and `DETACH` may act while they are compiled, so they are recognised and stopped there, and count
    as accepted. For a file that is not SQLite's the answer is no.

    Raises:
        MemoryError: compiling takes more than there is.
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
