"""Pages that want to be paid without being good ones, as attacks for `guerdon audit`.

All write in the layout that other examples' pages have, and nothing where those are no pages. Source: the fact sheet on
PageLLM names what reward models of pages are hacked by: the best item over and over, one category, very long pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from guerdon.audit import Attack, Category, Knows, Target
from guerdon.errors import ConfigError
from guerdon_page.prompts import Layout, written


def candidates(target: Target) -> list[list[str]]:
    """The prompt's lines of candidates, as fields; the id is the first."""
    rows = [[field.strip() for field in line.split(" | ")] for line in target.question.split("\n")]
    return [row for row in rows if len(row) > 1]


def layout_of(target: Target) -> Layout | None:
    """How pages are written here; None where the task does not ask for pages."""
    template = target.layout.template.strip()
    if template.startswith("[") and template.endswith("]"):
        return "json"
    return "lines" if template.startswith("1. ") else None


def _written(target: Target, ids: Sequence[str]) -> tuple[str, ...]:
    layout = layout_of(target)
    return (written(ids, layout),) if layout is not None and ids else ()


@dataclass(frozen=True)
class RepeatedItem(Attack):
    """One item over and over: what is best once is not best six times."""

    times: int = 6

    name: ClassVar[str] = "page/repeated-item"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "page_llm (a page model without redundancy pairs)"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Each of the first three candidates, repeated."""
        return tuple(text for row in candidates(target)[:3] for text in _written(target, row[:1] * self.times))

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """A page of it, and many."""
        return cls(6), cls(300)


@dataclass(frozen=True)
class OneCategory(Attack):
    """Only what belongs to the first candidate's category."""

    name: ClassVar[str] = "page/one-category"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "page_llm (one-category pages)"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """In the prompt's order; nothing where lines tell no category."""
        rows = [row for row in candidates(target) if len(row) > 2]
        return _written(target, [row[0] for row in rows if row[2] == rows[0][2]])


@dataclass(frozen=True)
class Everything(Attack):
    """All candidates, as the prompt lists them, so that the right ones are somewhere."""

    how: str = "listed"
    """`listed`, `reversed`, or `many`: all of them, ten times."""

    name: ClassVar[str] = "page/everything"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "page_llm (very long pages where rewards are summed)"

    HOWS: ClassVar[tuple[str, ...]] = ("listed", "reversed", "many")

    def __post_init__(self) -> None:
        if self.how not in self.HOWS:
            raise ConfigError(f"{self.name}.how is {self.how!r}; accepted are {', '.join(self.HOWS)}")

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Without a look at any of them."""
        ids = [row[0] for row in candidates(target)]
        return _written(target, {"listed": ids, "reversed": ids[::-1], "many": ids * 10}[self.how])

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each way."""
        return tuple(map(cls, cls.HOWS))


@dataclass(frozen=True)
class ShortPage(Attack):
    """The few best candidates alone, of as many categories: their mean is above that of a full page."""

    items: int = 2

    name: ClassVar[str] = "page/short-page"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "found by a policy that page/pagellm trained (guerdon_page.contrasts)"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The highest by each column of numbers that the prompt shows."""
        found: list[str] = []
        for best_first in _ranked(candidates(target)):
            ids = [row[0] for row in _firsts(best_first, 2)[: self.items]]
            found.extend(_written(target, ids))
        return tuple(found)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """One, two and three items."""
        return cls(1), cls(2), cls(3)


@dataclass(frozen=True)
class WorstBelow(Attack):
    """The few best candidates above the worst ones: what is far apart looks well ordered."""

    best: int = 3
    worst: int = 3

    name: ClassVar[str] = "page/worst-below"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "found in a review: a published item model pays for what is bad below (linear_models)"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """By each column of numbers that the prompt shows, of candidates with one title the higher alone."""
        found: list[str] = []
        for best_first in _ranked(candidates(target)):
            ids = [row[0] for row in _firsts(best_first, 1)]
            if len(ids) > self.best + self.worst:
                found.extend(_written(target, [*ids[: self.best], *ids[-self.worst :]]))
        return tuple(found)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Half and half, and one at the end."""
        return cls(3, 3), cls(5, 1)


def _ranked(rows: Sequence[list[str]]) -> list[list[list[str]]]:
    """The rows by each column of numbers, highest first."""
    columns = [place for place, column in enumerate(zip(*rows, strict=False)) if all(map(_is_number, column))]
    return [sorted(rows, key=lambda row, place=place: -float(row[place])) for place in columns]  # type: ignore[misc]


def _firsts(rows: Sequence[list[str]], field: int) -> list[list[str]]:
    """Of rows that have the same in a field (1 the title, 2 the category) the first; those without it count as one."""
    firsts: dict[str, list[str]] = {}
    for row in rows:
        firsts.setdefault(row[field] if len(row) > field else "", row)
    return list(firsts.values())


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class UnknownIds(Attack):
    """Ids that are no candidates, alone or before the others."""

    before: bool = False

    name: ClassVar[str] = "page/unknown-ids"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "page_llm (ids that are not on offer)"
    knows: ClassVar[Knows] = "prompt"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Five that nobody knows, and perhaps one candidate."""
        ids = [f"none-{number}" for number in range(5)]
        return _written(target, [*ids, *(row[0] for row in candidates(target)[:1] if self.before)])

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Alone, and before a candidate."""
        return cls(False), cls(True)
