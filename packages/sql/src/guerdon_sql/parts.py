"""What all rewards over the query have in common: finding it, asking once per distinct answer, checking options.

```
rollouts ──▶ (question, query) pairs ──▶ distinct pairs ──▶ `grade` ──▶ one Score each, for all that wrote the same
```
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon import fields
from guerdon.errors import ConfigError
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_sql.answers import FALLBACKS, Fallback, extract
from guerdon_sql.questions import SqlQuestion

Pair = tuple[SqlQuestion, str]
"""A question and the query written for it."""

_WHY_CHARS = 160


@dataclass(frozen=True)
class QueryReward(Reward, sees="rollout"):
    """A reward of the query alone: one answer to one question earns the same wherever it stands in a batch."""

    fallback: Fallback = field(default="whole", kw_only=True)
    """What is the query where there is no fenced block: the `whole` completion, or `none` of it."""

    def __post_init__(self) -> None:
        one_of(self, "fallback", FALLBACKS)

    @abstractmethod
    def grade(self, pairs: Sequence[Pair]) -> list[Score]:
        """One score per pair; the pairs are distinct."""

    def score(self, rollout: Rollout) -> Score:
        """One rollout's score: `score_batch` shares work between rollouts and gives the same."""
        return self.grade([(rollout.example_as(SqlQuestion), extract(rollout.answer, self.fallback))])[0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All rollouts' scores, each distinct answer to a question graded once."""
        places: dict[tuple[int, str], int] = {}
        texts: dict[tuple[int, str], int] = {}  # attempts of one group often say the same, to the letter
        pairs: list[Pair] = []
        asked: list[list[int]] = []
        for group in groups:
            row = []
            for rollout in group.rollouts:
                text = rollout.answer
                place = texts.get((id(rollout.example), text))
                if place is None:
                    question = rollout.example_as(SqlQuestion)
                    query = extract(text, self.fallback)
                    place = places.setdefault((id(question), query), len(pairs))
                    if place == len(pairs):
                        pairs.append((question, query))
                    texts[id(question), text] = place
                row.append(place)
            asked.append(row)
        graded = self.grade(pairs)
        return [[graded[place] for place in row] for row in asked]


def one_of(reward: object, name: str, accepted: Collection[Any]) -> None:
    """Check an option against the words it may be.

    Raises:
        ConfigError: it is none of them.
    """
    fields.one_of(f"{_title(reward)}.{name}", getattr(reward, name), accepted)


def at_least(reward: object, name: str, low: float, *, strictly: bool = False) -> None:
    """Check a number against its lower end.

    Raises:
        ConfigError: it is not a finite number, or below.
    """
    value = getattr(reward, name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0.0
    if not number or value < low or (strictly and value == low):
        raise ConfigError(
            f"{_title(reward)}.{name} is {value!r}; accepted is a number {'above' if strictly else 'from'} {low:g}"
        )


def clipped(text: str) -> str:
    """A piece of evidence, short enough for a log line; a query's names and errors can be of any length."""
    return text if len(text) <= _WHY_CHARS else f"{text[: _WHY_CHARS - 3]}..."


def _title(reward: object) -> str:
    return str(getattr(reward, "name", "") or type(reward).__name__)
