"""A reward model as a reward."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError
from guerdon.rewards.base import Context, Reward, Scores
from guerdon.rewards.conversations import conversation
from guerdon.types import Group, Score

if TYPE_CHECKING:
    from guerdon.reward_models.loading import Encoded, ScoringModel

Calibration = Literal["mean", "standard", "none"]


@dataclass(frozen=True)
class RewardModel(Reward, name="reward-model-v1"):
    """What a sequence-classification checkpoint of transformers (one label) says of prompt and response.

    The whole conversation goes through the model's chat template, and the head computes in float32. One too long for
    the model (or for `max_tokens`) loses its *beginning*, and its score says so. The value depends on its own rollout
    alone: rows are padded, masked, and sorted by length; neighbours move it by no more than rounding (in bfloat16 that
    is a few percent of a score).

    A value like any configuration: the weights are loaded once per process, when the first batch is scored. Scores of a
    model are bare numbers, unbounded, and comparable within a prompt; several models' are comparable only once they are
    centred on the same held-out set (`calibration`).
    """

    model: str
    """A local folder or a hub id."""
    max_tokens: int | None = None
    """Of a conversation, the end of it; None means as many as the model was trained on, where that is stored with it
    (`reward_max_tokens` in its config.json), else all that it can read."""
    calibration: Calibration = "mean"
    """`mean` subtracts the model's mean on a held-out set where one is stored with it (`reward_mean` in its
    config.json), and warns where none is; `standard` divides by the stored std too, and refuses a model without;
    `none` leaves the scores as they are."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, ...; `auto` is CUDA where there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the model computes in, less its head."""
    tokens_per_batch: int = 8192
    """Most tokens, padding included, of one forward pass."""

    def __post_init__(self) -> None:
        if self.model.startswith((".", "/", "~")) and not Path(self.model).expanduser().is_dir():
            raise ConfigError(
                f"RewardModel.model is {self.model!r}, and there is no such folder; accepted are a folder with a "
                "sequence-classification model in it, or a hub id"
            )
        for name in ("max_tokens", "tokens_per_batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"RewardModel.{name} is {value!r}; 1 or more is needed")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All conversations of the batch, each distinct one once.

        Raises:
            ConfigError: a prompt has no messages, there is no such model, or it is no reward model.
        """
        from guerdon.reward_models.loading import loaded_once

        model = loaded_once(_place(self.model), self.device, self.dtype)
        if self.calibration == "mean" and model.mean is None:
            _warn_of_raw_scores(self.model)
        rows = [[model.encode(conversation(one), self.max_tokens) for one in group.rollouts] for group in groups]
        distinct = list(dict.fromkeys(encoded.ids for row in rows for encoded in row))
        found = dict(zip(distinct, model.scored(distinct, self.tokens_per_batch), strict=True))
        return [[self._score(model, encoded, found[encoded.ids]) for encoded in row] for row in rows]

    def _score(self, model: ScoringModel, encoded: Encoded, raw: float) -> Score:
        if not math.isfinite(raw):
            return Score.unscored(f"the model gave {raw}")
        why = [f"the beginning was cut to fit {len(encoded.ids)} tokens"] if encoded.cut else []
        if self.calibration == "none" or (self.calibration == "mean" and model.mean is None):
            return Score(raw, "; ".join(why))
        if model.mean is None or (self.calibration == "standard" and not model.std):
            raise ConfigError(
                f"RewardModel.calibration is {self.calibration!r}, and {self.model!r} has no held-out mean and std "
                f"(above 0) in its config.json; guerdon.reward_models.training.calibrate measures and stores them"
            )
        value = raw - model.mean
        if self.calibration == "standard" and model.std:
            value /= model.std
        return Score(value, "; ".join([f"raw {raw:.4f}", *why]))


@functools.cache
def _warn_of_raw_scores(model: str) -> None:
    """Once per process and model: Python's own "once" is forgotten whenever a library catches warnings."""
    warnings.warn(
        f"the reward model {model!r} has no held-out mean in its config.json: its scores are left as they are, and "
        f"cannot be compared with another model's. guerdon.reward_models.training.calibrate measures and stores one; "
        f"calibration: none says that raw scores are meant",
        RuntimeWarning,
        stacklevel=3,
    )


def _place(model: str) -> str:
    """The folder or hub id; ~ is somebody's home."""
    return str(Path(model).expanduser()) if model.startswith("~") else model
