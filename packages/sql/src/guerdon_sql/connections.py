"""Boxed connections to SQLite files, and keeping them open from one query of a worker to the next.

What each measure is against stands at the head of `guerdon_sql.execute`, whose part this is.
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
from collections.abc import Iterator
from urllib.parse import quote

from guerdon_sql import clock
from guerdon_sql.file_states import FileState
from guerdon_sql.limits import Limits, Row, Status
from guerdon_sql.statements import mentions_clock

DENIED_FUNCTIONS = frozenset(
    {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob", "randomblob", "random"}
    | {"sqlite_log", "sqlite_compileoption_get", "sqlite_compileoption_used", "writefile_at", "lsdir", "fsdir", "eval"}
    | {"icu_load_collation"}
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
        self.serves_once = 0
        """Whether a query could leave something behind: the file has virtual tables."""
        self.clean = False
        """Whether the last query ended as statements do: with a result, an error, or a refusal."""
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
        # Reads the schema, too: that is no query's fault or time. A virtual table that a view has opened would be open
        # to the next query by name, which a new connection refuses: such a connection serves once.
        virtual = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage = 0)"
        ((self.serves_once,),) = self._raw.execute(virtual).fetchall()
        if now is None and limits.now is not None and self._a_view_mentions_the_clock():
            now = limits.now
        if now is not None:
            clock.freeze(self._raw, now)
        self._raw.set_authorizer(self._authorize)
        self._raw.set_progress_handler(self._check, STEPS_PER_CHECK)

    def _a_view_mentions_the_clock(self) -> bool:
        """Whether a query may come to a date function that its text does not show. No trigger runs for a SELECT."""
        self._raw.text_factory = _decode
        views = self._raw.execute("SELECT sql FROM sqlite_master WHERE type = 'view'").fetchall()
        self._raw.text_factory = str
        return any(mentions_clock(sql or "") for (sql,) in views)

    def answer(self, query: str, limits: Limits) -> Outcome:
        """Run one query. `limits` are those the connection was opened with, but for the deadline, rows and bytes."""
        self.clean = False
        self._touch(query)
        self._deadline = time.thread_time() + limits.deadline_s  # a busy machine must not make a right answer late
        outcome = self._attempt(query, limits)
        if outcome[0] == "fail" and outcome[1].startswith("Could not decode to UTF-8"):
            # Text that is not UTF-8 is the data's flaw, not the query's; surrogate escapes keep different bytes apart.
            self._raw.text_factory = _decode
            outcome = self._attempt(query, limits)
            self._raw.text_factory = str
        self.clean = outcome[0] in ("ok", "fail", "rejected", "truncated")
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


class Unopened(Exception):  # noqa: N818 - says what happened
    """The file gave no connection; `outcome` says why, in the words of a query's."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome[1])
        self.outcome = outcome


_Key = tuple[str, FileState, Limits, str | None]


class Connections:
    """Connections left open between the queries of one process and thread: opening a file and reading its schema takes
    longer than most queries. Not to be taken across a fork.

    A query finds on a connection what it would find on a new one. What could make a difference, TEMP tables, ATTACH,
    PRAGMA and every write, the authorizer refuses; a connection is kept only after a query that ended as statements do;
    and it is lent again only for the same limits, and while the file has the same identity, length and times.

    Args:
        room: how many are kept at most; each may hold 2 MB of pages. The least recently used is closed first.
    """

    def __init__(self, room: int = 8) -> None:
        self._room = room
        self._open: OrderedDict[_Key, Connection] = OrderedDict()

    @contextlib.contextmanager
    def lend(self, query: str, path: str, limits: Limits, state: FileState) -> Iterator[Connection]:
        """A connection for this query, kept or new.

        Args:
            query: what it is for; the caller runs it.
            path: of the database.
            limits: of the query.
            state: the file's, from `file_state`; under an empty one nothing is kept.

        Raises:
            Unopened: there is none to be had.
        """
        # Our date functions are slower than SQLite's, and no match for them in an index: only where they may be called.
        # Where a view may call them, the connection freezes its clock whatever the query.
        now = limits.now if limits.now is not None and mentions_clock(query) else None
        key = (path, state, limits, now)
        connection = self._open.pop(key, None) or _opened(path, limits, now)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if not self._room or not state or not connection.clean or connection.serves_once:
            connection.close()
            return
        self._open[key] = connection
        if len(self._open) > self._room:
            self._open.popitem(last=False)[1].close()


def _opened(path: str, limits: Limits, now: str | None) -> Connection:
    try:
        return Connection(path, limits, now)
    except (sqlite3.Error, MemoryError, ValueError) as error:
        outcome = _classify(error, [])
        if outcome[0] == "fail" and isinstance(error, sqlite3.Error):
            outcome = ("invalid", f"the database cannot be read: {outcome[1]}", (), [])  # no query was there to blame
        raise Unopened(outcome) from error


def _fetch(cursor: sqlite3.Cursor, columns: tuple[str, ...], limits: Limits, deadline: float) -> Outcome:
    """All rows, or as many as the caps and the deadline allow."""
    rows: list[Row] = []
    size, chunk = 0, 1
    while True:
        asked = min(chunk, limits.max_rows + 1 - len(rows))
        batch = cursor.fetchmany(asked)
        rows += batch
        size += len(marshal.dumps(batch, 2))
        if excess := limits.excess(len(rows), size):
            return "truncated", excess, columns, rows[: limits.max_rows]
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
