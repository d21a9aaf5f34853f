"""One random database: which tables and columns of a domain it has, what they are called, and what they hold."""

from __future__ import annotations

import datetime
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

from guerdon_sql.generate_words import Cell, Column, Domain, Entity, Schema, concrete

NULL_SHARE = 0.08
"""Of the cells of a nullable column."""


def draw_schema(domain: Domain, rng: random.Random, tables_max: int) -> Schema:
    """A connected choice of the domain's tables, parents first, each with some of its columns, names chosen."""
    chosen = _connected(domain.entities, rng, rng.choice([n for n in (1, 2, 2, 3, 3, 4) if n <= tables_max]))
    names = {table.name: rng.choice(table.names) for table in chosen}
    tables = []
    for table in chosen:
        refs = tuple(
            replace(ref, parent=names[ref.parent], column=f"{names[ref.parent]}_id")
            for ref in table.refs
            if ref.parent in names
        )
        tables.append(concrete(table, names[table.name], _some_columns(table, rng), refs))
    return Schema(domain.name, tuple(tables))


def _connected(entities: Sequence[Entity], rng: random.Random, size: int) -> list[Entity]:
    """Grow a set of `size` entities along foreign keys, in the domain's order (parents before children)."""
    chosen = {rng.choice(entities).name}
    while len(chosen) < size:
        parents = {ref.parent for table in entities if table.name in chosen for ref in table.refs}
        children = {table.name for table in entities if any(ref.parent in chosen for ref in table.refs)}
        beside = sorted((parents | children) - chosen)
        if not beside:
            break
        chosen.add(rng.choice(beside))
    return [table for table in entities if table.name in chosen]


def _some_columns(table: Entity, rng: random.Random) -> tuple[Column, ...]:
    """The label and two to four of the others, in the entity's order, each under one name."""
    others = [column for column in table.columns if column.kind != "label"]
    kept = set(rng.sample(range(len(others)), min(len(others), rng.randint(2, 4))))
    picked = [c for c in table.columns if c.kind == "label"] + [c for i, c in enumerate(others) if i in kept]
    return tuple(replace(column, names=(rng.choice(column.names),)) for column in picked)


def fill(schema: Schema, rng: random.Random, path: Path) -> None:
    """Create the schema's tables in a new SQLite file, with 20 to 200 rows each (fewer where names run out)."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        keys: dict[str, list[int]] = {}
        referred = {ref.parent for table in schema.tables for ref in table.refs}
        for table in schema.tables:
            rows = _rows(table, rng, keys, rng.randint(20, 40) if table.name in referred else rng.randint(40, 200))
            keys[table.name] = [row[0] for row in rows if isinstance(row[0], int)]
            connection.execute(create_statement(table))
            connection.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        connection.commit()


def create_statement(table: Entity) -> str:
    """The table's CREATE statement: key, label, foreign keys, then the rest."""
    first, rest = _laid_out(table)
    parts = [f"{table.key} INTEGER PRIMARY KEY"]
    parts += [f"{column.name} {column.sql_type}" for column in first]
    parts += [f"{ref.column} INTEGER REFERENCES {ref.parent}({ref.target})" for ref in table.refs]
    parts += [f"{column.name} {column.sql_type}" for column in rest]
    return f"CREATE TABLE {table.name} ({', '.join(parts)})"


def _laid_out(table: Entity) -> tuple[list[Column], list[Column]]:
    first = [column for column in table.columns if column.kind == "label"]
    return first, [column for column in table.columns if column.kind != "label"]


def _rows(table: Entity, rng: random.Random, keys: dict[str, list[int]], count: int) -> list[tuple[Cell, ...]]:
    first, rest = _laid_out(table)
    labels = _labels(first[0], rng, count) if first else []
    count = len(labels) or count
    # A few parents stay without children, so that "with no ..." has an answer; the others differ in how many they have.
    parents = {}
    for ref in table.refs:
        known = keys[ref.parent]
        some = rng.sample(known, max(2, len(known) - rng.randint(1, max(1, len(known) // 5))))
        parents[ref.column] = rng.choices(some, [rng.choice((1, 2, 3, 5)) for _ in some], k=count)
    columns = [_values(column, rng, count) for column in rest]
    return [
        (row + 1, *labels[row : row + 1], *(parents[ref.column][row] for ref in table.refs), *(c[row] for c in columns))
        for row in range(count)
    ]


def _labels(column: Column, rng: random.Random, count: int) -> list[str]:
    """Unique names: one word each where one list is given, else a word of each list."""
    lists = [words.split() for words in column.pool]
    glue = "" if lists[-1][0].islower() else " "
    names = [glue.join(words) for words in product(*lists)]
    if len(lists) == 2 and len(lists[0]) >= count and rng.random() < 0.4:
        names = list(lists[0])  # first names alone, where they are enough
    return rng.sample(names, min(count, len(names)))


def _values(column: Column, rng: random.Random, count: int) -> list[Cell]:
    values: list[Cell]
    match column.kind:
        case "category":
            words = rng.sample(column.pool, rng.randint(min(4, len(column.pool)), min(8, len(column.pool))))
            weights = [rng.choice((1, 2, 3, 4)) for _ in words]
            values = [*rng.choices(words, weights, k=count)]
        case "number" | "year":
            steps = round((column.high - column.low) / column.step)
            grid = [column.low + column.step * rng.randint(0, steps) for _ in range(count)]
            values = [round(value, 2) if column.sql_type == "REAL" else int(value) for value in grid]
        case "date":
            first = datetime.date(int(column.low), 1, 1)
            span = (datetime.date(int(column.high), 12, 31) - first).days
            values = [(first + datetime.timedelta(rng.randint(0, span))).isoformat() for _ in range(count)]
        case "flag":
            share = rng.uniform(0.25, 0.75)
            values = [int(rng.random() < share) for _ in range(count)]
        case _:
            raise AssertionError(f"column {column.name} of kind {column.kind} has no generator")
    return [None if column.nullable and rng.random() < NULL_SHARE else value for value in values]
