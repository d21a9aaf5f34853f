"""What can be said of a query from its text alone: its first word, and whether it depends on chance or the clock.

This is a scanner for comments, strings and words, not a parser. Nothing here is relied on for safety: that is the
authorizer's and the read-only connection's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

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

_CHANCE = frozenset({"random", "randomblob", "rand", "uuid", "gen_random_uuid", "shuffle", "setseed"})
_CLOCK = frozenset(
    {
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "today",
        "get_current_timestamp",
    }
)
_CLOCK_FUNCTIONS = frozenset({"date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff", "now"})
_SAMPLING = frozenset({"tablesample"})
_MENTIONS = re.compile(
    "|".join(sorted(_CHANCE | _CLOCK | _CLOCK_FUNCTIONS | _SAMPLING | {"using\\s+sample"})), re.IGNORECASE
)


def tokens(query: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each token but space and comments; kinds are `string`, `quoted` (a name), `word` and `other`."""
    for match in _TOKEN.finditer(query):
        if match.lastgroup != "skip":
            yield str(match.lastgroup), match.group()


def first_word(query: str) -> str:
    """The first word in upper case, after space and comments; empty if the text starts with anything else, or is
    empty.
    """
    kind, text = next(tokens(query), ("", ""))
    return text.upper() if kind == "word" else ""


def is_deterministic(query: str, *, clock_frozen: bool = False) -> bool:
    """Whether the text calls nothing that draws at random or reads the clock; errs towards False.

    Row order without ORDER BY is not considered: SQLite's is a function of the file, the query and its version.

    Args:
        query: any text.
        clock_frozen: `Limits.now` is set, so the clock is no reason.

    >>> is_deterministic("SELECT 'now', random FROM t"), is_deterministic("SELECT date('now')")
    (True, False)
    """
    if not _MENTIONS.search(query):
        return True
    sequence = [*tokens(query), ("", ""), ("", "")]
    for place, (kind, text) in enumerate(sequence):
        if kind not in ("word", "quoted"):
            continue
        name = text.strip('"`[]').lower()
        called = sequence[place + 1][1] == "("
        if (name in _CHANCE and called) or (kind == "word" and name in _SAMPLING):
            return False
        if kind == "word" and name == "using" and sequence[place + 1][1].lower() == "sample":
            return False
        if clock_frozen:
            continue
        if kind == "word" and name in _CLOCK:
            return False
        if name in _CLOCK_FUNCTIONS and called and _reads_clock(sequence[place + 2 :], implicit=name):
            return False
    return True


def _reads_clock(after: list[tuple[str, str]], implicit: str) -> bool:
    """Whether a date function's arguments, the tokens after its "(", name no time, or name 'now'."""
    depth, arguments, text = 1, 0, []
    for kind, token in after:
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
            if depth == 0:
                break
        elif token == "," and depth == 1:
            arguments += 1
        text.append((kind, token))
    arguments += bool(text)
    named_now = any(kind == "string" and token[1:-1].strip().lower() == "now" for kind, token in text)
    needed = 2 if implicit == "strftime" else 1
    return named_now or arguments < needed or implicit == "now"


def mentions_clock(query: str) -> bool:
    """Whether a word of the text could be a date function of SQLite; cheap, and errs towards True."""
    return bool(_DATE_WORD.search(query))


_DATE_WORD = re.compile("date|time|julianday|unixepoch", re.IGNORECASE)
