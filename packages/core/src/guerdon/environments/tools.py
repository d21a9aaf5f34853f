"""Tools that a policy calls in the middle of a rollout, and the environment that answers.

A call is `<search>a text</search>` at the very end of a turn, where generation stops at the closing tag
(`Sampling.stop`); the answer is a segment of the environment's. Only the policy's newest segment is read for calls, so
nothing that a tool returns, however it is written, is ever taken for the policy's own words; and tags within an answer
are escaped, so that a policy is not shown a document's forged ones either (nor `<|im_end|>` and its like, which a
tokenizer would take for the end of a turn).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.protocols import Turn
from guerdon.types import Segment

T = TypeVar("T")
_WORD = re.compile(r"[A-Za-z_][\w.-]*")


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

    Each turn's `info` (`Segment.observation.info`) holds what rewards need: `tool`, `query`, and what the tool adds.
    """

    tools: Sequence[Tool]
    max_calls: int = 4
    """A further call is not answered: the rollout ends as truncated."""
    opening: str = ""
    """The first observation."""
    calls: int = 0
    """Answered so far."""

    def __post_init__(self) -> None:
        names = [tool.tags.call for tool in self.tools]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"ToolUse: the tools' call tags are {names}; at least one is needed, and no two alike")
        whole_number("ToolUse.max_calls", self.max_calls, 1)

    def reset(self, *, seed: int) -> str:
        """See `guerdon.protocols.Environment`; nothing is drawn."""
        self.calls = 0
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
                turns[place] = Turn(tool.tags.answered(answer.text), info=info)
        return [turns[place] for place in range(len(environments))]

    def _called(self, segments: Sequence[Segment]) -> tuple[Tool, str] | Turn:
        """Which tool the newest turn calls, and with what; or the end."""
        text = segments[-1].text if segments and segments[-1].author == "policy" else ""
        for tool in self.tools:
            query = tool.tags.called(text)
            if query is None:
                continue
            if self.calls >= self.max_calls:
                info = {"tool": tool.tags.call, "query": query, "refused": f"more than {self.max_calls} calls"}
                return Turn("", truncated=True, info=info)
            self.calls += 1
            return tool, query
        return Turn("", terminated=True)


def _answers(calls: Sequence[tuple[int, Tool, str]]) -> list[Call]:
    """Of calls of one tool, or of tools of one class that answers for all of them."""
    first = calls[0][1]
    queries = [query for _, _, query in calls]
    together = getattr(type(first), "call_together", None)
    return first.call(queries) if together is None else list(together([tool for _, tool, _ in calls], queries))
