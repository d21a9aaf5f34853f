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

A database with a live `-wal` file is read as of its last checkpoint: datasets are, and should be, checkpointed.
"""

from __future__ import annotations

import contextlib
import marshal
import math
import os
import re
import sqlite3
import time
from collections import OrderedDict
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
STEPS_PER_CHECK = 4_000
"""Steps of SQLite's machine between two looks at the clock: about 30 µs of plain steps to the thousand. A look costs
3 µs; a step may fill a megabyte, and 4,000 of those still take less than the grace that a worker is given."""
SETTLED_NS = 100_000_000
"""A file changed this recently may change again without a change of its times, whose grain is the kernel's tick."""


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
    kind, trouble = database_kind(database)
    if kind is None:
        return outcome("invalid", trouble)
    if kind == "duckdb":
        from guerdon_sql import duck

        return outcome(*duck.run_duckdb(query, os.fspath(database), limits))
    connections = kept or Connections(room=0)
    try:
        connection, key = connections.take(query, os.fspath(database), limits)
    except (sqlite3.Error, MemoryError, ValueError) as error:
        status, told, *_ = _classify(error, [])
        unread = status == "fail" and isinstance(error, sqlite3.Error)  # no query was there yet to blame
        return outcome("invalid" if unread else status, told)
    started, cpu_started = time.perf_counter(), time.thread_time()
    found = connection.answer(query, limits)
    connections.give_back(key if found[0] in _LEAVE_NOTHING else None, connection)
    return outcome(*found)


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


class Connection:
    """A boxed connection to one SQLite file. One query at a time.

    Raises:
        sqlite3.Error: the file cannot be opened, or is damaged.
        ValueError: SQLite cannot read `now` as a time.
    """

    def __init__(self, path: str, limits: Limits, now: str | None) -> None:
        self._denied: list[str] = []
        self._touched: set[str] = set()
        self._deadline = math.inf
        self._late = False
        self._raw = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            cached_statements=0,
            check_same_thread=False,
        )
        try:
            self._prepare(limits, now)
        except BaseException:
            self.close()
            raise

    def _prepare(self, limits: Limits, now: str | None) -> None:
        """Set the limits, then what must be done before the authorizer is there to forbid it, then the authorizer."""
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, limits.max_value_bytes),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits.max_query_bytes),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, limits.max_depth),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, limits.max_selects),
            (sqlite3.SQLITE_LIMIT_COLUMN, limits.max_columns),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),  # LIKE and GLOB walk text x pattern in one machine step
        ):
            self._raw.setlimit(limit, value)
        self._raw.execute("PRAGMA temp_store=MEMORY")  # a big sort must not fill the disk
        self._raw.execute(
            "SELECT 1 FROM sqlite_master LIMIT 0"
        ).close()  # reads the schema now: no query's fault or time
        if now is not None:
            clock.freeze(self._raw, now)
        self._raw.set_authorizer(self._authorize)
        self._raw.set_progress_handler(self._check, STEPS_PER_CHECK)

    def answer(self, query: str, limits: Limits) -> Outcome:
        """Run one query. `limits` are those the connection was opened with, but for the deadline, rows and bytes."""
        self._touch(query)
        self._deadline = time.thread_time() + limits.deadline_s  # a busy machine must not make a right answer late
        outcome = self._attempt(query, limits)
        if outcome[0] == "fail" and outcome[1].startswith("Could not decode to UTF-8"):
            # Text that is not UTF-8 is the data's flaw, not the query's; surrogate escapes keep different bytes apart.
            self._raw.text_factory = _decode
            outcome = self._attempt(query, limits)
            self._raw.text_factory = str
        return outcome

    def _touch(self, query: str) -> None:
        """Use the table-valued functions once: at first use they ask for UPDATE on the schema table, which the
        authorizer refuses.
        """
        lowered = query.lower()
        for function in ("json_each", "json_tree"):
            if function in lowered and function not in self._touched:
                self._raw.set_authorizer(None)
                with contextlib.suppress(sqlite3.Error):
                    self._raw.execute(f"SELECT 1 FROM {function}('[]')").close()
                self._raw.set_authorizer(self._authorize)
                self._touched.add(function)

    def _attempt(self, query: str, limits: Limits) -> Outcome:
        self._denied.clear()
        self._late = False
        cursor: sqlite3.Cursor | None = None
        try:
            cursor = self._raw.execute(query)
            if cursor.description is None:
                return "rejected", "not a query: it has no result columns", (), []
            columns = tuple(entry[0] for entry in cursor.description)
            return _fetch(cursor, columns, limits, self._deadline)
        except (sqlite3.Error, sqlite3.Warning) as error:
            if self._late:
                return _late(limits)
            return _classify(error, self._denied)
        except (MemoryError, ValueError, OverflowError, UnicodeError, RecursionError) as error:
            return _classify(error, [])
        finally:
            if cursor is not None:
                with contextlib.suppress(sqlite3.Error):
                    cursor.close()

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._raw.close()

    def _check(self) -> bool:
        self._late = time.thread_time() >= self._deadline
        return self._late

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        """The allow-list; what it refuses is noted."""
        if action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() not in DENIED_FUNCTIONS:
                return sqlite3.SQLITE_OK
            self._denied.append(f"the function {second}")
        else:
            self._denied.append(_ACTIONS.get(action, f"action {action}") + (f" {first}" if first else ""))
        return sqlite3.SQLITE_DENY


