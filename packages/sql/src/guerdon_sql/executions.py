"""One execution per distinct (query, database), shared by every reward that asks.

Rewards of one batch ask for the same queries one after the other, and the attempts at one question repeat each other
and the gold query. Here each pair is run once, in the executor's worker processes, and its result kept in bounded
memory until the database file changes. Not kept are failures of ours, and queries that draw at random or read the clock
(by way of an SQLite view, too; of DuckDB's views nothing is known): those run once for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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

Visit = Callable[[Asked, Result], object]

AT_ONCE = 4096
"""Queries handed to the executor together: enough that a worker rarely waits for the last of them, few enough that
another thread's turn comes soon."""
_ENTRY_BYTES = 1024


def each_result(asked: Iterable[Asked], limits: Limits, visit: Visit) -> None:
    """Hand over each distinct pair and its result, rows included, as it comes, while others run.

    Rows are in memory only while they are visited, beside what the cache keeps.

    Args:
        asked: (query, database) pairs.
        limits: of each query.
        visit: called with each distinct pair and its result, in no order. It must not run queries itself.
    """
    _each(asked, limits, _RESULTS, visit)


def outcomes(asked: Iterable[Asked], limits: Limits) -> dict[Asked, Result]:
    """The result of each distinct pair; rows may be missing: for those who ask only whether a query runs."""
    found: dict[Asked, Result] = {}
    _each(asked, limits, _OUTCOMES, lambda pair, result: found.setdefault(pair, _without_rows(result)))
    return found


def forget() -> None:
    """Drop all that is kept, of gold queries too: for measuring what a first run costs."""
    _RESULTS.clear()
    _OUTCOMES.clear()
    gold.forget()


def _each(asked: Iterable[Asked], limits: Limits, cache: ByteCache[_Key, Result], visit: Visit) -> None:
    distinct = list(dict.fromkeys(asked))
    states = {path: file_state(path) for path in {path for _, path in distinct}}
    scopes = {path: _scope(path, state, limits) for path, state in states.items()}
    timed = {path for path, state in states.items() if limits.now is None and suspects(path, state)}

    def ran(pair: Asked, result: Result) -> None:
        query, path = pair
        if scopes[path] and not (path in timed and over_clock_view(query, path, states[path])):
            _keep((query, scopes[path]), result, limits)
        visit(pair, result)

    missing = []
    for pair in distinct:
        result = cache.get((pair[0], scopes[pair[1]])) if scopes[pair[1]] else None
        if result is None:
            missing.append(pair)
        else:
            visit(pair, result)
    for start in range(0, len(missing), AT_ONCE):
        _run(missing[start : start + AT_ONCE], limits, ran)


def _run(asked: list[Asked], limits: Limits, visit: Visit) -> None:
    from guerdon_sql.workers import default_executor

    default_executor().run_each(asked, lambda place, result: visit(asked[place], result), limits)


def _keep(key: _Key, result: Result, limits: Limits) -> None:
    if result.status in ("infra", "invalid"):
        return
    if not is_deterministic(key[0], clock_frozen=limits.now is not None):
        return
    _RESULTS.put(key, result)
    _OUTCOMES.put(key, _without_rows(result))


def _without_rows(result: Result) -> Result:
    return Result(result.status, result.columns, (), result.error, result.elapsed_s, result.cpu_s, result.mode)


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
