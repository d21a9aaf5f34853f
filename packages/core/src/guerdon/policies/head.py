"""Log-probs of chosen tokens from hidden states, without ever holding the logits of a whole batch.

A vocabulary of 49,000 makes the logits of 512 tokens larger than everything else a small model keeps for its backward
pass. Here they exist for one chunk of rows at a time, forward and backward; between the two only one float per row is
kept (the log of the partition sum).

Axes: N scored tokens, W hidden width, V vocabulary.
"""

from __future__ import annotations

from typing import Any, cast

import torch

CHUNK_ELEMENTS = 1 << 23
"""Logits held at once: 32 MB in float32."""


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
        partition_N = torch.empty_like(logprobs_N)
        for rows in _chunks(count, vocabulary):
            logits_CV = _logits(hidden_NW[rows], weight_VW, bias_V, temperature)
            top_C1 = logits_CV.amax(dim=-1, keepdim=True)
            logits_CV -= top_C1
            chosen_C = logits_CV.gather(1, targets_N[rows, None])[:, 0]
            weight_CV = logits_CV.exp()
            total_C = weight_CV.sum(-1)
            log_total_C = total_C.log()
            logprobs_N[rows] = chosen_C - log_total_C
            # Entropy = log Z - E[logit]; entries of -inf (masked vocabulary) have weight 0 and must not make NaN.
            expected_C = torch.linalg.vecdot(weight_CV, logits_CV.clamp_(min=torch.finfo(torch.float32).min)) / total_C
            entropy_N[rows] = log_total_C - expected_C
            partition_N[rows] = log_total_C + top_C1[:, 0]
        ctx.save_for_backward(hidden_NW, weight_VW, bias_V, targets_N, partition_N)
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy_N)
        return logprobs_N, entropy_N

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_N = grads[0]
        hidden_NW, weight_VW, bias_V, targets_N, partition_N = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        count, vocabulary = hidden_NW.shape[0], weight_VW.shape[0]
        grad_hidden = torch.empty_like(hidden_NW) if needs_hidden else None
        # Summed in float32 over the chunks; one chunk in the common case needs no second buffer.
        grad_weight: torch.Tensor | None = None
        grad_bias: torch.Tensor | None = None
        for rows in _chunks(count, vocabulary):
            # d logp / d logit = onehot - p, and the logits were divided by the temperature.
            scale_C1 = grad_N[rows, None].float() / ctx.temperature
            slope_CV = _logits(hidden_NW[rows], weight_VW, bias_V, ctx.temperature)
            slope_CV.sub_(partition_N[rows, None]).exp_().mul_(-scale_C1)
            slope_CV.scatter_add_(1, targets_N[rows, None], scale_C1)
            narrow_CV = slope_CV.to(weight_VW.dtype)
            if grad_hidden is not None:
                torch.mm(narrow_CV, weight_VW, out=grad_hidden[rows])
            if needs_weight:
                grad_weight = _accumulate(grad_weight, narrow_CV, hidden_NW[rows])
            if needs_bias:
                part = slope_CV.sum(0)
                grad_bias = part if grad_bias is None else grad_bias + part
        if grad_weight is not None:
            grad_weight = grad_weight.to(weight_VW.dtype)
        elif needs_weight:
            grad_weight = torch.zeros_like(weight_VW)
        if needs_bias:
            grad_bias = torch.zeros_like(bias_V) if grad_bias is None else grad_bias.to(bias_V.dtype)
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
        _ChosenLogprobs.apply(hidden_NW, weight_VW, bias_V, targets_N, float(temperature)),
    )


def _chunks(count: int, vocabulary: int) -> list[slice]:
    """Even slices of at most `CHUNK_ELEMENTS` logits."""
    size = max(1, CHUNK_ELEMENTS // vocabulary)
    pieces = -(-count // size)
    return [slice(count * piece // pieces, count * (piece + 1) // pieces) for piece in range(pieces)]


def _logits(
    hidden_CW: torch.Tensor, weight_VW: torch.Tensor, bias_V: torch.Tensor | None, temperature: float
) -> torch.Tensor:
    logits_CV = torch.nn.functional.linear(hidden_CW, weight_VW, bias_V).float()
    return logits_CV if temperature == 1 else logits_CV.div_(temperature)


def _accumulate(total: torch.Tensor | None, slope_CV: torch.Tensor, hidden_CW: torch.Tensor) -> torch.Tensor:
    if total is None:
        return slope_CV.t() @ hidden_CW
    if total.dtype == torch.float32 and slope_CV.dtype == torch.float32:
        return total.addmm_(slope_CV.t(), hidden_CW)
    return total.float().add_(slope_CV.t() @ hidden_CW)
