"""Attempts that say a given text, and causal models of somebody else's that are only read."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from guerdon.engines.attention import plain
from guerdon.engines.stopping import context_of
from guerdon.policies.chat import Chat
from guerdon.policies.likelihood import Likelihood
from guerdon.policies.packing import group_neighbours
from guerdon.protocols import Continuation, StepLogprobs
from guerdon.types import Example, Prompt, Rollout, Segment

_GIVEN = Example(id="a given text")


def continued(
    chat: Chat, continuations: Sequence[Continuation], *, limit: int | None = None, version: int = 0
) -> list[Rollout | None]:
    """See `guerdon.protocols.ReadsText`.

    A prefix that neighbours share (the options of one question, behind one reasoning) is part of their prompt, and is
    read once for all of them.

    Args:
        chat: the model's tokens.
        continuations: any.
        limit: the most tokens the model can read; None where nobody says.
        version: the policy's, for the rollouts.

    Raises:
        PolicyError: the chat template refuses the messages, or there are none where one is needed.
    """
    found: list[Rollout | None] = []
    cut = [chat.given(one) for one in continuations]
    for place, one in enumerate(continuations):
        before, given, text = cut[place]
        if given and any(cut[near][:2] == (before, given) for near in (place - 1, place + 1) if 0 <= near < len(cut)):
            before, given = (*before, *given), ()
        if limit is not None and len(before) + len(given) + len(text) > limit:
            found.append(None)
            continue
        forced = (Segment("forced", one.prefix, given),) if given else ()
        segments = (*forced, Segment("policy", one.text, text))
        found.append(Rollout(_GIVEN, segments, Prompt(one.messages), before, policy_version=version))
    return found


class ReadModel:
    """A causal model that somebody else trains, as what a scorer asks of a policy: log-probs, and frozen copies."""

    version = 0

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """
        Args:
            model: of transformers, or a peft wrapper of one. Left as it is, its mode included.
            tokenizer: its own.
        """
        self.model, self.tokenizer = model, tokenizer
        self.chat, self.likelihood = Chat(tokenizer), Likelihood(model)

    def continued(self, continuations: Sequence[Continuation]) -> list[Rollout | None]:
        """See `guerdon.protocols.ReadsText`."""
        return continued(self.chat, continuations, limit=context_of(plain(self.model)))

    @torch.no_grad()
    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = False) -> StepLogprobs:
        """As `guerdon.protocols.Policy.logprobs`, without dropout and without a gradient."""
        groups = group_neighbours(rollouts)
        training = self.model.training
        self.model.eval()
        try:
            logprobs_N, entropy_N = self.likelihood.score(groups, temperature or 1.0)
        finally:
            self.model.train(training)
        lengths = tuple(len(completion.scored) for group in groups for completion in group.completions)
        return StepLogprobs(logprobs_N, entropy_N, lengths)

    def snapshot(self) -> ReadModel:
        """A frozen copy."""
        return ReadModel(copy.deepcopy(self.model).requires_grad_(False).eval(), self.tokenizer)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """The model's, for whoever counts them."""
        return self.model.parameters()  # type: ignore[no-any-return]

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        trained = {name: one.detach() for name, one in self.model.named_parameters() if one.requires_grad}
        return {name: values.float() for name, values in trained.items()}

    @torch.no_grad()
    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        parameters = dict(self.model.named_parameters())
        for name, values in weights.items():
            parameters[name].copy_(values)
