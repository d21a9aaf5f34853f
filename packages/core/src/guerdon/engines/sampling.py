"""Drawing tokens: temperature, top-k and top-p, by inverse CDF from one uniform number per row.

`torch.multinomial` over a vocabulary of 49,000 costs more than the model's last layer on a CPU; one exponential, one
block-wise sum and a search do the same. One number per row also makes a row's draw independent of its neighbours.

Axes: B rows, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon.protocols import Sampling

if TYPE_CHECKING:
    import numpy as np
    import torch

BLOCK = 256
"""Entries per block of the two-level search."""


def uniforms(seed: int, prompt: int, completion: int, count: int) -> np.ndarray:
    """`count` uniforms in [0, 1) that belong to one completion of one prompt under one seed, whatever the batch."""
    import numpy as np

    return np.random.Generator(np.random.Philox(_sequence(seed, prompt, completion))).random(count)


def completion_seed(seed: int, prompt: int, completion: int) -> int:
    """A seed in [0, 2**31) for engines that draw by themselves; it belongs to one completion as `uniforms` do."""
    return int(_sequence(seed, prompt, completion).generate_state(1)[0]) >> 1


def _sequence(seed: int, prompt: int, completion: int) -> np.random.SeedSequence:
    import numpy as np

    return np.random.SeedSequence([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, prompt, completion])


def draw(logits_BV: torch.Tensor, uniform_B: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """One token per row and its log-prob.

    Args:
        logits_BV: of any float dtype; left untouched.
        uniform_B: in [0, 1), float32 or float64; ignored when greedy.
        sampling: temperature, top-k and top-p are used. Top-p keeps the smallest set of tokens whose probability,
            after top-k, reaches it; ties with its last member stay in.

    Returns:
        Token ids (B, int64) and their natural-log probabilities (B, float32) at the temperature, before top-k and
        top-p; greedy: at temperature 1.
    """
    import torch

    greedy = sampling.temperature == 0
    logits_BV = logits_BV.float() if greedy or sampling.temperature == 1 else logits_BV.float() / sampling.temperature
    top_B1, best_B1 = logits_BV.max(dim=-1, keepdim=True)
    weight_BV = (logits_BV - top_B1).exp_()
    if greedy:
        return best_B1[:, 0], -weight_BV.sum(-1).log()
    total_B = weight_BV.sum(-1)
    kept_BV = weight_BV
    if 0 < sampling.top_k < logits_BV.shape[-1]:
        floor_B1 = kept_BV.topk(sampling.top_k, dim=-1).values[:, -1:]
        kept_BV = kept_BV.masked_fill(kept_BV < floor_B1, 0.0)
    if sampling.top_p < 1:
        kept_BV = _nucleus(kept_BV, sampling.top_p)
    ids_B = _inverse_cdf(kept_BV, uniform_B)
    logprobs_B = (logits_BV.gather(1, ids_B[:, None]) - top_B1)[:, 0] - total_B.log()
    return ids_B, torch.clamp(logprobs_B, max=0.0)


def _nucleus(weight_BV: torch.Tensor, top_p: float) -> torch.Tensor:
    sorted_BV = weight_BV.sort(dim=-1, descending=True).values
    sums_BV = sorted_BV.cumsum(-1)
    # The last kept entry is the first whose cumulative weight reaches the share.
    place_B1 = (sums_BV < top_p * sums_BV[:, -1:]).sum(-1, keepdim=True).clamp(max=weight_BV.shape[-1] - 1)
    return weight_BV.masked_fill(weight_BV < sorted_BV.gather(1, place_B1), 0.0)


def _inverse_cdf(weight_BV: torch.Tensor, uniform_B: torch.Tensor) -> torch.Tensor:
    """The first index at which the running sum exceeds uniform x total: blocks first, then inside one block."""
    import torch
    from torch.nn import functional

    rows, width = weight_BV.shape
    blocks = -(-width // BLOCK)
    if blocks * BLOCK != width:
        weight_BV = functional.pad(weight_BV, (0, blocks * BLOCK - width))
    weight_BNW = weight_BV.view(rows, blocks, BLOCK)
    sums_BN = weight_BNW.sum(-1, dtype=torch.float64).cumsum(-1)
    goal_B1 = uniform_B.to(torch.float64)[:, None] * sums_BN[:, -1:]
    block_B1 = torch.searchsorted(sums_BN, goal_B1, right=True).clamp_(max=blocks - 1)
    before_B1 = torch.where(block_B1 > 0, sums_BN.gather(1, (block_B1 - 1).clamp(min=0)), 0.0)
    inside_BW = weight_BNW[torch.arange(rows, device=weight_BV.device), block_B1[:, 0]].to(torch.float64).cumsum(-1)
    # Held within what the block holds: rounding must not choose an entry of weight zero at its end.
    goal_B1 = torch.minimum(goal_B1 - before_B1, inside_BW[:, -1:] * (1 - 1e-12))
    place_B1 = torch.searchsorted(inside_BW, goal_B1, right=True).clamp_(max=BLOCK - 1)
    ids: torch.Tensor = (block_B1 * BLOCK + place_B1)[:, 0].clamp_(max=width - 1)
    return ids
