"""Drawing rigs token by token: one prefill a mesh, a cache of keys and values, and the grammar's mask at each step.

Axes: B meshes, R sequences, L latents, V ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from guerdon.engines.decoders import cache_argument
from guerdon.engines.sampling import draw, uniforms
from guerdon.protocols import Sampling
from guerdon_rigging.grammar import Grammar, States, Tables
from guerdon_rigging.rig_networks import RigTransformer

ROWS_AT_ONCE = 64
"""Sequences drawn side by side."""
_COMPACTED = 0.5
"""Finished sequences leave the batch when no more than this share of it is left."""


@dataclass(frozen=True)
class Written:
    """One sequence: what came after what was given."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool
    """Whether `eos_final` is out; else the budget was."""


class Writer:
    """Draws from a network under a grammar.

    Args:
        network: on its device.
        grammar: what may come next; None draws from all ids, which is there to measure what the mask costs.
    """

    def __init__(self, network: RigTransformer, grammar: Grammar | None) -> None:
        self.network, self.grammar = network, grammar
        self.device = next(network.parameters()).device
        self.tables: Tables | None = grammar.put(self._put) if grammar else None
        self._cache = cache_argument(network.language.model)

    @torch.no_grad()
    def write(
        self,
        prefix_BLD: Tensor,
        given: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Written]]:
        """`n` sequences for each mesh, in order; the same arguments and weights give the same ones.

        Args:
            prefix_BLD: of each mesh.
            given: tokens that each mesh's sequences begin with; may be empty, and differ in length.
            n: sequences a mesh.
            sampling: `max_tokens` counts what is drawn. Top-k and top-p are within what the grammar allows.
            seed: each sequence has draws of its own, whatever stands beside it.
            on_token: called with the number of sequences that are finished.
        """
        found: list[list[Written]] = [[] for _ in given]
        meshes = max(1, ROWS_AT_ONCE // n)
        done = 0
        # Sequences that begin alike grow together: all of a batch are equally long at each step.
        order = sorted(range(len(given)), key=lambda place: len(given[place]))
        start = 0
        while start < len(order):
            size = len(given[order[start]])
            part = [place for place in order[start : start + meshes] if len(given[place]) == size]
            start += len(part)
            rows = [(place, k) for place in part for k in range(n)]
            written = self._rows(prefix_BLD[part], [given[place] for place in part], n, rows, sampling, seed)
            for (place, _), one in zip(rows, written, strict=True):
                found[place].append(one)
            done += len(rows)
            if on_token is not None:
                on_token(done)
        return found

    def _rows(
        self,
        prefix: Tensor,
        given: Sequence[Sequence[int]],
        n: int,
        rows: list[tuple[int, int]],
        sampling: Sampling,
        seed: int,
    ) -> list[Written]:
        words = self.network.shape.vocabulary
        begun = [list(one) or [words.bos] for one in given]  # `bos` is what every sequence begins with
        tokens: list[list[int]] = [[] if one else [words.bos] for one in given for _ in range(n)]
        logprobs: list[list[float]] = [[0.0] * len(one) for one in tokens]
        model, config = self.network.language.model, self.network.language.config
        cache = DynamicCache(config=config)
        ids = self._put(begun)
        embedded = torch.cat([prefix, self.network.language.get_input_embeddings()(ids)], dim=1)
        hidden = model(inputs_embeds=embedded, use_cache=True, **{self._cache: cache}).last_hidden_state[:, -1]
        cache.batch_repeat_interleave(n)
        hidden = hidden.repeat_interleave(n, 0)
        states = self._states(begun, n)
        alive = torch.arange(len(rows), device=self.device)
        drawn = sampling.max_tokens - len(tokens[0])
        chances = torch.stack([torch.as_tensor(uniforms(seed, *row, max(drawn, 0))) for row in rows]).to(self.device)
        finished = [False] * len(rows)
        for step in range(drawn):
            logits = self.network.logits(hidden)
            if states is not None and self.tables is not None:
                logits = logits + self.tables.penalty[states.phase]
            chosen, logprob = draw(logits, chances[alive, step], sampling)
            for row, token, value in zip(alive.tolist(), chosen.tolist(), logprob.tolist(), strict=True):
                if not finished[row]:
                    tokens[row].append(token)
                    logprobs[row].append(value)
                    finished[row] = token == words.eos_final
            going = [place for place, row in enumerate(alive.tolist()) if not finished[row]]
            if not going:
                break
            if states is not None and self.grammar is not None:
                states = self.grammar.advance(states, chosen, self.tables)
            if len(going) <= _COMPACTED * len(alive):
                kept = self._put(going)
                cache.batch_select_indices(kept)
                alive, chosen = alive[kept], chosen[kept]
                states = None if states is None else States(*(array[kept] for array in states))
            hidden = model(input_ids=chosen[:, None], use_cache=True, **{self._cache: cache}).last_hidden_state[:, -1]
        return [Written(tuple(a), tuple(b), c) for a, b, c in zip(tokens, logprobs, finished, strict=True)]

    def _states(self, begun: list[list[int]], n: int) -> States | None:
        if self.grammar is None:
            return None
        states = self.grammar.start(len(begun), self._put)
        for column in zip(*begun, strict=True):
            states = self.grammar.advance(states, self._put(list(column)), self.tables)
        return States(*(array.repeat_interleave(n, 0) for array in states))

    def _put(self, array: Any) -> Tensor:
        return torch.as_tensor(array, device=self.device)
