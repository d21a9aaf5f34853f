"""The base of rewards that ask scorers how likely a text is: what they owe to checkpoints, servers and adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from guerdon.protocols import Continuation, Scorer
from guerdon.rewards.base import Context, Reward
from guerdon.types import Group, Message, Rollout, Score

Logprobs = tuple[float, ...]


class Scored(Reward):
    """A reward with scorers among its fields. It is stateful where one of them is, and keeps their state."""

    @property
    def scorers(self) -> tuple[Scorer, ...]:
        """Those among the fields, in order."""
        values = [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
        return tuple(value for value in values if isinstance(value, Scorer))

    @property
    def needs_policy(self) -> bool:
        """Whether one of them speaks of the policy being trained."""
        return any(getattr(scorer, "needs_policy", False) for scorer in self.scorers)

    @property
    def _keeping(self) -> list[Any]:
        return [scorer for scorer in self.scorers if getattr(scorer, "stateful", False)]

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether one of them keeps something."""
        return bool(self._keeping)

    @property
    def version(self) -> int:
        """How often what they keep has changed."""
        return sum(int(scorer.version) for scorer in self._keeping)

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Let moving scorers follow the policy."""
        for scorer in self._keeping:
            scorer.update(context.policy, context.step)

    def state_dict(self) -> dict[str, Any]:
        """Theirs, in order."""
        return {"scorers": [scorer.state_dict() for scorer in self._keeping]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Hand each its own back."""
        for scorer, kept in zip(self._keeping, state["scorers"], strict=True):
            scorer.load_state_dict(kept)


def asked(scorer: Scorer, continuations: Sequence[Continuation | None], context: Context) -> list[Logprobs | None]:
    """The scorer's answers, each distinct text asked once; None for None, and where it failed or gave a NaN."""
    distinct = list(dict.fromkeys(one for one in continuations if one is not None))
    found = dict(zip(distinct, scorer.logprobs(distinct, policy=context.policy), strict=True)) if distinct else {}
    answers = [None if one is None else found[one] for one in continuations]
    return [None if one is None or any(value != value for value in one) else one for one in answers]


def no_answer(scorer: Scorer) -> Score:
    """Unscored, for a text whose log-probs the scorer does not know."""
    return Score.unscored(f"the scorer {scorer.name} gave no log-prob for the reference")


def said_before(rollout: Rollout) -> tuple[tuple[Message, ...], str]:
    """The turns before a rollout's last one, as chat messages, and what that last one says."""
    messages, said = list(rollout.prompt.messages), ""
    for segment in rollout.segments:
        if segment.author == "environment":
            messages += [Message("assistant", said), Message("user", segment.text, segment.images)]
            said = ""
        else:
            said += segment.text
    return tuple(messages), said
