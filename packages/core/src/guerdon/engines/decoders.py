"""How a batch of completions moves one token on: the model behind an engine, without any choice of tokens.

`SharedDecoder` reads each prompt once per group, with the model's own modules; `PlainDecoder` is what every causal
model of transformers can do, for those whose attention is of another kind.

Axes: G groups (prompts), B rows (completions), V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from guerdon.engines.attention import hidden_states, plain
from guerdon.engines.cache import PromptAttention, SharedPrefix


class Decoder(Protocol):
    """One decode batch at a time."""

    def start(self, prompts: Sequence[Sequence[int]], groups: Sequence[int], capacity: int) -> torch.Tensor:
        """Read the prompts; logits (B, V) of each row's first token.

        Args:
            prompts: token ids, at least one each.
            groups: for each row the index of its prompt; rows of one prompt adjoin, every prompt has a row.
            capacity: the most tokens a row will get.
        """

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        """Take each row's newest token; logits (B, V) of the next."""

    def drop(self, rows: Sequence[int]) -> list[int]:
        """Remove rows; for each that remains, in its new order, its former index. At least one remains."""


class SharedDecoder:
    """Prompt keys and values once per group, completions in a buffer of their own, the head on last positions only."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.head = plain(model).get_output_embeddings()
        self.device = self.head.weight.device
        self.cache: SharedPrefix | None = None

    def start(self, prompts: Sequence[Sequence[int]], groups: Sequence[int], capacity: int) -> torch.Tensor:
        """See `Decoder.start`."""
        self.cache = None
        lengths = [len(prompt) for prompt in prompts]
        attention = PromptAttention(lengths)
        ids = torch.tensor([[token for prompt in prompts for token in prompt]], device=self.device)
        positions = torch.cat([torch.arange(length, device=self.device) for length in lengths])[None]
        hidden = self.forward(ids, positions, attention)[0]
        last_G = torch.tensor(lengths, device=self.device).cumsum(0) - 1
        self.cache = SharedPrefix(attention, groups, capacity)
        logits_GV = self.logits(hidden[last_G])
        return logits_GV[torch.tensor(list(groups), device=self.device)]

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        """See `Decoder.step`."""
        cache = self._cache()
        positions = cache.positions()
        cache.advance()
        return self.logits(self.forward(tokens_B[:, None], positions, cache)[:, 0])

    def drop(self, rows: Sequence[int]) -> list[int]:
        """See `Decoder.drop`."""
        return self._cache().drop(rows)

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, attention: PromptAttention | SharedPrefix
    ) -> torch.Tensor:
        """Last hidden states (R, T, width)."""
        return hidden_states(self.model, ids, positions, attention)

    def logits(self, hidden_BW: torch.Tensor) -> torch.Tensor:
        """The head's output (B, V)."""
        logits_BV: torch.Tensor = self.head(hidden_BW)
        return logits_BV

    def _cache(self) -> SharedPrefix:
        assert self.cache is not None, "start comes first"
        return self.cache


class PlainDecoder:
    """Left-padded rows with the cache that transformers chooses for the model; each row holds its own prompt."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = plain(model).get_output_embeddings().weight.device
        # transformers renames `past_key_values` to `cache` within its fifth series.
        self.argument = "cache" if "cache" in inspect.signature(plain(model).forward).parameters else "past_key_values"

    def start(self, prompts: Sequence[Sequence[int]], groups: Sequence[int], capacity: int) -> torch.Tensor:
        """See `Decoder.start`."""
        longest = max(map(len, prompts))
        padded = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        seen = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self.mask = torch.tensor([seen[group] for group in groups], device=self.device)
        self.state: Any = None
        return self._run(torch.tensor([padded[group] for group in groups], device=self.device))

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        """See `Decoder.step`."""
        self.mask = torch.cat((self.mask, self.mask.new_ones(len(tokens_B), 1)), dim=1)
        return self._run(tokens_B[:, None])

    def drop(self, rows: Sequence[int]) -> list[int]:
        """See `Decoder.drop`."""
        gone = set(rows)
        order = [row for row in range(len(self.mask)) if row not in gone]
        chosen = torch.tensor(order, device=self.device)
        self.mask = self.mask[chosen]
        self.state.batch_select_indices(chosen)
        return order

    def _run(self, ids: torch.Tensor) -> torch.Tensor:
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        given = {} if self.state is None else {self.argument: self.state}
        output = self.model(
            input_ids=ids, attention_mask=self.mask, position_ids=positions, use_cache=True, logits_to_keep=1, **given
        )
        self.state = getattr(output, self.argument)
        logits: torch.Tensor = output.logits[:, -1]
        return logits
