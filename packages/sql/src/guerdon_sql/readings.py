"""The readings of Reasoning-SQL's execution parts: what its paper says, what its code does, and what we repaired.

| reading | right (E) | runs (Y) |
|---|---|---|
| `repaired` (default) | one read-only query; all rows compared | one read-only query that returned a table |
| `paper` | rows equal as sets; a blank text has no rows | whatever SQLite would run: a blank text, DDL, DML |
| `released` | as `paper`; both sets non-empty, of the first 5,000 rows; SELECT in capitals in the text | as `paper` |

`released` also replaces every double quote by a single quote before anything runs, so that `"name"` becomes the text
'name'. No reading runs a statement that could change anything: for the last column such a statement is compiled only,
which tells a wrong table or column name but not, say, a violated constraint.

Source: Reasoning-SQL (arXiv 2503.23157) and its released training code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from guerdon_sql.executions import Asked
from guerdon_sql.limits import Limits, Result
from guerdon_sql.statements import tokens

Reading = Literal["repaired", "paper", "released"]
"""See the module's head."""
READINGS: tuple[Reading, ...] = get_args(Reading)

RELEASED_ROWS = 5_000
"""How many rows the released code looks at."""


def as_run(query: str, reading: Reading) -> str:
    """The text that is run for `query`."""
    return query.replace('"', "'") if reading == "released" else query


def is_blank(query: str) -> bool:
    """Whether there is nothing but space, comments and semicolons. SQLite runs that without complaint."""
    return all(text == ";" for _, text in tokens(query))


def as_read(found: Mapping[Asked, Result], reading: Reading, limits: Limits) -> dict[Asked, Result]:
    """What the executor made of each query, but `ok` for all that count as running: what it rejected unseen may be one
    of those. That is found out in its worker processes too, within the same limits.
    """
    read = dict(found)
    if reading == "repaired":
        return read
    rejected = [asked for asked, result in found.items() if result.status == "rejected"]
    read |= {asked: Result("ok") for asked in rejected if is_blank(asked[0])}
    unsure = [asked for asked in rejected if not read[asked].ok]
    if unsure:
        from guerdon_sql.workers import default_executor

        compiled = default_executor().compile_many(unsure, limits)
        read |= {asked: result for asked, result in zip(unsure, compiled, strict=True) if result.status != "fail"}
    return read
