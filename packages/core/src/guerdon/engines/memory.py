"""What an engine has read and written of attempts in many turns, so that the next turn reads only what is new.

A turn's prompt is the last turn's, what was said, and what was answered. Read anew each time, a conversation of five
turns is read three times over, which takes longer than all that is said in it.

Axes: K key/value heads, T tokens, D head width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

Read = Mapping[int, tuple[torch.Tensor, torch.Tensor]]
"""By layer the keys and values, (K, T, D), of tokens that stand side by side."""


@dataclass(frozen=True, slots=True)
class Past:
    """The first tokens of a prompt, as they were read."""

    length: int
    """How many."""
    parts: tuple[Read, ...]
    """One behind the other; attempts at one example that were drawn in one batch share the first."""

    def before(self, layer: int, key_1KTD: torch.Tensor, value_1KTD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Its keys and values of a layer, and behind them these."""
        keys, values = zip(*(part[layer] for part in self.parts), (key_1KTD[0], value_1KTD[0]), strict=True)
        return torch.cat(keys, dim=1)[None], torch.cat(values, dim=1)[None]


class Memory:
    """Pasts by their tokens, for one set of weights.

    Args:
        most: tokens that are kept at once, those of a shared part once; what does not fit is read again.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._pasts: dict[tuple[int, ...], Past] = {}
        self._sizes: dict[int, int] = {}

    @property
    def held(self) -> int:
        """Tokens that are kept."""
        return sum(self._sizes.values())

    def room(self, tokens: int) -> bool:
        """Whether so many more fit."""
        return self.held + tokens <= self.most

    def taken(self, prompts: Sequence[Sequence[int]]) -> list[Past | None]:
        """Of each prompt the longest kept beginning that leaves a token to read; everything else is forgotten."""
        lengths = sorted({len(tokens) for tokens in self._pasts}, reverse=True)
        found = []
        for prompt in prompts:
            tokens = tuple(prompt)
            begun = (self._pasts.get(tokens[:length]) for length in lengths if length < len(tokens))
            found.append(next((past for past in begun if past is not None), None))
        self._pasts.clear()
        self._sizes = _sizes([part for past in found if past is not None for part in past.parts])
        return found

    def keep(self, tokens: Sequence[int], past: Past | None, *read: Read) -> None:
        """Remember a beginning; there is `room` for what is new of it.

        Args:
            tokens: all of them.
            past: what was known of it.
            read: the rest, in order; other beginnings may share the first part.
        """
        self._sizes |= _sizes(read)
        self._pasts[tuple(tokens)] = Past(len(tokens), (*(past.parts if past else ()), *read))


def _sizes(parts: Sequence[Read]) -> dict[int, int]:
    """Tokens of each part, by its identity."""
    return {id(part): next(iter(part.values()))[0].shape[1] for part in parts}
