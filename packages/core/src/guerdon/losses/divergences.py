"""Estimates of KL(policy || reference) from the log-probs of the steps that were drawn (J. Schulman's k1, k2, k3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def k1(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """The estimate log p - log q: unbiased, may be negative."""
    return logprobs_N - reference_N


def k2(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """Half the square of k1: biased, low variance; its gradient is that of the KL."""
    return 0.5 * (logprobs_N - reference_N).square()


def k3(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """q/p - 1 - log(q/p): unbiased and never negative; GRPO's."""
    ratio = reference_N - logprobs_N
    return ratio.exp() - 1.0 - ratio
