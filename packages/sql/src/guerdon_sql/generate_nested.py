"""Questions with a query inside the query: the level `nested`."""

from __future__ import annotations

from guerdon_sql.generate_conditions import NoQuestion, Speaker, literal
from guerdon_sql.generate_drafts import (
    Draft,
    any_table,
    key_of,
    key_phrase,
    maybe,
    noun_phrase,
    number_columns,
    related,
    shown_columns,
    where_clause,
    with_rivals,
)
from guerdon_sql.generate_words import Column


def against_average(speaker: Speaker) -> Draft:
    """Rows above or below the average of all, or of some."""
    table = any_table(speaker)
    column = speaker.pick(number_columns(table))
    some = maybe(speaker, table, 0.3, [column])
    operator = speaker.pick((">", ">", "<"))
    says, key = speaker.phrase(table, column), key_phrase(speaker, table)
    word = speaker.pick(("above", "higher than") if operator == ">" else ("below", "lower than"))
    reach = noun_phrase(f"all {table.many}", some)
    tail = f"whose {says} is {word} the average {says} of {reach}"
    counted = speaker.rng.random() < 0.3
    shown = "COUNT(*)" if counted else key_of(table)
    forms = [f"How many {table.many} are there {tail}?", f"Count the {table.many} {tail}."]
    if not counted:
        forms = [f"List the {key} of the {table.many} {tail}.", f"Find all {table.many} {tail}, and give their {key}."]

    def query(where: str, operator: str = operator) -> str:
        inner = f"(SELECT AVG({column.name}) FROM {table.name}{where})"
        return f"SELECT {shown} FROM {table.name} WHERE {column.name} {operator} {inner}"

    rivals = [
        *with_rivals(some, query),
        query(where_clause(some), "<" if operator == ">" else ">"),
        f"SELECT {shown} FROM {table.name}",
    ]
    return Draft(speaker.pick(forms), query(where_clause(some)), tuple(rivals), (table.name,))


def equal_to_extreme(speaker: Speaker) -> Draft:
    """All rows that share the highest or lowest value."""
    table = any_table(speaker)
    column = speaker.pick(table.of_kind("number", "year"))
    function, word = speaker.pick((("MAX", "highest"), ("MIN", "lowest")))
    if column.kind == "year":
        word = "latest" if function == "MAX" else "earliest"
    says = speaker.phrase(table, column)
    shown, extra = shown_columns(speaker, table, speaker.pick((0, 1)), [column])
    forms = [
        f"List the {extra} of all {table.many} whose {says} equals the {word} {says} of any {table.one}.",
        f"Show the {extra} of every {table.one} that has the {word} {says}.",
    ]

    def query(function: str) -> str:
        inner = f"(SELECT {function}({column.name}) FROM {table.name})"
        return f"SELECT {', '.join(shown)} FROM {table.name} WHERE {column.name} = {inner}"

    rivals = (query("MIN" if function == "MAX" else "MAX"), f"SELECT {', '.join(shown)} FROM {table.name}")
    return Draft(speaker.pick(forms), query(function), rivals, (table.name,))


def compared_to_named(speaker: Speaker) -> Draft:
    """Rows whose value is above that of a named row."""
    table = speaker.pick([table for table in speaker.schema.tables if table.label])
    assert table.label is not None
    column = speaker.pick(number_columns(table))
    key, says = key_phrase(speaker, table), speaker.phrase(table, column)
    once = f"SELECT {table.label.name} FROM {table.name} GROUP BY 1 HAVING COUNT(*) = 1 AND COUNT({column.name}) = 1"
    name = speaker.pick([row[0] for row in speaker.rows(f"{once} ORDER BY MAX({column.name}), 1")][2:-2])
    operator, word = speaker.pick(((">", "higher"), ("<", "lower")))
    forms = [
        f'List the {key} of all {table.many} with a {word} {says} than the {table.one} "{name}".',
        f"Which {table.many} have a {word} {says} than {name}? Show the {key}.",
    ]
    inner = f"(SELECT {column.name} FROM {table.name} WHERE {table.label.name} = {literal(name)})"

    def query(operator: str) -> str:
        return f"SELECT {key_of(table)} FROM {table.name} WHERE {column.name} {operator} {inner}"

    return Draft(
        speaker.pick(forms),
        query(operator),
        (query("<" if operator == ">" else ">"), query(">=" if operator == ">" else "<=")),
        (table.name,),
    )


def without_children(speaker: Speaker) -> Draft:
    """Parents that no child refers to."""
    child, ref, parent = related(speaker, only=True)
    if not speaker.complete(child, Column((ref.column,), "text", ())):
        raise NoQuestion  # NOT IN over NULLs is empty: another lesson
    key = key_phrase(speaker, parent)
    inner = f"(SELECT {ref.column} FROM {child.name})"
    head = f"SELECT {key_of(parent)} FROM {parent.name}"
    forms = [
        f"List the {key} of all {parent.many} that have no {child.many}.",
        f"Which {parent.many} have no {child.many}? Give the {key}.",
        f"Show the {key} of every {parent.one} without any {child.many}.",
    ]
    gold = f"{head} WHERE {ref.target} NOT IN {inner}"
    return Draft(speaker.pick(forms), gold, (f"{head} WHERE {ref.target} IN {inner}", head), (parent.name, child.name))


def with_such_a_child(speaker: Speaker) -> Draft:
    """Parents with at least one child that meets a condition."""
    child, ref, parent = related(speaker, only=True)
    condition = speaker.condition(child)
    if not condition.singular:
        raise NoQuestion
    key = key_phrase(speaker, parent)
    forms = [
        f"List the {key} of all {parent.many} with at least one {child.one} {condition.says}.",
        f"Which {parent.many} have at least one {child.one} {condition.says}? Give the {key}.",
    ]

    def query(where: str, among: str = "IN") -> str:
        inner = f"(SELECT {ref.column} FROM {child.name}{where})"
        return f"SELECT {key_of(parent)} FROM {parent.name} WHERE {ref.target} {among} {inner}"

    rivals = [*with_rivals(condition, query), f"SELECT {key_of(parent)} FROM {parent.name}"]
    return Draft(speaker.pick(forms), query(where_clause(condition)), tuple(rivals), (parent.name, child.name))
