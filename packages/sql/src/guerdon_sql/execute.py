"""Running one query of unknown intent on a database file, boxed in.

Holds, for any text whatever: the file is never changed nor anything written beside it; nothing but one read-only query
runs; a query that returns control to SQLite's machine now and then ends by its deadline; no string grows past
`max_value_bytes`; the result is a `Result`, never an exception.

Does **not** hold in process, and is why rewards go through `guerdon_sql.workers`: one long machine step is not
interrupted (`printf('%.*c', 2000000000, 'a')` takes three seconds to refuse), and memory is bounded per value, not in
all. Nor does any of this protect from a bug in SQLite's own C code.

The measures, each against a way in that worked on a published evaluator:

- a connection of its own per query, opened read-only and immutable, so that no prediction prepares the ground for a
  gold;
- an authorizer with a list of what is allowed: selecting, reading, recursion, and functions but for a few. It refuses
  what read-only opening does not: ATTACH (which creates files), TEMP tables (which shadow real ones), PRAGMA;
- exactly one statement that begins with SELECT or WITH: an empty text, a comment, EXPLAIN and bare VALUES all "run";
- `random` and its like are refused: an answer is not a lottery ticket. The clock can be frozen (`Limits.now`);
- caps on rows and bytes end in `truncated`, never in a shorter table that happens to be equal.

A database with a live `-wal` file is read as of its last checkpoint: datasets are, and should be, checkpointed.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import re
import sqlite3
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from guerdon_sql import clock
from guerdon_sql.limits import Limits, Result, Row, Status
from guerdon_sql.statements import first_word, is_deterministic, mentions_clock

__all__ = ["Limits", "Result", "Row", "Status", "database_kind", "is_deterministic", "refusal", "run"]

DENIED_FUNCTIONS = frozenset(
    {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob", "randomblob", "random"}
    | {"sqlite_log", "sqlite_compileoption_get", "sqlite_compileoption_used", "writefile_at", "lsdir", "fsdir", "eval"}
)
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_ACTIONS = {
    code: name.removeprefix("SQLITE_").replace("_", " ")
    for name, code in vars(sqlite3).items()
    if re.fullmatch(
        "SQLITE_(ALTER|ANALYZE|ATTACH|CREATE|DELETE|DETACH|DROP|INSERT|PRAGMA|REINDEX|SAVEPOINT|TRANSACTION|UPDATE).*",
        name,
    )
}
STEPS_PER_CHECK = 1_000
"""Steps of SQLite's machine between two looks at the clock: about 30 µs of plain steps, but a step may fill a
megabyte."""


def run(query: str, database: str | Path, limits: Limits = Limits()) -> Result:  # noqa: B008 - frozen
    """Run one query on one database file in this process, within `limits`.

    What the file is decides who reads it: DuckDB for its own files (needs the extra `duckdb`), SQLite for the rest.

    Args:
        query: any text, from anyone.
        database: path of the file.
        limits: see `Limits`.

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
    kind, trouble = database_kind(database)
    if kind is None:
        return outcome("invalid", trouble)
    if kind == "duckdb":
        from guerdon_sql import duck

        return outcome(*duck.run_duckdb(query, os.fspath(database), limits))
    return outcome(*_run_sqlite(query, os.fspath(database), limits))


