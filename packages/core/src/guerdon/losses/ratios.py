"""A sequence's log-ratio to a reference: what DPO, KTO and divergences of whole responses are functions of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def log_ratios(
    logprobs_N: Tensor, reference_N: Tensor, lengths: Sequence[int], token_weights_N: Tensor | None = None
) -> Tensor:
    """Each sequence's log-ratio to the reference, (S,), float64: of hundreds of steps, float32 would lose digits.

    Args:
        logprobs_N: of N steps laid end to end, under the policy; carries the gradient.
        reference_N: under the reference, of the same steps; no gradient goes through it.
        lengths: steps of each of the S sequences, adding up to N. One without steps has the ratio 0.
        token_weights_N: what each step counts; None means 1.
    """
    import torch

    ratio_N = logprobs_N.double() - reference_N.double().detach()
    if token_weights_N is not None:
        ratio_N = ratio_N * token_weights_N
    each = torch.split(ratio_N, list(lengths))  # sums in a fixed order, on a GPU too
    return torch.stack([ratio.sum() for ratio in each]) if each else ratio_N.new_zeros(0)
