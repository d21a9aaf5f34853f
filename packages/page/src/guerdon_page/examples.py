"""`PageExample`: one context to lay a page out for, as every page task yields it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from guerdon.types import Example
from guerdon_page.engagement import TOP

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Item(BaseModel):
    """One candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    """One line without blanks around it: prompts list a candidate a line, and pages an id a line."""
    title: str = ""
    category: str = ""
    features: tuple[Finite, ...] = ()
    """Numbers that a ranker knows of it, as many for each item of an example."""
    price: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    same_as: str = ""
    """The id of an item that this one is a near-duplicate of, or a name that all of one group have; "" for none."""

    @field_validator("id")
    @classmethod
    def _is_one_line(cls, id: str) -> str:
        if id != id.strip() or len(id.splitlines()) != 1:
            raise ValueError(
                f"the id {id!r} has a line break in it or blanks around it, and cannot be written on a page"
            )
        return id


class PageExample(Example):
    """A query or user, the candidates, and, where it was logged, a page that was shown and what people did with it."""

    query: str = ""
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    """The candidates; no two have one id."""
    length: Annotated[int, Field(ge=1, le=200)]
    """Places of the page: what stands beyond them is not seen."""
    shown: tuple[str, ...] = ()
    """Ids of the logged page, from the top; empty where nothing was logged."""
    engagement: tuple[Annotated[int, Field(ge=0, le=TOP)], ...] = ()
    """With each of those: 0 none, 1 click, 2 cart, 3 purchase."""
    propensities: tuple[Annotated[float, Field(gt=0.0, le=1.0)], ...] = ()
    """Chance that each of those places was looked at, where it is known: against position bias."""
    attraction: tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...] = ()
    """A simulator's truth: chance of a click on each candidate on top of a page. Not for prompts."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        known: set[str] = set()
        for item in self.items:
            if item.id in known:
                raise ValueError(f"two items have the id {item.id!r}; candidates need different ones")
            known.add(item.id)
        if len({len(item.features) for item in self.items}) > 1:
            raise ValueError("items have different numbers of features; each needs as many")
        if unknown := [id for id in self.shown if id not in known]:
            raise ValueError(f"shown has {unknown[0]!r}, which is no candidate")
        for name, wanted in (("engagement", self.shown), ("propensities", self.shown), ("attraction", self.items)):
            found = getattr(self, name)
            if len(found) != len(wanted) and (found or (name == "engagement" and self.shown)):
                raise ValueError(f"{name} has {len(found)} values; {len(wanted)} are needed")
        return self

    @cached_property
    def place(self) -> dict[str, int]:
        """Where among the candidates an id stands."""
        return {item.id: place for place, item in enumerate(self.items)}

    @cached_property
    def grades(self) -> dict[str, int]:
        """Engagement by id; of one that was shown twice, the most."""
        found: dict[str, int] = {}
        for id, grade in zip(self.shown, self.engagement, strict=True):
            found[id] = max(grade, found.get(id, 0))
        return found

    @cached_property
    def kind(self) -> dict[str, str]:
        """By id what counts as one thing: the group of near-duplicates, or the item itself."""
        return {item.id: item.same_as or item.id for item in self.items}

    @cached_property
    def alike(self) -> dict[str, list[Item]]:
        """By kind the candidates that count as that one thing."""
        found: dict[str, list[Item]] = {}
        for item in self.items:
            found.setdefault(self.kind[item.id], []).append(item)
        return found

    def kinds(self, ids: Iterable[str]) -> list[str]:
        """What counts as one thing, of each of these."""
        return [self.kind[id] for id in ids]
