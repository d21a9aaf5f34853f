"""Running one query of unknown intent on a database file, boxed in.

Holds, for any text whatever: the file is never changed nor anything written beside it; nothing but one read-only query
runs; a query that returns control to SQLite's machine now and then ends by its deadline; no string grows past
`max_value_bytes`; the result is a `Result`, never an exception.

Does **not** hold in process, and is why rewards go through `guerdon_sql.workers`: one long machine step is not
interrupted (`printf('%.*c', 2000000000, 'a')` takes three seconds to refuse), and memory is bounded per value, not in
all. Nor does any of this protect from a bug in SQLite's own C code.

The measures, each against a way in that worked on a published evaluator:

- a connection opened read-only and immutable, on which no query can leave anything for the next: no prediction prepares
  the ground for a gold (see `Connections`, which worker processes keep; here each query opens its own);
- an authorizer with a list of what is allowed: selecting, reading, recursion, and functions but for a few. It refuses
  what read-only opening does not: ATTACH (which creates files), TEMP tables (which shadow real ones), PRAGMA;
- exactly one statement that begins with SELECT or WITH: an empty text, a comment, EXPLAIN and bare VALUES all "run";
- `random` and its like are refused: an answer is not a lottery ticket. The clock can be frozen (`Limits.now`);
- caps on rows and bytes end in `truncated`, never in a shorter table that happens to be equal.

A virtual table (FTS, R-tree) cannot be read by its name: its first use asks for UPDATE on the schema table, so a query
that names one is `rejected`, a gold query too.

A database with a live `-wal` file is read as of its last checkpoint: datasets are, and should be, checkpointed.
"""

from __future__ import annotations

import errno
import os
import time
from functools import lru_cache
from pathlib import Path

from guerdon_sql.connections import Connections, Unopened
from guerdon_sql.file_states import FileState, file_state
from guerdon_sql.limits import Limits, Result, Row, Status
from guerdon_sql.statements import first_word, is_deterministic

__all__ = ["Limits", "Result", "Row", "Status", "is_deterministic", "refusal", "run"]


def run(
    query: str,
    database: str | Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    kept: Connections | None = None,
) -> Result:
    """Run one query on one database file in this process, within `limits`.

    What the file is decides who reads it: DuckDB for its own files (needs the extra `duckdb`), SQLite for the rest.

    Args:
        query: any text, from anyone.
        database: path of the file.
        limits: see `Limits`.
        kept: connections to SQLite files left open by earlier queries; None opens one for this query alone.

    Returns:
        What came of it; see `guerdon_sql.limits.Status` for the words. Nothing is raised for any text.

    >>> run("DELETE FROM t", "no such file").status, run("DELETE FROM t", "no such file").error
    ('rejected', 'not a query: it starts with DELETE, not SELECT or WITH')
    """
    started, cpu_started = time.perf_counter(), time.thread_time()

    def outcome(
        status: Status, error: str = "", columns: tuple[str, ...] = (), rows: list[Row] | None = None
    ) -> Result:
        spent = time.perf_counter() - started, time.thread_time() - cpu_started
        return Result(status, columns, rows or [], error, *spent, "process")

    if reason := refusal(query, limits):
        return outcome("rejected", reason)
    path = os.fspath(database)
    state = file_state(path)
    try:
        kind = _kept_kind(path, state) if state else _kind(path)
    except (OSError, ValueError) as error:
        lasting = isinstance(error, ValueError) or error.errno in _LASTING
        why = f"cannot read the database {path!r}: {getattr(error, 'strerror', None) or error}"
        return outcome("invalid" if lasting else "infra", why)
    if kind == "duckdb":
        from guerdon_sql import duck

        return outcome(*duck.run_duckdb(query, path, limits))
    if kind != "sqlite":
        return outcome("invalid", f"{path!r} {kind}")
    connections = kept or Connections(room=0)
    try:
        with connections.lend(query, path, limits, state) as connection:
            started, cpu_started = time.perf_counter(), time.thread_time()
            return outcome(*connection.answer(query, limits))
    except Unopened as error:
        return outcome(*error.outcome)


_LASTING = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG}
)
"""The task's fault: a retry will not help. All else, such as a lack of file handles, is ours."""


def _kind(path: str) -> str:
    """Whose file this is, by its first bytes: `sqlite`, `duckdb`, or else words that say what it is instead.

    Raises:
        OSError: it cannot be read.
        ValueError: the path is none.
    """
    with open(path, "rb") as file:
        head = file.read(16)
    if head == b"SQLite format 3\0":
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    return "is empty" if not head else f"is neither SQLite nor DuckDB (it starts with {head!r})"


@lru_cache(maxsize=4096)
def _kept_kind(path: str, state: FileState) -> str:
    """`_kind` of a file in this state. What is raised is not kept."""
    return _kind(path)


def refusal(query: str, limits: Limits) -> str:
    """Why the text is not even tried; empty if it is."""
    if len(query) > limits.max_query_bytes:
        return f"the query has {len(query):,} characters, more than {limits.max_query_bytes:,}"
    if "\0" in query:
        return "the query contains a NUL character"
    if not query.isascii():
        try:
            size = len(query.encode())
        except UnicodeEncodeError:
            return "the query contains half of a surrogate pair, which is no character"
        if size > limits.max_query_bytes:
            return f"the query has {size:,} bytes, more than {limits.max_query_bytes:,}"
    word = first_word(query)
    if word not in ("SELECT", "WITH"):
        return (
            f"not a query: it starts with {word}, not SELECT or WITH"
            if word
            else "not a query: no SELECT or WITH at its start"
        )
    return ""
