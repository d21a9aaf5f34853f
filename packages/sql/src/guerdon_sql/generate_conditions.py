"""Conditions on rows, in SQL and in words, drawn from a database's own values.

`Speaker` holds what one question needs to stay consistent: the connection, the random source, the phrase chosen for
each column, and the hints that would explain phrases which are not the column's name.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from guerdon_sql.generate_words import Cell, Column, Entity, Schema

T = TypeVar("T")
Rows = list[tuple[Cell, ...]]

PLAIN_SHARE = 0.6
"""How often a column is called by its plainest phrase."""

COMPARISONS: dict[str, tuple[str, ...]] = {
    ">": ("above", "over", "greater than", "more than"),
    ">=": ("at least", "no less than"),
    "<": ("below", "under", "less than"),
    "<=": ("at most", "no more than"),
}
_TWIN = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
_OPPOSITE = {">": "<", ">=": "<", "<": ">", "<=": ">"}


class NoQuestion(Exception):  # noqa: N818 - not an error: this draw gives no question, take another
    """The schema or its rows do not allow the question that was drawn."""


@dataclass(frozen=True)
class Condition:
    """A restriction of one table's rows."""

    column: Column
    sql: str
    says: str
    """Follows the plural noun: "whose age is above 30", "hired after 2020"."""
    rivals: tuple[str, ...]
    """Conditions that a careless reader might write; each must give another answer."""
    singular: bool = True
    """Whether `says` may also follow a singular noun."""


