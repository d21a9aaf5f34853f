"""A database's schema as text, read from the SQLite file itself.

Two styles: `compact`, a line per table, `emp(id, name, dept_id -> dept.id, salary)`, which costs a small model a third
of the tokens; and `create`, minimal CREATE statements with types and keys. Names that are not plain words are quoted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from guerdon.errors import ConfigError, TaskError

SchemaStyle = Literal["compact", "create"]

Descriptions = Mapping[tuple[str, str], str]
"""What a column means, by (table, column), both in lower case."""

_PLAIN = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_WORDS = """
add all alter and as between by case check collate commit constraint create cross default delete desc asc distinct
drop else escape except exists foreign from full group having in index inner insert intersect into is isnull join
left like limit natural not notnull null on or order outer primary references right select set table then to
transaction union unique update using values when where
"""
_RESERVED = frozenset(_WORDS.split())


class _Column(NamedTuple):
    name: str
    type: str
    primary: int


def database_summary(
    path: str | Path,
    style: SchemaStyle = "compact",
    *,
    descriptions: Descriptions | None = None,
    tables: Collection[str] | None = None,
) -> str:
    """The schema of a SQLite file as text for a prompt.

    Args:
        path: the file; it is opened read-only.
        style: `compact` or `create`.
        descriptions: put behind their columns as comments (style `create`) or below the table (style `compact`).
        tables: only these, by name without regard to case; None for all.

    Raises:
        ConfigError: no such style.
        TaskError: no such file, or it is not a SQLite database.
    """
    if style not in get_args(SchemaStyle):
        raise ConfigError(f"schema_style is {style!r}; accepted are {', '.join(map(repr, get_args(SchemaStyle)))}")
    if not Path(path).is_file():
        raise TaskError(f"no database at {str(path)!r}")
    wanted = None if tables is None else {name.lower() for name in tables}
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                )
                if wanted is None or row[0].lower() in wanted
            ]
            draw = _compact if style == "compact" else _create
            return "\n".join(draw(name, *_described(connection, name), descriptions or {}) for name in names)
    except sqlite3.Error as error:
        raise TaskError(f"cannot read the schema of {str(path)!r}: {error}") from error


def quoted(name: str) -> str:
    """The name as SQL needs it: bare where it is a plain word, in double quotes elsewhere."""
    if _PLAIN.match(name) and name.lower() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _described(connection: sqlite3.Connection, table: str) -> tuple[list[_Column], dict[str, tuple[str, str]]]:
    columns = [_Column(row[1], row[2], row[5]) for row in connection.execute(f"PRAGMA table_info({_text(table)})")]
    keys: dict[str, tuple[str, str]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({_text(table)})"):
        parent, column, target = row[2], row[3], row[4]
        if target is None:  # REFERENCES parent, without a column: its primary key
            found = [other[1] for other in connection.execute(f"PRAGMA table_info({_text(parent)})") if other[5]]
            target = found[row[1]] if row[1] < len(found) else "rowid"
        keys[column.lower()] = (parent, target)
    return columns, keys


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _compact(table: str, columns: list[_Column], keys: dict[str, tuple[str, str]], descriptions: Descriptions) -> str:
    parts, notes = [], []
    for column in columns:
        text = quoted(column.name)
        if key := keys.get(column.name.lower()):
            text += f" -> {quoted(key[0])}.{quoted(key[1])}"
        parts.append(text)
        if note := descriptions.get((table.lower(), column.name.lower())):
            notes.append(f"-- {column.name}: {note}")
    return "\n".join([f"{quoted(table)}({', '.join(parts)})", *notes])


def _create(table: str, columns: list[_Column], keys: dict[str, tuple[str, str]], descriptions: Descriptions) -> str:
    primary = [column for column in columns if column.primary]
    lines = []
    for column in columns:
        text = f"{quoted(column.name)} {column.type}".rstrip()
        if column.primary and len(primary) == 1:
            text += " PRIMARY KEY"
        if key := keys.get(column.name.lower()):
            text += f" REFERENCES {quoted(key[0])}({quoted(key[1])})"
        lines.append((text, descriptions.get((table.lower(), column.name.lower()), "")))
    if len(primary) > 1:
        lines.append((f"PRIMARY KEY ({', '.join(quoted(column.name) for column in primary)})", ""))
    body = []
    for index, (text, note) in enumerate(lines):
        comma = "," if index < len(lines) - 1 else ""
        body.append(f"  {text}{comma} -- {note}" if note else f"  {text}{comma}")
    return f"CREATE TABLE {quoted(table)} (\n" + "\n".join(body) + "\n);"
