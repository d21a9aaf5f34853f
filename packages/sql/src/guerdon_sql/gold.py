"""Results of gold queries: proven repeatable at first sight, then kept until the database file changes.

A gold query whose answer differs from one run to the next cannot judge anything, and neither can one that fails or
does not fit the limits. Both are the task's fault: status `invalid`, whatever befell the query itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from guerdon_sql.caches import ByteCache
from guerdon_sql.limits import Limits, Result
from guerdon_sql.packed import PackedRows, size_bytes
from guerdon_sql.workers import Executor, default_executor

_Key = tuple[str, str, int, int, int, Limits]


def gold_results(
    asked: Iterable[tuple[str, str | Path]],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    executor: Executor | None = None,
) -> list[Result]:
    """The results of (gold query, database) pairs, in order. One not seen before is run twice, and must agree with
    itself.

    Returns:
        Results with status `ok`; `invalid` where the gold query fails, is refused, does not fit `limits`, or answered
        differently the second time; `infra` where we failed (not kept: asking again tries again).
    """
    pairs = [(query, os.fspath(database)) for query, database in asked]
    keys = [_key(query, path, limits) for query, path in pairs]
    known = {key: kept for key in set(keys) if (kept := _CACHE.get(key)) is not None}
    new = [(key, pair) for key, pair in dict(zip(keys, pairs, strict=True)).items() if key not in known]
    if new:
        runner = executor or default_executor()
        firsts = runner.run_many([pair for _, pair in new], limits)
        seconds = runner.run_many([pair for _, pair in new], limits)
        for (key, _), first, second in zip(new, firsts, seconds, strict=True):
            known[key] = _verdict(first, second)
            if known[key].status != "infra":
                _CACHE.put(key, known[key])
    return [known[key] for key in keys]


def gold_result(
    gold: str,
    database: str | Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    executor: Executor | None = None,
) -> Result:
    """`gold_results` of one pair."""
    return gold_results([(gold, database)], limits, executor)[0]


def forget() -> None:
    """Drop all that is kept."""
    _CACHE.clear()


def _verdict(first: Result, second: Result) -> Result:
    for result in (first, second):
        if result.status == "infra":
            return result
        if not result.ok:
            return Result(
                "invalid", error=f"the gold query did not run ({result.status}): {result.error}", mode=result.mode
            )
    if first.rows != second.rows or first.columns != second.columns:
        return Result("invalid", error="the gold query gave two different results in two runs", mode=first.mode)
    rows = first.rows.kept() if isinstance(first.rows, PackedRows) else first.rows  # many answers are compared with it
    elapsed_s, cpu_s = min(first.elapsed_s, second.elapsed_s), min(first.cpu_s, second.cpu_s)
    return replace(first, rows=rows, elapsed_s=elapsed_s, cpu_s=cpu_s)


def _key(query: str, path: str, limits: Limits) -> _Key:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return query, path, -1, -1, -1, limits
    return query, path, found.st_ino, found.st_size, found.st_mtime_ns, limits


def _size(key: _Key, result: Result) -> int:
    return 1024 + 4 * len(key[0]) + size_bytes(result.rows)


_CACHE: ByteCache[_Key, Result] = ByteCache(128 * 2**20, _size)
