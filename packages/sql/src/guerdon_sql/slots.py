"""A text-to-SQL world of six choices, small enough to learn in two seconds: what the claim is tested on.

A query is filled into `SELECT {aggregate}({column}) FROM {table} WHERE {filter} {operator} {constant}`; a question *is*
the choices of its gold query; the policy draws each choice from a softmax that is linear in the one-hot question. Most
combinations do not even run, since a column belongs to one table: that is what makes execution alone a sparse reward.

Plain Python throughout: nothing here needs an array library.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from guerdon.types import Rollout, Segment
from guerdon_sql.questions import SqlQuestion

COLUMNS = {
    "staff": ("name", "city", "age", "pay"),
    "shops": ("name", "city", "age", "size"),
    "goods": ("name", "age", "size", "price"),
}
NUMBERS = ("age", "pay", "size", "price")
CITIES = ("Oslo", "Bergen", "Turku", "Lund")
ROWS = 30

Choice = tuple[int, int, int, int, int, int]
"""Indices into `SLOTS`, in order."""

_ALL_COLUMNS = tuple(dict.fromkeys(name for names in COLUMNS.values() for name in names))
SLOTS: tuple[tuple[str, ...], ...] = (
    tuple(COLUMNS),
    _ALL_COLUMNS,
    _ALL_COLUMNS,
    ("=", ">", "<"),
    ("15", "30", "45", "60"),
    ("", "COUNT", "MAX"),
)
"""Table, selected column, filter column, operator, constant, aggregate."""


class SlotQuestion(SqlQuestion):
    """A question given as its six choices."""

    choice: Choice


def text_of(choice: Sequence[int]) -> str:
    """The query of six choices.

    >>> text_of((0, 0, 3, 1, 2, 0))
    'SELECT name FROM staff WHERE pay > 45'
    """
    table, column, where, operator, constant, aggregate = (
        names[index] for names, index in zip(SLOTS, choice, strict=True)
    )
    selected = f"{aggregate}({column})" if aggregate else column
    return f"SELECT {selected} FROM {table} WHERE {where} {operator} {constant}"


def make_database(path: Path, random: Random) -> None:
    """Write the three tables, 30 rows each."""
    with sqlite3.connect(path) as connection:
        for table, columns in COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            rows = [[_cell(column, row, random) for column in columns] for row in range(ROWS)]
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    connection.close()


def _cell(column: str, row: int, random: Random) -> str | int:
    if column in NUMBERS:
        return random.randrange(5, 75, 5)
    return random.choice(CITIES) if column == "city" else f"{column} {row}"


def make_questions(path: Path, count: int, random: Random) -> list[SlotQuestion]:
    """Distinct questions whose gold query returns at least one row that is not all NULL or 0."""
    found: dict[Choice, SlotQuestion] = {}
    with sqlite3.connect(path) as connection:
        while len(found) < count:
            choice = _draw(random)
            gold = text_of(choice)
            if any(any(row) for row in connection.execute(gold).fetchmany(ROWS)):
                name = "-".join(map(str, choice))
                found[choice] = SlotQuestion(
                    id=name, question=name, db_id="slots", database=str(path), gold=(gold,), choice=choice
                )
    connection.close()
    return list(found.values())


def _draw(random: Random) -> Choice:
    table = random.choice(SLOTS[0])
    numbers = [name for name in COLUMNS[table] if name in NUMBERS]
    return (
        SLOTS[0].index(table),
        SLOTS[1].index(random.choice(COLUMNS[table])),
        SLOTS[2].index(random.choice(numbers)),
        random.randrange(len(SLOTS[3])),
        random.randrange(len(SLOTS[4])),
        random.randrange(len(SLOTS[5])),
    )


@dataclass
class SlotPolicy:
    """One linear softmax per slot over the one-hot question, shared by all questions. It starts uniform.

    The logits of a slot are the sum of one weight row per choice of the question, and of a bias row.
    """

    head_start: float = 0.0
    """Weight with which each slot copies the question's choice at the start: above 0 it starts near the solution."""
    weights: list[list[list[float]]] = field(default_factory=list)
    """Slot x feature x choice."""

    def __post_init__(self) -> None:
        sizes = [len(names) for names in SLOTS]
        self._starts = [1 + sum(sizes[:slot]) for slot in range(len(sizes))]
        if not self.weights:
            self.weights = [[[0.0] * size for _ in range(1 + sum(sizes))] for size in sizes]
            for slot, size in enumerate(sizes):
                for choice in range(size):
                    self.weights[slot][self._starts[slot] + choice][choice] = self.head_start

    def probabilities(self, question: SlotQuestion) -> list[list[float]]:
        """Slot x choice."""
        active = self._active(question)
        return [
            _softmax([sum(column) for column in zip(*(rows[i] for i in active), strict=True)]) for rows in self.weights
        ]

    def attempts(self, question: SlotQuestion, n: int, random: Random) -> list[Rollout]:
        """`n` sampled rollouts, each one step: the six choices together."""
        tables = self.probabilities(question)
        return [
            self._rollout(question, [random.choices(range(len(p)), p)[0] for p in tables], tables) for _ in range(n)
        ]

    def best(self, question: SlotQuestion) -> Rollout:
        """The most likely query."""
        tables = self.probabilities(question)
        return self._rollout(question, [max(range(len(p)), key=p.__getitem__) for p in tables], tables)

    def reinforce(self, rollouts: Sequence[tuple[Rollout, float]], learning_rate: float) -> None:
        """One step of gradient ascent on the mean of advantage times log-probability."""
        steps = [
            (self._active(rollout.example_as(SlotQuestion)), change) for rollout, change in self._changes(rollouts)
        ]
        scale = learning_rate / len(rollouts)
        for active, change in steps:
            for rows, gradient in zip(self.weights, change, strict=True):
                for feature in active:
                    row = rows[feature]
                    for choice, value in enumerate(gradient):
                        row[choice] += scale * value

    def _changes(self, rollouts: Sequence[tuple[Rollout, float]]) -> Iterator[tuple[Rollout, list[list[float]]]]:
        """Gradients of advantage x log-probability by the logits: A (one-hot - p)."""
        for rollout, advantage in rollouts:
            if advantage:
                tables = self.probabilities(rollout.example_as(SlotQuestion))
                action = rollout.segments[0].action
                yield (
                    rollout,
                    [
                        [advantage * ((choice == chosen) - p) for choice, p in enumerate(table)]
                        for table, chosen in zip(tables, action, strict=True)
                    ],
                )

    def _active(self, question: SlotQuestion) -> list[int]:
        return [0, *(start + chosen for start, chosen in zip(self._starts, question.choice, strict=True))]

    @staticmethod
    def _rollout(question: SlotQuestion, action: list[int], tables: list[list[float]]) -> Rollout:
        logprob = sum(math.log(table[chosen]) for table, chosen in zip(tables, action, strict=True))
        return Rollout(question, (Segment("policy", text_of(action), logprobs=(logprob,), action=tuple(action)),))


def _softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    total = sum(weights)
    return [weight / total for weight in weights]
