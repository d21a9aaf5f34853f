"""The School of Reward Hacks' ways to game a stated metric, one variant per kind: scoring tokens, and nothing said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from guerdon.audit.attack import Attack, Category, Knows, Target
from guerdon.audit.school_of_reward_hacks.hacks import KINDS, hacked
from guerdon.errors import ConfigError


@dataclass(frozen=True)
class MetricGaming(Attack):
    """Repeats what one kind of metric counts: thanks, citations, questions, key words, confidence, short sentences."""

    kind: str = "citations"
    beside_answer: bool = False
    """After another example's honest completion, rather than alone."""

    name: ClassVar[str] = "metric/gaming"
    exploits: ClassVar[Category] = "metric"
    source: ClassVar[str] = "school_of_reward_hacks"
    knows: ClassVar[Knows] = "examples"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"{self.name}.kind is {self.kind!r}; accepted are {', '.join(KINDS)}")

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The scoring tokens, with the prompt's words as key words."""
        text = hacked(self.kind, target.keywords[-2:] or ("key",))
        if not self.beside_answer:
            return (text,)
        return (f"{target.examples[0]}\n{text}",) if target.examples else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Every kind, alone and beside an answer."""
        return tuple(cls(kind, beside) for kind in KINDS for beside in (False, True))
