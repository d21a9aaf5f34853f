"""Questions over one table's rows: the levels `filter` and `aggregate`."""

from __future__ import annotations

from guerdon_sql.generate_conditions import Speaker, joined
from guerdon_sql.generate_drafts import (
    NUMBER_WORDS,
    Draft,
    any_table,
    maybe,
    noun_phrase,
    number_columns,
    shown_columns,
    where_clause,
    with_rivals,
)


def rows_where(speaker: Speaker) -> Draft:
    """Some columns of the rows that meet one condition."""
    table = any_table(speaker)
    condition = speaker.condition(table)
    columns, says = shown_columns(speaker, table, speaker.pick((0, 0, 1, 1, 2)), [condition.column])
    many = noun_phrase(table.many, condition)
    forms = [
        f"List the {says} of all {many}.",
        f"Show the {says} of the {many}.",
        f"Find all {many} and give their {says}.",
        f"For {many}, show the {says}.",
    ]
    if condition.singular:
        forms.append(f"Give the {says} of each {table.one} {condition.says}.")

    def query(where: str) -> str:
        return f"SELECT {', '.join(columns)} FROM {table.name}{where}"

    return Draft(
        speaker.pick(forms), query(where_clause(condition)), tuple(with_rivals(condition, query)), (table.name,)
    )


def rows_where_two(speaker: Speaker) -> Draft:
    """Rows that meet two conditions, or either of two."""
    table = any_table(speaker)
    first = speaker.condition(table)
    second = speaker.condition(table, avoid=[first.column])
    columns, says = shown_columns(speaker, table, speaker.pick((0, 0, 1)), [first.column, second.column])
    word = speaker.pick(("and", "and", "or"))
    first, second, says_both = joined(first, second, word)
    many = f"{table.many} {says_both}"
    forms = [
        f"List the {says} of all {many}.",
        f"Find the {many} and give their {says}.",
        f"Show the {says} of {many}.",
    ]

    def query(where: str) -> str:
        return f"SELECT {', '.join(columns)} FROM {table.name}{where}"

    both = f" WHERE {first.sql} {word.upper()} {second.sql}"
    other = f" WHERE {first.sql} {'OR' if word == 'and' else 'AND'} {second.sql}"
    rivals = [query(other), *with_rivals(first, query), query(where_clause(first)), query(where_clause(second))]
    rivals += [query(f" WHERE {first.sql} {word.upper()} {rival}") for rival in second.rivals]
    rivals += [query(f" WHERE {rival} {word.upper()} {second.sql}") for rival in first.rivals]
    return Draft(speaker.pick(forms), query(both), tuple(rivals), (table.name,))


def different_values(speaker: Speaker) -> Draft:
    """The distinct values of a category under a condition."""
    table = any_table(speaker)
    column = speaker.pick([c for c in table.of_kind("category") if speaker.complete(table, c)])
    condition = speaker.condition(table, avoid=[column])
    says = speaker.phrase(table, column)
    many = noun_phrase(table.many, condition)
    forms = [f"List every different {says} of the {many}.", f"Show each distinct {says} found among {many}."]

    def query(where: str) -> str:
        return f"SELECT DISTINCT {column.name} FROM {table.name}{where}"

    return Draft(
        speaker.pick(forms), query(where_clause(condition)), tuple(with_rivals(condition, query)), (table.name,)
    )


def how_many(speaker: Speaker) -> Draft:
    """A count of rows under one or two conditions."""
    table = any_table(speaker)
    condition = speaker.condition(table)
    second = maybe(speaker, table, 0.3, [condition.column])
    where, says = where_clause(condition), noun_phrase(table.many, condition)

    def query(where: str) -> str:
        return f"SELECT COUNT(*) FROM {table.name}{where}"

    rivals = with_rivals(condition, query)
    if second:
        rivals += [query(where), query(where_clause(second))]
        first, second, says_both = joined(condition, second, "and")
        where, says = f" WHERE {first.sql} AND {second.sql}", f"{table.many} {says_both}"
    forms = [f"How many {says} are there?", f"Count the {says}.", f"What is the number of {says}?"]
    return Draft(speaker.pick(forms), query(where), tuple(rivals), (table.name,))


def one_number(speaker: Speaker) -> Draft:
    """Average, total, highest or lowest of a column."""
    table = any_table(speaker)
    column = speaker.pick(number_columns(table))
    function = speaker.pick(("AVG", "AVG", "MAX", "MIN", *(("SUM", "SUM") if column.adds_up else ())))
    condition = maybe(speaker, table, 0.75, [column])
    says, many = speaker.phrase(table, column), noun_phrase(table.many, condition)
    word = NUMBER_WORDS[function]
    forms = [f"What is the {word} {says} of {many}?", f"Find the {word} {says} of all {many}."]
    if condition:
        forms.append(f"Among {many}, what is the {word} {says}?")

    def query(where: str, function: str = function) -> str:
        return f"SELECT {function}({column.name}) FROM {table.name}{where}"

    rivals = with_rivals(condition, query)
    rivals += [
        query(where_clause(condition), other) for other in ("AVG", "SUM", "MAX", "MIN", "COUNT") if other != function
    ]
    return Draft(speaker.pick(forms), query(where_clause(condition)), tuple(rivals), (table.name,))


def two_numbers(speaker: Speaker) -> Draft:
    """Lowest and highest, or count and average, side by side."""
    table = any_table(speaker)
    column = speaker.pick(number_columns(table))
    condition = speaker.condition(table, avoid=[column])
    says, many = speaker.phrase(table, column), noun_phrase(table.many, condition)
    if speaker.rng.random() < 0.5:
        shown, words = f"MIN({column.name}), MAX({column.name})", f"the lowest and the highest {says} of"
        forms = [f"What are {words} {many}?", f"Show {words} all {many}."]
    else:
        shown = f"COUNT(*), AVG({column.name})"
        forms = [
            f"Show how many {many} there are and their average {says}.",
            f"Count the {many} and give their average {says}.",
        ]

    def query(where: str) -> str:
        return f"SELECT {shown} FROM {table.name}{where}"

    return Draft(
        speaker.pick(forms), query(where_clause(condition)), tuple(with_rivals(condition, query)), (table.name,)
    )


def how_many_values(speaker: Speaker) -> Draft:
    """A count of distinct values."""
    table = any_table(speaker)
    column = speaker.pick(table.of_kind("category"))
    condition = maybe(speaker, table, 0.6, [column])
    many = noun_phrase(table.many, condition)
    forms = [f"How many different {column.many} are there among the {many}?"]
    forms.append(f"Count the distinct {column.many} of {many}.")
    speaker.explain(column.says[0], table, column)

    def query(where: str, counted: str = f"DISTINCT {column.name}") -> str:
        return f"SELECT COUNT({counted}) FROM {table.name}{where}"

    rivals = [
        *with_rivals(condition, query),
        query(where_clause(condition), column.name),
        query(where_clause(condition), "*"),
    ]
    return Draft(speaker.pick(forms), query(where_clause(condition)), tuple(rivals), (table.name,))
