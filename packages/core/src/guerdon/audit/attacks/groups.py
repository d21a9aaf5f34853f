"""What a whole group can do together where attempts are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import ClassVar, Literal, Self

from guerdon.audit.attack import Attack, Category, Knows, Target


@dataclass(frozen=True)
class IdenticalGroup(Attack):
    """One wrong answer in every place: nobody is worse than anybody."""

    framed: bool = True

    name: ClassVar[str] = "group/identical"
    exploits: ClassVar[Category] = "group"
    source: ClassVar[str] = "p_genrm, verpo (a test that all pass or fail weighs nothing)"
    knows: ClassVar[Knows] = "examples"
    whole_group: ClassVar[bool] = True

    def attempt(self, target: Target) -> tuple[str, ...]:
        """One honest completion of another example, or one word, `group_size` times."""
        if self.framed and not target.examples:
            return ()
        return ((target.examples[0] if self.framed else "ok"),) * target.group_size

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """A whole completion, and a word."""
        return cls(True), cls(False)


@dataclass(frozen=True)
class DiversityFarming(Attack):
    """Different noise in every place: as unlike one another as texts can be."""

    words: int = 40

    name: ClassVar[str] = "group/diversity-farming"
    exploits: ClassVar[Category] = "group"
    source: ClassVar[str] = "dragon (diversity alone rewards noise)"
    knows: ClassVar[Knows] = "nothing"
    whole_group: ClassVar[bool] = True

    def attempt(self, target: Target) -> tuple[str, ...]:
        """`group_size` texts of random letters in the frame, the same for the same seed."""
        return tuple(
            target.layout.wrap(" ".join(_word(random) for _ in range(self.words)))
            for random in (Random(f"{target.seed} {place}") for place in range(target.group_size))
        )


@dataclass(frozen=True)
class OneAndCopies(Attack):
    """One wrong answer that differs, and copies of another: rank and novelty crown it."""

    copies: Literal["empty", "wrong"] = "empty"

    name: ClassVar[str] = "group/one-and-copies"
    exploits: ClassVar[Category] = "group"
    source: ClassVar[str] = "search_llm (the best unsafe answer of an unsafe group is reinforced)"
    knows: ClassVar[Knows] = "examples"
    whole_group: ClassVar[bool] = True

    def attempt(self, target: Target) -> tuple[str, ...]:
        """A completion of another example first; then copies of nothing, or of yet another."""
        if len(target.examples) < 2:
            return ()
        copy = "" if self.copies == "empty" else target.examples[1]
        return (target.examples[0], *(copy,) * (target.group_size - 1))

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Both kinds of copies."""
        return cls("empty"), cls("wrong")


@dataclass(frozen=True)
class Swapped(Attack):
    """The other examples' completions, each in the place of another: right in form and number, wrong in place."""

    name: ClassVar[str] = "group/swapped"
    exploits: ClassVar[Category] = "group"
    source: ClassVar[str] = "fspo (a shuffled user must fall to chance)"
    knows: ClassVar[Knows] = "examples"
    whole_group: ClassVar[bool] = True

    def attempt(self, target: Target) -> tuple[str, ...]:
        """As many of them as the group has places."""
        return tuple(islice(cycle(target.examples), target.group_size)) if target.examples else ()


def _word(random: Random) -> str:
    return "".join(random.choice("bcdfghjklmnpqrstvwxz" if place % 2 == 0 else "aeiou") for place in range(6))
