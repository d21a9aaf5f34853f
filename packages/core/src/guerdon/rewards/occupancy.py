r"""Penalties for leaving a reference policy's occupancy: a trained discriminator, or the log-ratio of whole responses.

Both give each step -coefficient * D, D of a logit d that stands for $\log \mu_\pi / \mu_{ref}$; add them to a proxy:

| kind | D |
|---|---|
| `sqrt_chi2` | $(e^d - 1)/\sqrt m$, the paper's main method |
| `chi2` | $e^d - 1$ |
| `kl` | d |
| `tv` | the sign of d |

m is the mean of $e^d - 1$ over the batch, 1 % cut at each end; where m <= 0 nothing is scaled. Below 100 samples
nothing is cut: the released code's slice would be empty. A D that is not finite is 0; a penalty is clipped.

Coefficients that the paper tries: 1, .5, .2, .1, .05, .02, .01 times the proxy's standard deviation under the
reference; `guerdon compare` tells it, and the weight that theory gives.

Source: Correlated Proxies (arXiv 2403.03185) and its released code, re-implemented.
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
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, Scorer
from guerdon.rewards import discriminators
from guerdon.rewards.base import Context, Reward, Scores
from guerdon.rewards.features import feature_function, feature_rows
from guerdon.types import Example, Group, Per, Prompt, Rollout, Score, Segment, Stream

Kind = Literal["sqrt_chi2", "chi2", "kl", "tv"]
Floats = NDArray[np.float64]
CUT_FROM = 100
"""With fewer samples nothing is cut before the mean."""
LARGEST = 300.0
"""Of logits: e^300 is finite, squares of it are not needed, and every clip is far below."""


def step_penalties(
    logits_N: ArrayLike, kind: Kind = "sqrt_chi2", coefficient: float = 0.1, *, clip: float = 1000.0, trim: float = 0.01
) -> Floats:
    """-coefficient * D of each step, (N,), within [-clip, clip]; see the module's head.

    A finite logit however large is clipped and not lost; one that is not finite gives 0.

    >>> step_penalties([0.0, 1.0, 2.0]).round(6).tolist()
    [0.0, -0.104524, -0.38865]
    """
    logits = np.asarray(logits_N, dtype=np.float64)
    finite = np.isfinite(logits)
    held = np.clip(np.where(finite, logits, 0.0), -LARGEST, LARGEST)
    if kind == "kl":
        values = held
    elif kind == "tv":
        values = np.sign(held)
    else:
        values = np.expm1(held)
        if kind == "sqrt_chi2" and finite.any():
            ordered = np.sort(values[finite])
            cut = int(trim * len(ordered)) if len(ordered) >= CUT_FROM else 0
            mean = float(ordered[cut : len(ordered) - cut].mean())
            values = values / math.sqrt(mean) if mean > 0.0 else values
    return np.clip(np.where(finite, -coefficient * values, 0.0), -clip, clip) + 0.0


@dataclass(frozen=True)
class OccupancyPenalty(Reward, name="occupancy-penalty-v1"):
    """-coefficient * D, D by a discriminator that learns to tell the policy from its reference as training goes on.

    A batch is learned from *before* it is scored: scoring it again gives the same numbers, and only `update`, called
    with a training batch, keeps what was learned. The value is the sum over the rollout's steps, which also stand in
    `Score.dense["occupancy"]` where there are several. Until there is a reference the reward abstains.
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
        _check_penalty(self)
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


@dataclass(frozen=True)
class ResponsePenalty(Reward, name="response-penalty-v1", sees="batch"):
    r"""-coefficient * D of whole responses, from $\ell = \log\pi(y|x) - \log\pi_{ref}(y|x)$ by two scorers.

    The exact log-ratio takes the discriminator's place. Of one turn; a rollout with an environment abstains. Where the
    trainer is ours, `train.loss.divergence` costs less, and has a gradient of its own.
    """

    policy: Scorer
    """Under what the response was drawn."""
    reference: Scorer
    kind: Kind = "sqrt_chi2"
    coefficient: float = 0.1
    clip: float = 1000.0
    trim: float = 0.01

    def __post_init__(self) -> None:
        _check_penalty(self)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The clip's."""
        return -self.clip, self.clip

    @property
    def needs_policy(self) -> bool:
        """Whether a scorer speaks of the policy being trained."""
        return any(getattr(scorer, "needs_policy", False) for scorer in (self.policy, self.reference))

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Ask both scorers once for the whole batch."""
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        single = [rollout for rollout in rollouts if _is_single(rollout)]
        asked = [_continuation(rollout) for rollout in single]
        answers = [scorer.logprobs(asked, policy=context.policy) for scorer in (self.policy, self.reference)]
        ratios = [
            math.nan if one is None or other is None else math.fsum(one) - math.fsum(other)
            for one, other in zip(*answers, strict=True)
        ]
        penalties = step_penalties(ratios, self.kind, self.coefficient, clip=self.clip, trim=self.trim)
        found = iter(zip(ratios, penalties.tolist(), strict=True))
        each = iter([self._score(*next(found)) if _is_single(rollout) else _SEVERAL for rollout in rollouts])
        return [[next(each) for _ in group.rollouts] for group in groups]

    def _score(self, ratio: float, penalty: float) -> Score:
        if math.isnan(ratio):
            return Score.unscored("a scorer has no log-probs of this response")
        return Score(penalty, f"log-ratio {ratio:.4g} to the reference", _ratio_part(ratio))


_SEVERAL = Score.unscored("a response with an environment's turns in it has no one log-ratio", status="abstain")


def _ratio_part(ratio: float) -> dict[str, Score]:
    """The log-ratio as a part, for logs; not where it is infinite, which a part may not be."""
    return {"log_ratio": Score(ratio)} if math.isfinite(ratio) else {}


def _is_single(rollout: Rollout) -> bool:
    return all(segment.author != "environment" for segment in rollout.segments)


def _continuation(rollout: Rollout) -> Continuation:
    forced = "".join(segment.text for segment in rollout.segments if segment.author == "forced")
    said = "".join(segment.text for segment in rollout.segments if segment.author == "policy")
    return Continuation(rollout.prompt.messages, said, forced)


def _check_penalty(penalty: OccupancyPenalty | ResponsePenalty) -> None:
    """The fields that both have."""
    if penalty.kind not in ("sqrt_chi2", "chi2", "kl", "tv"):
        raise ConfigError(f"kind is {penalty.kind!r}; accepted are 'sqrt_chi2', 'chi2', 'kl' and 'tv'")
    if not 0.0 <= penalty.coefficient < math.inf:
        raise ConfigError(f"coefficient is {penalty.coefficient!r}; a finite number >= 0 is needed")
    if not 0.0 < penalty.clip < math.inf:
        raise ConfigError(f"clip is {penalty.clip!r}; a finite number > 0 is needed")
    if not 0.0 <= penalty.trim < 0.5:
        raise ConfigError(f"trim is {penalty.trim!r}; a share in [0, 0.5) is needed, cut at each end")


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
