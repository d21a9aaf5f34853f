"""Results of gold queries: proven repeatable at first sight, then kept until the database file changes.

A gold query whose answer differs from one run to the next cannot judge anything, and neither can one that fails or
does not fit the limits. Both are the task's fault: status `invalid`, whatever befell the query itself. Two runs within
a second do not show that a query reads the clock: its text does, and that of the views it is over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from guerdon_sql.caches import ByteCache
from guerdon_sql.clock_views import over_clock_view
from guerdon_sql.file_states import FileState, file_state
from guerdon_sql.limits import Limits, Result
from guerdon_sql.packed import PackedRows, size_bytes
from guerdon_sql.serve import FICKLE
from guerdon_sql.statements import draws_at_random, reads_clock
from guerdon_sql.workers import Executor, default_executor

_Pair = tuple[str, str]
_Key = tuple[str, str, FileState, Limits]


def gold_results(
    asked: Iterable[tuple[str, str | Path]],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    executor: Executor | None = None,
) -> list[Result]:
    """The results of (gold query, database) pairs, in order. One not seen before is run twice, and must agree with
    itself.

    Returns:
        Results with status `ok`; `invalid` where the gold query fails, is refused, does not fit `limits`, draws at
        random, reads the clock though `limits.now` is not set, or answered differently the second time; `infra` where
        we failed (not kept: asking again tries again).
    """
    pairs = [(query, os.fspath(database)) for query, database in asked]
    states = {path: file_state(path) for path in {path for _, path in pairs}}
    keys: dict[_Pair, _Key] = {(query, path): (query, path, states[path], limits) for query, path in pairs}
    known = {pair: kept for pair, key in keys.items() if states[pair[1]] and (kept := _CACHE.get(key)) is not None}
    new = [pair for pair in keys if pair not in known]
    for pair in new:
        if reason := _fickle(*pair, states[pair[1]], limits):
            known[pair] = Result("invalid", error=reason)
    steady = [pair for pair in new if pair not in known]
    if steady:
        ran = (executor or default_executor()).prove_many(steady, limits)
        known |= {pair: _verdict(result) for pair, result in zip(steady, ran, strict=True)}
    for pair in new:
        if states[pair[1]] and known[pair].status != "infra":
            _CACHE.put(keys[pair], known[pair])
    return [known[pair] for pair in pairs]


def asks_the_time(query: str, path: str, state: FileState) -> bool:
    """Whether the query reads the clock, itself or by way of a view."""
    return reads_clock(query) or over_clock_view(query, path, state)


def forget() -> None:
    """Drop all that is kept."""
    _CACHE.clear()


def _fickle(query: str, path: str, state: FileState, limits: Limits) -> str:
    """Why the query's answer is not the same at all times; empty where nothing speaks against it."""
    if draws_at_random(query):
        return "the gold query draws at random, so that its answer judges nothing: replace the query"
    if limits.now is None and asks_the_time(query, path, state):
        return (
            "the gold query reads the clock, so that its answer is another tomorrow: set `now` (SQLite only), or write "
            "the time into the query"
        )
    return ""


def _verdict(result: Result) -> Result:
    if result.ok:  # many answers are compared with it: decode it once
        return replace(result, rows=result.rows.kept()) if isinstance(result.rows, PackedRows) else result
    if result.status == "infra":
        return result
    did = "gives no lasting answer" if result.error == FICKLE else f"did not run ({result.status})"
    return Result("invalid", error=f"the gold query {did}: {result.error}", mode=result.mode)


def _size(key: _Key, result: Result) -> int:
    return 1024 + 4 * len(key[0]) + size_bytes(result.rows)


_CACHE: ByteCache[_Key, Result] = ByteCache(128 * 2**20, _size)
