"""The same box for DuckDB files: `guerdon_sql.execute.run` comes here when the file is one. Needs the extra `duckdb`.

Read-only, external access off (no file, URL or extension can be named), configuration locked, one thread, one memory
limit, exactly one SELECT. DuckDB looks at an interrupt between chunks of rows, so one huge value (`repeat('a',
2000000000)`) runs on for seconds: as for SQLite, only a worker process (`guerdon_sql.workers`) ends that on time.

Cells become plain values: DECIMAL an int where it has no fraction digits, else a float; dates, times, intervals and
UUIDs their text; lists, structs and maps tuples. Opening a file costs about 10 ms, a hundred times SQLite's.
"""

from __future__ import annotations

import contextlib
import marshal
import threading
import time
from decimal import Decimal
from typing import Any

from guerdon_sql.limits import WALL_FACTOR, Limits, Row, Status
from guerdon_sql.statements import draws_at_random, reads_clock

Outcome = tuple[Status, str, tuple[str, ...], list[Row]]
MISSING = "the database is a DuckDB file, and DuckDB is not installed: pip install 'guerdon-sql[duckdb]'"


def run_duckdb(query: str, path: str, limits: Limits) -> Outcome:
    """Status, error, column names and rows of one query on a DuckDB file; raises nothing, whatever the text."""
    try:
        import duckdb
    except ImportError:
        return "infra", MISSING, (), []
    # DuckDB has no authorizer to refuse functions by, and no way to replace its clock: here the text must do. What a
    # view of the file does is not seen.
    if draws_at_random(query):
        return "rejected", "not allowed: a function that draws at random", (), []
    if limits.now is not None and reads_clock(query):
        return "rejected", "not allowed: DuckDB's clock cannot be frozen, and the query reads it", (), []
    try:
        connection = duckdb.connect(path, read_only=True, config=_config(limits))
    except (duckdb.Error, RuntimeError, MemoryError) as error:
        text = str(error)
        damaged = "not a valid DuckDB" in text or "Corrupt" in text or "checksum" in text or "storage version" in text
        return "invalid" if damaged else "infra", f"cannot open the database: {text}", (), []
    late, over = threading.Event(), threading.Event()
    clock = time.pthread_getcpuclockid(threading.get_ident())  # DuckDB's one thread is this one
    threading.Thread(target=_watch, args=(connection, clock, limits.deadline_s, late, over), daemon=True).start()
    try:
        return _answer(connection, query, limits)
    except MemoryError:
        return "fail", "the query ran out of memory", (), []
    # RuntimeError: DuckDB lets a few C++ exceptions through as such. The rest: values Python cannot hold, such as
    # year 290000.
    except (duckdb.Error, RuntimeError, ValueError, OverflowError, RecursionError) as error:
        text = str(error)
        if late.is_set():
            return "timeout", f"stopped at the deadline of {limits.deadline_s:g} s", (), []
        if isinstance(error, duckdb.OutOfMemoryException):
            return "fail", "the query ran out of memory", (), []
        if isinstance(error, duckdb.PermissionException):
            return "rejected", f"not allowed: {text}", (), []
        return "fail", text or type(error).__name__, (), []
    finally:
        over.set()
        with contextlib.suppress(duckdb.Error, RuntimeError):
            connection.close()


def _watch(connection: Any, clock: int, deadline_s: float, late: threading.Event, over: threading.Event) -> None:
    """Interrupt the query when it has had its processor time, or has got none for long."""
    began_s, began_cpu_s = time.monotonic(), time.clock_gettime(clock)
    while True:
        spent_s, spent_cpu_s = time.monotonic() - began_s, time.clock_gettime(clock) - began_cpu_s
        left_s = min(deadline_s - spent_cpu_s, WALL_FACTOR * deadline_s - spent_s)
        if left_s <= 0:
            late.set()
            connection.interrupt()
            return
        if over.wait(left_s):
            return


def _config(limits: Limits) -> dict[str, str]:
    return {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "threads": "1",
        "memory_limit": f"{limits.memory_bytes // 2**10}KiB",
        "temp_directory": "",
        "max_expression_depth": str(limits.max_depth),
        "lock_configuration": "true",
    }


def _answer(connection: Any, query: str, limits: Limits) -> Outcome:
    import duckdb

    statements = connection.extract_statements(query)
    if len(statements) != 1:
        return "rejected", f"{len(statements)} statements, not one", (), []
    if statements[0].type != duckdb.StatementType.SELECT:
        return "rejected", f"not a query: a {statements[0].type.name} statement", (), []
    cursor = connection.execute(statements[0])
    columns = tuple(entry[0] for entry in cursor.description or ())
    if not columns:
        return "rejected", "not a query: it has no result columns", (), []
    if len(columns) > limits.max_columns:
        return "fail", f"too many columns: {len(columns)}, more than {limits.max_columns}", (), []
    rows: list[Row] = []
    size = 0
    while batch := cursor.fetchmany(min(1024, limits.max_rows + 1 - len(rows))):
        plain = [tuple(map(_plain, row)) for row in batch]
        rows += plain
        size += len(marshal.dumps(plain, 2))
        if excess := limits.excess(len(rows), size):
            return "truncated", excess, columns, rows[: limits.max_rows]
    return "ok", "", columns, rows


def _plain(cell: Any) -> Any:
    if cell is None or isinstance(cell, (int, float, str, bytes)):
        return cell
    if isinstance(cell, Decimal):
        return int(cell) if cell.as_tuple().exponent == 0 else float(cell)
    if isinstance(cell, (list, tuple)):
        return tuple(map(_plain, cell))
    if isinstance(cell, dict):
        return tuple((_plain(key), _plain(value)) for key, value in cell.items())
    if isinstance(cell, (bytearray, memoryview)):
        return bytes(cell)
    return str(cell)
