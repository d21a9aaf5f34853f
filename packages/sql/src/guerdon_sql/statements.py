"""What can be said of a query from its text alone: its first word, and whether it depends on chance or the clock.

This is a scanner for comments, strings and words, not a parser. Nothing here is relied on for safety: that is the
authorizer's and the read-only connection's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string> '(?:[^']|'')*(?:'|\Z) )
    | (?P<quoted> "(?:[^"]|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
    | (?P<word> [^\W\d]\w* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)

_START = re.compile(r"(?:\s++|--[^\n]*+|/\*.*?(?:\*/|\Z))*+(?P<word>[^\W\d]\w*+)?", re.DOTALL)
"""The first token of `_TOKEN`, if it is a word, for the price of one match."""
_CHANCE = frozenset(
    {"random", "randomblob", "rand", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "shuffle", "setseed"}
)
_CLOCK = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""Read the clock without parentheses."""
_CLOCK_FUNCTIONS = frozenset(
    {"date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"}
    | {"now", "today", "age", "transaction_timestamp", "get_current_time", "get_current_timestamp"}
    | {"current_localtime", "current_localtimestamp"}
)
"""Read the clock when called with too few arguments, or with 'now'; the second and third row are DuckDB's."""
_CHANCE_PARTS = ("rand", "uuid", "shuffle", "setseed", "sample")
_CLOCK_PARTS = ("date", "time", "julianday", "unixepoch", "now", "today", "age")
"""One of these is in every word of the sets above: looked for first, it spares most texts the scanner."""


def tokens(query: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each token but space and comments; kinds are `string`, `quoted` (a name), `word` and `other`."""
    for match in _TOKEN.finditer(query):
        if match.lastgroup != "skip":
            yield str(match.lastgroup), match.group()


def first_word(query: str) -> str:
    """The first word in upper case, after space and comments; empty if the text starts with anything else, or is
    empty.
    """
    found = _START.match(query)
    return found["word"].upper() if found and found["word"] else ""


def is_deterministic(query: str, *, clock_frozen: bool = False) -> bool:
    """Whether the text calls nothing that draws at random or reads the clock; errs towards False.

    Row order without ORDER BY is not considered: SQLite's is a function of the file, the query and its version.

    Args:
        query: any text.
        clock_frozen: `Limits.now` is set, so the clock is no reason.

    >>> is_deterministic("SELECT 'now', random FROM t"), is_deterministic("SELECT date('now')")
    (True, False)
    """
    return not draws_at_random(query) and (clock_frozen or not reads_clock(query))


def draws_at_random(query: str) -> bool:
    """Whether the text calls a random function, or samples a table (DuckDB)."""
    if not _any_in(_CHANCE_PARTS, query):
        return False
    sequence = [*tokens(query), ("", "")]
    for (kind, text), (_, after) in pairwise(sequence):
        name = _name(text)
        if name in _CHANCE and after == "(" and kind in ("word", "quoted"):
            return True
        if kind == "word" and (name == "tablesample" or (name == "using" and after.lower() == "sample")):
            return True
    return False


def reads_clock(query: str) -> bool:
    """Whether the text asks for the present date or time."""
    if not _any_in(_CLOCK_PARTS, query):
        return False
    calls: list[_Call] = []  # one for each open bracket
    before = ("", "")
    for kind, text in tokens(query):
        if kind == "word" and _name(text) in _CLOCK:
            return True
        if calls and text != ")":
            calls[-1].add(kind, text)
        if text == "(":
            calls.append(_Call(_name(before[1]) if before[0] in ("word", "quoted") else ""))
        elif text == ")" and calls and _close(calls):
            return True
        before = kind, text
    while calls:  # never closed: all that follows is taken for an argument
        if _close(calls):
            return True
    return False


@dataclass(slots=True)
class _Call:
    """An open bracket: the name before it, and what has been seen since of its arguments."""

    function: str
    commas: int = 0
    anything: bool = False
    named_now: bool = False

    def add(self, kind: str, text: str) -> None:
        self.anything = True
        self.commas += text == ","
        self.named_now |= kind == "string" and text[1:-1].strip().lower() == "now"

    @property
    def reads_clock(self) -> bool:
        """It is a date function whose arguments name no time, or name 'now'."""
        if self.function not in _CLOCK_FUNCTIONS:
            return False
        needed = 2 if self.function in ("strftime", "age") else 1  # DuckDB's age(t) counts from today
        return self.named_now or self.commas + self.anything < needed or self.function == "now"


def _close(calls: list[_Call]) -> bool:
    """Take the innermost bracket off, and say whether it was a call that reads the clock. What names 'now' within does
    so for the brackets around it.
    """
    call = calls.pop()
    if calls:
        calls[-1].named_now |= call.named_now
    return call.reads_clock


def _any_in(parts: tuple[str, ...], query: str) -> bool:
    lowered = query.lower()
    return any(part in lowered for part in parts)


def _name(text: str) -> str:
    return text.strip('"`[]').lower()


def mentions_clock(query: str) -> bool:
    """Whether a word of the text could be a date function of SQLite; cheap, and errs towards True."""
    return _any_in(_DATE_PARTS, query)


_DATE_PARTS = ("date", "time", "julianday", "unixepoch")
