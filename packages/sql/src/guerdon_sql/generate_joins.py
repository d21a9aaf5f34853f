"""Questions over a table and its parents: the level `join`."""

from __future__ import annotations

from guerdon_sql.generate_conditions import Speaker, literal
from guerdon_sql.generate_drafts import (
    NUMBER_WORDS,
    Draft,
    join_clause,
    key_of,
    key_phrase,
    noun_phrase,
    number_columns,
    related,
    shown_columns,
    where_clause,
    with_rivals,
)
from guerdon_sql.generate_words import Entity


def children_of(speaker: Speaker) -> Draft:
    """Columns of children whose parent is named, or meets a condition."""
    child, ref, parent = related(speaker)
    columns, says = shown_columns(speaker, child, speaker.pick((0, 1)))
    shown = ", ".join(f"{child.name}.{column}" for column in columns)
    where, said, rivals = _parent(speaker, parent)
    many = f"{child.many} {ref.link} {said}"
    forms = [
        f"List the {says} of all {many}.",
        f"Show the {says} of {many}.",
        f"Find the {many} and give their {says}.",
    ]

    def query(where: str) -> str:
        return f"SELECT {shown} FROM {join_clause(child, ref)} WHERE {where}"

    wrong = [query(rival) for rival in rivals] + [query("1")]
    return Draft(speaker.pick(forms), query(where), tuple(wrong), (child.name, parent.name))


def _parent(speaker: Speaker, parent: Entity) -> tuple[str, str, list[str]]:
    """Which parents are meant: (condition, words, rival conditions)."""
    label = parent.label
    if label and speaker.rng.random() < 0.45:
        names = speaker.values(parent, label)
        name, other = speaker.rng.sample(names, 2)
        full = f"{parent.name}.{label.name}"
        says = speaker.pick(
            (f"the {parent.one} {name}", f'the {parent.one} named "{name}"', f'the {parent.one} "{name}"')
        )
        return f"{full} = {literal(name)}", says, [f"{full} = {literal(other)}"]
    condition = speaker.condition(parent, qualified=True)
    return condition.sql, f"{parent.many} {condition.says}", list(condition.rivals)


def count_children(speaker: Speaker) -> Draft:
    """How many children, or an aggregate over them, for parents that are named or meet a condition."""
    child, ref, parent = related(speaker)
    where, said, rivals = _parent(speaker, parent)
    many = f"{child.many} {ref.link} {said}"
    numbers = number_columns(child)
    if numbers and speaker.rng.random() < 0.5:
        column = speaker.pick(numbers)
        function = speaker.pick(("AVG", "MAX", "MIN", *(("SUM",) if column.adds_up else ())))
        word, says = NUMBER_WORDS[function], speaker.phrase(child, column)
        shown = f"{function}({child.name}.{column.name})"
        forms = [f"What is the {word} {says} of {many}?", f"Find the {word} {says} of all {many}."]
    else:
        shown, forms = "COUNT(*)", [f"How many {many} are there?", f"Count the {many}."]

    def query(where: str, shown: str = shown) -> str:
        return f"SELECT {shown} FROM {join_clause(child, ref)} WHERE {where}"

    wrong = [query(rival) for rival in rivals] + [query("1")]
    return Draft(speaker.pick(forms), query(where), tuple(wrong), (child.name, parent.name))


def side_by_side(speaker: Speaker) -> Draft:
    """A child's column beside its parent's, under a condition on the child."""
    child, ref, parent = related(speaker)
    condition = speaker.condition(child, qualified=True)
    column = speaker.pick(parent.of_kind("label", "category", "number", "year"))
    role = ref.role or parent.one
    mine, theirs = key_phrase(speaker, child), speaker.phrase(parent, column)
    many = noun_phrase(child.many, condition)
    forms = [
        f"Show the {mine} of all {many} together with the {theirs} of their {role}.",
        f"For {many}, list their {mine} and the {theirs} of their {role}.",
    ]

    def query(where: str) -> str:
        return f"SELECT {child.name}.{key_of(child)}, {parent.name}.{column.name} FROM {join_clause(child, ref)}{where}"

    return Draft(
        speaker.pick(forms),
        query(where_clause(condition)),
        tuple(with_rivals(condition, query)),
        (child.name, parent.name),
    )


def both_sides(speaker: Speaker) -> Draft:
    """A condition on the child and one on the parent."""
    child, ref, parent = related(speaker)
    mine = speaker.condition(child, qualified=True)
    where, said, _ = _parent(speaker, parent)
    says = key_phrase(speaker, child)
    question = speaker.pick(
        (
            f"List the {says} of {child.many} {ref.link} {said}, but only those {mine.says}.",
            f"Of the {child.many} {ref.link} {said}, show the {says} of those {mine.says}.",
        )
    )

    def query(where: str) -> str:
        return f"SELECT {child.name}.{key_of(child)} FROM {join_clause(child, ref)} WHERE {where}"

    rivals = [query(where), query(mine.sql), *(query(f"{where} AND {rival}") for rival in mine.rivals)]
    return Draft(question, query(f"{where} AND {mine.sql}"), tuple(rivals), (child.name, parent.name))


def grandchildren(speaker: Speaker) -> Draft:
    """Three tables in a row: loans of books written by an author."""
    found = [
        (child, ref, parent, upper, speaker.schema.table(upper.parent))
        for child in speaker.schema.tables
        for ref in child.refs
        for parent in (speaker.schema.table(ref.parent),)
        for upper in parent.refs
    ]
    child, ref, parent, upper, grand = speaker.pick(found)
    where, said, rivals = _parent(speaker, grand)
    many = f"{child.many} {ref.link} {parent.many} {upper.link} {said}"
    says = key_phrase(speaker, child)
    if speaker.rng.random() < 0.5:
        shown, forms = "COUNT(*)", [f"How many {many} are there?", f"Count the {many}."]
    else:
        shown, forms = (
            f"{child.name}.{key_of(child)}",
            [f"List the {says} of all {many}.", f"Show the {says} of {many}."],
        )
    joined = (
        f"{join_clause(child, ref)} JOIN {grand.name} ON {parent.name}.{upper.column} = {grand.name}.{upper.target}"
    )

    def query(where: str) -> str:
        return f"SELECT {shown} FROM {joined} WHERE {where}"

    wrong = [query(rival) for rival in rivals] + [query("1")]
    return Draft(speaker.pick(forms), query(where), tuple(wrong), (child.name, parent.name, grand.name))
