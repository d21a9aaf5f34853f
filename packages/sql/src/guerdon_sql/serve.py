"""The worker process: reads queries from stdin, runs each boxed in (or only compiles it), writes results to stdout.
Standard library only.

Both directions carry frames: four bytes of length, then that many of `marshal`, which on reading back makes plain
values and nothing else, so that a parent need not trust what a broken worker sends (unlike `pickle`, which may run
code).
"""

from __future__ import annotations

import contextlib
import marshal
import math
import os
import resource
import sqlite3
import struct
import sys
import time
from dataclasses import replace
from functools import lru_cache
from typing import Any, BinaryIO, Literal

from guerdon_sql.compiling import compiles
from guerdon_sql.connections import Connections
from guerdon_sql.execute import run
from guerdon_sql.limits import Limits, Result
from guerdon_sql.packed import pack

Action = Literal["run", "prove", "compile"]
"""What is asked of a worker: a query's result, the same once it came out twice, or only whether SQLite accepts it."""
RUNS: dict[Action, int] = {"run": 1, "prove": 2, "compile": 1}
"""How many deadlines each may take."""
HEADER = struct.Struct("<I")
OUT_OF_MEMORY = "the query ran out of memory"
FICKLE = "two runs gave two different results"
STARVED = "the worker did not get the processor"
"""Said of what was given up by the wall clock with less than half its deadline of processor time: ours, not the
query's."""


def frame(value: Any) -> bytes:
    """The bytes of one message."""
    body = marshal.dumps(value, 2)
    return HEADER.pack(len(body)) + body


def main() -> None:
    """Serve until stdin ends. The first message is (memory in bytes, entries of the module search path)."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    memory_bytes, search_path = _read(source)
    sys.path.extend(entry for entry in search_path if entry not in sys.path)
    _confine(memory_bytes)
    _write(sink, frame("ready"))
    kept = Connections()
    while (message := _read(source)) is not None:
        action, query, database, *limits = message
        result = _do(action, query, database, _limits(*limits), kept)
        try:
            _write(sink, frame(_plain(result)))
        except MemoryError:
            result = Result("fail", error=OUT_OF_MEMORY)
            _write(sink, frame(_plain(result)))
        if result.error == OUT_OF_MEMORY:
            return  # a heap this full is not worth keeping; the parent starts another


_limits = lru_cache(maxsize=16)(Limits)  # a batch has one: do not build it for every query


def _do(action: Action, query: str, database: str, limits: Limits, kept: Connections) -> Result:
    # Holds even if the parent is gone: the kernel ends a query that burns on, whatever it is doing.
    _allow_until(math.ceil(time.process_time() + RUNS[action] * limits.deadline_s + 1))
    try:
        if action == "compile":
            return _compile(query, database, limits)
        result = run(query, database, limits, kept)
        if action == "prove" and result.ok:
            result = _proven(result, run(query, database, limits, kept))
    except MemoryError:
        return Result("fail", error=OUT_OF_MEMORY)
    if result.status == "timeout" and result.cpu_s < limits.deadline_s / 2:  # DuckDB's last resort is the wall clock
        return Result("infra", error=STARVED, elapsed_s=result.elapsed_s, cpu_s=result.cpu_s)
    return result


def _proven(first: Result, second: Result) -> Result:
    """The result of both runs, with the lesser times; the second's trouble, if it has any."""
    if not second.ok:
        return second
    spent = min(first.elapsed_s, second.elapsed_s), min(first.cpu_s, second.cpu_s)
    same_rows = first.rows == second.rows or pack(first.rows) == pack(second.rows)  # NaN is equal to itself as bytes
    if first.columns != second.columns or not same_rows:
        return Result("invalid", (), [], FICKLE, *spent)
    return replace(second, elapsed_s=spent[0], cpu_s=spent[1])


def _compile(query: str, database: str, limits: Limits) -> Result:
    started, cpu_started = time.perf_counter(), time.thread_time()
    accepted = compiles(query, database, limits)
    spent = time.perf_counter() - started, time.thread_time() - cpu_started
    return Result("ok" if accepted else "fail", (), [], "" if accepted else "SQLite does not accept it", *spent)


@lru_cache(maxsize=1)
def _allow_until(processor_s: int) -> None:
    _limit(resource.RLIMIT_CPU, processor_s)


def _confine(memory_bytes: int) -> None:
    """Limits of the whole process. SQLite's own heap limit gives a clean error; the address space limit is behind
    it.
    """
    space = 2 * memory_bytes + 512 * 2**20  # the rows as Python objects, and the interpreter
    for kind, value in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_FSIZE, 0),  # pipes are exempt: nothing can be written to any file
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _limit(kind, value)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit={memory_bytes}")


def _limit(kind: int, value: int) -> None:
    """Set one limit, or leave it where the hard limit, which may be raised by nobody but root, is lower already."""
    hard = resource.getrlimit(kind)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _plain(result: Result) -> tuple[Any, ...]:
    rows = pack(result.rows) if result.rows else b""
    return (result.status, result.columns, len(result.rows), rows, result.error, result.elapsed_s, result.cpu_s)


def _read(source: BinaryIO) -> Any:
    """The next message, or None at the end of the stream."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    body = source.read(HEADER.unpack(header)[0])
    return marshal.loads(body)


def _write(sink: BinaryIO, data: bytes) -> None:
    try:
        sink.write(data)
        sink.flush()
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more
