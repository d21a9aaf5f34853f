"""What several tests of the diagnostic agent share: a patient, tools that show what a test says, and played texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from guerdon import Example, Message, Prompt, Rollout
from guerdon.environments import Tags, ToolUse, played
from guerdon.environments.tools import Call
from guerdon.protocols import Split, Task
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_layout import RELEASED, Layout
from guerdon_medical.dx_tools import FoundGuideline, MatchedRecord


def patient(*gold: str, **more: Any) -> DiagnosisExample:
    return DiagnosisExample(id="p", findings=("fever", "rash"), gold=gold or ("Measles",), **more)


@dataclass(frozen=True)
class Shows:
    """A tool that answers each query by a table: names of diseases, one record or guideline for each."""

    tags: Tags
    found: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    text: str = "shown"

    def call(self, queries: Sequence[str]) -> list[Call]:
        return [self._one(query) for query in queries]

    def _one(self, query: str) -> Call:
        if query == "broken":
            return Call("It failed.", {"records": (), "failed": True})
        names = self.found.get(query, ())
        if self.tags.call == "match":
            records = tuple(MatchedRecord(f"r{n}", "123", (name,), (), (), 1.0) for n, name in enumerate(names))
            return Call(self.text, {"records": records, "failed": False})
        guides = tuple(FoundGuideline(name, f"g{n}", name, ("x",), "made", True, None) for n, name in enumerate(names))
        return Call(self.text, {"guidelines": guides, "failed": False})


@dataclass(frozen=True)
class Bedside(Task):
    """One patient; `matched` and `looked_up` say what is found."""

    name: ClassVar[str] = "test/bedside"
    matched: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    looked_up: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    layout: Layout = RELEASED
    text: str = "shown"
    max_calls: int = 8

    def examples(self, split: Split) -> Sequence[Example]:
        return [patient()]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", "fever, rash"),))

    def environment(self, example: Example) -> ToolUse:
        match = Shows(self.layout.tags("match"), self.matched, self.text)
        lookup = Shows(self.layout.tags("lookup"), self.looked_up)
        return ToolUse([match, lookup], max_calls=self.max_calls, known=self.layout.own)

    def play(self, text: str, *gold: str) -> Rollout:
        return played(self, patient(*gold), text)
