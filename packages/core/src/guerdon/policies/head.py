"""Log-probs of chosen tokens from hidden states, without ever holding the logits of a whole batch.

A vocabulary of 49,000 makes the logits of 512 tokens larger than everything else a small model keeps for its backward
pass. Here they exist for one chunk of rows at a time, forward and backward; between the two only one float per row is
kept (the log of the partition sum).

Axes: N scored tokens, W hidden width, V vocabulary.
"""

from __future__ import annotations

from typing import Any, cast

import torch

CHUNK_ELEMENTS = 1 << 22
"""Logits held at once: 16 MB in float32."""


class _ChosenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_NW: torch.Tensor,
        weight_VW: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
        temperature: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        count, vocabulary = hidden_NW.shape[0], weight_VW.shape[0]
        logprobs_N = hidden_NW.new_empty(count, dtype=torch.float32)
        entropy_N = torch.empty_like(logprobs_N)
        # Two tables, used again by every chunk: fresh memory of this size costs more than the arithmetic in it.
        most = max((rows.stop - rows.start for rows in _chunks(count, vocabulary)), default=0)
        logits_CV, share_CV = hidden_NW.new_empty(2, most, vocabulary, dtype=torch.float32)
        for rows in _chunks(count, vocabulary):
            held = rows.stop - rows.start
            logits = logits_CV[:held].copy_(_logits(hidden_NW[rows], weight_VW, bias_V, temperature))
            share = torch.softmax(logits, -1, out=share_CV[:held])
            # log Z from the largest entry, whose share is at least 1 / V: no underflow, no second pass of exponentials.
            top_C1, place_C1 = logits.max(dim=-1, keepdim=True)
            partition_C = (top_C1 - share.gather(1, place_C1).log())[:, 0]
            logprobs_N[rows] = logits.gather(1, targets_N[rows, None])[:, 0] - partition_C
            expected_C = torch.bmm(share[:, None], logits[:, :, None])[:, 0, 0]
            if bool(expected_C.isnan().any()):  # an entry of -inf (a masked token) times its share of 0
                expected_C = torch.bmm(share[:, None], logits.clamp_(min=-1e30)[:, :, None])[:, 0, 0]
            entropy_N[rows] = partition_C - expected_C
        ctx.save_for_backward(hidden_NW, weight_VW, bias_V, targets_N, logprobs_N)
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy_N)
        return logprobs_N, entropy_N

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden_NW, weight_VW, bias_V, targets_N, logprobs_N = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        count, vocabulary = hidden_NW.shape[0], weight_VW.shape[0]
        # d logp / d logit = onehot - p, and the logits were divided by the temperature.
        scale_N = grads[0].float() / ctx.temperature
        # The chosen entry is 1 - p with p near 1: taken in float32, where the table below may be of half precision.
        chosen_N = -scale_N * torch.expm1(logprobs_N)
        grad_hidden = torch.empty_like(hidden_NW) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VW) if needs_weight else None
        grad_bias = torch.zeros_like(bias_V) if needs_bias else None
        # One slope table in the compute type for as many rows as the budget allows: one product each with the weights
        # and the hidden states, since summing several weight gradients costs more than the products.
        for rows in _chunks(count, vocabulary * hidden_NW.element_size() // 4):
            slope_CV = _logits(hidden_NW[rows], weight_VW, bias_V, ctx.temperature).softmax(-1)
            slope_CV.mul_(-scale_N[rows, None].to(slope_CV.dtype))
            slope_CV.scatter_(1, targets_N[rows, None], chosen_N[rows, None].to(slope_CV.dtype))
            slope_CV = slope_CV.to(weight_VW.dtype)
            if grad_hidden is not None:
                torch.mm(slope_CV, weight_VW, out=grad_hidden[rows])
            if grad_weight is not None:
                grad_weight.addmm_(slope_CV.t(), hidden_NW[rows])
            if grad_bias is not None:
                grad_bias += slope_CV.sum(0, dtype=torch.float32)
        return grad_hidden, grad_weight, grad_bias, None, None


def chosen_logprobs(
    hidden_NW: torch.Tensor,
    weight_VW: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    bias_V: torch.Tensor | None = None,
    temperature: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-prob of each target under softmax(hidden @ weight^T + bias, over temperature), and the entropy.

    Args:
        hidden_NW: hidden states, float32 or a half precision; N may be 0.
        weight_VW: the head's weight, of the same dtype; may be the tied embedding.
        targets_N: int64 ids in [0, V).
        bias_V: the head's bias, if it has one.
        temperature: greater than 0.

    Returns:
        Log-probs (N, float32, differentiable in the first two and the bias) and entropies in nats (N, float32, no
        gradient). Matrix products run in the given dtype, everything after them in float32.
    """
    return cast(
        tuple[torch.Tensor, torch.Tensor],
        _ChosenLogprobs.apply(hidden_NW, weight_VW, bias_V, targets_N, float(temperature)),  # type: ignore[no-untyped-call]
    )


def _chunks(count: int, vocabulary: int) -> list[slice]:
    """Even slices of at most `CHUNK_ELEMENTS` logits."""
    size = max(1, CHUNK_ELEMENTS // vocabulary)
    pieces = -(-count // size)
    return [slice(count * piece // pieces, count * (piece + 1) // pieces) for piece in range(pieces)]


def _logits(
    hidden_CW: torch.Tensor, weight_VW: torch.Tensor, bias_V: torch.Tensor | None, temperature: float
) -> torch.Tensor:
    """In the compute type; in float32 where a temperature would round them once more."""
    logits_CV = torch.nn.functional.linear(hidden_CW, weight_VW, bias_V)
    return logits_CV if temperature == 1 else logits_CV.float().div_(temperature)
