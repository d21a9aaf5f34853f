r"""Eyes before words: what sees learns which words its pictures' answers hold, without the language model.

A step through the language model costs a hundred times what a small vision tower's own step does, and what a fresh one
has to learn first is not language. So its features are made to predict the *bag of words* of the reference answers,
through the language model's own, frozen embeddings: with a picture's states $s_1 ... s_N$ (what takes the place of its
placeholder tokens), each of length 1 as $\hat s_n$, and the unit embedding $e_w$ of word $w$,

$$P(w \text{ is said}) = \sigma\big(b_w + \log \textstyle\sum_n \exp(a\, \hat s_n \cdot e_w)\big)$$

by binary cross-entropy over the words that some answers hold and some do not; $a$ and $b_w$ are learnt beside and
forgotten. One state that points at a word is enough, so the language model then reads states like words that it
knows; and as long as those, since the mean of $\log^2(|s_n| / \overline{|e_w|})$ is added to the loss.

Source: bags of words as the target of visual features: Joulin et al. 2016 (arXiv 1511.02251) [memory]; through the
embeddings of the model that will read them, the sum over states and the lengths [choice].

Axes: B prompts, N placeholder tokens of one prompt, W width, V words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from guerdon.engines.attention import plain
from guerdon.engines.multimodal import batch_states, image_token
from guerdon.errors import ConfigError
from guerdon.types import Rollout

if TYPE_CHECKING:
    from guerdon.policies.language import LanguagePolicy

COMMON = 0.98
"""A word that this share of the answers holds says nothing about a picture."""
RARE = 4
"""Answers that must hold a word for it to be predicted."""


class Alignment:
    """What is learnt from a set of reference rollouts; see `guerdon.protocols.AlignsSight`."""

    def __init__(self, policy: LanguagePolicy, rollouts: Sequence[Rollout]) -> None:
        """
        Args:
            policy: one that sees.
            rollouts: references; those whose prompts show images are learnt from.

        Raises:
            ConfigError: no prompt shows an image, all answers hold the same words, or nothing that sees is trained.
        """
        self.policy = policy
        self.rollouts: Sequence[Rollout] = [rollout for rollout in rollouts if rollout.prompt.images]
        if policy.chat.processor is None or not self.rollouts:
            raise ConfigError(
                "train.sft.alignment is for policies that see, on prompts that show images; here are none"
            )
        image_id = image_token(policy.model)
        if image_id is None:
            raise ConfigError(f"{type(plain(policy.model)).__name__} does not say which token stands for an image")
        self.image_id = image_id
        counts: dict[int, int] = {}
        for rollout in self.rollouts:
            for word in _words(rollout):
                counts[word] = counts.get(word, 0) + 1
        most = COMMON * len(self.rollouts)
        self.words = sorted(word for word, count in counts.items() if RARE <= count <= most)
        if not self.words:
            raise ConfigError("train.sft.alignment needs answers that differ in their words; these hold the same ones")
        self.place = {word: place for place, word in enumerate(self.words)}
        table_VW = plain(policy.model).get_input_embeddings().weight.detach()[self.words].float()
        self.directions_VW = torch.nn.functional.normalize(table_VW, dim=1)
        self.length = float(table_VW.norm(dim=1).mean())
        share_V = torch.tensor([counts[word] / len(self.rollouts) for word in self.words], device=policy.device)
        # States that point nowhere then say a word as often as it is said.
        places = sum(map(self._count, self.rollouts)) / len(self.rollouts)
        self.bias_V = torch.nn.Parameter(torch.log(share_V / (1 - share_V)) - math.log(places))
        self.scale = torch.nn.Parameter(torch.tensor(10.0, device=policy.device))
        self.seeing = list(self._seeing())

    def _seeing(self) -> Iterator[torch.nn.Parameter]:
        """The trained parameters before the language model's decoder, as the optimiser sees them."""
        inner = plain(self.policy.model)
        reading = {id(one) for one in inner.get_decoder().parameters()}
        reading |= {id(one) for one in inner.get_output_embeddings().parameters()}
        found = [master for master, own in self.policy.masters.pairs.values() if id(own) not in reading]
        if not found:
            raise ConfigError(
                "train.sft.alignment trains what sees, and all of it is frozen; name it in `lora.whole` of the policy"
            )
        yield from found

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """What an optimiser moves."""
        yield from (*self.seeing, self.scale, self.bias_V)

    def loss(self, rollouts: Sequence[Rollout]) -> torch.Tensor:
        """Mean binary cross-entropy over words and prompts of a batch, in nats, and what the states' lengths cost."""
        target_BV = torch.zeros(len(rollouts), len(self.words), device=self.policy.device)
        for row, rollout in enumerate(rollouts):
            for word in _words(rollout):
                if word in self.place:
                    target_BV[row, self.place[word]] = 1.0
        said, lengths = [], []
        for batch in self._alike(rollouts):
            pictures = [self.policy.chat.read(rollout.prompt)[1] for rollout in batch]
            states_BNW = batch_states(self.policy.model, self.image_id, self._count(batch[0]), pictures).float()
            units_BNW = torch.nn.functional.normalize(states_BNW, dim=-1)
            said.append(torch.logsumexp(self.scale * (units_BNW @ self.directions_VW.t()), dim=1))
            lengths.append(states_BNW.norm(dim=-1).flatten() / self.length)
        words = torch.nn.functional.binary_cross_entropy_with_logits(torch.cat(said) + self.bias_V, target_BV)
        return words + torch.cat(lengths).log().square().mean()

    def _count(self, rollout: Rollout) -> int:
        return sum(token == self.image_id for token in rollout.prompt_ids)

    def _alike(self, rollouts: Sequence[Rollout]) -> list[list[Rollout]]:
        """Neighbours with the same number of placeholder tokens, which go through together."""
        runs: list[list[Rollout]] = []
        for rollout in rollouts:
            if runs and self._count(runs[-1][0]) == self._count(rollout):
                runs[-1].append(rollout)
            else:
                runs.append([rollout])
        return runs


def _words(rollout: Rollout) -> set[int]:
    return {token for segment in rollout.segments if segment.author == "policy" for token in segment.token_ids}
