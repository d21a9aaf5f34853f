"""Views that read the clock: a query over one does so without a word of it in its own text. SQLite's views only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from functools import lru_cache
from urllib.parse import quote

from guerdon_sql.file_states import FileState
from guerdon_sql.statements import reads_clock


def over_clock_view(query: str, path: str, state: FileState) -> bool:
    """Whether the text may read the clock by way of a view; errs towards True.

    Args:
        query: any text.
        path: of the database. For what is no SQLite file that can be read, the answer is no.
        state: the file's, from `file_state`.
    """
    try:
        names = _kept_suspects(path, state) if state else _suspects(path)
    except (sqlite3.Error, ValueError):
        return False
    lowered = query.lower() if names else ""
    return any(name in lowered for name in names)


def _suspects(path: str) -> tuple[str, ...]:
    """The names of all views, in lower case, if one of them reads the clock: the others may be over that one."""
    uri = f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            views = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
        except sqlite3.OperationalError:  # no file handle, say: not for ever
            raise
        except sqlite3.DatabaseError:  # DuckDB's file, or a damaged one: that will not change
            return ()
    if not any(reads_clock(sql or "") for _, sql in views):
        return ()
    return tuple("" if '"' in name or "`" in name else name.lower() for name, _ in views)  # "" is in every text


@lru_cache(maxsize=4096)
def _kept_suspects(path: str, state: FileState) -> tuple[str, ...]:
    return _suspects(path)
