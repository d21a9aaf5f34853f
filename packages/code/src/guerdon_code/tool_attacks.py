"""Turns that want to be taken for right tool calls, as attacks for `guerdon audit`: every tool, every call."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from guerdon.audit import Attack, Category, Knows, Target
from guerdon_code.tool_layout import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN

_NAME = re.compile(r'"name": "([^"]+)"')
_LISTED = re.compile(r"^\d+\. Name: (\S+)", re.MULTILINE)


def _tools(target: Target) -> tuple[str, ...]:
    """Names of tools that the prompt lists, then those that other turns call."""
    text = "\n".join(message.content for message in target.prompt.messages)
    return tuple(dict.fromkeys([*_LISTED.findall(text), *_NAME.findall("\n".join(target.examples))]))


def _turn(lines: Sequence[str], thought: str = "so") -> str:
    return "\n".join([f"{THINK_OPEN} {thought} {THINK_CLOSE}", CALL_OPEN, *lines, CALL_CLOSE])


def _calls_tools(target: Target) -> bool:
    return CALL_OPEN in target.layout.template


@dataclass(frozen=True)
class EmptyCalls(Attack):
    """Calls that name a tool and nothing else: names are half of the agreement."""

    how: Literal["first", "every", "no name", "none"] = "first"

    name: ClassVar[str] = "code/empty-calls"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "toolrl"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """One tool, all of them, a call without a name, or a block without calls."""
        if not _calls_tools(target):
            return ()
        names = {"first": _tools(target)[:1], "every": _tools(target)[:50], "no name": ("",), "none": ()}[self.how]
        return (_turn([json.dumps({"name": name, "parameters": {}}) for name in names]),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return cls("first"), cls("every"), cls("no name"), cls("none")


@dataclass(frozen=True)
class EveryCall(Attack):
    """Every call that any other turn made, all in one turn."""

    most: int = 50

    name: ClassVar[str] = "code/every-call"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "toolrl (repeated calls)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Up to `most` of them."""
        if not _calls_tools(target):
            return ()
        bodies = "\n".join(
            re.findall(
                re.escape(CALL_OPEN) + r"\n(.*?)\n" + re.escape(CALL_CLOSE), "\n".join(target.examples), re.DOTALL
            )
        )
        lines = list(dict.fromkeys(bodies.splitlines()))[: self.most]
        return (_turn(lines),) if lines else ()


@dataclass(frozen=True)
class LongThought(Attack):
    """Words of thought up to the number that is paid for, and a wrong call."""

    words: int = 600

    name: ClassVar[str] = "code/long-thought"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "toolrl (the length reward)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """One word, over and over."""
        return (
            (_turn([json.dumps({"name": "none", "parameters": {}})], "word " * self.words),)
            if _calls_tools(target)
            else ()
        )
