r"""A group as one packed row: the prompt once, its completions after it, each blind to the others.

```
positions   0 1 2 3 | 4 5 6 | 4 5 | 4 5 6 7
tokens      prompt  | y_1   | y_2 | y_3          y_i attends to the prompt and, causally, to itself
```

Positions restart after the prompt, so every token's hidden state is what it would be in a row of its own, and the
gradient is that of the unpacked batch (to rounding: about 4e-6 relative in float32) at 1/G of the prompt's cost.
Several groups lie end to end in one row; attention runs group by group.

Axes: R rows (1), H query heads, K key/value heads, T tokens of the packed row, D head width, N scored tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from guerdon.errors import PolicyError
from guerdon.types import NO_PROMPT, Image, Prompt, Rollout


@dataclass(frozen=True, slots=True)
class Shown:
    """A stretch of a completion's tokens in which images stand: what an environment answered."""

    start: int
    length: int
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """The tokens after a prompt, and which of them the policy chose."""

    token_ids: tuple[int, ...]
    scored: tuple[int, ...]
    """Indices into `token_ids`, ascending."""
    shown: tuple[Shown, ...] = ()
    """Where images stand among them, in order."""

    @classmethod
    def of(cls, rollout: Rollout) -> Completion:
        """A rollout's segments end to end; the policy's tokens are scored, all others only attended to.

        Raises:
            PolicyError: the rollout has no prompt tokens, or a segment of the policy has text and no tokens.
        """
        if not rollout.prompt_ids:
            raise PolicyError(
                f"the rollout of {rollout.example.id!r} has no prompt_ids; a language policy did not make it"
            )
        ids: list[int] = []
        scored: list[int] = []
        shown: list[Shown] = []
        for segment in rollout.segments:
            if segment.author == "policy":
                if segment.text and not segment.token_ids:
                    raise PolicyError(
                        f"the rollout of {rollout.example.id!r} has text without token_ids; "
                        "turn text into a rollout with `policy.reference_rollout`"
                    )
                scored.extend(range(len(ids), len(ids) + len(segment.token_ids)))
            elif segment.images and segment.token_ids:
                shown.append(Shown(len(ids), len(segment.token_ids), segment.images))
            ids.extend(segment.token_ids)
        return cls(tuple(ids), tuple(scored), tuple(shown))

    @property
    def fed(self) -> int:
        """How many of the tokens the model has to read: all up to the last scored one, which is only predicted."""
        return self.scored[-1] if self.scored else 0

    @property
    def seen(self) -> tuple[Shown, ...]:
        """Those of `shown` that the model has to read: each lies whole before the last scored token, or behind it."""
        return tuple(one for one in self.shown if one.start < self.fed) if self.shown else ()


@dataclass(frozen=True, slots=True)
class PackedGroup:
    """One prompt and its completions."""

    prompt_ids: tuple[int, ...]
    completions: tuple[Completion, ...]
    prompt: Prompt = NO_PROMPT
    """What the tokens were made from; needed where it shows images."""

    @property
    def cost(self) -> int:
        """Tokens that the model reads."""
        return len(self.prompt_ids) + sum(completion.fed for completion in self.completions)


def group_neighbours(rollouts: Sequence[Rollout]) -> list[PackedGroup]:
    """Rollouts in order, neighbours that share their prompt's tokens and images together."""
    groups: list[tuple[Rollout, list[Completion]]] = []
    for rollout in rollouts:
        completion = Completion.of(rollout)
        if groups and _same_prompt(groups[-1][0], rollout):
            groups[-1][1].append(completion)
        else:
            groups.append((rollout, [completion]))
    return [PackedGroup(first.prompt_ids, tuple(completions), first.prompt) for first, completions in groups]


def _same_prompt(one: Rollout, other: Rollout) -> bool:
    """Images stand in the tokens as placeholders only."""
    return one.prompt_ids == other.prompt_ids and one.prompt.images == other.prompt.images


class PackedRow:
    """Groups laid end to end in one row: what the model reads, what is scored, and the attention pattern between."""

    def __init__(self, groups: Sequence[PackedGroup], device: torch.device | str = "cpu") -> None:
        ids: list[int] = []
        positions: list[int] = []
        sources: list[int] = []
        targets: list[int] = []
        self.groups = list(groups)
        self.spans: list[tuple[int, int]] = []
        """Prompt tokens and completion tokens of each group."""
        self.late: list[tuple[int, int, Shown]] = []
        """Images among completions' tokens: the place in the row where the stretch begins, the one where its completion
        ends, and what is shown."""
        self.masks: list[torch.Tensor | None] = []
        """For each group, whom of prompt and completions a completion token sees; None where it is all before it."""
        for group in groups:
            start, prompt = len(ids), len(group.prompt_ids)
            ids.extend(group.prompt_ids)
            positions.extend(range(prompt))
            for completion in group.completions:
                first = len(ids)
                ids.extend(completion.token_ids[: completion.fed])
                self.late.extend((first + one.start, first + completion.fed, one) for one in completion.seen)
                positions.extend(range(prompt, prompt + completion.fed))
                # The token at place i is predicted where i - 1 is read; the first one at the prompt's end.
                sources.extend(first + place - 1 if place else start + prompt - 1 for place in completion.scored)
                targets.extend(completion.token_ids[place] for place in completion.scored)
            self.spans.append((prompt, len(ids) - start - prompt))
            self.masks.append(_mask([completion.fed for completion in group.completions], prompt, device))
        self.ids_1T = torch.tensor([ids], device=device)
        self.positions_1T = torch.tensor([positions], device=device)
        self.sources_N = torch.tensor(sources, dtype=torch.long, device=device)
        self.targets_N = torch.tensor(targets, dtype=torch.long, device=device)

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """See `engines.attention.Attention`; R is 1. Prompts attend causally; completions to prompt and own tokens.

        Split, not sliced: the gradient of a slice is a tensor of the whole row, once per group and layer.
        """
        attention = functools.partial(_attention, scale=scaling)
        lengths = [prompt + rest for prompt, rest in self.spans]
        queries, keys, values = (torch.split(whole, lengths, dim=2) for whole in (query, key, value))
        outputs: list[torch.Tensor] = []
        for (prompt, _), mask, q, k, v in zip(self.spans, self.masks, queries, keys, values, strict=True):
            if mask is None:
                outputs.append(attention(q, k, v, is_causal=True))
            else:
                outputs.append(attention(q[:, :, :prompt], k[:, :, :prompt], v[:, :, :prompt], is_causal=True))
                if q.is_cuda:  # CUDA's kernel that takes a mask takes no fewer key heads than query heads
                    k, v = (kept.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for kept in (k, v))
                outputs.append(attention(q[:, :, prompt:], k, v, attn_mask=mask))
        return torch.cat(outputs, dim=2).transpose(1, 2)


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **options: Any) -> torch.Tensor:
    return functional.scaled_dot_product_attention(q, k, v, enable_gqa=q.shape[1] != k.shape[1], **options)


def _mask(lengths: Sequence[int], prompt: int, device: torch.device | str) -> torch.Tensor | None:
    """(completion tokens, prompt + completion tokens), true where attention is allowed; None for a causal span."""
    total = sum(lengths)
    if max(lengths, default=0) == total:  # at most one completion: it is its prompt's plain continuation
        return None
    mask = torch.zeros(total, prompt + total, dtype=torch.bool, device=device)
    mask[:, :prompt] = True
    start = 0
    for length in lengths:
        mask[start : start + length, prompt + start : prompt + start + length] = torch.ones(
            length, length, dtype=torch.bool, device=device
        ).tril()
        start += length
    return mask
