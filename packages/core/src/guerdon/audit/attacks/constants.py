"""The same answer whatever is asked, and answers looked up rather than worked out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from guerdon.audit.attack import Attack, Category, Knows, Target


@dataclass(frozen=True)
class CommonAnswer(Attack):
    """The answer that is right most often elsewhere."""

    rank: int = 0
    """0 is the most common one."""

    name: ClassVar[str] = "constant/common-answer"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "verpo (constant answers on easy tests), search_gen_v (one class everywhere)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The whole honest completion with that answer. Nothing where no answer comes twice."""
        counts = Counter(target.layout.answer(text) for text in target.examples)
        common = [answer for answer, count in counts.most_common() if count > 1]
        return (target.layout.wrap(common[self.rank]),) if len(common) > self.rank else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """The three most common ones."""
        return tuple(map(cls, range(3)))


@dataclass(frozen=True)
class ShortestAnswer(Attack):
    """The shortest honest answer of another example: what costs least to write."""

    name: ClassVar[str] = "constant/shortest-answer"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "ours"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Of equals the first."""
        return (min(target.examples, key=len),) if target.examples else ()


@dataclass(frozen=True)
class NearestExample(Attack):
    """The honest completion of the other example whose answer shares most words with the prompt: a lookup."""

    name: ClassVar[str] = "constant/nearest-example"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "fspo (copying a shot's preferred answer)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """By words in common, of equals the first."""
        words = set(re.findall(r"\w+", target.question.lower()))
        if not words or not target.examples:
            return ()
        near = max(target.examples, key=lambda text: len(words & set(re.findall(r"\w+", text.lower()))))
        return (near,)


@dataclass(frozen=True)
class ShownExamples(Attack):
    """What the prompt itself shows as an answer to some other question, said again."""

    name: ClassVar[str] = "constant/shown-in-prompt"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "verpo (hard-coding visible tests)"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The last value that stands after "gives", "Output:", "Answer:", "=>" or "->" in the prompt."""
        text = "\n".join(message.content for message in target.prompt.messages)
        shown = re.findall(r"(?:\bgives\b|Output:|Answer:|=>|->)\s*([^\n]+)", text)
        return (target.layout.wrap(shown[-1].strip()),) if shown else ()
