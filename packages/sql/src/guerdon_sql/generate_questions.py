"""The kinds of question, by level."""

from __future__ import annotations

from guerdon_sql.generate_drafts import Kind
from guerdon_sql.generate_groups import (
    most_frequent,
    parent_with_most,
    per_parent,
    per_value,
    top_rows,
    values_with_many,
)
from guerdon_sql.generate_joins import both_sides, children_of, count_children, grandchildren, side_by_side
from guerdon_sql.generate_nested import (
    against_average,
    compared_to_named,
    equal_to_extreme,
    with_such_a_child,
    without_children,
)
from guerdon_sql.generate_rows import (
    different_values,
    how_many,
    how_many_values,
    one_number,
    rows_where,
    rows_where_two,
    two_numbers,
)

LEVELS: dict[str, tuple[Kind, ...]] = {
    "filter": (rows_where, rows_where, rows_where_two, different_values),
    "aggregate": (how_many, one_number, one_number, two_numbers, how_many_values),
    "join": (children_of, count_children, side_by_side, both_sides, grandchildren),
    "group": (per_value, values_with_many, most_frequent, top_rows, top_rows, per_parent, parent_with_most),
    "nested": (against_average, equal_to_extreme, compared_to_named, without_children, with_such_a_child),
}
"""Kinds of question by level, from easy to hard; a kind that stands twice comes twice as often."""
