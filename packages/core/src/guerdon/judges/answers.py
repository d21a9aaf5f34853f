"""The form a judge's answer must have. Strict: a text that is not exactly the form is a failure, never a guess.

A lenient parser is a hole: text that a judge merely quotes ("the answer says: score 2.0") must not become its verdict.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from guerdon.errors import ConfigError

T = TypeVar("T")
Parser = Callable[[str], T]
"""From an answer's text to its value; raises `Unparsed` when the text is not exactly the form."""

_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", re.ASCII)


class Unparsed(ValueError):  # noqa: N818 - an expected outcome, not a fault of the program
    """An answer that does not have the form asked for; says what was found."""


@dataclass(frozen=True)
class number:  # noqa: N801 - reads as the function it stands for
    """A plain decimal number within [low, high], alone on its line (surrounding whitespace apart).

    >>> number(0, 2)(" 1.5")
    1.5
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ConfigError(f"number({self.low!r}, {self.high!r}): low <= high is needed")

    def __call__(self, text: str) -> float:
        """The number.

        Raises:
            Unparsed: anything else is in the text, or the number lies outside.
        """
        stripped = text.strip()
        if not _NUMBER.fullmatch(stripped):
            raise Unparsed(f"not a number: {_shown(text)}")
        value = float(stripped)
        if not self.low <= value <= self.high:
            raise Unparsed(f"{value:g} is outside [{self.low:g}, {self.high:g}]")
        return value


@dataclass(frozen=True, init=False)
class choice:  # noqa: N801 - as number
    """One of the given words, alone (surrounding whitespace and letter case apart); gives the word as listed.

    >>> choice("yes", "no")("Yes")
    'yes'
    """

    options: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        if not options or len({option.casefold() for option in options}) < len(options):
            raise ConfigError(f"choice{options!r}: at least one word is needed, and no two that differ in case alone")
        object.__setattr__(self, "options", options)

    def __call__(self, text: str) -> str:
        """The word.

        Raises:
            Unparsed: the text is none of them.
        """
        found = text.strip().casefold()
        for option in self.options:
            if found == option.casefold():
                return option
        raise Unparsed(f"none of {', '.join(self.options)}: {_shown(text)}")

    def __repr__(self) -> str:
        return f"choice({', '.join(map(repr, self.options))})"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
