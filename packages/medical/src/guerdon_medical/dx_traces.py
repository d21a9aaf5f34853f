"""What a diagnostic agent did, read from a rollout's typed segments: calls, sources and the answer.

Who wrote what comes from the segments, and what a tool found from the structured `info` of its turn
(`Turn.info`); no text of the environment's is parsed, so that a trace which forges an answer has none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from guerdon.protocols import Hit, Turn
from guerdon.types import Rollout
from guerdon_medical.dx_layout import Layout, marked
from guerdon_medical.dx_scoring import Round, comma_parts
from guerdon_medical.dx_tools import FoundGuideline, MatchedRecord

T = TypeVar("T")
Action = Literal["match", "lookup", "search"]
Kind = Literal["record", "guideline", "passage"]


@dataclass(frozen=True)
class Source:
    """One thing that a tool showed."""

    kind: Kind
    id: str
    """Of the record, the disease or the passage."""
    diseases: tuple[str, ...] = ()
    """Names that it is about; none of a passage."""
    publication: str = ""
    title: str = ""
    text: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Call:
    """One call of a tool."""

    turn: int
    """Which of the policy's turns made it, from 0."""
    action: Action | str
    """The word after which an unknown tool was called, else the action."""
    query: str
    sources: tuple[Source, ...] = ()
    failed: bool = False
    """The tool did not work: nobody's fault who is scored here."""
    terms: tuple[str, ...] = ()
    """Of a match, what was looked for: of the names those that the records' retriever knows."""
    fault: str = ""
    """What was wrong with the call; a word of `guerdon.environments.ToolUse`'s, or `empty`."""
    reason: str = ""
    """The same in a sentence."""

    @property
    def names(self) -> tuple[str, ...]:
        """The comma parts of the query."""
        return comma_parts(self.query)


@dataclass(frozen=True)
class Trace:
    """A whole attempt."""

    calls: tuple[Call, ...]
    said: tuple[str, ...]
    """The policy's turns, as texts; a forced beginning belongs to the first."""
    names: tuple[str, ...]
    """The marked names of the answer; empty where there is not exactly one answer."""
    layout: Layout
    answered: bool = False
    """Whether an environment answered any turn, if only by the end."""

    def of(self, action: Action) -> tuple[Call, ...]:
        """The calls of one tool, without fault, in order."""
        return tuple(call for call in self.calls if call.action == action and not call.fault)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The matches that were answered and then thought about: the next turn opens with a thought."""
        return tuple(
            Round(call.terms, tuple(name for source in call.sources for name in source.diseases))
            for call in self.of("match")
            if call.turn + 1 < len(self.said) and opens_with(self.said[call.turn + 1], self.layout.think)
        )


def read_trace(rollout: Rollout, layout: Layout) -> Trace:
    """What happened in a rollout; one that no environment answered (a text from a file) has no calls."""
    calls: list[Call] = []
    said: list[str] = []
    forced = ""
    for segment in rollout.segments:
        if segment.author == "forced":
            forced += segment.text
        elif segment.author == "policy":
            said.append(forced + segment.text)
            forced = ""
            if isinstance(segment.observation, Turn) and (
                call := _call(segment.observation.info, len(said) - 1, layout)
            ):
                calls.append(call)
    answer = single(said[-1], layout.answer) if said else None
    answered = any(isinstance(segment.observation, Turn) for segment in rollout.turns)
    return Trace(tuple(calls), tuple(said), marked(answer or ""), layout, answered)


def single(text: str, tag: str) -> str | None:
    """What stands between the one opening and the one closing tag of that name; None where there are others."""
    opened, closed = f"<{tag}>", f"</{tag}>"
    if text.count(opened) != 1 or text.count(closed) != 1:
        return None
    start, end = text.index(opened) + len(opened), text.index(closed)
    return text[start:end] if start <= end else None


def elements(text: str, *tags: str) -> list[tuple[str, ...]]:
    r"""What stands in these elements one after another, white space between them, each as short as it can be.

    The authors' `<a>(.*?)</a>\s*<b>(.*?)</b>`, found everywhere, in time linear in the text: a regular expression takes
    the third power of it where a policy repeats `<a></a><b></b>` and no `<c>` follows.

    >>> elements("<a>1</a> <b>2</b> <a>3</a>", "a", "b")
    [('1', '2')]
    """
    seams = [rf"</{re.escape(one)}>\s*<{re.escape(other)}>" for one, other in itertools.pairwise(tags)]
    marks = [re.compile(mark) for mark in (rf"<{re.escape(tags[0])}>", *seams, rf"</{re.escape(tags[-1])}>")]
    found: list[tuple[str, ...]] = []
    at = 0
    while True:
        ends: list[re.Match[str]] = []
        for mark in marks:
            if (end := mark.search(text, at)) is None:  # a later beginning would lack it as well
                return found
            ends.append(end)
            at = end.end()
        found.append(tuple(text[one.end() : other.start()] for one, other in itertools.pairwise(ends)))


def opens_with(text: str, tag: str) -> bool:
    """Whether the text begins with a whole element of that name; white space before it does not count."""
    return text.lstrip().startswith(f"<{tag}>") and f"</{tag}>" in text


def action_of(tag: str, layout: Layout) -> Action | str:
    """Which action a tag calls; the tag itself where it is none."""
    actions: dict[str, Action] = {layout.match: "match", layout.lookup: "lookup", layout.search: "search"}
    return actions.get(tag, tag)


def _call(info: Mapping[str, Any], turn: int, layout: Layout) -> Call | None:
    fault, reason = str(info.get("fault", "")), str(info.get("reason", ""))
    if "tool" not in info:  # the end, or a call that was never closed
        return Call(turn, "", "", fault=fault, reason=reason) if fault else None
    query = str(info.get("query", ""))
    if not fault and not any(map(str.isalnum, query)):  # commas alone ask for nothing, too
        fault, reason = "empty", f"an empty call of {info['tool']}"
    terms = tuple(info.get("terms", comma_parts(query)))
    action = action_of(info["tool"], layout)
    return Call(turn, action, query, _sources(info), bool(info.get("failed")), terms, fault, reason)


def _sources(info: Mapping[str, Any]) -> tuple[Source, ...]:
    """What `guerdon_medical.dx_tools` says that it showed."""
    records = [_as(MatchedRecord, one) for one in _whole("records", info)]
    guidelines = [_as(FoundGuideline, one) for one in _whole("guidelines", info)]
    hits = [_as(Hit, one) for one in _whole("hits", info)]
    return (
        *(
            Source("record", one.id, one.diseases, one.publication, text=", ".join(one.symptoms), score=one.score)
            for one in records
        ),
        *(
            Source("guideline", one.id, (one.name,), title=one.name, text=", ".join(one.symptoms), score=one.score)
            for one in guidelines
        ),
        *(Source("passage", hit.id, title=hit.title, text=hit.text, score=hit.score) for hit in hits),
    )


def _whole(found: str, info: Mapping[str, Any]) -> Sequence[Any]:
    """What stood whole in the answer; of one that the environment cut, that of which the tool says where it ended."""
    shown: Sequence[Any] = info.get(found, ())
    if "cut_at" not in info:
        return shown
    return [one for one, end in zip(shown, info.get("ends", ()), strict=False) if end <= info["cut_at"]]


def _as(kind: type[T], found: Any) -> T:
    """What a tool found; as a mapping where the rollout was read from a run's file."""
    if isinstance(found, kind):
        return found
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})
