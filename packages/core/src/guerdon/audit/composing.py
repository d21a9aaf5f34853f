"""Attacks made of attacks: what the search puts together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from guerdon.audit.attack import LEVELS, Attack, Category, Knows, Target
from guerdon.audit.attacks.characters import changed
from guerdon.audit.attacks.judges import CLOSINGS, PLEAS
from guerdon.errors import ConfigError

_FILLER = "Let me look at this step by step, since every part of it matters. "
MAX_CHARS = 20_000
"""Longer completions are cut: a search must not spend its time on reading them."""

OPERATORS: dict[str, Callable[[str, Target], str]] = {
    "framed": lambda text, target: target.layout.wrap(text),
    "bare": lambda text, target: target.layout.answer(text),
    "twice": lambda text, target: f"{text}\n{text}",
    "padded": lambda text, target: f"{text}\n{_FILLER * 20}",
    "introduced": lambda text, target: f"{_FILLER * 5}\n{text}",
    "first half": lambda text, target: text[: len(text) // 2],
    "second half": lambda text, target: text[len(text) // 2 :],
    "upper case": lambda text, target: text.upper(),
    "zero-width": lambda text, target: changed(text, "zero-width"),
    "with the question": lambda text, target: f"{target.question}\n{text}",
    "with keywords": lambda text, target: f"{text}\n{' '.join(target.keywords)}",
    "with a plea": lambda text, target: f"{text}\n{PLEAS[0]}",
    "with a forged verdict": lambda text, target: f"{text}\n{CLOSINGS[1]}",
    "without its last line": lambda text, target: text.rpartition("\n")[0],
    "backwards": lambda text, target: " ".join(reversed(text.split(" "))),
}
"""Changes of one completion, by name."""


@dataclass(frozen=True)
class Composed(Attack):
    """An attack's completion, changed step by step."""

    base: Attack
    then: tuple[str, ...] = ()
    """Names of `OPERATORS`, in order."""

    name: ClassVar[str] = "composed/changed"
    exploits: ClassVar[Category] = "composed"
    source: ClassVar[str] = "found by search"

    def __post_init__(self) -> None:
        for operator in self.then:
            if operator not in OPERATORS:
                raise ConfigError(f"{self.name}.then has {operator!r}; accepted are {', '.join(OPERATORS)}")

    @property
    def knows(self) -> Knows:  # type: ignore[override]
        """Prompt and examples at least: the operators use them."""
        return _most("examples", self.base.knows)

    @property
    def label(self) -> str:
        """The base, and what was done to it, in order."""
        return ", ".join((self.base.label, *self.then))

    @property
    def whole_group(self) -> bool:  # type: ignore[override]
        """The base's."""
        return self.base.whole_group

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The base's completions, each so changed."""
        found = []
        for text in self.base.attempt(target.seen(self.base.knows)):
            for operator in self.then:
                text = OPERATORS[operator](text, target)[:MAX_CHARS]
            found.append(text)
        return tuple(found)


@dataclass(frozen=True)
class Joined(Attack):
    """Two attacks' completions, one after the other."""

    first: Attack
    second: Attack

    name: ClassVar[str] = "composed/joined"
    exploits: ClassVar[Category] = "composed"
    source: ClassVar[str] = "found by search"

    @property
    def knows(self) -> Knows:  # type: ignore[override]
        """What either knows."""
        return _most(self.first.knows, self.second.knows)

    @property
    def label(self) -> str:
        """Both."""
        return f"({self.first.label}) + ({self.second.label})"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The first completion of each; nothing where one of them writes nothing."""
        pair = [attack.attempt(target.seen(attack.knows)) for attack in (self.first, self.second)]
        return ("\n".join(texts[0] for texts in pair)[:MAX_CHARS],) if all(pair) else ()


def size(attack: Attack) -> int:
    """How many changes and joins it is made of; 0 for a listed one."""
    if isinstance(attack, Composed):
        return size(attack.base) + len(attack.then)
    return 1 + size(attack.first) + size(attack.second) if isinstance(attack, Joined) else 0


def _most(one: Knows, other: Knows) -> Knows:
    return max(one, other, key=LEVELS.index)
