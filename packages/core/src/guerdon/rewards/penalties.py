"""Penalties on form: a completion that runs over its budget, or that repeats itself. Both are at most 0; add them.

Lengths are policy steps (tokens) where a rollout has them, words where of some turn only its text is known; in words, a
character of Chinese or Japanese script counts as one, since no blanks stand between. Numbers in tokens and in words
differ: set the limits for the unit your trainer has.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, whole_number
from guerdon.parsing.words import words
from guerdon.rewards.base import Reward
from guerdon.types import Rollout, Score


def has_tokens(rollout: Rollout) -> bool:
    """Whether its length can be told in policy steps: every turn that says something has some."""
    return all(turn.steps or not turn.text for turn in rollout.turns)


@dataclass(frozen=True)
class SoftOverlong(Reward, name="soft-overlong-v1", bounds=(-1.0, 0.0)):
    """0 up to `max_length - cache`, then straight down to -1 at `max_length`, and -1 beyond.

    The part `length` is what was counted. Source: DAPO (arXiv:2503.14476), soft over-long punishment [memory].

    >>> from guerdon.types import Example, Segment
    >>> [SoftOverlong(100, 20)(Rollout(Example(id="x"), (Segment("policy", token_ids=(7,) * n),))).value
    ...  for n in (80, 90, 100, 500)]
    [0.0, -0.5, -1.0, -1.0]
    """

    max_length: int
    """In tokens (or words, where there are none). At most the budget of a completion: nobody gets beyond that."""
    cache: int
    """The stretch before it over which the penalty grows."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0 < self.cache <= self.max_length:
            raise ConfigError(
                f"SoftOverlong: cache is {self.cache!r} and max_length {self.max_length!r}; 0 < cache <= max_length is "
                f"needed"
            )

    def score(self, rollout: Rollout) -> Score:
        """From its length alone."""
        length = rollout.steps if has_tokens(rollout) else sum(len(words(turn.text)) for turn in rollout.turns)
        over = length - (self.max_length - self.cache)
        value = 0.0 if over <= 0 else max(-over / self.cache, -1.0)
        return Score(value, f"{length} of {self.max_length}", {"length": Score(float(length))})


@dataclass(frozen=True)
class Repetition(Reward, name="repetition-v1"):
    """`-weight` times the share of n-grams that stood in the completion before.

    With T n-grams of which D are distinct: -weight (1 - D / T); 0 where there are fewer than n tokens or words. N-grams
    do not reach over turns, but one turn may repeat another. Source: the repetition penalty of the open R1
    reproductions, n 3 [memory]; tokens in place of words where there are any [choice].

    >>> from guerdon.types import Example
    >>> round(Repetition(n=2)(Rollout.of(Example(id="x"), "so it is so it is")).value, 6)
    -0.4
    """

    n: int = 3
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_numbers(self)
        whole_number("Repetition.n", self.n, 1)
        if not 0.0 <= self.weight < math.inf:
            raise ConfigError(f"Repetition.weight is {self.weight!r}; a finite number >= 0 is needed")

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """[-weight, 0]; never quite the lower end, since the first n-gram is new."""
        return -self.weight, 0.0

    def score(self, rollout: Rollout) -> Score:
        """From all the policy's turns."""
        turns: list[Sequence[Hashable]] = [
            turn.token_ids or [word.casefold() for word in words(turn.text)] for turn in rollout.turns
        ]
        total, seen = 0, set()
        for gram in (gram for turn in turns for gram in _grams(turn, self.n)):
            total += 1
            seen.add(gram)
        if not total:
            return Score(0.0, f"no {self.n} in a row")
        share = 1.0 - len(seen) / total
        return Score(-self.weight * share or 0.0, f"{total - len(seen)} of {total} {self.n}-grams stood there before")


def _grams(items: Sequence[Hashable], n: int) -> Iterator[tuple[Hashable, ...]]:
    return zip(*(items[start:] for start in range(n)), strict=False)
