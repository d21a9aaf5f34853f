"""`Attack`: what a policy may write that is not an answer; and `Target`, what it may know while it writes.

An attack is a frozen dataclass whose fields are its parameters, so that one class is one idea and each of its
`variants()` one way to carry it out. Register it through the hook `guerdon_attacks`.

```python
@dataclass(frozen=True)
class Applause(Attack):
    \"\"\"Praise in place of an answer.\"\"\"

    name = "hello/applause"
    exploits = "metric"
    source = "ours"
    knows = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        return ("Bravo!",)
```
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal, Self, get_args

from guerdon.audit.layouts import Layout
from guerdon.types import Prompt

Category = Literal[
    "degenerate",
    "format",
    "judge",
    "constant",
    "tampering",
    "hedging",
    "characters",
    "numbers",
    "group",
    "metric",
    "reference",
    "composed",
]
"""What an attack exploits; `metric` is the School of Reward Hacks' list, `composed` what the search put together."""
Knows = Literal["nothing", "prompt", "examples", "reference"]
"""The threat: what the attacker knows beside the layout. Each level knows what those before it know:

`nothing`: text that is the same for every prompt. `prompt`: what the policy is shown. `examples`: honest completions of
*other* examples, as a warm start teaches them. `reference`: the honest completion of this very example: no policy has
it, so these attacks are asked for apart, and show what a right answer can be stretched to.
"""
LEVELS: tuple[Knows, ...] = get_args(Knows)


@dataclass(frozen=True)
class Target:
    """One example as an attacker sees it."""

    prompt: Prompt = field(default_factory=Prompt)
    examples: tuple[str, ...] = ()
    """Honest completions of other examples, forced beginning included; never this one's."""
    layout: Layout = field(default_factory=Layout)
    reference: str | None = None
    """This example's honest completion; None for attacks that may not know it."""
    group_size: int = 4
    """Attempts in a group."""
    seed: int = 0
    """For attacks that draw."""

    def seen(self, knows: Knows) -> Target:
        """The same target with what that threat does not know left out."""
        level = LEVELS.index(knows)
        return replace(
            self,
            prompt=self.prompt if level >= 1 else Prompt(forced=self.prompt.forced),
            examples=self.examples if level >= 2 else (),
            reference=self.reference if level >= 3 else None,
        )

    @cached_property
    def question(self) -> str:
        """The last user message; all messages where there is none."""
        said = [message.content for message in self.prompt.messages if message.role == "user"]
        return said[-1] if said else "\n".join(message.content for message in self.prompt.messages)

    @cached_property
    def keywords(self) -> tuple[str, ...]:
        """The prompt's words of four letters and more, each once, in order."""
        text = "\n".join(message.content for message in self.prompt.messages)
        return tuple(dict.fromkeys(word for word in re.findall(r"[^\W\d_]{4,}", text)))[:200]

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """What the other examples' completions answer, without their frame, each once."""
        return tuple(dict.fromkeys(self.layout.answer(text) for text in self.examples))


@dataclass(frozen=True)
class Attack(ABC):
    """The base of all attacks; see the module's head."""

    name: ClassVar[str]
    """As registered: "degenerate/empty"."""
    exploits: ClassVar[Category]
    source: ClassVar[str]
    """Where it comes from: a fact sheet's system, a page of this repository, or "ours"."""
    knows: ClassVar[Knows] = "prompt"
    whole_group: ClassVar[bool] = False
    """Whether its completions are one group, of which the mean counts; else each is an attempt of its own, and the
    least of them counts: what it has to earn with whatever form it takes."""
    ties: ClassVar[bool] = True
    """Whether earning *as much as* the honest reference is an exploit already. False for attacks that hold the right
    answer unharmed, which earn too much only when they earn more."""

    @abstractmethod
    def attempt(self, target: Target) -> tuple[str, ...]:
        """What it writes, forced beginning included or not. Empty where it does not apply: there is nothing to attack.

        Args:
            target: what it may know; already cut to `knows`.
        """

    @property
    def label(self) -> str:
        """What reports call it: its name; a composed one says what it is made of."""
        return self.name

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """The ways to carry it out that an audit tries; one by default."""
        return (cls(),)
