"""A sequence-classification checkpoint with one label: loaded, fed with conversations, read in float32.

Axes: R rows, T tokens of the longest of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from guerdon.errors import ConfigError
from guerdon.policies import hub
from guerdon.policies.chat import Chat
from guerdon.policies.dtypes import device_named, dtype_named
from guerdon.policies.embedded import INSTALL_HINT, is_embedded, resolve
from guerdon.policies.keeping import no_bars
from guerdon.types import Message

MEAN, STD = "reward_mean", "reward_std"
"""Fields of the model's config.json: its scores on a held-out set (population std), stored with the weights."""
MAX_TOKENS = "reward_max_tokens"
"""Field of the same: of a conversation, the most it was trained on."""
CONTEXT = 2048
"""Tokens read by a model whose configuration states no limit."""


@dataclass(frozen=True)
class Encoded:
    """A conversation in tokens."""

    ids: tuple[int, ...]
    cut: bool = False
    """Its beginning was left out to fit."""


class ScoringModel:
    """A model, its tokenizer, and how conversations go in and scores come out."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer, self.chat = model, tokenizer, Chat(tokenizer)
        if model.config.pad_token_id is None:
            pads = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
            model.config.pad_token_id = next(each for each in pads if each is not None)
        float32_head(model)

    @property
    def context(self) -> int:
        """The most tokens the model can read."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or CONTEXT)

    @property
    def max_tokens(self) -> int:
        """The most tokens of a conversation that it was trained on, if stored, and can read."""
        return min(getattr(self.model.config, MAX_TOKENS, None) or self.context, self.context)

    @property
    def mean(self) -> float | None:
        """Of its scores on a held-out set, if stored."""
        return getattr(self.model.config, MEAN, None)

    @property
    def std(self) -> float | None:
        """Of the same."""
        return getattr(self.model.config, STD, None)

    def encode(self, messages: Sequence[Message], max_tokens: int | None = None) -> Encoded:
        """A conversation through the chat template; what is too long loses its beginning, since the score is read at
        the end.

        Args:
            messages: the conversation.
            max_tokens: what is too long; None for what the model was trained on.

        Raises:
            PolicyError: the chat template refuses it.
        """
        limit = min(max_tokens or self.max_tokens, self.context)
        ids = self.chat.conversation_ids(messages) or (int(self.model.config.pad_token_id),)
        return Encoded(ids[-limit:], len(ids) > limit)

    def scores(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Raw scores of one padded batch, (R,) float32, differentiable where gradients are on.

        Padded on the right and masked, and read at each row's own last token: neighbours change nothing but rounding.
        """
        device = next(self.model.parameters()).device
        longest = max(map(len, rows))
        pad = int(self.model.config.pad_token_id)
        ids_RT = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], device=device)
        mask_RT = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
        logits_R1: torch.Tensor = self.model(input_ids=ids_RT, attention_mask=mask_RT).logits
        return logits_R1[:, 0].float()

    def scored(self, rows: Sequence[Sequence[int]], tokens_per_batch: int) -> list[float]:
        """Raw scores of any number of rows, in order: rows of like length go together, without gradients."""
        found = [0.0] * len(rows)
        self.model.eval()
        with torch.inference_mode():
            for places in _batches([len(row) for row in rows], tokens_per_batch):
                for place, value in zip(places, self.scores([rows[place] for place in places]).tolist(), strict=True):
                    found[place] = value
        return found


def _batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places in order of length, cut where rows times longest would exceed the budget; a longer row goes alone."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (lengths[place], place)):
        if not batches or (len(batches[-1]) + 1) * lengths[place] > budget:
            batches.append([])
        batches[-1].append(place)
    return batches


def float32_head(model: Any) -> None:
    """Let the head compute in float32, whatever the model does: in bfloat16 a score of 10 is only good to 0.06.

    Raises:
        ConfigError: the model has no head by a name that transformers uses.
    """
    head = next((getattr(model, name) for name in ("score", "classifier") if hasattr(model, name)), None)
    if head is None:
        raise ConfigError(f"a {type(model).__name__} has neither a `score` nor a `classifier`; one is a model's head")
    head.float()
    head.register_forward_pre_hook(lambda _, given: tuple(x.float() if torch.is_tensor(x) else x for x in given))


def load(model: str, *, device: str = "auto", dtype: str = "auto", new_head: int | None = None) -> ScoringModel:
    """A model by name: a local folder or a hub id; with a fresh head also the embedded one.

    Args:
        model: the name.
        device: `cpu`, `cuda`, ...; `auto` is CUDA where there is one.
        dtype: `float32`, `bfloat16`, or `auto`: what the device prefers.
        new_head: the seed of a head for a model that has none; None refuses such a model.

    Raises:
        ConfigError: there is no such model, it cannot be read, gives more than one number, or has no trained head.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = device_named(device)
    compute = dtype_named(dtype, place)
    source = resolve(model)
    away = hub.is_away(source)
    labels = {} if new_head is None else {"num_labels": 1}
    try:
        with no_bars(), _errors_only(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(new_head or 0)
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=away)
            loaded, told = AutoModelForSequenceClassification.from_pretrained(
                source, dtype=compute, local_files_only=away, output_loading_info=True, **labels
            )
    except (OSError, ValueError) as error:
        hint = INSTALL_HINT if is_embedded(model) else "Give a local folder with such a model in it, or a hub id."
        hint = f"{hint} {hub.away_hint()}" if away else hint
        raise ConfigError(f"no reward model could be loaded from {model!r}. {hint} ({error})") from error
    if loaded.config.num_labels != 1:
        raise ConfigError(f"{model!r} gives {loaded.config.num_labels} numbers; a reward model has num_labels 1")
    if new_head is None and told["missing_keys"]:
        missing = ", ".join(sorted(told["missing_keys"])[:3])
        raise ConfigError(
            f"{model!r} has no trained head (missing: {missing}): its scores would be noise. Train one with "
            f"`guerdon reward-model`"
        )
    return ScoringModel(loaded.to(place), tokenizer)


@contextmanager
def _errors_only() -> Iterator[None]:
    """Within it transformers warns of no missing head: that is looked at here."""
    from transformers.utils import logging as hf_logging

    before = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()
    try:
        yield
    finally:
        hf_logging.set_verbosity(before)


@functools.lru_cache(maxsize=8)
def loaded_once(model: str, device: str, dtype: str) -> ScoringModel:
    """A model that is kept for this process."""
    return load(model, device=device, dtype=dtype)
