"""Questions that group and rank: the level `group`."""

from __future__ import annotations

from guerdon_sql.generate_conditions import NoQuestion, Speaker
from guerdon_sql.generate_drafts import (
    NUMBER_WORDS,
    Draft,
    any_table,
    join_clause,
    key_of,
    key_phrase,
    maybe,
    noun_phrase,
    number_columns,
    related,
    where_clause,
    with_rivals,
)
from guerdon_sql.generate_words import Column, Entity


def _group_column(speaker: Speaker, table: Entity) -> Column:
    return speaker.pick([c for c in table.of_kind("category") if speaker.complete(table, c)])


def per_value(speaker: Speaker) -> Draft:
    """A count or an aggregate for each value of a category."""
    table = any_table(speaker)
    group = _group_column(speaker, table)
    numbers = number_columns(table)
    condition = maybe(speaker, table, 0.3, [group])
    says, many = speaker.phrase(table, group), noun_phrase(table.many, condition)
    rivals: list[str] = []
    if numbers and speaker.rng.random() < 0.6:
        column = speaker.pick(numbers)
        function = speaker.pick(("AVG", "MAX", "MIN", *(("SUM",) if column.adds_up else ())))
        shown = f"{function}({column.name})"
        what = f"the {NUMBER_WORDS[function]} {speaker.phrase(table, column)}"
        forms = [
            f"For each {says}, show the {says} and {what} of the {many}.",
            f"Give {what} of {many} for each {says}, with the {says} first.",
        ]
    else:
        shown = "COUNT(*)"
        forms = [
            f"For each {says}, show the {says} and the number of {many}.",
            f"How many {many} are there for each {says}? Show the {says} and the count.",
        ]

    def query(where: str) -> str:
        return f"SELECT {group.name}, {shown} FROM {table.name}{where} GROUP BY {group.name}"

    rivals += [*with_rivals(condition, query), f"SELECT {group.name}, COUNT({group.name}) FROM {table.name}"]
    return Draft(speaker.pick(forms), query(where_clause(condition)), tuple(rivals), (table.name,))


def values_with_many(speaker: Speaker) -> Draft:
    """Categories with more than n rows, or whose average is above a value."""
    table = any_table(speaker)
    group = _group_column(speaker, table)
    says = speaker.phrase(table, group)
    numbers = number_columns(table)
    if numbers and speaker.rng.random() < 0.4:
        column = speaker.pick(numbers)
        measure = f"AVG({column.name})"
        means = sorted(
            row[0] for row in speaker.rows(f"SELECT {measure} FROM {table.name} GROUP BY {group.name}") if row[0]
        )
        if len(means) < 3:
            raise NoQuestion
        bound = _round_between(float(means[0] or 0), float(means[-1] or 0), speaker)
        what = f"where the average {speaker.phrase(table, column)} of the {table.many} is"
        above, below = "above", "below"
    else:
        measure = "COUNT(*)"
        counts = sorted(
            int(row[0] or 0) for row in speaker.rows(f"SELECT COUNT(*) FROM {table.name} GROUP BY {group.name}")
        )
        bound = str(speaker.pick(counts[:-1]))
        what, above, below = "with", _more_than(bound, table), f"fewer than {bound} {table.many}"
    operator = speaker.pick((">", ">", "<"))
    words = (above if operator == ">" else below) + (f" {bound}" if measure != "COUNT(*)" else "")
    forms = [f"List each {says} {what} {words}.", f"Show every {says} {what} {words}."]

    def query(test: str) -> str:
        return f"SELECT {group.name} FROM {table.name} GROUP BY {group.name}{test}"

    rivals = [
        query(""),
        *(query(f" HAVING {measure} {other} {bound}") for other in (">", ">=", "<", "<=") if other != operator),
    ]
    return Draft(speaker.pick(forms), query(f" HAVING {measure} {operator} {bound}"), tuple(rivals), (table.name,))


def _round_between(low: float, high: float, speaker: Speaker) -> str:
    """A short number strictly between two others."""
    middle = low + (high - low) * speaker.rng.uniform(0.3, 0.7)
    for digits in (-4, -3, -2, -1, 0, 1, 2):
        value = round(middle, digits)
        if low < value < high:
            return f"{value:.12g}"
    raise NoQuestion


def most_frequent(speaker: Speaker) -> Draft:
    """The category with the most rows, or with the best average; no ties."""
    table = any_table(speaker)
    group = _group_column(speaker, table)
    says = speaker.phrase(table, group)
    numbers = number_columns(table)
    down = speaker.rng.random() < 0.75
    if numbers and speaker.rng.random() < 0.4:
        column = speaker.pick(numbers)
        measure = f"AVG({column.name})"
        what = f"the {'highest' if down else 'lowest'} average {speaker.phrase(table, column)}"
    else:
        measure, what = "COUNT(*)", f"the {'most' if down else 'fewest'} {table.many}"
    many = "" if measure == "COUNT(*)" else f" of {table.many}"
    forms = [f"Which {says} has {what}{many}?", f"Find the {says} with {what}{many}."]

    def query(order: str) -> str:
        return f"SELECT {group.name} FROM {table.name} GROUP BY {group.name} ORDER BY {measure}{order} LIMIT 1"

    order = " DESC" if down else ""
    _no_ties(speaker, f"SELECT {measure} FROM {table.name} GROUP BY {group.name} ORDER BY 1{order}", 1)
    rivals = (query("" if down else " DESC"), f"SELECT {group.name} FROM {table.name} LIMIT 1")
    return Draft(speaker.pick(forms), query(order), rivals, (table.name,))


