"""One execution per distinct (query, database), shared by every reward that asks.

Rewards of one batch ask for the same queries one after the other, and the attempts at one question repeat each other
and the gold query. Here each pair is run once, in the executor's worker processes, and its result kept in bounded
memory until the database file changes. Not kept are failures of ours, and queries that read the clock or draw at
random: those run once for each call.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from guerdon_sql import gold
from guerdon_sql.caches import ByteCache
from guerdon_sql.limits import Limits, Result
from guerdon_sql.statements import is_deterministic

Asked = tuple[str, str]
"""(query, path of the database)."""
_File = tuple[str, int, int, int]
_Key = tuple[str, _File, Limits]

AT_ONCE = 32
"""Queries handed to the executor together: enough for every worker, few enough that their rows fit into memory."""

_CELL_BYTES, _ROW_BYTES, _ENTRY_BYTES = 16, 64, 1024


def results(asked: Iterable[Asked], limits: Limits) -> Iterator[tuple[Asked, Result]]:
    """Each distinct pair with its result, rows included, in the order first asked.

    Rows are in memory for at most `AT_ONCE` pairs beside what the cache keeps: use each result as it comes.
    """
    return _visit(asked, limits, _RESULTS)


def outcomes(asked: Iterable[Asked], limits: Limits) -> Iterator[tuple[Asked, Result]]:
    """As `results`, but the rows may be missing: for those who ask only whether a query runs."""
    return _visit(asked, limits, _OUTCOMES)


def forget() -> None:
    """Drop all that is kept, of gold queries too: for measuring what a first run costs."""
    _RESULTS.clear()
    _OUTCOMES.clear()
    gold._CACHE.clear()


def _visit(asked: Iterable[Asked], limits: Limits, cache: ByteCache[_Key, Result]) -> Iterator[tuple[Asked, Result]]:
    distinct = list(dict.fromkeys(asked))
    files = {path: _identity(path) for path in {path for _, path in distinct}}
    for start in range(0, len(distinct), AT_ONCE):
        chunk = distinct[start : start + AT_ONCE]
        keys = {pair: (pair[0], files[pair[1]], limits) for pair in chunk}
        found = {pair: result for pair, key in keys.items() if (result := cache.get(key)) is not None}
        missing = [pair for pair in chunk if pair not in found]
        for pair, result in zip(missing, _run(missing, limits), strict=True):
            found[pair] = result
            _keep(keys[pair], result)
        yield from ((pair, found[pair]) for pair in chunk)


def _run(asked: list[Asked], limits: Limits) -> list[Result]:
    if not asked:
        return []
    from guerdon_sql.workers import default_executor

    return default_executor().run_many(asked, limits)


def _keep(key: _Key, result: Result) -> None:
    query, _, limits = key
    # A timeout with little processor time was the machine's doing as much as the query's: let it be tried again.
    starved = result.status == "timeout" and result.cpu_s < limits.deadline_s / 2
    if result.status in ("infra", "invalid") or starved:
        return
    if not is_deterministic(query, clock_frozen=limits.now is not None):
        return
    _RESULTS.put(key, result)
    _OUTCOMES.put(key, replace(result, rows=()))  # type: ignore[arg-type]  # as Result's own default


def _identity(path: str) -> _File:
    """What changes when the file does: a cache that outlived its database would pay for yesterday's answers."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return (path, -1, -1, -1)
    return (path, found.st_ino, found.st_mtime_ns, found.st_size)


def _size(key: _Key, result: Result) -> int:
    """Bytes of an entry, about: cells by their own size, so that one long string counts as such."""
    cells = sum(_cell(cell) for row in result.rows for cell in row)
    return _ENTRY_BYTES + 4 * len(key[0]) + cells + _ROW_BYTES * len(result.rows)


def _cell(cell: object) -> int:
    return _CELL_BYTES + (4 * len(cell) + 56 if isinstance(cell, str | bytes) else 28)


_RESULTS: ByteCache[_Key, Result] = ByteCache(256 * 2**20, _size)
_OUTCOMES: ByteCache[_Key, Result] = ByteCache(64 * 2**20, _size)
