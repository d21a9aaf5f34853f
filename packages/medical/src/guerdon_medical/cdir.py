"""CDIR (confidence-driven image re-retrieval), Med-RwR's second look at test time.

Where the first token of the final answer has a probability below .9, the most similar case is fetched by its picture, a
fixed thought and a fixed query are put into the policy's mouth, the case stands in a retrieve block with its picture,
and the policy speaks once more. That answer is final, whether it is better or not.

The second look is a turn of the same rollout (`guerdon.protocols.Resumes`): the policy's words up to its answer, with
the log-probs that they were sampled with; what is forced; the case, an environment's segment with its picture; and the
policy again. An environment speaks as the user in core, and so does the case.

The answer that was unsure is cut from the rollout [choice], so that the last is the final one; those of earlier turns,
which an environment has answered, are cut from `SecondLook.trace` alone.

Source: the released engine of Med-RwR (arXiv 2510.18303); its words are re-written.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError, PolicyError
from guerdon.protocols import Resumes, Resumption, Sampling
from guerdon.types import Example, Rollout, Segment
from guerdon_medical.image_tools import ASKED
from guerdon_medical.rwr_confidence import OPENING, confidences
from guerdon_medical.rwr_scores import looks_again
from guerdon_medical.rwr_traces import trace_of
from guerdon_medical.similar_cases import SeenCase, SimilarCases

if TYPE_CHECKING:
    from guerdon.protocols import Policy

THOUGHT = "<think>I am not sure of this answer. Let me look for a similar imaging case.</think>"
QUERY = f"<query>{ASKED}</query>"
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
    """The first rollout up to its answer, what was forced, the case, and what was said then: with tokens, log-probs and
    the case's picture."""
    trace: Rollout = field(init=False)
    """What is graded: `second` with one answer, the final one; without a second look, `first`. Segments that lost an
    earlier answer have no tokens."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trace", self.first if self.second is None else _with_one_answer(self.second))

    @property
    def answer(self) -> str | None:
        """The final one; None where there is none."""
        return trace_of(self.trace).prediction


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
        PolicyError: the policy does not see, cannot tell how sure it was, or goes on behind no attempt.
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
    looked = zip(shown.items(), _looked(policy, rollouts, shown, sampling, seed), strict=True)
    # Without room for another turn the first answer stands.
    taken = {place: (case, second) for (place, case), second in looked if second.segments[-1].author == "policy"}
    return [
        SecondLook(rollout, value, *taken.get(place, (None, None)))
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


def _looked(
    policy: Policy, rollouts: Sequence[Rollout], shown: Mapping[int, SeenCase], sampling: Sampling, seed: int
) -> list[Rollout]:
    """The rollouts that are shown a case, each with its second look."""
    if not shown:
        return []
    if not isinstance(policy, Resumes):
        raise PolicyError(
            f"a second look is one more turn of a rollout, and {type(policy).__name__} does not go on behind an "
            "attempt (`guerdon.protocols.Resumes`); a language policy does"
        )
    asked = [
        Resumption(rollouts[place], _sure(rollouts[place]), THOUGHT + QUERY, _block(case), (case.image,))
        for place, case in shown.items()
    ]
    return policy.resumed(asked, sampling, seed=seed)


def _sure(rollout: Rollout) -> int:
    """Characters of the last turn before its answer."""
    return len(rollout.turns[-1].text.partition(OPENING)[0]) if rollout.turns else 0


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


def _with_one_answer(rollout: Rollout) -> Rollout:
    *before, last = rollout.segments
    kept: list[Segment] = []
    for segment in before:
        text = segment.text if segment.author == "environment" else _unanswered(segment.text)
        kept.append(segment if text == segment.text else replace(segment, text=text, token_ids=(), logprobs=()))
    return replace(rollout, segments=(*kept, last))
