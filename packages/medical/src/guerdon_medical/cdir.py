"""CDIR (confidence-driven image re-retrieval), Med-RwR's second look at test time.

Where the first token of the final answer has a probability below .9, the most similar case is fetched by its picture, a
fixed thought and a fixed query are put into the policy's mouth, the case stands in a retrieve block with its picture,
and the policy speaks once more. That answer is final, whether it is better or not.

It works through `guerdon.protocols.Policy` alone. An environment speaks as the user in core, so the case's picture is
one of a later user message: the second look is a prompt of its own, which holds the whole trace. Its rollout is a plain
one, with tokens and log-probs; `SecondLook.trace` is the whole as typed segments, for rewards and people to read.

Answers before the forced thought are cut from the trace [choice], so that it has one answer, the final one.

Source: the released engine of Med-RwR (arXiv 2510.18303); its words are re-written.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from guerdon.errors import ConfigError
from guerdon.protocols import Sampling, Split, Task
from guerdon.types import Example, Message, Prompt, Rollout, Segment
from guerdon_medical.rwr_confidence import OPENING, confidences, turns_of
from guerdon_medical.rwr_scores import looks_again
from guerdon_medical.rwr_traces import trace_of
from guerdon_medical.similar_cases import SeenCase, SimilarCases

if TYPE_CHECKING:
    from guerdon.protocols import Policy

THOUGHT = "<think>I am not sure of this answer. Let me look for a similar imaging case.</think>"
QUERY = "<query>a similar imaging case</query>"
_CLOSING = "</answer>"


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What became of one rollout."""

    first: Rollout
    confidence: float
    """Of its answer's first token; 0 where it has none, NaN where it could not be told (then there is no second
    look)."""
    case: SeenCase | None = None
    """What was shown; None where the first answer stands."""
    second: Rollout | None = None
    """The second prompt and what was said to it."""
    trace: Rollout = field(init=False)
    """All of it in one, without tokens: the first rollout, what was forced, the case, the final answer."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trace", self.first if self.second is None else _joined(self))

    @property
    def answer(self) -> str | None:
        """The final one; None where there is none."""
        return trace_of(self.first if self.second is None else self.second).prediction


def second_looks(
    policy: Policy,
    rollouts: Sequence[Rollout],
    cases: SimilarCases,
    sampling: Sampling,
    *,
    seed: int = 0,
    threshold: float = 0.9,
    own: Callable[[Example], Collection[str]] | None = None,
) -> list[SecondLook]:
    """A second look at each rollout whose answer is unsure and whose prompt shows a picture.

    Args:
        policy: that made them; one that sees, since a picture is shown.
        rollouts: finished ones.
        cases: where similar ones are found, by the first picture of a prompt.
        sampling: of the last turn.
        seed: of it.
        threshold: confidence below it, strictly, triggers; in [0, 1].
        own: the ids of cases and sources that an example must not be shown; by default its own id and its
            `own_documents`.

    Returns:
        One for each rollout, in order.

    Raises:
        ConfigError: the threshold is outside [0, 1].
        PolicyError: the policy does not see, or cannot tell how sure it was.
    """
    if not 0.0 <= threshold <= 1.0:
        raise ConfigError(f"second_looks: threshold is {threshold!r}; a probability is needed")
    told = confidences(policy, rollouts)
    unsure = [
        place
        for place, (rollout, value) in enumerate(zip(rollouts, told, strict=True))
        if rollout.prompt.images and looks_again(value, threshold)
    ]
    hidden = [(own or _own)(rollouts[place].example) for place in unsure]
    found = cases.nearest([rollouts[place].prompt.images[0] for place in unsure], hidden)
    shown = {place: case for place, case in zip(unsure, found, strict=True) if case is not None}
    task = _Looking({f"look {place}": _prompt(rollouts[place], case) for place, case in shown.items()})
    groups = policy.sample(task, task.examples("eval"), 1, sampling, seed=seed) if shown else []
    spoken = {place: group.rollouts[0] for place, group in zip(shown, groups, strict=True)}
    return [
        SecondLook(
            rollout,
            value,
            shown.get(place),
            replace(spoken[place], example=rollout.example) if place in spoken else None,
        )
        for place, (rollout, value) in enumerate(zip(rollouts, told, strict=True))
    ]


def rates(looks: Sequence[SecondLook]) -> dict[str, float]:
    """Shares, for reports: of traces that `queried`, of those that got a second look (`looked again`), and of those
    whose answer it `changed`.

    Raises:
        ConfigError: there are none.
    """
    if not looks:
        raise ConfigError("rates: no second looks were given")
    queried = sum(bool(trace_of(look.first).retrieved) for look in looks)
    changed = sum(look.second is not None and look.answer != trace_of(look.first).prediction for look in looks)
    again = sum(look.second is not None for look in looks)
    return {"queried": queried / len(looks), "looked again": again / len(looks), "changed": changed / len(looks)}


@dataclass(frozen=True, eq=False)
class _Looking(Task):
    """The second prompts, as a task of one split."""

    name: ClassVar[str] = "medical/second-look"
    prompts: dict[str, Prompt]

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=name) for name in self.prompts]

    def prompt(self, example: Example) -> Prompt:
        return self.prompts[example.id]


def _prompt(rollout: Rollout, case: SeenCase) -> Prompt:
    """The trace so far, what is forced, and the case with its picture.

    A policy whose state is what an environment last said (a table) finds the case's block there.
    """
    messages, said = turns_of(rollout)[-1]
    spoken = Message("assistant", said.partition(OPENING)[0] + THOUGHT + QUERY)
    block = _block(case)
    return Prompt((*messages, spoken, Message("user", block, (case.image,))), observation=block)


def _block(case: SeenCase) -> str:
    return f"<retrieve> (1) {html.escape(' '.join(case.text.split()), quote=False)} </retrieve>"


def _own(example: Example) -> Collection[str]:
    return {example.id, *getattr(example, "own_documents", ())}


def _unanswered(text: str) -> str:
    """Without answer blocks: one may stand before a query of an earlier turn."""
    said = ""
    while (opened := text.find(OPENING)) >= 0 and (closed := text.find(_CLOSING, opened)) >= 0:
        said, text = said + text[:opened], text[closed + len(_CLOSING) :]
    return said + text


def _joined(look: SecondLook) -> Rollout:
    assert look.second is not None
    assert look.case is not None
    kept = [replace(one, token_ids=(), logprobs=()) for one in look.first.segments]
    while kept and kept[-1].author == "environment" and not kept[-1].text.strip():
        kept.pop()
    if kept and kept[-1].author != "environment":
        kept[-1] = replace(kept[-1], text=kept[-1].text.partition(OPENING)[0])
    kept = [one if one.author == "environment" else replace(one, text=_unanswered(one.text)) for one in kept]
    last = tuple(replace(one, token_ids=(), logprobs=()) for one in look.second.segments)
    added = (Segment("forced", THOUGHT + QUERY), Segment("environment", _block(look.case)))
    return replace(look.first, segments=(*kept, *added, *last), prompt_ids=(), stop=look.second.stop)