_Key = tuple[str, tuple[int, ...], Limits, str | None]


class Connections:
    """Connections left open between the queries of one process and thread: opening a file and reading its schema takes
    longer than most queries. Not to be taken across a fork.

    A query finds on a connection what it would find on a new one. What could make a difference, TEMP tables, ATTACH,
    PRAGMA and every write, the authorizer refuses; a connection is given back only after an outcome that is the plain
    result of a statement; and it is lent again only for the same limits, and while the file has the same identity,
    length and times.

    Args:
        room: how many are kept at most; each may hold 2 MB of pages. The least recently used is closed first.
    """

    def __init__(self, room: int = 8) -> None:
        self._room = room
        self._open: OrderedDict[_Key, Connection] = OrderedDict()

    def take(self, query: str, path: str, limits: Limits) -> tuple[Connection, _Key | None]:
        """A connection for this query, kept or new, and what to give it back under. Raises as `Connection` does."""
        state = _state(path)
        if not state or not self._room:
            return Connection(path, limits, _now(query, limits)), None
        key = (path, state, limits, _now(query, limits))
        return self._open.pop(key, None) or Connection(path, limits, key[3]), key

    def give_back(self, key: _Key | None, connection: Connection) -> None:
        """Keep a connection for the next query; without a key, close it."""
        if key is None:
            connection.close()
            return
        self._open[key] = connection
        if len(self._open) > self._room:
            self._open.popitem(last=False)[1].close()


_LEAVE_NOTHING: frozenset[Status] = frozenset({"ok", "fail", "rejected", "truncated"})


def _state(path: str) -> tuple[int, ...]:
    """What tells one state of a file from the next; empty where a change might go unseen."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
    if changed_ns > time.time_ns() - SETTLED_NS:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _now(query: str, limits: Limits) -> str | None:
    """At what time the clock must stand for this query. Our date functions are no match for SQLite's in an index."""
    return limits.now if limits.now is not None and mentions_clock(query) else None


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
            return _late(limits)
        chunk = max(1, min(16 * chunk, 1024, CHUNK_BYTES * len(rows) // size))


CHUNK_BYTES = 2**18
"""Rows are fetched in strides of about this size: the caps are looked at between strides."""


_INVALID_CODES = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_INFRA_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def _late(limits: Limits) -> Outcome:
    return "timeout", f"stopped at the deadline of {limits.deadline_s:g} s", (), []


def _classify(error: Exception, denied: list[str]) -> Outcome:
    if denied:
        return "rejected", f"not allowed: {denied[0]}", (), []
    if isinstance(error, MemoryError):
        return "fail", "the query ran out of memory", (), []
    text = str(error)
    if not isinstance(error, (sqlite3.Error, sqlite3.Warning)):
        return "fail", f"{type(error).__name__}: {text}", (), []
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