def _no_ties(speaker: Speaker, ranked: str, places: int) -> None:
    """The first `places` values of a ranking, and the one after, must differ and be known."""
    values = [row[0] for row in speaker.rows(f"{ranked} LIMIT {places + 1}")]
    if len(values) <= places or None in values or len(set(values)) < len(values):
        raise NoQuestion


def top_rows(speaker: Speaker) -> Draft:
    """The n rows with the highest or lowest value, no ties."""
    table = any_table(speaker)
    column = speaker.pick([c for c in table.of_kind("number", "year", "date") if speaker.complete(table, c)])
    condition = maybe(speaker, table, 0.35, [column])
    places = speaker.pick((1, 1, 2, 3, 5))
    down = speaker.rng.random() < 0.6
    says, key = speaker.phrase(table, column), key_phrase(speaker, table)
    time = column.kind in ("date", "year")
    word = ("latest" if down else "earliest") if time else ("highest" if down else "lowest")
    best = column.ends[0 if down else 1]
    noun = table.one if places == 1 else table.many
    count = "" if places == 1 else f"{places} "
    tail = "" if condition is None else f" {condition.says}"
    if condition and not condition.singular and places == 1:
        raise NoQuestion
    forms = [f"Give the {key} of the {count}{noun}{tail} with the {word} {says}."]
    among = noun_phrase(f"all {table.many}", condition)
    forms.append(f"Among {among}, show the {key} of the {count}{noun} with the {word} {says}.")
    if best and not time and speaker.rng.random() < 0.5:
        speaker.hints[:] = [hint for hint in speaker.hints if not hint.startswith(f"{says} is")]
        speaker.hints.append(f"{best} means {word} {column.name}")
        forms = [f"Show the {key} of the {count}{best} {noun}{tail}."]

    def query(where: str, order: str = " DESC" if down else "", limit: int = places) -> str:
        return f"SELECT {key_of(table)} FROM {table.name}{where} ORDER BY {column.name}{order} LIMIT {limit}"

    where = where_clause(condition)
    _no_ties(speaker, f"SELECT {column.name} FROM {table.name}{where} ORDER BY 1{' DESC' if down else ''}", places)
    rivals = [query(where, "" if down else " DESC"), *with_rivals(condition, query), query(where, limit=places + 1)]
    return Draft(speaker.pick(forms), query(where), tuple(rivals), (table.name,))


def per_parent(speaker: Speaker) -> Draft:
    """For each parent that has children, their number or an aggregate."""
    child, ref, parent = related(speaker, only=True)
    key, full = key_phrase(speaker, parent), f"{parent.name}.{key_of(parent)}"
    numbers = number_columns(child)
    if numbers and speaker.rng.random() < 0.5:
        column = speaker.pick(numbers)
        function = speaker.pick(("AVG", "MAX", "MIN", *(("SUM",) if column.adds_up else ())))
        shown = f"{function}({child.name}.{column.name})"
        what = f"the {NUMBER_WORDS[function]} {speaker.phrase(child, column)} of its {child.many}"
    else:
        shown, what = "COUNT(*)", f"the number of its {child.many}"
    if parent.person:
        what = what.replace("of its", "of their")
    forms = [
        f"For each {parent.one} that has {child.many}, show the {key} and {what}.",
        f"Show the {key} of every {parent.one} with at least one {child.one}, and {what}.",
    ]
    gold = f"SELECT {full}, {shown} FROM {join_clause(child, ref)} GROUP BY {parent.name}.{ref.target}"
    return Draft(
        speaker.pick(forms),
        gold,
        (f"SELECT {full}, {shown} FROM {join_clause(child, ref)}",),
        (child.name, parent.name),
    )


def _more_than(bound: str | int, table: Entity) -> str:
    return f"more than one {table.one}" if int(bound) == 1 else f"more than {bound} {table.many}"


def parent_with_most(speaker: Speaker) -> Draft:
    """The parent with the most children, or those with more than n."""
    child, ref, parent = related(speaker, only=True)
    key = key_phrase(speaker, parent)
    head = f"SELECT {parent.name}.{key_of(parent)} FROM {join_clause(child, ref)} GROUP BY {parent.name}.{ref.target}"
    tables = (child.name, parent.name)
    ranking = f"SELECT COUNT(*) FROM {child.name} GROUP BY {ref.column} ORDER BY 1 DESC"
    if speaker.rng.random() < 0.5:
        _no_ties(speaker, ranking, 1)
        forms = [
            f"Give the {key} of the {parent.one} with the most {child.many}.",
            f"Which {parent.one} has the most {child.many}? Show its {key}.",
        ]
        if parent.person:
            forms = [form.replace("its", "the") for form in forms]
        tail = " ORDER BY COUNT(*)"
        return Draft(
            speaker.pick(forms), f"{head}{tail} DESC LIMIT 1", (f"{head}{tail} LIMIT 1", f"{head} LIMIT 1"), tables
        )
    bound = speaker.pick([int(row[0] or 0) for row in speaker.rows(ranking)][1:])
    forms = [
        f"List the {key} of all {parent.many} with {_more_than(bound, child)}.",
        f"Which {parent.many} have {_more_than(bound, child)}? Give the {key}.",
    ]
    rivals = (head, *(f"{head} HAVING COUNT(*) {operator} {bound}" for operator in (">=", "<", "=")))
    return Draft(speaker.pick(forms), f"{head} HAVING COUNT(*) > {bound}", rivals, tables)
