"""The words a schema is made of: columns and tables together with how people speak of them.

A `Column` knows what it may be called in a database, what it is called in a question, and what it holds; an
`Entity` is a table with its nouns; a `Ref` is a foreign key with the participle that reads it aloud ("orders *placed
by* customers"). The question machinery needs nothing else, so the made-up domains and the real flights database speak
through one grammar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["label", "text", "category", "number", "year", "date", "flag"]
Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column, its names and its words."""

    names: tuple[str, ...]
    """What it may be called in a schema; a concrete column has one."""
    kind: Kind
    says: tuple[str, ...]
    """Noun phrases for it in questions, the plainest first."""
    pool: tuple[str, ...] = ()
    """Values of a category; first and last words of a label."""
    low: float = 0
    high: float = 0
    step: float = 1
    """Numbers and years lie on a grid `low, low + step, ... high`."""
    verb: str = ""
    """number: "earn" (that earn more than 5); date, year: "hired" (hired after 2020); category: "based in {}"."""
    ends: tuple[str, str] = ("", "")
    """Superlatives of an entity by this column: ("oldest", "youngest")."""
    adds_up: bool = False
    """A sum over rows means something."""
    no: str = ""
    """flag: how the 0 reads; `verb` holds how the 1 reads."""
    plural: str = ""
    """category: the plural of its noun, where it is not regular."""
    nullable: bool = False
    aside: bool = False
    """Shown in the schema, never asked about."""

    @property
    def name(self) -> str:
        """The name in the schema."""
        return self.names[0]

    @property
    def many(self) -> str:
        """Plural of the plain phrase: "city" -> "cities"."""
        noun = self.says[0]
        if self.plural:
            return self.plural
        if noun.endswith("y") and noun[-2] not in "aeiou":
            return noun[:-1] + "ies"
        return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")

    @property
    def sql_type(self) -> str:
        """The declared type."""
        if self.kind in ("year", "flag"):
            return "INTEGER"
        if self.kind == "number":
            return "INTEGER" if float(self.step).is_integer() else "REAL"
        return "TEXT"


@dataclass(frozen=True)
class Ref:
    """A foreign key from its table to `parent`."""

    parent: str
    """Key of the parent entity in its domain; in a concrete schema its table name."""
    link: str
    """Stands between child and parent: "placed by" in "orders placed by customers"."""
    column: str = ""
    """Name of the key column; empty: the parent's table name and `_id`."""
    target: str = "id"
    """The parent's column it refers to."""
    role: str = ""
    """What the child calls its parent, where not by the parent's noun: "destination airport"."""


@dataclass(frozen=True)
class Entity:
    """A table and its nouns. In a concrete schema it has one name and every ref has its column."""

    names: tuple[str, ...]
    one: str
    many: str
    columns: tuple[Column, ...]
    refs: tuple[Ref, ...] = ()
    person: bool = False
    key: str = "id"
    """The column that identifies a row where it has no label."""
    key_says: str = "id"
    """What a question calls it."""

    @property
    def name(self) -> str:
        """The table's name in the schema; before one is chosen, the entity's key in its domain."""
        return self.names[0]

    @property
    def label(self) -> Column | None:
        """The column whose value names a row in words, unique in the table; None where rows have no names."""
        return next((column for column in self.columns if column.kind == "label"), None)

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """Its columns of these kinds that may be asked about."""
        return [column for column in self.columns if column.kind in kinds and not column.aside]


@dataclass(frozen=True)
class Schema:
    """The tables of one database, parents before children."""

    domain: str
    tables: tuple[Entity, ...]

    def table(self, name: str) -> Entity:
        """The table of that name."""
        return next(table for table in self.tables if table.name == name)


@dataclass(frozen=True)
class Domain:
    """A family of schemas: entities from which some are drawn."""

    name: str
    entities: tuple[Entity, ...]


def label(names: str, says: str, *pool: str) -> Column:
    """The naming column; `pool` is one or two space-separated word lists, combined into unique names."""
    return Column(tuple(names.split()), "label", tuple(says.split("|")), pool)


def number(
    names: str,
    says: str,
    low: float,
    high: float,
    step: float = 1,
    verb: str = "",
    ends: str = "",
    adds_up: bool = False,
    nullable: bool = False,
) -> Column:
    """A quantity on a grid."""
    top, _, bottom = ends.partition("|")
    return Column(
        tuple(names.split()),
        "number",
        tuple(says.split("|")),
        (),
        low,
        high,
        step,
        verb,
        (top, bottom),
        adds_up,
        nullable=nullable,
    )


def category(names: str, says: str, values: str, verb: str = "", plural: str = "", nullable: bool = False) -> Column:
    """One of a few words; `values` are separated by commas."""
    return Column(
        tuple(names.split()),
        "category",
        tuple(says.split("|")),
        tuple(values.split(",")),
        verb=verb,
        plural=plural,
        nullable=nullable,
    )


def year(names: str, says: str, low: int, high: int, verb: str = "") -> Column:
    """A year as an integer."""
    return Column(
        tuple(names.split()), "year", tuple(says.split("|")), (), low, high, 1, verb, ("most recent", "oldest")
    )


def date(names: str, says: str, first: int, last: int, verb: str = "", nullable: bool = False) -> Column:
    """A day as text, YYYY-MM-DD, in the years `first` to `last`."""
    return Column(tuple(names.split()), "date", tuple(says.split("|")), (), first, last, 1, verb, nullable=nullable)


def flag(names: str, says: str, yes: str, no: str) -> Column:
    """0 or 1; `yes` and `no` follow "that": "are active", "are not active"."""
    return Column(tuple(names.split()), "flag", tuple(says.split("|")), verb=yes, no=no)


def entity(
    names: str, nouns: str, *parts: Column | Ref, person: bool = False, key: str = "id", key_says: str = "id"
) -> Entity:
    """A table; `nouns` is "singular|plural"."""
    one, many = nouns.split("|")
    columns = tuple(part for part in parts if isinstance(part, Column))
    refs = tuple(part for part in parts if isinstance(part, Ref))
    return Entity(tuple(names.split()), one, many, columns, refs, person, key, key_says)


def concrete(table: Entity, name: str, columns: tuple[Column, ...], refs: tuple[Ref, ...]) -> Entity:
    """The table with its choices made."""
    return replace(table, names=(name,), columns=columns, refs=refs)