def literal(value: Cell) -> str:
    """A value as SQL: 12, 12.5, 'O''Neil'."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


class Speaker:
    """Words and values for questions about one database."""

    def __init__(self, schema: Schema, connection: sqlite3.Connection, rng: random.Random) -> None:
        self.schema, self.rng = schema, rng
        self._connection = connection
        self._values: dict[tuple[str, str], list[Cell]] = {}
        self._phrases: dict[tuple[str, str], str] = {}
        self.hints: list[str] = []

    def start(self) -> None:
        """Forget the last question's phrases."""
        self._phrases.clear()
        self.hints.clear()

    def rows(self, sql: str, most: int = -1) -> Rows:
        """The result of a query of our own making; its first `most` rows where not negative."""
        cursor = self._connection.execute(sql)
        return cursor.fetchall() if most < 0 else cursor.fetchmany(most)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices.

        Raises:
            NoQuestion: there are none.
        """
        if not choices:
            raise NoQuestion
        return self.rng.choice(choices)

    def phrase(self, table: Entity, column: Column) -> str:
        """What this question calls the column; leaves a hint where that is not its name."""
        key = table.name, column.name
        if key not in self._phrases:
            plain = self.rng.random() < PLAIN_SHARE
            says = column.says[0] if plain or len(column.says) == 1 else self.rng.choice(column.says[1:])
            self._phrases[key] = says
            self.explain(says, table, column)
        return self._phrases[key]

    def explain(self, says: str, table: Entity, column: Column) -> None:
        """Leave a hint, unless the phrase and the column's name have a word in common."""
        if not set(says.lower().split()) & set(column.name.split("_")):
            self.hints.append(f"{says} is {table.name}.{column.name}")

    def values(self, table: Entity, column: Column) -> list[Cell]:
        """The column's values, sorted, without NULL, repeats kept."""
        name, key = column.name, (table.name, column.name)
        if key not in self._values:
            ordered = f"SELECT {name} FROM {table.name} WHERE {name} IS NOT NULL ORDER BY {name}"
            self._values[key] = [row[0] for row in self.rows(ordered)]
        return self._values[key]

    def complete(self, table: Entity, column: Column) -> bool:
        """Whether the column holds no NULL in this database."""
        return self.rows(f"SELECT COUNT(*) FROM {table.name} WHERE {column.name} IS NULL") == [(0,)]

    def condition(self, table: Entity, *, qualified: bool = False, avoid: Sequence[Column] = ()) -> Condition:
        """A condition on some column of the table that is not among `avoid`."""
        columns = [c for c in table.of_kind("category", "number", "year", "date", "flag", "label") if c not in avoid]
        weights = [0.3 if column.kind == "label" else 1.0 for column in columns]
        if not columns:
            raise NoQuestion
        column = self.rng.choices(columns, weights)[0]
        name = f"{table.name}.{column.name}" if qualified else column.name
        if column.nullable and self.rng.random() < 0.12 and not self.complete(table, column):
            word = self.pick(("missing", "not known", "not recorded"))
            says = f"whose {_is(self.phrase(table, column))} {word}"
            return Condition(column, f"{name} IS NULL", says, (f"{name} IS NOT NULL", f"{name} = ''", f"{name} = 0"))
        return _BY_KIND[column.kind](self, table, column, name)

    def middle(self, table: Entity, column: Column) -> Cell:
        """A value that occurs, from the middle three fifths of the column."""
        values = self.values(table, column)
        return self.pick(values[len(values) // 5 : len(values) - len(values) // 5])


_TAIL = re.compile(r" (?:of|in|per|out|sold|driven|away|missed)\b.*")


def _is(phrase: str) -> str:
    """The phrase with its verb: "age is", "number of goals is", "copies sold are"."""
    head = _TAIL.sub("", phrase)
    return f"{phrase} are" if head.endswith("s") and not head.endswith(("us", "ss", "is")) else f"{phrase} is"


def joined(first: Condition, second: Condition, word: str) -> tuple[Condition, Condition, str]:
    """Both conditions in the order they are best said, and how: "hired after 2020 whose age is above 30".

    A participle before a clause reads as "and" without the word.
    """
    bare = [not each.says.startswith(("whose ", "who ", "that ")) for each in (first, second)]
    if bare[1] and not bare[0]:
        first, second = second, first
    glue = " " if word == "and" and any(bare) and not all(bare) else f" {word} "
    return first, second, first.says + glue + second.says


def _relative(table: Entity) -> str:
    return "who" if table.person else "that"


def _on_number(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    value = speaker.middle(table, column)
    if speaker.rng.random() < 0.15:
        other = speaker.middle(table, column)
        low, high = sorted((value, other), key=lambda cell: float(cell or 0))
        if low == high:
            raise NoQuestion
        sql = f"{name} BETWEEN {literal(low)} AND {literal(high)}"
        says = f"whose {_is(speaker.phrase(table, column))} between {literal(low)} and {literal(high)}"
        return Condition(column, sql, says, (f"{name} >= {literal(low)}", f"{name} <= {literal(high)}"))
    operator = speaker.pick((">", ">", "<", "<", ">=", "<="))
    rivals = tuple(f"{name} {other} {literal(value)}" for other in (_TWIN[operator], _OPPOSITE[operator]))
    sql = f"{name} {operator} {literal(value)}"
    if column.verb and speaker.rng.random() < 0.4:
        words = speaker.pick([word for word in COMPARISONS[operator] if word not in ("above", "below", "greater than")])
        verb = column.verb
        speaker.explain(verb, table, column)
        return Condition(column, sql, f"{_relative(table)} {verb} {words} {literal(value)}", rivals, singular=False)
    says = f"whose {_is(speaker.phrase(table, column))} {speaker.pick(COMPARISONS[operator])} {literal(value)}"
    return Condition(column, sql, says, rivals)


def _on_category(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    found = sorted(set(speaker.values(table, column)), key=str)
    value = speaker.pick(found)
    draw = speaker.rng.random()
    if draw < 0.15 and len(found) > 3:
        one, two = speaker.rng.sample(found, 2)
        says = f"whose {speaker.phrase(table, column)} is {one} or {two}"
        single = tuple(f"{name} = {literal(each)}" for each in (one, two))
        return Condition(column, f"{name} IN ({literal(one)}, {literal(two)})", says, single)
    rivals = tuple(f"{name} = {literal(other)}" for other in found if other != value)[:3]
    if draw < 0.3 and speaker.complete(table, column):
        says = f"whose {speaker.phrase(table, column)} is not {value}"
        return Condition(column, f"{name} <> {literal(value)}", says, (f"{name} = {literal(value)}", *rivals))
    if column.verb and speaker.rng.random() < 0.6:
        says = column.verb.format(value)
    else:
        says = f"whose {speaker.phrase(table, column)} is {value}"
    return Condition(column, f"{name} = {literal(value)}", says, rivals)


def _on_year(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    value = literal(speaker.middle(table, column))
    operator, word = speaker.pick(((">", "after"), ("<", "before"), ("=", "in")))
    rivals = (
        f"{name} {'>=' if operator != '<' else '<='} {value}",
        f"{name} {'<' if operator != '<' else '>'} {value}",
    )
    if column.verb and speaker.rng.random() < 0.7:
        return Condition(column, f"{name} {operator} {value}", f"{column.verb} {word} {value}", rivals)
    says = f"whose {speaker.phrase(table, column)} is {word if operator != '=' else ''} {value}".replace("  ", " ")
    return Condition(column, f"{name} {operator} {value}", says, rivals)


def _on_date(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    day = str(speaker.middle(table, column))
    spoken = column.verb if column.verb and speaker.rng.random() < 0.7 else ""
    lead = spoken or f"whose {speaker.phrase(table, column)} is"
    if speaker.rng.random() < 0.4:
        year = day[:4]
        test = f"strftime('%Y', {name})"
        years = (f"{test} <> '{year}'", f"{test} > '{year}'", f"{test} < '{year}'")
        return Condition(column, f"{test} = '{year}'", f"{lead} in {year}", years)
    operator, word = speaker.pick(((">", "after"), ("<", "before")))
    rivals = (f"{name} {'<' if operator == '>' else '>'} '{day}'",)
    return Condition(column, f"{name} {operator} '{day}'", f"{lead} {word} {day}", rivals)


def _on_flag(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    value = speaker.rng.randint(0, 1)
    says = f"{_relative(table)} {column.verb if value else column.no}"
    return Condition(column, f"{name} = {value}", says, (f"{name} = {1 - value}",), singular=False)


def _on_label(speaker: Speaker, table: Entity, column: Column, name: str) -> Condition:
    first = str(speaker.pick(speaker.values(table, column)))[0]
    says = f"whose {speaker.phrase(table, column)} starts with {first}"
    return Condition(column, f"{name} LIKE '{first}%'", says, (f"{name} LIKE '%{first}%'", f"{name} = '{first}'"))


_BY_KIND: dict[str, Callable[[Speaker, Entity, Column, str], Condition]] = {
    "number": _on_number,
    "category": _on_category,
    "year": _on_year,
    "date": _on_date,
    "flag": _on_flag,
    "label": _on_label,
}
