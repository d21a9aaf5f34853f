"""Keys and values while decoding: each prompt's once, and each completion's own in a buffer that grows by doubling.

The prompt is read once per group and step instead of once per completion: the queries of a group's completions meet its
keys in one matrix product. Finished rows leave by having the last row copied into their place.

Axes: L layers, G groups, B rows (completions), S slots (the most rows of any group), K key/value heads, M query heads
per key/value head, P prompt tokens, C completion tokens, D head width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from guerdon.engines.memory import Past, Read


class PromptAttention:
    """Prompts laid end to end in one row, each attending causally to itself; their keys and values are kept.

    Of a prompt whose beginning is known only the rest is in the row.
    """

    def __init__(self, lengths: Sequence[int], pasts: Sequence[Past | None] = ()) -> None:
        """
        Args:
            lengths: of the prompts, their beginnings included.
            pasts: of each prompt the beginning that is known, shorter than it; nothing of any by default.
        """
        self.lengths = list(lengths)
        self.pasts = list(pasts) or [None] * len(self.lengths)
        self.new = [
            length - (past.length if past else 0) for length, past in zip(self.lengths, self.pasts, strict=True)
        ]
        """How many tokens of each prompt are in the row."""
        self.masks: list[torch.Tensor | None] | None = None
        self.kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """See `engines.attention.Attention`; R is 1."""
        grouped = query.shape[1] != key.shape[1]
        pieces = zip(*(torch.split(tensor, self.new, dim=2) for tensor in (query, key, value)), strict=True)
        outputs, keys, values = [], [], []
        for past, mask, (own_query, own_key, own_value) in zip(self.pasts, self._masks(query), pieces, strict=True):
            if past is not None:
                own_key, own_value = past.before(layer, own_key, own_value)
            outputs.append(
                functional.scaled_dot_product_attention(
                    own_query,
                    own_key,
                    own_value,
                    attn_mask=mask,
                    is_causal=mask is None,
                    scale=scaling,
                    enable_gqa=grouped,
                )
            )
            keys.append(own_key)
            values.append(own_value)
        known = any(self.pasts)
        self.kept[layer] = (torch.cat(keys, dim=2), torch.cat(values, dim=2)) if known else (key, value)
        return torch.cat(outputs, dim=2).transpose(1, 2)

    def _masks(self, query: torch.Tensor) -> list[torch.Tensor | None]:
        """Of each prompt with a beginning which tokens each new one sees: all that are known, and the new up to itself.

        Made at the first layer. Without a beginning the kernel is causal by itself.
        """
        if self.masks is None:
            self.masks = [
                torch.ones(new, past.length + new, dtype=torch.bool, device=query.device).tril(past.length)
                if past
                else None
                for past, new in zip(self.pasts, self.new, strict=True)
            ]
        return self.masks


class SharedPrefix:
    """The cache of one decode batch, and its attention pattern: a row sees its group's prompt and its own tokens."""

    def __init__(
        self, prompts: PromptAttention, groups: Sequence[int], capacity: int, starts: Sequence[int] = ()
    ) -> None:
        """
        Args:
            prompts: what the prefill kept.
            groups: for each row, which prompt it continues; rows of one group adjoin.
            capacity: the most tokens a completion can have.
            starts: for each prompt, the position behind it; by default its length (pictures take fewer positions than
                tokens in some models).
        """
        self.longest = max(prompts.lengths)
        self.capacity = capacity
        self.prefix: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for layer in sorted(prompts.kept):
            key, value = prompts.kept.pop(layer)
            self.prefix[layer] = (self._pad(key, prompts.lengths), self._pad(value, prompts.lengths))
        key = self.prefix[min(self.prefix)][0]
        self.layers = {layer: place for place, layer in enumerate(self.prefix)}
        self.device, self.dtype = key.device, key.dtype
        self.mask_G1P: torch.Tensor | None = None
        if min(prompts.lengths) < self.longest:
            lengths = torch.tensor(prompts.lengths, device=self.device)
            hidden = torch.arange(self.longest, device=self.device)[None] >= lengths[:, None]
            self.mask_G1P = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(
                hidden, -torch.inf
            )[:, None]
        self.lengths = prompts.lengths
        self.starts = list(starts or prompts.lengths)
        self.groups = list(groups)
        self.tokens = 0
        """Tokens written so far; the step in hand included once its first layer has run."""
        self.suffix = key.new_empty(len(self.prefix), 2, len(groups), key.shape[1], min(64, capacity), key.shape[-1])
        self._place_rows()

    def _pad(self, tensor_1KTD: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """G, K, P, D: each prompt in its own row, zeros after its end."""
        if len(lengths) == 1:
            return tensor_1KTD
        _, heads, _, width = tensor_1KTD.shape
        padded = tensor_1KTD.new_zeros(len(lengths), heads, self.longest, width)
        for row, piece in enumerate(torch.split(tensor_1KTD[0], list(lengths), dim=1)):
            padded[row, :, : piece.shape[1]] = piece
        return padded

    def _place_rows(self) -> None:
        """Give every row a slot in its group's block of queries."""
        counts = [0] * len(self.lengths)
        places = []
        for group in self.groups:
            places.append((group, counts[group]))
            counts[group] += 1
        self.slots = max(counts, default=0)
        flat = [group * self.slots + slot for group, slot in places]
        self.whole = flat == list(range(len(self.lengths) * self.slots))
        """Every slot is taken, in order: no shuffling is needed."""
        self.slot_B = torch.tensor(flat, device=self.device)
        row_of = [0] * (len(self.lengths) * self.slots)
        for row, slot in enumerate(flat):
            row_of[slot] = row
        self.row_GS = torch.tensor(row_of, device=self.device)

    def positions(self) -> torch.Tensor:
        """Position of each row's next token (B, 1)."""
        return torch.tensor([[self.starts[group] + self.tokens] for group in self.groups], device=self.device)

    def advance(self) -> None:
        """Make room for one more token per row; call once before each step."""
        if self.tokens == self.suffix.shape[4]:
            grown = self.suffix.new_empty(
                *self.suffix.shape[:4], min(2 * self.tokens, self.capacity), self.suffix.shape[5]
            )
            grown[..., : self.tokens, :] = self.suffix
            self.suffix = grown
        self.tokens += 1

    def prompt_read(self, row: int, start: int) -> Read:
        """Keys and values of a row's prompt, from its token `start` on."""
        group = self.groups[row]
        part = slice(start, self.lengths[group])
        return {
            layer: (key[group, :, part].clone(), value[group, :, part].clone())
            for layer, (key, value) in self.prefix.items()
        }

    def written(self, row: int) -> Read:
        """Keys and values of what a row wrote and has read: all but its newest token."""
        own = self.suffix[:, :, row, :, : self.tokens].clone()
        return {layer: (own[place, 0], own[place, 1]) for layer, place in self.layers.items()}

    def drop(self, rows: Sequence[int]) -> list[int]:
        """Remove finished rows. Returns, for each row that remains, its former index: the last rows fill the gaps."""
        order = list(range(len(self.groups)))
        for row in sorted(rows, reverse=True):
            last = len(order) - 1
            if row != last:
                self.suffix[:, :, row, :, : self.tokens] = self.suffix[:, :, last, :, : self.tokens]
                order[row] = order[last]
            order.pop()
        self.groups = [self.groups[former] for former in order]
        self._drop_groups()
        self._place_rows()
        return order

    def _drop_groups(self) -> None:
        """Forget prompts that nobody continues, once they are half of all: copying the rest then pays."""
        alive = sorted(set(self.groups))
        if not alive or 2 * len(alive) > len(self.lengths):
            return
        self.lengths = [self.lengths[group] for group in alive]
        self.starts = [self.starts[group] for group in alive]
        self.longest = max(self.lengths)
        chosen = torch.tensor(alive, device=self.device)
        for layer, pair in self.prefix.items():
            key, value = (tensor.index_select(0, chosen)[:, :, : self.longest] for tensor in pair)
            self.prefix[layer] = (key, value)
        if self.mask_G1P is not None:
            self.mask_G1P = self.mask_G1P.index_select(0, chosen)[:, :, : self.longest]
        renamed = {group: place for place, group in enumerate(alive)}
        self.groups = [renamed[group] for group in self.groups]

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """See `engines.attention.Attention`; R is B and T is 1."""
        rows, heads, _, width = query.shape
        kv_heads = key.shape[1]
        query_BKMD = (query * scaling).view(rows, kv_heads, heads // kv_heads, width)
        return self.attend_rows(layer, query_BKMD, key[:, :, 0], value[:, :, 0]).reshape(rows, 1, heads, width)

    def attend_rows(
        self, layer: int, query_BKMD: torch.Tensor, key_BKD: torch.Tensor, value_BKD: torch.Tensor
    ) -> torch.Tensor:
        """Take each row's newest key and value; the attention output (B, K, M, D) of queries already scaled."""
        rows, _, per_kv, _ = query_BKMD.shape
        own_key, own_value = self.suffix[self.layers[layer]][:, :rows, :, : self.tokens]
        own_key[:, :, -1] = key_BKD
        own_value[:, :, -1] = value_BKD

        prefix_key, prefix_value = self.prefix[layer]
        longest = prefix_key.shape[2]
        shared = self._by_group(query_BKMD) @ prefix_key.transpose(2, 3)
        if self.mask_G1P is not None:
            shared += self.mask_G1P[:, :, None]
        scores = torch.cat((self._by_row(shared, per_kv), query_BKMD @ own_key.transpose(2, 3)), dim=-1)
        # Summed in float32 inside the kernel, whatever the type.
        weights = scores.softmax(dim=-1)
        shared = self._by_group(weights[..., :longest]) @ prefix_value
        output: torch.Tensor = self._by_row(shared, per_kv) + weights[..., longest:] @ own_value
        return output

    def _by_group(self, tensor_BKMX: torch.Tensor) -> torch.Tensor:
        """(G, K, S * M, X): each group's rows side by side, for one product with what they share."""
        _, kv_heads, per_kv, width = tensor_BKMX.shape
        if not self.whole:
            tensor_BKMX = tensor_BKMX.index_select(0, self.row_GS)
        slotted = tensor_BKMX.reshape(-1, self.slots, kv_heads, per_kv, width).transpose(1, 2)
        return slotted.reshape(-1, kv_heads, self.slots * per_kv, width)

    def _by_row(self, tensor_GKSX: torch.Tensor, per_kv: int) -> torch.Tensor:
        """(B, K, M, X): the inverse of `_by_group`."""
        groups, kv_heads, _, width = tensor_GKSX.shape
        rows = tensor_GKSX.view(groups, kv_heads, self.slots, per_kv, width).transpose(1, 2)
        rows = rows.reshape(-1, kv_heads, per_kv, width)
        return rows if self.whole else rows.index_select(0, self.slot_B)
