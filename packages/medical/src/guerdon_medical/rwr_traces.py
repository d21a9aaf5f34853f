"""What a Med-RwR trace says: its blocks, its queries, what was retrieved, its answer.

A trace is `<think>…</think>`, perhaps `<query>…</query>` and the retriever's `<retrieve>…</retrieve>`, and so on, then
`<answer>…</answer>`. It is taken from a rollout in two ways:

- **repaired**: by author. A segment of the environment's is a retrieve block, whatever stands in it; a policy's text is
  read for the other three, and a retrieve tag in it is forged: it retrieved nothing.
- **released**: as one text, in which a policy's own retrieve block is as good as another.

Every function here takes time linear in the text, however hostile.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon.types import Rollout, Segment

Reading = Literal["repaired", "released"]
Block = Literal["think", "query", "retrieve", "answer"]
BLOCKS: tuple[Block, ...] = ("think", "query", "retrieve", "answer")
ALLOWED = frozenset(mark for block in BLOCKS for mark in (f"<{block}>", f"</{block}>"))
_BREAKS = re.compile(r"\n{2,}")


@dataclass(frozen=True, slots=True)
class Trace:
    """What is graded."""

    text: str
    """All of it; in the repaired reading retrieved passages have no brackets and no empty lines."""
    own: int
    """Characters without the retrieve blocks."""
    queries: tuple[str, ...]
    """What stands in query blocks, stripped; blank ones included."""
    retrieved: tuple[str, ...]
    """What stands in retrieve blocks; in the repaired reading, in the environment's alone."""
    forged: bool = False
    """A retrieve tag stands in what the policy wrote (repaired reading)."""
    last: str | None = None
    """What was written behind the last passage shown, where the answer has to stand (repaired reading); None: all."""

    @property
    def prediction(self) -> str | None:
        """The first answer block without a line break, stripped; None where there is none. In the repaired reading, of
        the last turn: what was answered before a query was not the answer.
        """
        found = answer_in(self.text if self.last is None else self.last)
        return None if found is None else found.strip()


def trace_of_text(text: str) -> Trace:
    """As released: one text."""
    retrieved = tuple(blocks(text, "retrieve"))
    marks = len("<retrieve></retrieve>")
    own = len(text) - sum(len(inside) + marks for inside in retrieved)
    return Trace(text, own, tuple(one.strip() for one in blocks(text, "query")), retrieved)


def trace_of(rollout: Rollout, reading: Reading = "repaired") -> Trace:
    """Of a rollout; see the module's head."""
    if reading == "released":
        return trace_of_text("".join(segment.text for segment in rollout.segments))
    pieces: list[str] = []
    retrieved: list[str] = []
    written: list[str] = []
    for segment in rollout.segments:
        if segment.author != "environment":
            pieces.append(segment.text)
            written.append(segment.text)
        elif segment.text.strip():
            inside = shown_in(segment)
            retrieved.append(inside)
            pieces.append(f"<retrieve>{_BREAKS.sub(chr(10), html.escape(inside, quote=False))}</retrieve>")
    own = "".join(written)
    shown = [place for place, one in enumerate(rollout.segments) if one.author == "environment" and one.text.strip()]
    last = "".join(segment.text for segment in rollout.segments[shown[-1] + 1 if shown else 0 :])
    forged = "<retrieve>" in own or "</retrieve>" in own
    queries = tuple(one.strip() for one in blocks(own, "query"))
    return Trace("".join(pieces), len(own), queries, tuple(retrieved), forged, last)


def shown_in(segment: Segment) -> str:
    """What an environment's segment says, without its tags, and with the brackets that were escaped."""
    text = segment.text.strip()
    if text.startswith("<retrieve>") and text.endswith("</retrieve>"):
        text = text[len("<retrieve>") : -len("</retrieve>")]
    return html.unescape(text.strip())


def blocks(text: str, block: Block) -> Iterator[str]:
    """What stands between each opening tag and the first closing one behind it; an unclosed block is none."""
    start = 0
    opening, closing = f"<{block}>", f"</{block}>"
    while (opened := text.find(opening, start)) >= 0:
        begins = opened + len(opening)
        closed = text.find(closing, begins)
        if closed < 0:
            return
        yield text[begins:closed]
        start = closed + len(closing)


def order_of(text: str, kinds: Sequence[Block]) -> list[Block]:
    """The kinds of the closed blocks, in the order in which they open; one within another is not seen."""
    found: list[Block] = []
    opening = re.compile("|".join(f"<({block})>" for block in kinds))
    start, dead = 0, set[str]()
    while (opened := opening.search(text, start)) is not None:
        block: Block = next(one for one in kinds if opened[0] == f"<{one}>")
        start = opened.end()
        closed = -1 if block in dead else text.find(f"</{block}>", start)
        if closed < 0:
            dead.add(block)
            continue
        found.append(block)
        start = closed + len(block) + 3
    return found


def answer_in(text: str) -> str | None:
    """What stands in the first answer block that is of one line; None where there is none.

    >>> answer_in("<answer>B. hip</answer>")
    'B. hip'
    """
    start = 0
    while (opened := text.find("<answer>", start)) >= 0:
        begins = opened + len("<answer>")
        line = text.find("\n", begins)
        end = len(text) if line < 0 else line
        closed = text.find("</answer>", begins, end)
        if closed >= 0:
            return text[begins:closed]
        start = end  # no block closes within this line, whichever of its openings it begins at
    return None
