"""Tools that a policy calls in the middle of a rollout, and the environment that answers.

A call is `<search>a text</search>` at the very end of a turn, where generation stops at the closing tag
(`Sampling.stop`, for which `stops` gives those of several tools); the answer is a segment of the environment's. Only
the policy's newest segment is read for calls, so nothing that a tool returns, however it is written, is ever taken for
the policy's own words; and tags within an answer are escaped, so that a policy is not shown a document's forged ones
either (nor `<|im_end|>` and its like, which a tokenizer would take for the end of a turn).

What is no call and looks like one has a word in the turn's `info["fault"]`, for rewards:

| fault | what the policy wrote | what follows |
|---|---|---|
| `limit` | a call beyond `max_calls` | the rollout ends, truncated |
| `characters` | a call after answers of `max_chars` characters | the rollout ends, truncated |
| `tool limit` | a call beyond that tool's own limit | an error is shown |
| `nested` | a call within another tool's, which is still open | an error is shown |
| `unknown` | `<x>...</x>` at the end of a turn, where x is neither a tool nor in `known` | an error is shown |
| `unclosed` | a call that is never closed | the rollout ends |

Errors are answers: they count as calls, so that nothing goes on for ever. `unknown` is looked for only where `known`
is given, since a layout's own tags (`<answer>`) look alike.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.protocols import Turn
from guerdon.types import Image, Segment

T = TypeVar("T")
_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_LAST_TAG = re.compile(r"</([A-Za-z_][\w.-]{0,63})>\Z")


@dataclass(frozen=True)
class Tags:
    """How a call and its answer are written: words that stand in angle brackets."""

    call: str = "search"
    answer: str = "result"

    def __post_init__(self) -> None:
        for name in ("call", "answer"):
            if not _WORD.fullmatch(getattr(self, name)):
                raise ConfigError(f"Tags.{name} is {getattr(self, name)!r}; a word is needed, without brackets")
        if self.call == self.answer:
            raise ConfigError(f"Tags.call and Tags.answer are both {self.call!r}; two words are needed")

    @property
    def stop(self) -> str:
        """Where generation has to stop, for `Sampling.stop`."""
        return f"</{self.call}>"

    def called(self, text: str) -> str | None:
        """What a turn calls with; None where it does not end with a call. White space behind it does not count.

        >>> Tags().called("I wonder. <search> red birds </search>")
        'red birds'
        """
        written = text.rstrip()
        opened = written.rfind(f"<{self.call}>")
        if opened < 0 or not written.endswith(self.stop):
            return None
        inside = written[opened + len(self.call) + 2 : -len(self.stop)]
        return None if self.stop in inside else inside.strip()

    def answered(self, text: str) -> str:
        """An answer as the policy is shown it."""
        return f"<{self.answer}>{text}</{self.answer}>"


@dataclass(frozen=True)
class Call:
    """What a tool made of one call."""

    text: str
    """What the policy is shown."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """For rewards: what was found, with scores; whether it failed."""
    images: tuple[Image, ...] = ()
    """Pictures that the policy is shown, before the text."""


@runtime_checkable
class Tool(Protocol):
    """Something that can be called. A frozen dataclass of settings, equal where it answers alike.

    Declared optional power: a class method `call_together(tools, queries)`, which answers for many tools of its class
    at once, one text each, in order. Tools that differ from example to example (by what they may not show: a case's own
    record) have it, so that a batch of rollouts still goes out as one.
    """

    @property
    def tags(self) -> Tags:
        """How it is called."""

    def call(self, queries: Sequence[str]) -> list[Call]:
        """One answer per text, in order; any text a policy can write gets one."""


def alike(tools: Sequence[T]) -> dict[T, list[int]]:
    """The places of tools that differ by `exclude_ids` alone, by the tool that excludes nothing: for `call_together`.

    Args:
        tools: frozen dataclasses with such a field.
    """
    found: dict[T, list[int]] = {}
    shared: dict[int, T] = {}  # the rollouts of a group have one tool, and are told from others fast
    for place, tool in enumerate(tools):
        if id(tool) not in shared:
            shared[id(tool)] = replace(tool, exclude_ids=frozenset())  # type: ignore[type-var]
        found.setdefault(shared[id(tool)], []).append(place)
    return found


def escaped(text: str) -> str:
    """A text without angle brackets: they become `&lt;` and `&gt;`, so that it opens and closes no tag."""
    return html.escape(text, quote=False)


@dataclass
class ToolUse:
    """An environment (`guerdon.protocols.Environment`) that answers calls, and ends with the first turn without one.

    Each turn's `info` (`Segment.observation.info`) holds what rewards need: `tool`, `query`, and what the tool adds; or
    `fault`, one of the words in the module's head, and `reason`, the same in a sentence.
    """

    tools: Sequence[Tool]
    max_calls: int = 4
    """A further call is not answered: the rollout ends as truncated."""
    opening: str = ""
    """The first observation."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Calls of single tools, by call tag; a further one is answered by an error."""
    max_chars: int | None = None
    """Of all answers together: one that does not fit is cut, and a call after it ends the rollout as truncated."""
    known: Collection[str] | None = None
    """Tags that are no calls, such as `think` and `answer`; with them, a turn that closes any other tag at its end is
    told that there is no such tool. None looks for no such calls."""
    error: str = "error"
    """The tag that errors are shown in."""
    calls: int = 0
    """Answered so far, with errors."""
    chars: int = 0
    """Shown so far."""

    def __post_init__(self) -> None:
        names = [tool.tags.call for tool in self.tools]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"ToolUse: the tools' call tags are {names}; at least one is needed, and no two alike")
        whole_number("ToolUse.max_calls", self.max_calls, 1)
        if self.max_chars is not None:
            whole_number("ToolUse.max_chars", self.max_chars, 1)
        for name, most in self.limits.items():
            whole_number(f"ToolUse.limits[{name!r}]", most, 1)
            if name not in names:
                raise ConfigError(f"ToolUse.limits names {name!r}; the tools are called {', '.join(names)}")
        self._made: dict[str, int] = {}

    def reset(self, *, seed: int) -> str:
        """See `guerdon.protocols.Environment`; nothing is drawn."""
        self.calls = self.chars = 0
        self._made = {}
        return self.opening

    def step(self, segments: Sequence[Segment]) -> Turn:
        """Answer the newest turn's call."""
        return self.step_together([self], [segments])[0]

    @classmethod
    def step_together(cls, environments: Sequence[ToolUse], segments: Sequence[Sequence[Segment]]) -> list[Turn]:
        """Answer the newest turn of many rollouts: each tool is called once, with all that it is asked."""
        turns: dict[int, Turn] = {}
        asked: dict[Tool | type[Tool], list[tuple[int, Tool, str]]] = {}
        for place, (world, one) in enumerate(zip(environments, segments, strict=True)):
            found = world._called(one)
            if isinstance(found, Turn):
                turns[place] = found
            else:
                tool, query = found
                together = type(tool) if hasattr(tool, "call_together") else tool
                asked.setdefault(together, []).append((place, tool, query))
        for calls in asked.values():
            for (place, tool, query), answer in zip(calls, _answers(calls), strict=True):
                info = {"tool": tool.tags.call, "query": query, **answer.info}
                turns[place] = environments[place]._shown(tool.tags, answer.text, info, answer.images)
        return [turns[place] for place in range(len(environments))]

    def cut(self, text: str) -> list[str]:
        """Where a text that holds a whole attempt's words of the policy is cut into its turns: behind each call.

        For references and for attacks, which are texts: see `guerdon.environments.played`.
        """
        turns: list[str] = []
        start = 0
        for found in re.finditer("|".join(map(re.escape, stops(self.tools))) or r"(?!)", text):
            turns.append(text[start : found.end()])
            start = found.end()
        return [*turns, text[start:]] if text[start:].strip() else turns

    def _called(self, segments: Sequence[Segment]) -> tuple[Tool, str] | Turn:
        """Which tool the newest turn calls, and with what; or the end; or what is wrong with the call."""
        text = segments[-1].text if segments and segments[-1].author == "policy" else ""
        for tool in self.tools:
            query = tool.tags.called(text)
            if query is not None:
                return self._allowed(tool, query, text)
        if self.known is not None and (name := self._unknown(text)):
            names = ", ".join(tool.tags.call for tool in self.tools)
            return self._refused({"tool": name}, "unknown", f"There is no tool {name}. Tools: {names}.")
        for tool in self.tools:
            if _open(text, tool.tags.call):
                reason = f"<{tool.tags.call}> is never closed"
                return Turn("", terminated=True, info={"fault": "unclosed", "reason": reason})
        return Turn("", terminated=True)

    def _allowed(self, tool: Tool, query: str, text: str) -> tuple[Tool, str] | Turn:
        """The call, if the limits let it through and it stands in no other."""
        name = tool.tags.call
        info = {"tool": name, "query": query}
        if (full := self._full(info)) is not None:
            return full
        within = text[: text.rstrip().rfind(f"<{name}>")]
        others = (other.tags.call for other in self.tools if other is not tool)
        if outer := next((other for other in others if _open(within, other)), ""):
            return self._refused(info, "nested", f"A call of {name} stands within one of {outer}. One call at a time.")
        most = self.limits.get(name)
        if most is not None and self._made.get(name, 0) >= most:
            return self._refused(info, "tool limit", f"{name} answers {most} times at most, and has.")
        self.calls += 1
        self._made[name] = self._made.get(name, 0) + 1
        return tool, query

    def _full(self, info: Mapping[str, Any]) -> Turn | None:
        """The end, where nothing more is answered."""
        if self.calls >= self.max_calls:
            fault, reason = "limit", f"more than {self.max_calls} calls"
        elif self.max_chars is not None and self.chars >= self.max_chars:
            fault, reason = "characters", f"answers of {self.max_chars} characters were shown already"
        else:
            return None
        return Turn("", truncated=True, info={**info, "fault": fault, "reason": reason})

    def _refused(self, info: Mapping[str, Any], fault: str, reason: str) -> Turn:
        """An error as an answer, or the end where nothing more is answered."""
        if (full := self._full(info)) is not None:
            return full
        self.calls += 1
        return self._shown(Tags("call", self.error), reason, {**info, "fault": fault, "reason": reason})

    def _shown(self, tags: Tags, text: str, info: Mapping[str, Any], images: tuple[Image, ...] = ()) -> Turn:
        """An answer, within what is left of the characters; pictures have none."""
        left = len(text) if self.max_chars is None else self.max_chars - self.chars
        if len(text) > left:
            text, info = text[:left], {**info, "cut_at": left}
        self.chars += len(text)
        return Turn(tags.answered(text), info=info, images=images)

    def _unknown(self, text: str) -> str:
        """A tag that the turn's end closes, that the turn opened, and that nobody knows."""
        found = _LAST_TAG.search(text.rstrip())
        known = {*(self.known or ()), *(tool.tags.call for tool in self.tools)}
        return found[1] if found and found[1] not in known and f"<{found[1]}>" in text else ""


def stops(tools: Iterable[Tool]) -> tuple[str, ...]:
    """Where generation has to stop so that each of the tools can be called: for `Sampling.stop`."""
    return tuple(tool.tags.stop for tool in tools)


def _open(text: str, name: str) -> bool:
    """Whether a tag of that name is opened in the text and not closed behind it."""
    return text.rfind(f"<{name}>") > text.rfind(f"</{name}>")


def _answers(calls: Sequence[tuple[int, Tool, str]]) -> list[Call]:
    """Of calls of one tool, or of tools of one class that answers for all of them."""
    first = calls[0][1]
    queries = [query for _, _, query in calls]
    together = getattr(type(first), "call_together", None)
    return first.call(queries) if together is None else list(together([tool for _, tool, _ in calls], queries))
