"""Questions with their gold queries, kind by kind, over any `Schema` with rows.

Each kind draws tables, columns and values, and returns a `Draft`: the question, the gold, and rivals: queries that are
wrong but near (a condition dropped, a comparison turned, another aggregate). `ask` keeps a draft only when the gold
returns something and no rival returns the same, so a question can neither be answered by accident nor read two ways
that the data would tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guerdon_sql.generate_conditions import Condition, NoQuestion, Speaker
from guerdon_sql.generate_words import Column, Entity, Ref

ROWS_MAX = 60
"""A longer answer is nothing anybody would read."""

NUMBER_WORDS = {"AVG": "average", "SUM": "total", "MAX": "highest", "MIN": "lowest"}


@dataclass(frozen=True)
class Draft:
    """A question before it is checked."""

    question: str
    gold: str
    rivals: tuple[str, ...]
    tables: tuple[str, ...]


Kind = Callable[[Speaker], Draft]


def ask(speaker: Speaker, kind: Kind) -> tuple[Draft, str] | None:
    """One question of this kind with its hint, or None where this draw gave none worth asking."""
    speaker.start()
    try:
        draft = kind(speaker)
    except NoQuestion:
        return None
    rows = speaker.rows(draft.gold, ROWS_MAX + 1)
    if not rows or len(rows) > ROWS_MAX or not any(cell for row in rows for cell in row):
        return None
    answer = set(rows)
    if any(set(speaker.rows(rival)) == answer for rival in draft.rivals):
        return None
    return draft, "; ".join(dict.fromkeys(speaker.hints))


def any_table(speaker: Speaker) -> Entity:
    """One of the schema's tables."""
    return speaker.pick(speaker.schema.tables)


def key_of(table: Entity) -> str:
    """The column that names a row: the label, else the key."""
    return table.label.name if table.label else table.key


def key_phrase(speaker: Speaker, table: Entity) -> str:
    """What names a row: its label's phrase, or the key's."""
    return speaker.phrase(table, table.label) if table.label else table.key_says


def number_columns(table: Entity) -> list[Column]:
    """Its numeric columns that may be asked about."""
    return table.of_kind("number")


def related(speaker: Speaker, *, only: bool = False) -> tuple[Entity, Ref, Entity]:
    """A child, its reference, and the parent, which has a label; `only` where the child refers to that parent once."""
    found = [
        (table, ref, parent)
        for table in speaker.schema.tables
        for ref in table.refs
        if (parent := speaker.schema.table(ref.parent)).label
        and not (only and [other.parent for other in table.refs].count(ref.parent) > 1)
    ]
    return speaker.pick(found)


def join_clause(child: Entity, ref: Ref) -> str:
    """The two tables, joined on the reference."""
    return f"{child.name} JOIN {ref.parent} ON {child.name}.{ref.column} = {ref.parent}.{ref.target}"


def shown_columns(speaker: Speaker, table: Entity, extra: int, avoid: Sequence[Column] = ()) -> tuple[list[str], str]:
    """Columns to select (the naming one and up to `extra` others) and how to say them: "name and salary"."""
    others = [c for c in table.of_kind("number", "category", "year", "date") if c not in avoid]
    more = speaker.rng.sample(others, min(extra, len(others)))
    says = [key_phrase(speaker, table), *(speaker.phrase(table, column) for column in more)]
    return [key_of(table), *(column.name for column in more)], _listed(says)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def maybe(speaker: Speaker, table: Entity, share: float, avoid: Sequence[Column] = ()) -> Condition | None:
    """A condition, in `share` of the draws."""
    return speaker.condition(table, avoid=avoid) if speaker.rng.random() < share else None


def where_clause(condition: Condition | None) -> str:
    """The condition with its keyword, or nothing."""
    return f" WHERE {condition.sql}" if condition else ""


def noun_phrase(noun: str, condition: Condition | None) -> str:
    """The noun, restricted: "employees hired after 2020"."""
    return f"{noun} {condition.says}" if condition else noun


def with_rivals(condition: Condition | None, query: Callable[[str], str]) -> list[str]:
    """The query with each rival of the condition in its place, and with none."""
    return [query(f" WHERE {rival}") for rival in condition.rivals] + [query("")] if condition else []
