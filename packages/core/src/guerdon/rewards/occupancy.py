r"""A penalty for leaving a reference policy's occupancy, by a discriminator that learns within the reward.

Source: Correlated Proxies (arXiv 2403.03185) and its released code, re-implemented; see `step_penalties`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.errors import ConfigError
from guerdon.rewards import discriminators
from guerdon.rewards.base import Context, Reward, Scores
from guerdon.rewards.features import feature_function, feature_rows
from guerdon.rewards.step_penalties import Floats, Kind, check_penalty, step_penalties
from guerdon.types import Example, Group, Per, Prompt, Rollout, Score, Segment, Stream


@dataclass(frozen=True)
class OccupancyPenalty(Reward, name="occupancy-penalty-v1"):
    """-coefficient * D, D by a discriminator that learns to tell the policy from its reference as training goes on.

    A batch is learned from *before* it is scored: scoring it again gives the same numbers, and only `update`, called
    with a training batch, keeps what was learned. The value is the sum over the rollout's steps, which also stand in
    `Score.dense["occupancy"]` where there are several. Until there is a reference the reward abstains.

    The discriminator needs hundreds of samples on each side. With a handful it soon knows them by heart: logits far
    from 0 beside a `held_out_accuracy` of 0.5 (both are parts of the score) are noise, and so is the penalty.
    """

    features: str = "words"
    """`words`, or "module:function": see `guerdon.rewards.features`."""
    per: Per = "rollout"
    """What a row of features, and so a step, is: the whole rollout, a turn, or a policy step."""
    reference: str = ""
    """A JSONL file of the reference's completions, as `guerdon score` reads, or a run's rollouts file. Empty: the first
    training batches are the reference, drawn while the policy has hardly moved."""
    reference_batches: int = 1
    """How many, where there is no file."""
    kind: Kind = "sqrt_chi2"
    coefficient: float = 0.1
    clip: float = 1000.0
    """Of a step's penalty."""
    trim: float = 0.01
    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 1e-3
    steps: int = 50
    """The discriminator's optimiser steps per batch."""
    batch_size: int = 256
    seed: int = 0
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """`state` in force and `next`: the discriminator, the reference's features, batches seen."""

    def __post_init__(self) -> None:
        check_penalty(self.kind, self.coefficient, self.clip, self.trim)
        feature_function(self.features, self.per)
        if self.reference_batches < 1:
            raise ConfigError(f"reference_batches is {self.reference_batches!r}; a whole number above 0 is needed")
        self._settings  # noqa: B018 - checks its fields

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The clip's, where a rollout is one step; else none."""
        reach = self.clip if self.per == "rollout" else math.inf
        return -reach, reach

    @property
    def _settings(self) -> discriminators.Settings:
        loss: discriminators.LossKind = "tanh" if self.kind == "tv" else "logistic"
        return discriminators.Settings(self.hidden, self.learning_rate, self.steps, self.batch_size, loss, self.seed)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Learn from the batch, then score it; what was learned waits for `update`."""
        if find_spec("torch") is None:
            raise ConfigError(f"{self.name} trains a network: it needs torch, pip install 'guerdon[train]'")
        function = feature_function(self.features, self.per)
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        rows = [feature_rows(function, rollout, self.per, self.features) for rollout in rollouts]
        there = [row for row in rows if len(row)]
        state = self._held.get("state") or self._begun()
        if state["discriminator"] is None and self._collecting(state):
            kept = [*([state["reference"]] if state["reference"] is not None else []), *there]
            gathered = np.concatenate(kept) if kept else None
            self._held["next"] = {**state, "reference": gathered, "batches": state["batches"] + 1}
            why = f"batch {state['batches'] + 1} of {self.reference_batches} that are the reference"
            return [[Score.unscored(why, status="abstain") for _ in group.rollouts] for group in groups]
        if not there or state["reference"] is None:
            self._held["next"] = state
            why = "nothing that the policy did" if state["reference"] is not None else "the reference has done nothing"
            return [[Score.unscored(why, status="abstain") for _ in group.rollouts] for group in groups]
        seen = np.concatenate(there)
        before = state["discriminator"] or discriminators.initial(state["reference"], self._settings)
        after, accuracy = discriminators.fitted(before, seen, state["reference"], self._settings)
        self._held["next"] = {**state, "discriminator": after, "batches": state["batches"] + 1}
        logits = discriminators.logits(after, seen, self._settings)
        penalties = step_penalties(logits, self.kind, self.coefficient, clip=self.clip, trim=self.trim)
        ends = np.cumsum([0, *(len(row) for row in rows)])
        each = iter(
            self._score(logits[start:end], penalties[start:end], accuracy) for start, end in itertools.pairwise(ends)
        )
        return [[next(each) for _ in group.rollouts] for group in groups]

    def _score(self, logits: Floats, penalties: Floats, accuracy: float) -> Score:
        if not len(logits):
            return Score.unscored("the policy did nothing here", status="abstain")
        parts = {"logit": Score(float(logits.mean()))}
        if accuracy == accuracy:
            parts["held_out_accuracy"] = Score(accuracy)
        values = tuple(float(value) for value in penalties)
        dense = {"occupancy": Stream(self.per, values)} if self.per != "rollout" else {}
        return Score(math.fsum(values), f"log-ratio {float(logits.mean()):.3g} to the reference", parts, dense=dense)

    def _begun(self) -> dict[str, Any]:
        """Nothing learned; the reference read, where a file has it."""
        found = _reference_rows(self.reference, self.features, self.per) if self.reference else None
        return {"discriminator": None, "reference": found, "batches": 0}

    def _collecting(self, state: Mapping[str, Any]) -> bool:
        return not self.reference and state["batches"] < self.reference_batches

    # -- state -------------------------------------------------------------------------------------------------------

    stateful = True

    @property
    def version(self) -> int:
        """Training batches learned from."""
        return int(self._held["state"]["batches"]) if "state" in self._held else 0

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Keep what the latest scored batch taught; call it before anything else is scored."""
        if "next" in self._held:
            self._held["state"] = self._held.pop("next")

    def state_dict(self) -> dict[str, Any]:
        """The discriminator, its optimiser, the reference's features, and how many batches it has seen."""
        import torch

        state = self._held.get("state")
        if state is None:
            return {}
        reference = state["reference"]
        return {**state, "reference": None if reference is None else torch.as_tensor(reference)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self._held.clear()  # a batch scored before, but not learned from, is none of the restored state's
        if state:
            reference = state["reference"]
            self._held["state"] = {**state, "reference": None if reference is None else np.asarray(reference)}


def _rollout(row: Mapping[str, Any]) -> Rollout:
    """A line of a file as a rollout; its segments, where a run kept them."""
    kept = row.get("segments") or ({"author": "policy", "text": row["completion"]},)
    segments = tuple(
        Segment(
            one["author"],
            one["text"],
            tuple(one.get("token_ids", ())),
            tuple(one.get("logprobs", ())),
            action=one.get("action"),
        )
        for one in kept
    )
    return Rollout(Example(id=str(row["example"])), segments, Prompt(observation=row.get("observation")))


@lru_cache(maxsize=4)
def _reference_rows(path: str, features: str, per: Per) -> Floats:
    """The features of a file of completions, (M, W).

    Raises:
        ConfigError: it cannot be read, or holds no completion.
    """
    function, found = feature_function(features, per), []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the reference {path!r} cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            rollout = _rollout(row)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            wanted = 'an object like {"example": ID, "completion": TEXT} is needed'
            raise ConfigError(
                f"the reference {path!r}, line {number}: {type(error).__name__}: {error}; {wanted}"
            ) from None
        found.append(feature_rows(function, rollout, per, features))
    if not found:
        raise ConfigError(f"the reference {path!r} holds no completions")
    return np.concatenate(found)
