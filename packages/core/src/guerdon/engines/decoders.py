"""How a batch of completions moves one token on: the model behind an engine, without any choice of tokens.

`SharedDecoder` reads each prompt once per group, with the model's own modules; `PlainDecoder` is what every causal
model of transformers can do, for those whose attention is of another kind, and `PicturesDecoder` what every
vision-language one can.

Axes: G groups (prompts), B rows (completions), V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from guerdon.engines.attention import hidden_states, plain
from guerdon.engines.cache import PromptAttention, SharedPrefix
from guerdon.engines.memory import Past
from guerdon.engines.multimodal import Pictures, Span, on, row_states


class Decoder(Protocol):
    """One decode batch at a time."""

    one_prompt: bool
    """Whether a batch holds the rows of one prompt only."""
    cache: SharedPrefix | None
    """What was read and written, of which beginnings of further prompts are made; None where the decoder keeps it in a
    form of its own, and takes no beginnings."""

    def start(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[int],
        capacity: int,
        pictures: Sequence[Pictures] = (),
        pasts: Sequence[Past | None] = (),
    ) -> torch.Tensor:
        """Read the prompts; logits (B, V) of each row's first token.

        Args:
            prompts: token ids, at least one each.
            groups: for each row the index of its prompt; rows of one prompt adjoin, every prompt has a row.
            capacity: the most tokens a row will get.
            pictures: each prompt's; none at all where no prompt has any.
            pasts: of each prompt the beginning that is known; none at all where none is, and with pictures.
        """

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        """Take each row's newest token; logits (B, V) of the next."""

    def drop(self, rows: Sequence[int]) -> list[int]:
        """Remove rows; for each that remains, in its new order, its former index. At least one remains."""


class SharedDecoder:
    """Prompt keys and values once per group, completions in a buffer of their own, the head on last positions only."""

    one_prompt = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self.head = plain(model).get_output_embeddings()
        self.device = self.head.weight.device
        self.cache: SharedPrefix | None = None

    def start(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[int],
        capacity: int,
        pictures: Sequence[Pictures] = (),
        pasts: Sequence[Past | None] = (),
    ) -> torch.Tensor:
        """See `Decoder.start`."""
        self.begin()
        self.cache = None
        lengths = [len(prompt) for prompt in prompts]
        attention = PromptAttention(lengths, pasts)
        pieces = list(zip(prompts, lengths, attention.new, strict=True))
        ids = torch.tensor(
            [[token for prompt, length, new in pieces for token in prompt[length - new :]]], device=self.device
        )
        ranges = [torch.arange(length - new, length, device=self.device) for _, length, new in pieces]
        positions = torch.cat(ranges)[None]
        starts: Sequence[int] = ()
        if any(pictures):
            spans = [Span(length, length, own) for length, own in zip(lengths, pictures, strict=True)]
            states, positions, starts = row_states(self.model, ids, positions, spans)
            hidden = hidden_states(self.model, None, positions, attention, states_RTW=states)[0]
        else:
            hidden = self.forward(ids, positions, attention)[0]
        last_G = torch.tensor(attention.new, device=self.device).cumsum(0) - 1
        self.cache = SharedPrefix(attention, groups, capacity, starts)
        logits_GV = self.logits(hidden[last_G])
        return logits_GV[torch.tensor(list(groups), device=self.device)]

    def begin(self) -> None:
        """Look up anew what is kept of the weights: they may have been merged or replaced since the last batch."""

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

    one_prompt = False
    cache: SharedPrefix | None = None

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = plain(model).get_output_embeddings().weight.device
        self.argument = cache_argument(model)

    def start(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[int],
        capacity: int,
        pictures: Sequence[Pictures] = (),
        pasts: Sequence[Past | None] = (),
    ) -> torch.Tensor:
        """See `Decoder.start`; without pictures and beginnings."""
        assert not any(pictures), "PicturesDecoder reads those"
        assert not any(pasts), "there is no cache that they could come from"
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


class PicturesDecoder:
    """The rows of one prompt with pictures, each reading it in full through the model as it is.

    Rows that finish stay in the batch unasked: models keep things of their own per row beside the cache.
    """

    one_prompt = True
    cache: SharedPrefix | None = None

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = plain(model).get_output_embeddings().weight.device
        self.argument = cache_argument(model)

    def start(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[int],
        capacity: int,
        pictures: Sequence[Pictures] = (),
        pasts: Sequence[Past | None] = (),
    ) -> torch.Tensor:
        """See `Decoder.start`."""
        (prompt,), (own,) = prompts, pictures
        self.live = list(range(len(groups)))
        self.ids = torch.tensor([list(prompt)] * len(groups), device=self.device)
        given = on(self.device, own, len(prompt))
        self.state: Any = None
        return self._run(self.ids, {name: torch.cat([tensor] * len(groups)) for name, tensor in given.items()})

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        """See `Decoder.step`."""
        tokens = self.ids[:, -1].clone()
        tokens[self.live] = tokens_B
        return self._run(tokens[:, None], {self.argument: self.state})

    def drop(self, rows: Sequence[int]) -> list[int]:
        """See `Decoder.drop`."""
        gone = set(rows)
        order = [row for row in range(len(self.live)) if row not in gone]
        self.live = [self.live[row] for row in order]
        return order

    def _run(self, ids: torch.Tensor, given: Mapping[str, Any]) -> torch.Tensor:
        # No mask, since nothing is padded: with one, some models would take its length for that of the new tokens.
        output = self.model(input_ids=ids, use_cache=True, logits_to_keep=1, **given)
        self.state = getattr(output, self.argument)
        logits: torch.Tensor = output.logits[self.live, -1]
        return logits


def cache_argument(model: Any) -> str:
    """What the model calls its cache: transformers renames `past_key_values` to `cache` within its fifth series."""
    return "cache" if "cache" in inspect.signature(plain(model).forward).parameters else "past_key_values"
