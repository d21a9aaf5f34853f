"""How sure a policy is of its answer: the log-probs of the letters behind `<answer>`, and of the answer's first token.

Both are read back from the policy (`guerdon.protocols.Scorer`, `ReadsText`), not kept from sampling: engines keep the
log-prob of what was drawn, and other letters' are needed. Under the weights that sampled, at temperature 1, they are
the same numbers. The released lists also have the token that was sampled; it moves a rank only where it is no letter,
and is left out [choice].

**The first turn's answer.** The released trainer does not stop at `</query>`: the first turn runs on to an answer made
without documents, whose letters are `begin`, and is then cut. Here generation stops at the query, so that no answer
leaks, and `begin` is what the policy would answer there: the first turn up to its query, and `<answer>` [choice]. So no
trace can lack it, and none can gain by writing a bad answer before it looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guerdon.errors import PolicyError
from guerdon.protocols import Continuation, ReadsText
from guerdon.scorers.policy import read
from guerdon.types import Message, Rollout
from guerdon_medical.rwr_scores import LETTERS

if TYPE_CHECKING:
    from guerdon.protocols import Policy

OPENING, QUERY = "<answer>", "<query>"


def turns_of(rollout: Rollout) -> list[tuple[tuple[Message, ...], str]]:
    """For each turn of the policy the messages before it, and what it says; forced text is the policy's here.

    What an environment says last, with nothing behind it, ends no turn.
    """
    messages, said = tuple(rollout.prompt.messages), ""
    found: list[tuple[tuple[Message, ...], str]] = []
    for segment in rollout.segments:
        if segment.author != "environment":
            said += segment.text
        elif segment.text.strip() or segment.images:
            found.append((messages, said))
            messages = (*messages, Message("assistant", said), Message("user", segment.text, segment.images))
            said = ""
    return [*found, (messages, said)] if said or not found else found


def first_answer(rollout: Rollout) -> tuple[Continuation, ...]:
    """A to J as the answer of the first turn, before anything was retrieved; see the module's head."""
    turns = turns_of(rollout)
    messages, said = turns[0]
    if len(turns) == 1:  # nothing was retrieved: the beginning is the end
        return last_answer(rollout)
    before = said.rpartition(QUERY)[0] if QUERY in said else said
    return _letters(messages, before + OPENING)


def last_answer(rollout: Rollout) -> tuple[Continuation, ...]:
    """A to J in the place of the last turn's answer; none where it has no answer."""
    messages, said = turns_of(rollout)[-1]
    before, found, _ = said.partition(OPENING)
    return _letters(messages, before + OPENING) if found else ()


def _letters(messages: tuple[Message, ...], prefix: str) -> tuple[Continuation, ...]:
    return tuple(Continuation(messages, letter, prefix) for letter in LETTERS)


def confidences(policy: Policy, rollouts: Sequence[Rollout]) -> list[float]:
    """The probability of the first token of each rollout's answer, in its last turn, at temperature 1.

    0 where there is no answer [choice]; NaN where the text does not fit the model's context. A policy that reads no
    texts (a table) has answers of one action, whose sampling probability it is.

    Raises:
        PolicyError: the policy reads no texts, and its last turn has several steps.
    """
    if not isinstance(policy, ReadsText):
        return [_of_action(rollout) for rollout in rollouts]
    asked: list[Continuation | None] = []
    for rollout in rollouts:
        messages, said = turns_of(rollout)[-1]
        before, _, behind = said.partition(OPENING)
        text = behind.partition("</answer>")[0]
        asked.append(Continuation(messages, text, before + OPENING) if text.strip() else None)
    told = iter(read(policy, [one for one in asked if one is not None]))
    found: list[float] = []
    for one in asked:
        logprobs = None if one is None else next(told)
        found.append(0.0 if one is None else math.exp(logprobs[0]) if logprobs else math.nan)
    return found


def _of_action(rollout: Rollout) -> float:
    turns = [segment for segment in rollout.turns if segment.text or segment.logprobs]
    if not turns or OPENING not in turns[-1].text:
        return 0.0
    if len(turns[-1].logprobs) != 1:
        raise PolicyError(
            f"how sure the policy was of its answer to {rollout.example.id!r} cannot be told: it reads no texts, and "
            f"its last turn has {len(turns[-1].logprobs)} log-probs; a policy that `ReadsText`, or one action a turn, "
            "is needed"
        )
    return math.exp(turns[-1].logprobs[0])
