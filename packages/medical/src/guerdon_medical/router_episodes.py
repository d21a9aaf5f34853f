"""R1-Router on the policy's own history: plan, look up, answer, again, and at the end the whole answer.

```
plan ──▶ base ──▶ answer ──▶ plan ... at most three look-ups, or None ──▶ final answer
```

`Episode` is the state of one question, whoever speaks: it says what is asked next and takes what was said.
`RouterWorld` is it as an environment of a conversation; `router_inference` plays it with a prompt per step.

Limits are the authors' [code]: three plans; a malformed plan (an inconsistent stop among them) is asked again, with a
reminder of the format after the third failure, and counts as a stop after the fifth. Of several bases the first is
asked, and an answer without its blocks enters the history as "unknown" [choice].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from guerdon.fields import whole_number
from guerdon.protocols import Hit, Query, Retriever, Turn
from guerdon.types import Image, Message, Prompt, Segment
from guerdon_medical.router_prompts import REMINDER, Asked, Wording
from guerdon_medical.router_steps import Malformed, RouterQuestion, read_answer, read_plan

Phase = Literal["plan", "look up", "answer", "final", "done"]
UNKNOWN = "unknown"
FAILED = "The search failed."


@dataclass(frozen=True)
class Limits:
    """How long an episode may be."""

    plans: int = 3
    """Look-ups."""
    remind_after: int = 3
    """Malformed plans in a row, after which the format is told again."""
    give_up_after: int = 5
    """Malformed plans in a row, after which there is no further look-up."""
    found: int = 10
    """Documents asked for."""
    passages: int = 5
    """Of those, shown."""
    max_query_chars: int = 512
    """A longer query is cut before it is looked for."""

    def __post_init__(self) -> None:
        for name in ("plans", "remind_after", "give_up_after", "found", "passages", "max_query_chars"):
            whole_number(f"Limits.{name}", getattr(self, name), 1)


@dataclass(frozen=True)
class LookUp:
    """One call of a base."""

    query: str
    base: str
    hits: tuple[Hit, ...]
    """Those shown."""
    failed: bool
    """The base gave no answer: not the policy's fault."""


@dataclass
class Episode:
    """One question under way."""

    question: RouterQuestion
    limits: Limits = field(default_factory=Limits)
    wording: Wording = field(default_factory=Wording)
    phase: Phase = "plan"
    history: list[tuple[str, str]] = field(default_factory=list)
    """Sub-questions with the answers given."""
    look_ups: list[LookUp] = field(default_factory=list)
    said: list[tuple[Asked, str]] = field(default_factory=list)
    """What was asked and said, malformed plans left out."""
    malformed: int = 0
    """Plans, in all."""
    answer: str = ""
    """The final one; empty where it had no blocks."""
    gave_up: bool = False
    """Its last plan was malformed too often."""
    failed: str = ""
    """Why it broke off, where that was nobody's word: no answer from whoever speaks."""
    _tries: int = 0
    _query: Query = field(default_factory=Query)

    @property
    def done(self) -> bool:
        """Nothing more is asked."""
        return self.phase == "done"

    @property
    def ask(self) -> Asked:
        """What is to be said next."""
        text = self.question.question
        if self.phase == "plan":
            asked = self.wording.plan(text, self.history)
            if self._tries < self.limits.remind_after:
                return asked
            return Asked("ret", asked.system, f"{asked.problem}\n{REMINDER}")
        if self.phase == "final":
            return self.wording.final(text, self.history)
        last = self.look_ups[-1]
        if last.failed:
            asked = self.wording.answer(last.query, last.base, ())
            return Asked("ans", asked.system, f"{FAILED}\n{asked.problem}")
        return self.wording.answer(last.query, last.base, last.hits)

    def take(self, text: str) -> Query | None:
        """Take what was said; a query, where a base is to be asked before anything else is said (`found`)."""
        asked = self.ask
        if self.phase == "plan":
            return self._planned(asked, text)
        try:
            answer = read_answer(text)
        except Malformed:
            answer = ""
        self.said.append((asked, text))
        if self.phase == "final":
            self.answer, self.phase = answer, "done"
        else:
            self.history.append((self._query.text, answer or UNKNOWN))
            self.phase = "final" if len(self.history) >= self.limits.plans else "plan"
        return None

    def found(self, hits: Sequence[Hit] | None) -> None:
        """Take what the base gave; None where it failed."""
        shown = tuple(hits or ())[: self.limits.passages]
        self.look_ups.append(LookUp(self._query.text, self._query.base, shown, hits is None))
        self.phase = "answer"

    def break_off(self, why: str) -> None:
        """End it without an answer, by nobody's word."""
        self.failed, self.phase = why, "done"

    def _planned(self, asked: Asked, text: str) -> Query | None:
        try:
            plan = read_plan(text)
            if not plan.consistent or not plan.query:
                raise Malformed("an inconsistent stop" if plan.query else "an empty query")
        except Malformed:
            self.malformed += 1
            self._tries += 1
            if self._tries >= self.limits.give_up_after:
                self.gave_up, self.phase = True, "final"
            return None
        self._tries = 0
        self.said.append((asked, text))
        if plan.stops:
            self.phase = "final"
            return None
        self._query = Query(plan.query[: self.limits.max_query_chars], base=plan.bases[0])
        self.phase = "look up"
        return self._query


