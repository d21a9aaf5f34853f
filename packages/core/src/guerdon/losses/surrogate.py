r"""The clipped policy-gradient surrogate that GRPO, PPO, DAPO and Dr. GRPO share, and what GSPO and CISPO make of it.

With $\delta_t = \log\pi_t - \log\pi_{old,t}$, and sg(x) for x without its gradient:

| `kind` | the log-ratio $L_t$ of step t | a step's loss, $\rho = e^L$, $\rho_c$ clipped |
|---|---|---|
| `ppo` | $\delta_t$ | $-\min(\rho A, \rho_c A)$ |
| `gspo` | the mean of $\delta$ over the rollout's own steps | as `ppo` |
| `gspo_token` | sg(that mean) + $\log\pi_t$ - sg($\log\pi_t$): the same value, each step its own gradient | as `ppo` |
| `cispo` | $\delta_t$ | $-A \log\pi_t$ sg($\rho_c$): no step loses its gradient |

Ratios per sequence stay far nearer to 1 than those per token, and want clips of their own size (GSPO: 3e-4, 4e-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.losses.divergences import k3
from guerdon.losses.ratios import log_ratios

if TYPE_CHECKING:
    from torch import Tensor

SurrogateKind = Literal["ppo", "gspo", "gspo_token", "cispo"]


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
    (DeepSeekMath 2024) eq. 3; asymmetric clip as DAPO (2025) eq. 8; dual clip as Ye et al. 2020; ratios of sequences as
    GSPO (arXiv:2507.18071), `cispo` as MiniMax-M1 (arXiv:2506.13585), both as MediX-R1's trainer writes them.
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_weight: float = 0.0
    """Beta; 0 needs no reference policy."""
    dual_clip: float | None = None
    """c > 1: bounds the loss of a step with negative advantage by -c A; None leaves it unbounded."""
    kind: SurrogateKind = "ppo"
    """See the module's head."""
    max_log_ratio: float | None = None
    """Log-ratios, to the old policy and to the reference, are held within this of 0 before their exponential is taken,
    and have no gradient beyond; MediX-R1's trainer: 20. None holds nothing, and e^89 is infinite."""
    max_kl: float | None = None
    """The k3 of a step is held below this, and has no gradient beyond; MediX-R1's trainer: 10."""

    def __post_init__(self) -> None:
        one_of("loss.kind", self.kind, get_args(SurrogateKind))
        for name in ("max_log_ratio", "max_kl"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise ConfigError(f"loss.{name} is {value!r}; accepted: above 0, or none")
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
        lengths: Sequence[int] | None = None,
    ) -> SurrogateTerms:
        """The weighted sum over N steps.

        Args:
            logprobs_N: under the present weights; carries the gradient.
            old_N: under the weights that sampled (or, on the first of several updates, the detached present ones).
            advantages_N: one per step.
            weights_N: each step's share of the whole batch (`step_weights`).
            reference_N: under the frozen reference; needed if `kl_weight` is not 0.
            lengths: steps of each rollout, adding up to N; needed for ratios per sequence. Whole rollouts, each of all
                its policy's steps: a mean over a part of one would be another ratio.

        Raises:
            ValueError: ratios per sequence are asked for without `lengths`.
        """
        import torch

        ratio_N = torch.exp(self._held(self._log_ratio(logprobs_N, old_N, lengths)))
        clipped_N = ratio_N.clamp(1.0 - self.clip_low, 1.0 + self.clip_high)
        if self.kind == "cispo":
            gain_N = advantages_N * logprobs_N * clipped_N.detach()
        else:
            gain_N = torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)
        if self.dual_clip is not None and self.kind != "cispo":
            gain_N = torch.where(advantages_N < 0, torch.maximum(gain_N, self.dual_clip * advantages_N), gain_N)
        loss = -(weights_N * gain_N).sum()
        kl = 0.0
        if self.kl_weight and reference_N is not None:
            apart_N = self._held(reference_N - logprobs_N)
            kl_N = k3(torch.zeros_like(apart_N), apart_N)
            kl_N = kl_N if self.max_kl is None else kl_N.clamp(max=self.max_kl)
            loss = loss + self.kl_weight * (weights_N * kl_N).sum()
            kl = float((weights_N * kl_N.detach()).sum())
        # CISPO holds the weight on both sides whatever the advantage; a minimum takes the clipped side alone.
        below_N, over_N = ratio_N < 1.0 - self.clip_low, ratio_N > 1.0 + self.clip_high
        both = self.kind == "cispo"
        outside_N = (below_N & ((advantages_N < 0) | both)) | (over_N & ((advantages_N > 0) | both))
        return SurrogateTerms(
            loss=loss,
            clip_share=float((weights_N * outside_N).sum()),
            kl=kl,
        )

    def _log_ratio(self, logprobs_N: Tensor, old_N: Tensor, lengths: Sequence[int] | None) -> Tensor:
        """The log-ratio of each step, by `kind`."""
        import torch

        if self.kind in ("ppo", "cispo"):
            return logprobs_N - old_N
        if lengths is None:
            raise ValueError(f"a surrogate of kind {self.kind!r} needs the lengths of the rollouts")
        lengths_S = torch.tensor(lengths, device=logprobs_N.device)
        mean_S = log_ratios(logprobs_N, old_N, lengths) / lengths_S.clamp(min=1)
        mean_N = torch.repeat_interleave(mean_S.to(logprobs_N.dtype), lengths_S, output_size=len(logprobs_N))
        return mean_N if self.kind == "gspo" else mean_N.detach() + (logprobs_N - logprobs_N.detach())

    def _held(self, log_ratio_N: Tensor) -> Tensor:
        if self.max_log_ratio is None:
            return log_ratio_N
        return log_ratio_N.clamp(-self.max_log_ratio, self.max_log_ratio)


def negative_log_likelihood(logprobs_N: Tensor, weights_N: Tensor) -> Tensor:
    """The weighted sum of -log p: supervised fine-tuning on the policy's own steps."""
    return -(weights_N * logprobs_N).sum()
