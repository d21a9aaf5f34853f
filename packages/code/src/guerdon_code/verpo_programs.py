"""Made-up programs with an easy-test trap: the world of VeRPO's claim, learnt in a second by seven softmaxes.

A program is six choices of three, one of which is right, and a switch called the shortcut. Twelve easy tests pass where
the first choice is right or the shortcut is on; four hard tests need the first 2, 3, 4 and 6 choices right, and no
shortcut. So the shortcut earns 12 of 16 tests at once, and has to be given up for the rest.

Plain Python throughout: nothing here needs an array library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

CHOICES = 6
OPTIONS = 3
RIGHT = 0
"""Which option is right is of no account: the policy starts uniform."""
EASY = 12
HARD = (2, 3, 4, 6)
"""How many choices, from the first on, each hard test needs right."""

Program = tuple[int, ...]
"""The six choices, then the shortcut: 1 where it is on."""


def verdicts(program: Program) -> tuple[bool, ...]:
    """What each of the sixteen tests says.

    >>> sum(verdicts((1, 1, 1, 1, 1, 1, 1))), sum(verdicts((0, 0, 0, 1, 0, 0, 0))), sum(verdicts((0, 0, 0, 0, 0, 0, 0)))
    (12, 14, 16)
    """
    *choices, shortcut = program
    right = [choice == RIGHT for choice in choices]
    return (right[0] or shortcut == 1,) * EASY + tuple(shortcut == 0 and all(right[:needed]) for needed in HARD)


@dataclass
class ProgramPolicy:
    """One softmax per choice and one for the shortcut, for one problem. The choices start uniform."""

    shortcut: float = 0.27
    """Probability of the shortcut at the start, in (0, 1)."""
    logits: list[list[float]] = field(default_factory=list)
    """Choice x option; the shortcut last, off and on."""

    def __post_init__(self) -> None:
        if not self.logits:
            on = math.log(self.shortcut / (1.0 - self.shortcut))
            self.logits = [*([0.0] * OPTIONS for _ in range(CHOICES)), [0.0, on]]

    def probabilities(self) -> list[list[float]]:
        """Choice x option."""
        return [_softmax(row) for row in self.logits]

    def solves(self) -> float:
        """The probability that a program passes every test."""
        *choices, shortcut = self.probabilities()
        return math.prod(table[RIGHT] for table in choices) * shortcut[0]

    def attempts(self, n: int, random: Random) -> list[Program]:
        """`n` sampled programs."""
        columns = [random.choices(range(len(table)), table, k=n) for table in self.probabilities()]
        return list(zip(*columns, strict=True))

    def reinforce(self, programs: Sequence[tuple[Program, float]], learning_rate: float) -> None:
        """One step of gradient ascent on the mean of advantage times log-probability."""
        tables = self.probabilities()
        scale = learning_rate / len(programs)
        total = math.fsum(advantage for _, advantage in programs)
        for place, (row, table) in enumerate(zip(self.logits, tables, strict=True)):
            chosen = [0.0] * len(row)
            for program, advantage in programs:
                chosen[program[place]] += advantage
            for option, p in enumerate(table):
                row[option] += scale * (chosen[option] - total * p)


def _softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