def opening(question: RouterQuestion, wording: Wording) -> Prompt:
    """The prompt of a conversation: the first plan's."""
    asked = wording.plan(question.question, ())
    shown = Message("user", asked.problem, tuple(Image(path) for path in question.images))
    return Prompt((Message("system", asked.system), shown))


@dataclass
class RouterWorld:
    """An episode as an environment (`guerdon.protocols.Environment`): one conversation, in which each step is asked.

    The earlier steps stay in view here, where training on steps shows the history alone: what a policy loses by that is
    part of the exposure gap. Each turn's `info` has `step_type`, `malformed` (plans so far), `look_ups` (base and query
    of each so far), `hits` (ids shown for this turn's look-up), `failed`; the last one also `answer` and `done`.
    """

    question: RouterQuestion
    retriever: Retriever
    limits: Limits = field(default_factory=Limits)
    wording: Wording = field(default_factory=Wording)
    episode: Episode = field(init=False)

    def __post_init__(self) -> None:
        self.reset(seed=0)

    def reset(self, *, seed: int) -> str:
        """See `guerdon.protocols.Environment`; nothing is drawn, and the prompt says all."""
        self.episode = Episode(self.question, self.limits, self.wording)
        return ""

    def step(self, segments: Sequence[Segment]) -> Turn:
        """Answer the newest turn."""
        return self.step_together([self], [segments])[0]

    @classmethod
    def step_together(cls, environments: Sequence[RouterWorld], segments: Sequence[Sequence[Segment]]) -> list[Turn]:
        """Answer many: all look-ups of one retriever go out at once."""
        pending: dict[int, tuple[RouterWorld, Query]] = {}
        for place, (world, said) in enumerate(zip(environments, segments, strict=True)):
            text = said[-1].text if said and said[-1].author == "policy" else ""
            query = world.episode.take(text)
            if query is not None:
                pending[place] = world, query
        look_up([(world.episode, query, world.retriever) for world, query in pending.values()])
        return [world._turn(place in pending) for place, world in enumerate(environments)]

    def _turn(self, looked_up: bool) -> Turn:
        one = self.episode
        last = one.look_ups[-1] if looked_up else None
        info = {
            "look_ups": tuple((each.base, each.query) for each in one.look_ups),
            "malformed": one.malformed,
            "hits": tuple(hit.id for hit in last.hits) if last else (),
            "failed": any(each.failed for each in one.look_ups),
        }
        if one.done:
            return Turn("", terminated=True, info={**info, "done": True, "answer": one.answer})
        asked = one.ask
        return Turn(f"{asked.system}\n\n{asked.problem}", info={**info, "step_type": asked.step_type})


def look_up(asked: Sequence[tuple[Episode, Query, Retriever]]) -> None:
    """Ask for many episodes at once: each retriever once for each number of documents."""
    batches: dict[tuple[int, int], list[tuple[Episode, Query, Retriever]]] = {}
    for one in asked:
        batches.setdefault((id(one[2]), one[0].limits.found), []).append(one)
    for (_, found), those in batches.items():
        answers = those[0][2].search([query for _, query, _ in those], found)
        for (episode, _, _), hits in zip(those, answers, strict=True):
            episode.found(hits)