def database_kind(database: str | Path) -> tuple[Literal["sqlite", "duckdb"] | None, str]:
    """Whose file this is, by its first bytes; (None, why) where it is nobody's."""
    path = os.fspath(database)
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        return None, f"no database at {path!r}: {getattr(error, 'strerror', None) or error}"
    return _kind(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _kind(path: str, mtime_ns: int, size: int) -> tuple[Literal["sqlite", "duckdb"] | None, str]:
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        return None, f"cannot read the database {path!r}: {error.strerror}"
    if head == b"SQLite format 3\0":
        return "sqlite", ""
    if head[8:12] == b"DUCK":
        return "duckdb", ""
    what = "is empty" if not head else f"is neither SQLite nor DuckDB (it starts with {head!r})"
    return None, f"{path!r} {what}"


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


Outcome = tuple[Status, str, tuple[str, ...], list[Row]]


def _run_sqlite(query: str, path: str, limits: Limits) -> Outcome:
    outcome = _attempt(query, path, limits, lenient=False)
    if outcome[0] == "fail" and outcome[1].startswith("Could not decode to UTF-8"):
        # Text that is not UTF-8 is the data's flaw, not the query's. Surrogate escapes keep different bytes different.
        return _attempt(query, path, limits, lenient=True)
    return outcome


def _attempt(query: str, path: str, limits: Limits, lenient: bool) -> Outcome:
    deadline = time.thread_time() + limits.deadline_s  # a busy machine must not make a right answer late
    denied: list[str] = []
    try:
        connection = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            cached_statements=0,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        return "infra", f"cannot open the database: {error}", (), []
    late = False

    def check() -> bool:
        nonlocal late
        late = time.thread_time() >= deadline
        return late

    try:
        if lenient:
            connection.text_factory = _decode
        _prepare(connection, query, limits)
        connection.set_authorizer(_authorizer(denied))
        connection.set_progress_handler(check, STEPS_PER_CHECK)
        cursor = connection.execute(query)
        if cursor.description is None:
            return "rejected", "not a query: it has no result columns", (), []
        columns = tuple(entry[0] for entry in cursor.description)
        return _fetch(cursor, columns, limits, deadline)
    except MemoryError:
        return "fail", "the query ran out of memory", (), []
    except (sqlite3.Error, sqlite3.Warning) as error:
        if late:
            return "timeout", f"stopped at the deadline of {limits.deadline_s:g} s", (), []
        return _classify(error, denied)
    except (ValueError, OverflowError, UnicodeError, RecursionError) as error:
        return "fail", f"{type(error).__name__}: {error}", (), []
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.close()


def _prepare(connection: sqlite3.Connection, query: str, limits: Limits) -> None:
    """What must be done before the authorizer is there to forbid it."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_value_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits.max_query_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, limits.max_depth)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, limits.max_selects)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, limits.max_columns)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
    # LIKE and GLOB walk text x pattern in one machine step.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000)
    connection.execute("PRAGMA temp_store=MEMORY")  # a big sort must not fill the disk
    lowered = query.lower()
    # A table-valued function asks for UPDATE on the schema table when first used, which the authorizer would refuse.
    if "json_each" in lowered:
        connection.execute("SELECT 1 FROM json_each('[]')").close()
    if "json_tree" in lowered:
        connection.execute("SELECT 1 FROM json_tree('[]')").close()
    if limits.now is not None and mentions_clock(query):
        clock.freeze(connection, limits.now)


def _authorizer(denied: list[str]) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """The allow-list as SQLite's callback; what it refuses is noted in `denied`."""

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() not in DENIED_FUNCTIONS:
                return sqlite3.SQLITE_OK
            denied.append(f"the function {second}")
        else:
            denied.append(_ACTIONS.get(action, f"action {action}") + (f" {first}" if first else ""))
        return sqlite3.SQLITE_DENY

    return authorize


def _fetch(cursor: sqlite3.Cursor, columns: tuple[str, ...], limits: Limits, deadline: float) -> Outcome:
    """All rows, or as many as the caps and the deadline allow."""
    rows: list[Row] = []
    size, chunk = 0, 1
    while True:
        asked = min(chunk, limits.max_rows + 1 - len(rows))
        batch = cursor.fetchmany(asked)
        rows += batch
        size += len(marshal.dumps(batch, 2))
        if len(rows) > limits.max_rows:
            return "truncated", f"more than {limits.max_rows:,} rows", columns, rows[: limits.max_rows]
        if size > limits.max_bytes:
            return "truncated", f"more than {limits.max_bytes:,} bytes of rows", columns, rows
        if len(batch) < asked:
            return "ok", "", columns, rows
        # Huge cells take long in few machine steps, so that SQLite rarely looks at the clock: look here too, and often.
        if time.thread_time() >= deadline:
            return "timeout", f"stopped at the deadline of {limits.deadline_s:g} s", (), []
        chunk = max(1, min(16 * chunk, 1024, CHUNK_BYTES * len(rows) // size))


CHUNK_BYTES = 2**18
"""Rows are fetched in strides of about this size: the caps are looked at between strides."""


_INVALID_CODES = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_INFRA_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def _classify(error: Exception, denied: list[str]) -> Outcome:
    if denied:
        return "rejected", f"not allowed: {denied[0]}", (), []
    text = str(error)
    if "one statement at a time" in text:
        return "rejected", "more than one statement", (), []
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _INVALID_CODES:
        return "invalid", f"the database is damaged: {text}", (), []
    if code in _INFRA_CODES:
        return "infra", f"{error.__class__.__name__}: {text}", (), []
    return "fail", text, (), []


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
