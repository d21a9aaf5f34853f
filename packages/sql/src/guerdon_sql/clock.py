"""A frozen clock for SQLite: its date functions, with 'now' meaning one chosen instant.

The functions are replaced by ours, which put the instant where 'now' stands (or where SQLite would imply it) and let an
untouched connection compute the rest, so every modifier keeps SQLite's own meaning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

_TIME_FIRST = ("date", "time", "datetime", "julianday", "unixepoch")
_CURRENT = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}


def freeze(connection: sqlite3.Connection, now: str) -> None:
    """Make the connection's clock stand at `now` (`YYYY-MM-DD HH:MM:SS`, UTC).

    Raises:
        ValueError: SQLite cannot read `now` as a time.
    """
    plain = sqlite3.connect(":memory:", check_same_thread=False)
    if plain.execute("SELECT julianday(?)", (now,)).fetchone()[0] is None or now.strip().lower() == "now":
        plain.close()
        raise ValueError(f"now must be a time like '2024-01-31 12:00:00', not {now!r}")

    def call(name: str, at: int, *arguments: Any) -> Any:
        fixed = list(arguments)
        if len(fixed) == at:
            fixed.append(now)
        elif isinstance(fixed[at], str) and fixed[at].strip().lower() == "now":
            fixed[at] = now
        if any(isinstance(value, str) and value.strip().lower() == "now" for value in fixed[at + 1 :]):
            return None
        return plain.execute(f"SELECT {name}({','.join('?' * len(fixed))})", fixed).fetchone()[0]

    def strftime(*arguments: Any) -> Any:
        return call("strftime", 1, *arguments) if arguments else None

    for name in _TIME_FIRST:
        connection.create_function(name, -1, partial(call, name, 0))
    connection.create_function("strftime", -1, strftime)
    for name, like in _CURRENT.items():
        connection.create_function(name, 0, _constant(plain.execute(f"SELECT {like}(?)", (now,)).fetchone()[0]))


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value
