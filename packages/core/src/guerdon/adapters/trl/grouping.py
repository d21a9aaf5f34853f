"""Which attempts belong together: by the example's id and the place in the batch, never by equal text.

TRL repeats a prompt as often as it asks for completions, and deals the batch out in that order: a group is the next
`num_generations` rows. Two groups at one example (a data set that lists it twice) stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guerdon.errors import ConfigError

Row = dict[str, Any]
"""As `guerdon.grading` reads it, its example an id or an object that has one."""


def key_of(row: Row) -> str:
    """The id of the example that a row is an attempt at."""
    example = row["example"]
    return example if isinstance(example, str) else str(example["id"])


def in_group(row: Row, number: int) -> Row:
    """The row, saying which of its example's groups it belongs to; the first one needs no name."""
    return {**row, "group": number} if number else row


def group_numbers(keys: Sequence[str], size: int | None) -> list[int]:
    """For each row the number of its group among those at the same example, counted from 0.

    Args:
        keys: the id of each row's example; all rows of the batch, in order.
        size: rows per group; None where it is not known: a run of equal ids is then one group.

    Raises:
        ConfigError: the rows of one group name different examples.

    >>> group_numbers(["a", "a", "b", "b", "a", "a"], 2)
    [0, 0, 0, 0, 1, 1]
    >>> group_numbers(["a", "a", "a", "a"], 2)
    [0, 0, 1, 1]
    >>> group_numbers(["a", "a", "a", "a"], None)
    [0, 0, 0, 0]
    """
    numbers: list[int] = []
    begun: dict[str, int] = {}
    for place, key in enumerate(keys):
        same = place > 0 and keys[place - 1] == key
        if size and place % size and not same:
            raise ConfigError(
                f"rows {place} and {place + 1} are attempts at one prompt ({size} rows each), but name the examples "
                f"{keys[place - 1]!r} and {key!r}. Give the data set a column 'id' (text), the same in equal rows."
            )
        if not same or (size and place % size == 0):
            begun[key] = begun.get(key, -1) + 1
        numbers.append(begun[key])
    return numbers
