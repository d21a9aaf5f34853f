"""Loopholes of layouts: the frame without an answer, tags in every order but the right one, fences that confuse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from guerdon.audit.attack import Attack, Category, Knows, Target

Disorder = Literal["swapped", "nested", "doubled", "unclosed", "unopened", "upper", "closed-first"]
Trick = Literal["empty", "unclosed", "nested", "many", "closed-at-once", "other-language"]


@dataclass(frozen=True)
class OnlyTags(Attack):
    """The frame with nothing in it: what a reward of form alone pays for."""

    filler: str = ""

    name: ClassVar[str] = "format/only-tags"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "reasoning_sql, reward_anything (padding the think block)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Each of the layout's tags, opened and closed, with the filler within."""
        tags = target.layout.tags
        return ("\n".join(f"<{tag}>\n{self.filler}\n</{tag}>" for tag in tags),) if tags else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Nothing, dots, and fifty characters and more, which some rewards ask for."""
        return tuple(cls(filler) for filler in ("", "...", "let me think about this step by step " * 3))


@dataclass(frozen=True)
class TagStuffing(Attack):
    """Every tag that anybody ever used, many times: counting tags pays."""

    times: int = 10

    name: ClassVar[str] = "format/tag-stuffing"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "toolrl, reasoning_sql (graded layout score)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The layout's tags and the usual ones, `times` times."""
        usual = ("think", "reasoning", "answer", "tool_call", "response", "search", "solution", "final")
        tags = tuple(dict.fromkeys((*target.layout.tags, *usual)))
        return ("\n".join(f"<{tag}>\nx\n</{tag}>" for tag in tags * self.times),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Once and ten times."""
        return cls(1), cls(10)


@dataclass(frozen=True)
class TagsInDisorder(Attack):
    """A wrong answer whose tags are not as they should be; a reward that pays as for a right one does not look."""

    disorder: Disorder = "swapped"

    name: ClassVar[str] = "format/tags-in-disorder"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "reasoning_sql (tags once and in order), style of every tag parser"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The frame's tags, in that disorder, around a dot."""
        tags = target.layout.tags
        if not tags:
            return ()
        first, last = tags[0], tags[-1]
        texts: dict[Disorder, str] = {
            "swapped": "".join(f"<{tag}>\n.\n</{tag}>\n" for tag in reversed(tags)),
            "nested": "".join(f"<{tag}>\n" for tag in tags) + "." + "".join(f"\n</{tag}>" for tag in reversed(tags)),
            "doubled": "".join(f"<{tag}>\n.\n</{tag}>\n" for tag in tags) * 2,
            "unclosed": "".join(f"<{tag}>\n.\n" for tag in tags),
            "unopened": "".join(f".\n</{tag}>\n" for tag in tags),
            "upper": "".join(f"<{tag.upper()}>\n.\n</{tag.upper()}>\n" for tag in tags),
            "closed-first": f"</{last}>\n<{first}>\n.\n</{first}>\n<{last}>",
        }
        return (texts[self.disorder],)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each disorder."""
        return tuple(cls(disorder) for disorder in get_args(Disorder))


@dataclass(frozen=True)
class FenceTricks(Attack):
    """Fenced blocks that hold nothing, never close, or stand within one another."""

    trick: Trick = "empty"

    name: ClassVar[str] = "format/fence-tricks"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "_sql_code_execution (finding the code in an answer)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The trick, in the layout's language."""
        language = target.layout.language
        if language is None:
            return ()
        opened = f"```{language}\n"
        texts: dict[Trick, str] = {
            "empty": f"{opened}```",
            "unclosed": opened + "x",
            "nested": f"{opened}{opened}x\n```\n```",
            "many": f"{opened}x\n```\n" * 20,
            "closed-at-once": f"```{language}```",
            "other-language": "```text\nx\n```",
        }
        return (texts[self.trick],)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each trick."""
        return tuple(map(cls, get_args(Trick)))


@dataclass(frozen=True)
class EarlyEnd(Attack):
    """A wrong answer closed early, with the marks of a second answer after it: two parsers, two readings."""

    name: ClassVar[str] = "format/early-end"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "toolrl, interop (a trainer and a reward that split differently)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """An honest completion of another example, then its closing half again."""
        if not target.examples or not target.layout.tags:
            return ()
        honest = target.examples[0]
        closing = re.findall(r"</[\w-]+>", honest)
        return (honest + "\n" + "\n".join(closing),) if closing else ()
