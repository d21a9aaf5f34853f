"""R1-Router's steps: the example, and what a policy writes on it.

A `ret` step plans: `<think>…</think> <sub-question>…</sub-question> <ret>Table Retriever</ret>`, or None in both to
stop. An `ans` step answers a sub-question from passages, or the whole question from the history: `<think>…</think>
<answer>…</answer>`. Of each block the first match counts, in any order; other text is passed over.

Source: R1-Router (arXiv 2505.22095), the released step reward and file layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from guerdon.parsing.rows import FileRow
from guerdon.parsing.trajectories import TrajectoryStep
from guerdon.types import Example
from guerdon_medical.router_text import answer_value, normal_form

Base = Literal["text retriever", "text image retriever", "table retriever"]
BASES: tuple[str, ...] = get_args(Base)
NONE = "none"
Kind = Literal["ret", "ans"]


class RouterStep(TrajectoryStep):
    """A step with its reference: of a `ret` step `query` and `bases`, of an `ans` step `answers`."""

    query: str = ""
    bases: tuple[str, ...] = ()
    """Lower-case; the first is the right one. `("none",)` where the plan is to stop."""
    answers: tuple[str, ...] = ()


class RouterQuestion(Example):
    """A question to be answered in several look-ups, for rollouts on the policy's own history."""

    question: str
    answers: tuple[str, ...]
    needed: int
    """Look-ups that are needed."""
    images: tuple[str, ...] = ()


class Malformed(ValueError):  # noqa: N818 - reads as what it is: `except Malformed`
    """An output that is no plan, or no answer; the text says why."""


@dataclass(frozen=True)
class Plan:
    """What a `ret` step said."""

    query: str
    """As written, stripped."""
    bases: tuple[str, ...]
    """Lower-case, in order; `none` stands alone."""

    @property
    def stops(self) -> bool:
        """No base is asked."""
        return self.bases == (NONE,)

    @property
    def consistent(self) -> bool:
        """The query is None exactly where the base is."""
        return self.stops == (self.query.lower() == NONE)


def read_plan(text: str, bases: Sequence[str] = BASES) -> Plan:
    """The plan in an output.

    Raises:
        Malformed: a block is missing, a base is unknown, or None stands beside others. An inconsistent stop is a plan.
    """
    _block(text, "think")
    query, named = _block(text, "sub-question"), _block(text, "ret")
    found = tuple(part.strip().lower() for part in named.split(","))
    if unknown := [base for base in found if base not in (*bases, NONE)]:
        raise Malformed(f"no base is named {unknown[0]!r:.60}")
    if NONE in found and len(found) > 1:
        raise Malformed("None beside other bases")
    return Plan(query.strip(), found)


def read_answer(text: str) -> str:
    """The answer in an output, stripped.

    Raises:
        Malformed: a block is missing.
    """
    _block(text, "think")
    return _block(text, "answer").strip()


def _block(text: str, tag: str) -> str:
    """What stands between the first opening tag and the first closing one behind it: where that one has none behind it,
    no later one has. Two searches, so that a thousand tags that are never closed cost no more than their length.
    """
    opens, closes = _TAGS[tag]
    start = opens.search(text)
    end = closes.search(text, start.end()) if start else None
    if start is None or end is None:
        raise Malformed(f"no {tag} block")
    return text[start.end() : end.start()]


_TAGS = {
    tag: (re.compile(f"<{tag}>", re.IGNORECASE), re.compile(f"</{tag}>", re.IGNORECASE))
    for tag in ("think", "sub-question", "ret", "answer")
}


def step_right(text: str, step: RouterStep) -> bool:
    """Whether an output is the reference's: the same base and query (normal forms), or an answer that earns 1."""
    try:
        if step.step_type == "ans":
            return answer_value(read_answer(text), step.answers) == 1.0
        plan = read_plan(text)
    except Malformed:
        return False
    same = normal_form(plan.query) == normal_form(step.query)
    return plan.consistent and plan.bases == step.bases[:1] and same


def step_of(shared: Mapping[str, Any], row: FileRow) -> RouterStep:
    """An example of a step's row in the authors' layout; for `guerdon.parsing.trajectories.read_trajectories`.

    Raises:
        TaskError: another kind of step, or an answer of another shape.
    """
    kind, answer = shared["step_type"], row.fields.get("answer")
    if kind not in get_args(Kind):
        raise row.fault("step_type", "'ret' or 'ans'")
    if kind == "ans":
        given = answer if isinstance(answer, list) else [answer]
        plain = all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in given)
        if not given or not plain:
            raise row.fault("answer", "a text or a list of texts")
        return RouterStep(**shared, answers=tuple(map(str, given)))
    needed = "an object with a text `query` and a list `retriever` of known bases"
    if not isinstance(answer, dict) or not isinstance(answer.get("query"), str):
        raise row.fault("answer", needed)
    named = answer.get("retriever")
    if not isinstance(named, list) or not named or not all(isinstance(base, str) for base in named):
        raise row.fault("answer", needed)
    bases = tuple(base.strip().lower() for base in named)
    if not set(bases) <= {*BASES, NONE}:
        raise row.fault("answer", needed)
    return RouterStep(**shared, query=answer["query"], bases=bases)


def answer_row(step: RouterStep) -> Any:
    """The reference of a step in the authors' layout."""
    if step.step_type == "ans":
        return list(step.answers)
    return {"query": step.query, "retriever": list(step.bases)}


def plan_text(query: str, base: str, thought: str) -> str:
    """A plan as a policy is to write it.

    >>> plan_text("None", "none", "Enough.")
    '<think>Enough.</think><sub-question>None</sub-question><ret>None</ret>'
    """
    return f"<think>{thought}</think><sub-question>{query}</sub-question><ret>{base.title()}</ret>"


def answer_text(answer: str, thought: str) -> str:
    """An answer as a policy is to write it."""
    return f"<think>{thought}</think><answer>{answer}</answer>"
