"""One execution per distinct (query, database), shared by every reward that asks.

Rewards of one batch ask for the same queries one after the other, and the attempts at one question repeat each other
and the gold query. Here each pair is run once, in the executor's worker processes, and its result kept in bounded
memory until the database file changes. Not kept are failures of ours, and queries that draw at random or read the clock
(by way of an SQLite view, too; of DuckDB's views nothing is known): those run once for each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guerdon_sql import gold
from guerdon_sql.caches import ByteCache
from guerdon_sql.clock_views import over_clock_view, suspects
from guerdon_sql.file_states import FileState, file_state
from guerdon_sql.limits import Limits, Result
from guerdon_sql.packed import size_bytes
from guerdon_sql.statements import is_deterministic

Asked = tuple[str, str]
"""(query, path of the database)."""
_Key = tuple[str, str]
"""The query, and all else as one text (see `_scope`): Python hashes a text once, a tuple or dataclass each time."""

AT_ONCE = 1024
"""Queries handed to the executor together: enough that a worker rarely waits for the last of them, few enough that
another thread's turn comes soon."""
ROOM_BYTES = 64 * 2**20
"""Of their rows, packed: when it is used up, the turn ends with what is then in flight."""

_ENTRY_BYTES = 1024


def results(asked: Iterable[Asked], limits: Limits) -> Iterator[tuple[Asked, Result]]:
    """Each distinct pair with its result, rows included, in the order first asked.

    Rows are in memory for at most one turn beside what the cache keeps: use each result as it comes.
    """
    return _visit(asked, limits, _RESULTS)


def outcomes(asked: Iterable[Asked], limits: Limits) -> Iterator[tuple[Asked, Result]]:
    """As `results`, but the rows may be missing: for those who ask only whether a query runs."""
    return _visit(asked, limits, _OUTCOMES)


def forget() -> None:
    """Drop all that is kept, of gold queries too: for measuring what a first run costs."""
    _RESULTS.clear()
    _OUTCOMES.clear()
    gold.forget()


def _visit(asked: Iterable[Asked], limits: Limits, cache: ByteCache[_Key, Result]) -> Iterator[tuple[Asked, Result]]:
    distinct = list(dict.fromkeys(asked))
    states = {path: file_state(path) for path in {path for _, path in distinct}}
    scopes = {path: _scope(path, state, limits) for path, state in states.items()}
    timed = {path for path, state in states.items() if limits.now is None and suspects(path, state)}
    done = 0
    while done < len(distinct):
        turn = distinct[done : done + AT_ONCE]
        keys = {pair: (pair[0], scopes[pair[1]]) for pair in turn}
        found = {pair: result for pair, key in keys.items() if key[1] and (result := cache.get(key)) is not None}
        missing = [pair for pair in turn if pair not in found]
        ran = _run(missing, limits)
        for pair, result in zip(missing, ran, strict=False):
            found[pair] = result
            if keys[pair][1] and not (pair[1] in timed and over_clock_view(*pair, states[pair[1]])):
                _keep(keys[pair], result, limits)
        if len(ran) < len(missing):
            turn = turn[: turn.index(missing[len(ran)])]
        yield from ((pair, found[pair]) for pair in turn)
        done += len(turn)


def _run(asked: list[Asked], limits: Limits) -> list[Result]:
    if not asked:
        return []
    from guerdon_sql.workers import default_executor

    return default_executor().run_first(asked, limits, ROOM_BYTES)


def _keep(key: _Key, result: Result, limits: Limits) -> None:
    if result.status in ("infra", "invalid"):
        return
    if not is_deterministic(key[0], clock_frozen=limits.now is not None):
        return
    _RESULTS.put(key, result)
    without_rows = Result(result.status, result.columns, (), result.error, result.elapsed_s, result.cpu_s, result.mode)
    _OUTCOMES.put(key, without_rows)


def _scope(path: str, state: FileState, limits: Limits) -> str:
    """What changes when the limits do, or the file: a cache that outlived its database would pay for yesterday's
    answers. Empty where nothing may be kept.
    """
    return repr((path, state, limits)) if state else ""


def _size(key: _Key, result: Result) -> int:
    """Bytes of an entry, about."""
    return _ENTRY_BYTES + 4 * len(key[0]) + size_bytes(result.rows)


_RESULTS: ByteCache[_Key, Result] = ByteCache(256 * 2**20, _size)
_OUTCOMES: ByteCache[_Key, Result] = ByteCache(64 * 2**20, _size)
