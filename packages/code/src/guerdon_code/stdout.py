"""When what a program wrote is what was expected."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Literal

Rule = Literal["lines", "tokens", "exact"]
"""`lines`: equal but for white space at the ends of lines and of the text. `tokens`: and but for white space between
words, where a number equals another way to write it (LiveCodeBench's rule). `exact`: byte by byte."""
RULES: tuple[Rule, ...] = ("lines", "tokens", "exact")


def same_output(got: bytes, expected: str, rule: Rule = "lines") -> bool:
    r"""Whether the output is the expected one. Lines that are missing or left over differ under every rule.

    >>> same_output(b"1 2 \n3\n\n", "1 2\n3"), same_output(b"1", "1\n2")
    (True, False)
    >>> same_output(b"1  2.0", "1 2"), same_output(b"1  2.0", "1 2", "tokens")
    (False, True)
    """
    if rule == "exact":
        return got == expected.encode("utf-8", "surrogatepass")
    try:
        text = got.decode("utf-8")
    except UnicodeDecodeError:
        return False
    mine, theirs = _lines(text), _lines(expected)
    if mine == theirs:
        return True
    if rule == "lines" or len(mine) != len(theirs):
        return False
    return all(map(_same_tokens, mine, theirs))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_tokens(mine: str, theirs: str) -> bool:
    ours, others = mine.split(), theirs.split()
    return len(ours) == len(others) and all(map(_same_token, ours, others))


def _same_token(mine: str, theirs: str) -> bool:
    if mine == theirs:
        return True
    try:
        return Decimal(mine) == Decimal(theirs)
    except InvalidOperation:
        return False
