"""Reading a page from what a policy wrote: which items, in which order, and where in the text each one ends.

Two layouts: a JSON array of ids (`["b", "a"]`), or lines `1. b`. The whole answer has to be that; surrounding blanks
are passed over. Ids that are no candidates are dropped and counted; a repeated one is kept, so that rewards can see it,
and left out of what is served (`served`). The text is hostile: one pass, no nesting, no number is evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from guerdon.rewards.steps import Decode, Step, ends_of
from guerdon.types import Rollout

MOST_ITEMS = 1000
"""A page that lists more is none."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_ENTRY = re.compile(r'"(?:[^"\\\n]|\\.)*"|-?\d{1,20}(?![\d.eE])')
_LINE = re.compile(r"[ \t]*\d{1,4}[.)][ \t]+(\S.*)")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was read."""

    ids: tuple[str, ...] = ()
    """Of candidates, from the top, repeats included."""
    stops: tuple[int, ...] = ()
    """For each, the number of characters of the answer by which it is written."""
    strangers: tuple[str, ...] = ()
    """Ids that are no candidates, from the top."""
    fault: str = ""
    """Why there is no page to read; "" where there is one, if an empty one."""

    @property
    def unknown(self) -> int:
        """How many ids are no candidates."""
        return len(self.strangers)

    @property
    def remark(self) -> str:
        """What is to be said of a page that could be read; "" where all is well."""
        listed = len(self.ids) + self.unknown
        return f"{self.unknown} of {listed} ids are no candidates" if self.unknown else ""

    @property
    def invalid_share(self) -> float:
        """Of the ids listed, how many are no candidates; 1 where nothing could be read."""
        listed = len(self.ids) + self.unknown
        return self.unknown / listed if listed else 1.0


def read_page(text: str, known: Container[str]) -> Page:
    r"""The page that an answer lists.

    Args:
        text: all that was written.
        known: ids of the candidates.

    >>> read_page('["b", "x", "b"]', {"a", "b"})
    Page(ids=('b', 'b'), stops=(4, 14), strangers=('x',), fault='')
    >>> read_page("1. b\n2. a\n", {"a", "b"}).ids
    ('b', 'a')
    >>> read_page("I would show b first", {"a", "b"}).fault
    'neither a JSON array of ids nor lines "1. id"'
    """
    start = _end(text, 0)
    if start == len(text):
        return Page(fault="nothing is written")
    listed = _array(text, start) if text[start] == "[" else _lines(text)
    if isinstance(listed, str):
        return Page(fault=listed)
    kept = [(id, stop) for id, stop in listed if id in known]
    strangers = tuple(id for id, _ in listed if id not in known)
    return Page(tuple(id for id, _ in kept), tuple(stop for _, stop in kept), strangers)


def served(ids: Sequence[str], length: int) -> tuple[str, ...]:
    """What is shown to people: each item once, at most `length` of them."""
    return tuple(dict.fromkeys(ids))[:length]


def _end(text: str, start: int) -> int:
    found = _BLANKS.match(text, start)
    return found.end() if found else start


def _array(text: str, start: int) -> list[tuple[str, int]] | str:
    found: list[tuple[str, int]] = []
    place = _end(text, start + 1)
    closed = place < len(text) and text[place] == "]"
    while not closed:
        entry = _ENTRY.match(text, place)
        if entry is None:
            return f"entry {len(found) + 1} of the array is no id"
        try:
            found.append((str(json.loads(entry[0])), entry.end()))
        except ValueError:
            return f"entry {len(found) + 1} of the array is no JSON string"
        if len(found) > MOST_ITEMS:
            return f"more than {MOST_ITEMS} items"
        place = _end(text, entry.end())
        if place == len(text) or text[place] not in ",]":
            return "the array is not closed"
        closed = text[place] == "]"
        if not closed:
            place = _end(text, place + 1)
    return found if _end(text, place + 1) == len(text) else "something stands after the array"


def _lines(text: str) -> list[tuple[str, int]] | str:
    found: list[tuple[str, int]] = []
    start = 0
    for line in text.split("\n"):
        if line.strip():
            entry = _LINE.fullmatch(line.rstrip())
            if entry is None:
                return 'neither a JSON array of ids nor lines "1. id"'
            found.append((entry[1], start + entry.end(1)))
            if len(found) > MOST_ITEMS:
                return f"more than {MOST_ITEMS} items"
        start += len(line) + 1
    return found


def item_ends(rollout: Rollout, page: Page, decode: Decode | None) -> tuple[int, ...]:
    """The policy step, from 0, at which each item of the page is written; empty where that cannot be told.

    The page is read from `rollout.answer`, of which the policy's last segment is the end; an item that was forced at
    the start is written at that segment's first step.
    """
    if not page.ids or not rollout.segments or rollout.segments[-1].author != "policy":
        return ()
    number, segment = len(rollout.segments) - 1, rollout.segments[-1]
    before = len(rollout.answer) - len(segment.text)
    stops = [max(0, stop - before) for stop in page.stops]
    # What closes the page is a piece of its own, or the last item would end with the end token.
    pieces = [Step(number, 0, stop, "") for stop in (*stops, len(segment.text))]
    return (ends_of(rollout, pieces, decode) or ())[:-1]
