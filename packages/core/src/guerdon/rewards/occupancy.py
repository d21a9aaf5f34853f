r"""A penalty for leaving a reference policy's occupancy, by a discriminator that learns within the reward.

Source: Correlated Proxies (arXiv 2403.03185) and its released code, re-implemented; see `step_penalties`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.errors import ConfigError
from guerdon.parsing.rows import read_rows
from guerdon.rewards import discriminators
from guerdon.rewards.base import Context, Reward, Scores
from guerdon.rewards.features import feature_function, feature_rows
from guerdon.rewards.step_penalties import Floats, Kind, check_penalty, step_penalties
from guerdon.types import Example, Group, Per, Prompt, Rollout, Score, Segment, Stream


@dataclass(frozen=True)
class OccupancyPenalty(Reward, name="occupancy-penalty-v1"):
    """-coefficient * D, D by discriminators that learn to tell the policy's batch from its reference.

    No sample is judged by a network that has seen it or another of its example (of its rollout, where a side has one
    example alone): four networks, trained anew on each batch, share the work, and their logits are shrunk by what they
    are worth on samples held out (`guerdon.rewards.discriminators`). Where policy and reference cannot be told apart
    beyond doubt nothing is charged, and the score says so; `held_out_accuracy`, `logit` (shrunk) and `trust` (0 to 1,
    what the penalty is multiplied with) are parts of it. The value is the sum over the rollout's steps, which also
    stand in `Score.dense["occupancy"]` where there are several. Until there is a reference, and with fewer than 16
    samples on a side, the reward abstains. `update`, called with a training batch, counts it; all that is kept is the
    reference.

    The released code differs: one network that goes on learning, and scores the samples it learned from. On samples
    this few it learns them by heart, and charges as much without any drift (see the figures in docs/comparing.md).

    A drift that few samples show goes uncharged; so does, by design, a drift in what a single example's attempts have
    alike and no other's.
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
    hidden: tuple[int, ...] = (64,)
    """Widths of a discriminator's layers; the released code has 2 of 256, for far more samples."""
    learning_rate: float = 1e-3
    steps: int = 50
    """A discriminator's optimiser steps per batch."""
    batch_size: int = 256
    seed: int = 0
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """`state` in force and `next`: the reference's features and whose they are, batches seen."""

    def __post_init__(self) -> None:
        check_penalty(self.kind, self.coefficient, self.clip, self.trim)
        feature_function(self.features, self.per)
        if self.reference_batches < 1:
            raise ConfigError(f"reference_batches is {self.reference_batches!r}; a whole number above 0 is needed")
        self._settings  # noqa: B018 - checks its fields
        if self.reference and not Path(self.reference).expanduser().is_file():
            raise ConfigError(
                f"OccupancyPenalty.reference is {self.reference!r}, and there is no such file; a JSONL file of the "
                f"reference's completions is needed, or nothing, for the first training batches"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The clip's, where a rollout is one step; else none."""
        reach = self.clip if self.per == "rollout" else math.inf
        return -reach, reach

    @property
    def _settings(self) -> discriminators.Settings:
        loss: discriminators.LossKind = "tanh" if self.kind == "tv" else "logistic"
        return discriminators.Settings(self.hidden, self.learning_rate, self.steps, self.batch_size, loss, self.seed)

    @property
    def part_names(self) -> tuple[str, ...]:
        """What is measured of each batch."""
        return "logit", "held_out_accuracy", "trust"

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Tell the batch from the reference, and charge for it; what is to be kept waits for `update`."""
        if find_spec("torch") is None:
            raise ConfigError(f"{self.name} trains networks: it needs torch, pip install 'guerdon[train]'")
        function = feature_function(self.features, self.per)
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        rows = [feature_rows(function, rollout, self.per, self.features) for rollout in rollouts]
        state = self._held.get("state") or self._begun()
        after = {**state, "batches": state["batches"] + 1}
        self._held["next"] = after
        owners = _owners([rollout.example.id for rollout in rollouts], rows)
        if self._collecting(state):
            after["reference"], after["owners"] = _joined(state, rows, owners)
            return self._none(groups, f"batch {after['batches']} of {self.reference_batches} that are the reference")
        reference, whose = state["reference"], state["owners"]
        least = discriminators.LEAST
        if len(owners) < least or len(whose) < least:
            count = f"{len(owners)} samples of the policy and {len(whose)} of the reference"
            return self._none(groups, f"{count}; {least} of each are needed to tell a drift from chance")
        seen = np.concatenate([row for row in rows if len(row)])
        sides = _whose(owners, whose)
        found = discriminators.cross_fitted(seen, reference, sides, self._settings, state["batches"])
        penalties = step_penalties(found.logits_N, self.kind, self.coefficient, clip=self.clip, trim=self.trim)
        penalties = found.trust * penalties + 0.0
        ends = np.cumsum([0, *(len(row) for row in rows)])
        each = iter(
            self._score(found.logits_N[start:end], penalties[start:end], found)
            for start, end in itertools.pairwise(ends)
        )
        return [[next(each) for _ in group.rollouts] for group in groups]

    @staticmethod
    def _none(groups: Sequence[Group], why: str) -> Scores:
        return [[Score.unscored(why, status="abstain") for _ in group.rollouts] for group in groups]

    def _score(self, logits: Floats, penalties: Floats, found: discriminators.CrossFit) -> Score:
        if not len(logits):
            return Score.unscored("the policy did nothing here", status="abstain")
        parts = {
            "logit": Score(float(logits.mean())),
            "held_out_accuracy": Score(found.accuracy),
            "trust": Score(found.trust),
        }
        values = tuple(float(value) for value in penalties)
        dense = {"occupancy": Stream(self.per, values)} if self.per != "rollout" else {}
        told = f"log-ratio {float(logits.mean()):.3g} to the reference"
        why = told if found.trust else f"the batch cannot be told from the reference (accuracy {found.accuracy:.2f})"
        return Score(math.fsum(values), why, parts, dense=dense)

    def _begun(self) -> dict[str, Any]:
        """No batch seen; the reference read, where a file has it."""
        found, owners = _reference_rows(self.reference, self.features, self.per) if self.reference else (None, ())
        return {"reference": found, "owners": list(owners), "batches": 0}

    def _collecting(self, state: Mapping[str, Any]) -> bool:
        return not self.reference and state["batches"] < self.reference_batches

    # -- state -------------------------------------------------------------------------------------------------------

    stateful = True

    @property
    def version(self) -> int:
        """Training batches seen."""
        return int(self._held["state"]["batches"]) if "state" in self._held else 0

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Keep what the latest scored batch adds; call it before anything else is scored."""
        if "next" in self._held:
            self._held["state"] = self._held.pop("next")

    def state_dict(self) -> dict[str, Any]:
        """The reference's features, whose they are, and how many batches there were."""
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


Owner = tuple[str, int]
"""Whose a sample is: the example's id, and a number of the rollout."""


def _owners(examples: Sequence[str], rows: Sequence[Floats], start: int = 0) -> list[Owner]:
    """One per sample, of rollouts numbered from `start`."""
    each = zip(examples, rows, strict=True)
    return [(example, number) for number, (example, row) in enumerate(each, start) for _ in row]


def _joined(state: Mapping[str, Any], rows: Sequence[Floats], owners: Sequence[Owner]) -> tuple[Any, list[Owner]]:
    """The reference so far, and a batch more of it."""
    kept = [*([state["reference"]] if state["reference"] is not None else []), *(row for row in rows if len(row))]
    after = max((number for _, number in state["owners"]), default=-1) + 1
    moved = [(example, after + number) for example, number in owners]
    return (np.concatenate(kept) if kept else None), [*state["owners"], *moved]


def _whose(policy: Sequence[Owner], reference: Sequence[Owner]) -> tuple[list[Hashable], list[Hashable]]:
    """Examples, where each side has two or more: attempts at one are alike for that alone. Else rollouts, and where
    one side is a single rollout, its samples.
    """
    sides: list[list[Hashable]] = [[example for example, _ in side] for side in (policy, reference)]
    if min(len(set(side)) for side in sides) < 2:
        sides = [[(name, number) for _, number in side] for name, side in zip("pr", (policy, reference), strict=True)]
    if min(len(set(side)) for side in sides) < 2:
        sides = [[(name, place) for place in range(len(side))] for name, side in zip("pr", sides, strict=True)]
    return sides[0], sides[1]


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
def _reference_rows(path: str, features: str, per: Per) -> tuple[Floats, tuple[Owner, ...]]:
    """The features of a file of completions, (M, W), and whose each is.

    Raises:
        ConfigError: it cannot be read, or holds no completion.
    """
    function, rollouts, found = feature_function(features, per), [], []
    for row in read_rows(Path(path).expanduser(), "reference completions", error=ConfigError):
        try:
            rollouts.append(_rollout(row.fields))
        except (LookupError, TypeError, AttributeError) as error:
            wanted = 'an object like {"example": ID, "completion": TEXT} is needed'
            raise ConfigError(f"{row.place}: {type(error).__name__}: {error}; {wanted}") from None
        found.append(feature_rows(function, rollouts[-1], per, features))
    if not any(len(row) for row in found):
        raise ConfigError(f"the reference {path!r} holds no completions")
    owners = _owners([rollout.example.id for rollout in rollouts], found)
    return np.concatenate([row for row in found if len(row)]), tuple(owners)
