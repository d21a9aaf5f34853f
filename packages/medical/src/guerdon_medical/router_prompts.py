"""What R1-Router's policy is asked on each kind of step: to plan, to answer a sub-question, to answer the whole.

The parts of the user's text are the authors' (`Origin question`, `Sub-question1`, `ter-0: passage`); the instructions
are ours and say the same rules [choice]: facts from text, what is seen from text-image, numbers from tables, one atomic
question at a time, nothing retrieved repeated in the thought. `brief` is for small models, which pay for each token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from guerdon.environments.tools import escaped
from guerdon.fields import one_of
from guerdon.protocols import Hit
from guerdon_medical.router_steps import Kind

Length = Literal["full", "brief"]
CODES = {"text retriever": "ter", "text image retriever": "tir", "table retriever": "tar"}
_SOURCES = "Passages are marked by source: ter text, tir captions of images, tar rows of tables."

_PLAN = (
    "Answer the origin question step by step with the help of three knowledge bases. Think, then name the one "
    "single-hop sub-question to look up next and the base to ask.\n"
    "Text Retriever: facts that need not be seen. Text Image Retriever: what a picture shows. Table Retriever: numbers "
    "and statistics.\n"
    "Ask one atomic question at a time, and repeat nothing in your thought that was retrieved. Where the answers so "
    "far suffice, write None in both.\n"
    "Write <think>...</think><sub-question>...</sub-question><ret>...</ret> and nothing else."
)
_ANSWER = (
    "Answer the question in a few words, from the passages where they help. Repeat nothing in your thought that was "
    "retrieved.\n"
    "Write <think>...</think><answer>...</answer> and nothing else."
)
_BRIEF_PLAN = "Ask the next sub-question and its base (text: facts, text image: looks, table: numbers), or None."
_BRIEF_ANSWER = "Answer in a few words."
REMINDER = (
    "Mind the format: <think>...</think><sub-question>...</sub-question><ret>...</ret>, with Text Retriever, Text "
    "Image Retriever, Table Retriever or None in the last; None in both or in neither."
)
"""Put under a plan's problem where plans were malformed several times."""


@dataclass(frozen=True)
class Asked:
    """What a policy is asked on one step."""

    step_type: Kind
    system: str
    problem: str
    final: bool = False
    """The whole question is to be answered."""


@dataclass(frozen=True)
class Wording:
    """How steps are worded."""

    length: Length = "full"

    def __post_init__(self) -> None:
        one_of("length", self.length, get_args(Length))

    def plan(self, question: str, history: Sequence[tuple[str, str]]) -> Asked:
        """What to look up next; `history` has the sub-questions so far with their answers."""
        return Asked("ret", _PLAN if self.length == "full" else _BRIEF_PLAN, _told(question, history))

    def answer(self, query: str, base: str, hits: Sequence[Hit]) -> Asked:
        """A sub-question, from what its base found. Passages cannot open or close a tag."""
        shown = [f"{CODES.get(base, base)}-{number}: {passage(hit)}" for number, hit in enumerate(hits)]
        lines = [*([_SOURCES] if self.length == "full" else []), *(shown or ["None found."]), f"Question: {query}"]
        return Asked("ans", _ANSWER if self.length == "full" else _BRIEF_ANSWER, "\n".join(lines))

    def final(self, question: str, history: Sequence[tuple[str, str]]) -> Asked:
        """The whole question, from the sub-questions and their answers."""
        problem = f"{_told(question, history)}\nAnswer the origin question."
        return Asked("ans", _ANSWER if self.length == "full" else _BRIEF_ANSWER, problem, final=True)


def passage(hit: Hit) -> str:
    """A passage on one line, without angle brackets."""
    return escaped(" ".join(f"{hit.title} {hit.text}".split()))


def _told(question: str, history: Sequence[tuple[str, str]]) -> str:
    lines = [f"Origin question: {question}"]
    for number, (query, answer) in enumerate(history, 1):
        lines += [f"Sub-question{number}: {query}", f"Answer{number}: {answer}"]
    return "\n".join(lines)
