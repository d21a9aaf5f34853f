"""The weight of the KL term as something controlled: by a target, or by Lagrange multipliers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from guerdon.errors import ConfigError
from guerdon.rewards import walk
from guerdon.rewards.constrained import Constrained

if TYPE_CHECKING:
    from guerdon.protocols import Update
    from guerdon.rewards import Reward


@dataclass(frozen=True)
class AdaptiveKL:
    r"""$\beta \leftarrow \beta\,(1 + g\,\mathrm{clip}((KL - KL^*) / KL^*, -c, c))$ after every update.

    It starts at the recipe's `train.loss.kl_weight`. The divergence is the one that the loss has, from the policy that
    RL started from: with `train.loss.divergence` k3 the metric `kl`, in nats, a mean over policy steps (the released
    code's own is a mean over its buffer); with one of whole responses the metric `divergence`, in nats per response for
    `sequence_kl`, and a number without unit for chi-squared and its root. A step that measured none leaves the weight.

    Source: Ziegler et al. 2019 (arXiv:1909.08593), section 2.2, with the gain and clip of the released code of
    arXiv:2310.04373 (whose constrained runs leave it off).

    >>> round(AdaptiveKL(target=0.5).next(0.2, 0.9), 6), round(AdaptiveKL(target=0.5).next(0.2, 0.45), 6)
    (0.204, 0.198)
    """

    name: ClassVar[str] = "adaptive-kl"
    sets: ClassVar[tuple[str, ...]] = ("kl_weight",)

    target: float
    """KL*, in the unit of the loss's divergence: nats per policy step for k3."""
    gain: float = 0.1
    clip: float = 0.2

    def __post_init__(self) -> None:
        for option, value in (("target", self.target), ("gain", self.gain), ("clip", self.clip)):
            if not 0.0 < value < math.inf:
                raise ConfigError(f"adaptive-kl.{option} is {value!r}; a finite number > 0 is needed")
        if self.gain * self.clip >= 1.0:
            raise ConfigError(
                f"adaptive-kl: gain * clip is {self.gain * self.clip:g}; below 1 the weight stays above 0"
            )

    def next(self, weight: float, divergence: float) -> float:
        """The weight for the next update. A negative estimate (noise) counts as far below the target."""
        error = (divergence - self.target) / self.target
        return weight * (1.0 + self.gain * min(max(error, -self.clip), self.clip))

    def init(self, knobs: Mapping[str, float], reward: Reward) -> tuple[Mapping[str, float], Any]:
        """Nothing to turn yet, and no state but the knob.

        Raises:
            ConfigError: the weight starts at 0, which no factor leads away from.
        """
        if not knobs["kl_weight"] > 0.0:
            raise ConfigError(
                f"adaptive-kl multiplies train.loss.kl_weight, which is {knobs['kl_weight']!r}: start > 0"
            )
        return {}, None

    def act(self, update: Update, state: Any) -> tuple[Mapping[str, float], Any]:
        """Turn the weight by what this update measured."""
        divergence = update.metrics.get("kl", update.metrics.get("divergence", math.nan))
        if not math.isfinite(divergence):
            return {}, state
        return {"kl_weight": self.next(update.knobs["kl_weight"], divergence)}, state


@dataclass(frozen=True)
class ConstrainedKL:
    r"""The KL weight as $(N - \sum_i s_i)\,\beta$, from the multipliers of the recipe's `constrained` reward.

    $\beta$ is the recipe's `train.loss.kl_weight`. The loss takes the KL gradient at its own size; the released code
    divides it by its spread over the minibatch instead, which near the solution makes the multipliers swing. And the
    loss's k3 term has, in expectation, the gradient of KL(reference || policy), where the paper's KL reward has that of
    KL(policy || reference): near the reference the two agree.
    """

    name: ClassVar[str] = "constrained-kl"
    sets: ClassVar[tuple[str, ...]] = ("kl_weight",)

    def init(self, knobs: Mapping[str, float], reward: Reward) -> tuple[Mapping[str, float], Any]:
        """The weight for the multipliers as they start; the state is beta.

        Raises:
            ConfigError: the reward has no `constrained` part, or more than one, or beta is 0.
        """
        beta = knobs["kl_weight"]
        if not beta > 0.0:
            raise ConfigError(f"constrained-kl multiplies train.loss.kl_weight, which is {beta!r}: the KL needs > 0")
        return {"kl_weight": beta * _factor(reward)}, {"beta": beta}

    def act(self, update: Update, state: Any) -> tuple[Mapping[str, float], Any]:
        """The weight for the multipliers that the next batch will be scored with."""
        return {"kl_weight": state["beta"] * _factor(update.reward)}, state


def _factor(reward: Reward) -> float:
    found = [node for node in walk(reward) if isinstance(node, Constrained)]
    if len(found) != 1:
        raise ConfigError(f"constrained-kl follows one constrained reward, and the recipe's reward has {len(found)}")
    return found[0].kl_factor
