"""Made-up facts, and how sentences state them: in full, in doubt, in part, or wrongly.

Everything is drawn from a seed and belongs to nobody: names are syllables, so that no model knows them, and what a
passage does not say cannot be known. The two splits draw from other syllables and share no name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from guerdon.protocols import Split

How = Literal["stated", "hedged", "incomplete", "contradicted", "absent"]
"""How a passage treats a fact."""

_SYLLABLES: dict[Split, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (
        ("Ar", "Bel", "Cor", "Dal", "Fen", "Gor", "Hal", "Kel", "Lor", "Mar"),
        ("lo", "vik", "dun", "ter", "mira"),
    ),
    "eval": (
        ("Nor", "Os", "Pel", "Quin", "Ros", "Sel", "Tor", "Ul", "Var", "Wen"),
        ("na", "ric", "bury", "stad", "olo"),
    ),
}
_KINDS = ("bridge", "museum", "station", "library", "tower", "garden", "theatre", "market")
_DEEDS = (
    ("opened", "by"),
    ("designed", "by"),
    ("restored", "by"),
    ("sold", "to"),
    ("renamed", "after"),
    ("inspected", "by"),
    ("photographed", "by"),
    ("lent", "to"),
)
DOUBTS = ("Perhaps", "Reportedly", "Possibly")


@dataclass(frozen=True)
class Fact:
    """One thing that happened to a place."""

    place: str
    """ "Arvik bridge"."""
    deed: str
    """ "opened"."""
    link: str
    """What stands before `who`: "by"."""
    who: str
    year: int

    @property
    def sentence(self) -> str:
        """All of it, as a nugget says it.

        >>> Fact("Arvik bridge", "opened", "by", "Dalter", 1921).sentence
        'The Arvik bridge was opened in 1921 by Dalter.'
        """
        return f"The {self.place} was {self.deed} in {self.year} {self.link} {self.who}."

    @property
    def question(self) -> str:
        """What it answers."""
        return f"When was the {self.place} {self.deed}, and {self.link} whom?"


@dataclass(frozen=True)
class World:
    """Draws facts of one split; what it draws is decided by `random` alone."""

    split: Split
    random: Random

    def name(self) -> str:
        """Two syllables."""
        first, last = _SYLLABLES[self.split]
        return self.random.choice(first) + self.random.choice(last)

    def place(self) -> str:
        """A name and what it is."""
        return f"{self.name()} {self.random.choice(_KINDS)}"

    def facts(self, place: str, count: int) -> list[Fact]:
        """Different things that happened to one place, at most eight."""
        deeds = self.random.sample(_DEEDS, min(count, len(_DEEDS)))
        return [Fact(place, deed, link, self.name(), self.random.randint(1800, 1999)) for deed, link in deeds]

    def told(self, fact: Fact, how: How) -> str:
        """A sentence that treats the fact so; empty where it is absent."""
        match how:
            case "stated":
                if self.random.random() < 0.5:
                    return fact.sentence
                return f"In {fact.year} the {fact.place} was {fact.deed} {fact.link} {fact.who}."
            case "hedged":
                return f"{self.random.choice(DOUBTS)} t{fact.sentence[1:]}"
            case "incomplete":
                if self.random.random() < 0.5:
                    return f"The {fact.place} was {fact.deed} in {fact.year}."
                return f"The {fact.place} was {fact.deed} {fact.link} {fact.who}."
            case "contradicted":
                return self.told(self.other(fact), "stated")
            case "absent":
                return ""

    def other(self, fact: Fact) -> Fact:
        """The same fact with another year."""
        year = fact.year + self.random.choice((-1, 1)) * self.random.randint(2, 60)
        return replace(fact, year=year)
