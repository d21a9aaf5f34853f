"""The clipped policy-gradient surrogate that GRPO, PPO, DAPO and Dr. GRPO share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon.losses.divergences import k3

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class SurrogateTerms:
    """One micro-batch's share of the loss, and what to log of it (detached sums over steps, each times its weight)."""

    loss: Tensor
    clip_share: float
    """Weighted share of steps whose ratio was clipped."""
    kl: float
    """Weighted k3 to the reference; 0 without one."""


@dataclass(frozen=True, slots=True)
class ClippedSurrogate:
    r"""$-\sum_t w_t \left[\min(\rho_t A_t, \mathrm{clip}(\rho_t, 1-\epsilon_l, 1+\epsilon_h) A_t) - \beta\,k_3\right]$.

    $\rho_t = \exp(\log\pi_t - \log\pi_{old,t})$. Source: PPO (Schulman et al. 2017) eq. 7; the k3 term per step as GRPO
    (DeepSeekMath 2024) eq. 3; asymmetric clip as DAPO (2025) eq. 8; dual clip as Ye et al. 2020.
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_weight: float = 0.0
    """Beta; 0 needs no reference policy."""
    dual_clip: float | None = None
    """c > 1: bounds the loss of a step with negative advantage by -c A; None leaves it unbounded."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.clip_low <= 1.0:
            raise ConfigError(f"loss.clip_low is {self.clip_low!r}; accepted: 0 to 1")
        if self.clip_high < 0.0:
            raise ConfigError(f"loss.clip_high is {self.clip_high!r}; accepted: 0 or more")
        if self.dual_clip is not None and self.dual_clip <= 1.0:
            raise ConfigError(f"loss.dual_clip is {self.dual_clip!r}; accepted: above 1, or none")

    def __call__(
        self,
        logprobs_N: Tensor,
        old_N: Tensor,
        advantages_N: Tensor,
        weights_N: Tensor,
        reference_N: Tensor | None = None,
    ) -> SurrogateTerms:
        """The weighted sum over N steps.

        Args:
            logprobs_N: under the present weights; carries the gradient.
            old_N: under the weights that sampled (or, on the first of several updates, the detached present ones).
            advantages_N: one per step.
            weights_N: each step's share of the whole batch (`step_weights`).
            reference_N: under the frozen reference; needed if `kl_weight` is not 0.
        """
        import torch

        ratio_N = torch.exp(logprobs_N - old_N)
        clipped_N = ratio_N.clamp(1.0 - self.clip_low, 1.0 + self.clip_high)
        gain_N = torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)
        if self.dual_clip is not None:
            gain_N = torch.where(advantages_N < 0, torch.maximum(gain_N, self.dual_clip * advantages_N), gain_N)
        loss = -(weights_N * gain_N).sum()
        kl = 0.0
        if self.kl_weight and reference_N is not None:
            kl_N = k3(logprobs_N, reference_N)
            loss = loss + self.kl_weight * (weights_N * kl_N).sum()
            kl = float((weights_N * kl_N.detach()).sum())
        outside_N = ((ratio_N < 1.0 - self.clip_low) & (advantages_N < 0)) | (
            (ratio_N > 1.0 + self.clip_high) & (advantages_N > 0)
        )
        return SurrogateTerms(
            loss=loss,
            clip_share=float((weights_N * outside_N).sum()),
            kl=kl,
        )


def negative_log_likelihood(logprobs_N: Tensor, weights_N: Tensor) -> Tensor:
    """The weighted sum of -log p: supervised fine-tuning on the policy's own steps."""
    return -(weights_N * logprobs_N).sum()
