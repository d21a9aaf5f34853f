"""Log-probs of chosen tokens under a causal model: packed where the model allows it, one full row each where not.

Axes: T tokens of a row, N scored tokens, W hidden width, V vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from guerdon.engines.attention import hidden_states, plain
from guerdon.engines.multimodal import Pictures, Span, Stretch, image_token, on, row_states, written
from guerdon.engines.transformers import shares
from guerdon.policies.head import chosen_logprobs
from guerdon.policies.packing import Completion, PackedGroup, PackedRow

if TYPE_CHECKING:
    from guerdon.policies.chat import Chat

log = logging.getLogger(__name__)

_NEAR = 16
"""Scored tokens behind a picture that its place is checked by: further on, what it changes fades."""


class Likelihood:
    """Scores completions with one model; decides once, at first use, whether packing is exact for it."""

    def __init__(self, model: Any, chat: Chat | None = None, *, row_tokens: int | None = None) -> None:
        """
        Args:
            model: a causal model of transformers, or a peft wrapper of one.
            chat: reads the images of prompts; needed where there are any.
            row_tokens: the most tokens of one row that holds several groups; a single group may exceed it. By default
                what fits a CPU's caches, or keeps a GPU busy.
        """
        self.model, self.chat = model, chat
        self.head = plain(model).get_output_embeddings()
        self.row_tokens = row_tokens or (16384 if self.head.weight.is_cuda else 4096)
        self._packs: bool | None = None
        self._packs_pictures: bool | None = None
        self._packs_late: bool | None = None

    @property
    def packs(self) -> bool:
        """Whether packed rows give this model's own numbers."""
        if self._packs is None:
            self._packs = self._check()
        return self._packs

    def score(self, groups: Sequence[PackedGroup], temperature: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probs (N, float32, differentiable where gradients are on) and entropies (N) of the scored tokens."""
        packs = self._packs_these(groups)
        rows = (
            self._rows(groups)
            if packs
            else [[PackedGroup(g.prompt_ids, (c,), g.prompt)] for g in groups for c in g.completions]
        )
        one = self._packed if packs else self._full
        parts = [one(row, temperature) for row in rows if any(c.scored for group in row for c in group.completions)]
        if not parts:
            empty = torch.zeros(0, device=self.head.weight.device)
            return empty, empty
        logprobs, entropies = zip(*parts, strict=True)
        return torch.cat(logprobs), torch.cat(entropies)

    def cost(self, groups: Sequence[PackedGroup]) -> int:
        """Tokens that `score` would read."""
        if not self._packs_these(groups):
            return sum(len(group.prompt_ids) + completion.fed for group in groups for completion in group.completions)
        return sum(group.cost for group in groups)

    def _packs_these(self, groups: Sequence[PackedGroup]) -> bool:
        """Whether packed rows give the model's own numbers, as checked once, once more at the first images, and again
        at the first that an environment showed.
        """
        if not self.packs:
            return False
        seen = next((group for group in groups if group.prompt.images), None)
        if seen is not None:
            if self._packs_pictures is None:
                self._packs_pictures = shares(self.model, seen.prompt_ids, self._pictures(seen))
            if not self._packs_pictures:
                return False
        late = next(((group, one) for group in groups for one in group.completions if one.seen), None)
        if late is None:
            return True
        if self._packs_late is None:
            group, completion = late
            self._packs_late = self._check_late(PackedGroup(group.prompt_ids, (completion,), group.prompt))
        return self._packs_late

    def _pictures(self, group: PackedGroup) -> Pictures:
        """What the model is given beside the group's prompt."""
        return self._reading().read(group.prompt)[1] if group.prompt.images else {}

    def _reading(self) -> Chat:
        assert self.chat is not None, "images came through a chat that reads them"
        return self.chat

    def _rows(self, groups: Sequence[PackedGroup]) -> list[list[PackedGroup]]:
        rows: list[list[PackedGroup]] = []
        held = 0
        for group in groups:
            if not rows or held + group.cost > self.row_tokens:
                rows.append([])
                held = 0
            rows[-1].append(group)
            held += group.cost
        return rows

    def _packed(self, groups: Sequence[PackedGroup], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
        row = PackedRow(groups, self.head.weight.device)
        return chosen_logprobs(
            self._predicting(row),
            self.head.weight,
            row.targets_N,
            bias_V=getattr(self.head, "bias", None),
            temperature=temperature,
        )

    def _predicting(self, row: PackedRow) -> torch.Tensor:
        """The hidden states (N, W) that the scored tokens are predicted from."""
        return self.forward(row).index_select(0, row.sources_N)

    def forward(self, row: PackedRow) -> torch.Tensor:
        """Last hidden states (T, W) of a packed row."""
        if not row.late and not any(group.prompt.images for group in row.groups):
            return hidden_states(self.model, row.ids_1T, row.positions_1T, row)[0]
        spans = [
            Span(prompt, prompt + rest, self._pictures(group))
            for (prompt, rest), group in zip(row.spans, row.groups, strict=True)
        ]
        ids = row.ids_1T[0].tolist() if row.late else []
        late = [
            Stretch(start, one.length, until, self._reading().pictures(one.images, ids[start : start + one.length]))
            for start, until, one in row.late
        ]
        states, positions, _ = row_states(self.model, row.ids_1T, row.positions_1T, spans, late)
        return hidden_states(self.model, None, positions, row, states_RTW=states)[0]

    def _full(self, groups: Sequence[PackedGroup], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One completion behind its own prompt, through the model as it is; the reference for the packed form."""
        (group,) = groups
        (completion,) = group.completions
        table_NV = (self._full_logits(group) / temperature).log_softmax(-1)
        targets = torch.tensor([completion.token_ids[place] for place in completion.scored], device=table_NV.device)
        with torch.no_grad():
            weighted = torch.special.entr(table_NV.exp()).sum(-1)
        return table_NV.gather(1, targets[:, None])[:, 0], weighted

    def _full_logits(self, group: PackedGroup) -> torch.Tensor:
        """Logits (N, V, float32) that a group's one completion is predicted with, by the model as it is."""
        (completion,) = group.completions
        ids = torch.tensor(
            [[*group.prompt_ids, *completion.token_ids[: completion.fed]]], device=self.head.weight.device
        )
        with written(self.model, ids, self._placeless(group, completion)) as given:
            pictures = self._pictures(group)
            if completion.seen:
                late = (image for one in completion.seen for image in one.images)
                pictures = self._reading().pictures((*group.prompt.images, *late), given[0].tolist())
            logits_TV = self.model(input_ids=given, use_cache=False, **on(ids.device, pictures, ids.shape[1])).logits[0]
        places = torch.tensor(completion.scored, device=ids.device)
        logits_NV: torch.Tensor = logits_TV[len(group.prompt_ids) - 1 + places].float()
        return logits_NV

    def _placeless(self, group: PackedGroup, completion: Completion) -> list[int]:
        """Where the policy wrote a placeholder of its own into its completion, as places of the row."""
        image_id = image_token(self.model)
        if image_id is None or image_id not in completion.token_ids[: completion.fed]:
            return []
        filled = {place for one in completion.seen for place in range(one.start, one.start + one.length)}
        found = (place for place, token in enumerate(completion.token_ids[: completion.fed]) if token == image_id)
        return [len(group.prompt_ids) + place for place in found if place not in filled]

    def _check(self) -> bool:
        """Whether two small groups are the same both ways."""
        vocabulary = self.head.weight.shape[0]
        ids = tuple((31 * place + 7) % vocabulary for place in range(24))
        groups = [
            PackedGroup(
                ids[:5], (Completion(ids[5:9], (0, 1, 3)), Completion(ids[9:14], (2, 3, 4)), Completion((), ()))
            ),
            PackedGroup(ids[14:17], (Completion(ids[17:24], (0, 1, 2, 5, 6)),)),
        ]
        limit = 1e-3 if self.head.weight.dtype == torch.float32 else 0.2
        return self._holds(lambda: self._gap(groups), limit, "packed groups")

    def _gap(self, groups: Sequence[PackedGroup]) -> float:
        """Mean absolute difference, in nats, of the log-probs of packed groups and of their full rows."""
        packed, _ = self._packed(groups, 1.0)
        rows = [PackedGroup(g.prompt_ids, (c,), g.prompt) for g in groups for c in g.completions if c.scored]
        return float((packed - torch.cat([self._full([row], 1.0)[0] for row in rows])).abs().mean())

    def _check_late(self, group: PackedGroup) -> bool:
        """Whether the pictures behind a prompt stand where the model itself puts them.

        Rounding grows with the type's precision: 2 % of the logits in bfloat16 over 30 layers, 1e-6 in float32. A
        picture or a position that is off by one moves them by 14 % and more (random models of two layers).
        """
        limit = max(1e-3, 8 * torch.finfo(self.head.weight.dtype).eps)
        return self._holds(lambda: self._late_gap(group), limit, "rows with images behind the prompt")

    def _late_gap(self, group: PackedGroup) -> float:
        """How far packed logits are from the full row's behind the worst placed picture, relative to their spread.

        Of each picture the next scored tokens are read, and no others: those before it are the same wherever it
        stands. And all logits of a token are, not that of the one chosen: a few tokens then tell a misplacement from
        rounding.
        """
        (completion,) = group.completions
        parts = [[place for place in completion.scored if place > one.start][:_NEAR] for one in completion.seen]
        near = sorted({place for part in parts for place in part})
        group = replace(group, completions=(replace(completion, scored=tuple(near)),))
        hidden_NW = self._predicting(PackedRow([group], self.head.weight.device))
        full_NV = self._full_logits(group)
        packed_NV = torch.nn.functional.linear(hidden_NW, self.head.weight, getattr(self.head, "bias", None)).float()
        # The mean is taken off: two rows of logits are one distribution where they differ by a constant.
        gap_N = (packed_NV - full_NV).std(-1, correction=0) / full_NV.std(-1, correction=0)
        found = [gap_N[[near.index(place) for place in part]].square().mean().sqrt() for part in parts]
        return float(torch.stack(found).max())  # NaN where there is one

    @torch.no_grad()
    def _holds(self, gap: Callable[[], float], limit: float, what: str) -> bool:
        """Whether a gap between packed and full rows is within its limit, dropout off. What a model's own code raises
        counts as a mismatch.
        """
        training = self.model.training
        self.model.eval()
        name = type(plain(self.model)).__name__
        try:
            found = gap()
        except Exception as error:  # noqa: BLE001 - foreign model code may fail in any way; full rows are the answer
            log.warning("%s cannot be trained on %s (%s); using one row per completion", name, what, error)
            return False
        finally:
            self.model.train(training)
        if not found <= limit:  # a model's NaN is no agreement
            log.warning(
                "%s differs by %.2g on %s, where %.2g is rounding; using one row per completion",
                name,
                found,
                what,
                limit,
            )
            return False
        return True
