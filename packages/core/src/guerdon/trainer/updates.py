"""The updates: gradients of a whole batch, added up over micro-batches, and one optimiser step.

Tensor axes: N policy steps of a micro-batch laid end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from guerdon.advantages import Advantages
from guerdon.errors import PolicyError
from guerdon.losses.averaging import step_weights
from guerdon.losses.surrogate import ClippedSurrogate, negative_log_likelihood
from guerdon.trainer.batches import microbatches
from guerdon.trainer.optimizers import clip_gradients
from guerdon.types import Group, Rollout

if TYPE_CHECKING:
    from guerdon.protocols import Policy
    from guerdon.trainer.config import TrainConfig
    from guerdon.trainer.measures import Metrics


def imitate(
    policy: Policy, rollouts: Sequence[Rollout], config: TrainConfig, optimizer: torch.optim.Optimizer, lr: float
) -> Metrics:
    """One supervised step on reference rollouts; the loss is the mean over all their steps.

    Raises:
        PolicyError: the gradient is not finite; no step was taken.
    """
    weight = step_weights([rollout.steps for rollout in rollouts], [True] * len(rollouts), "token")
    loss = 0.0
    for part in microbatches(list(zip(rollouts, weight, strict=True)), _cost_by(policy), config.tokens_per_microbatch):
        steps = policy.logprobs([rollout for rollout, _ in part])
        weights_N = _per_step([w for _, w in part], steps.lengths, steps.logprobs_N)
        piece = negative_log_likelihood(steps.logprobs_N, weights_N)
        piece.backward()  # type: ignore[no-untyped-call]
        loss += float(piece.detach())
    return {"loss": loss, "lr": lr, "grad_norm": _step(policy, optimizer, lr, config.sft.optimizer.grad_clip)}


def reinforce(
    policy: Policy,
    groups: Sequence[Group],
    advantages: Advantages,
    config: TrainConfig,
    optimizer: torch.optim.Optimizer,
    lr: float,
    reference: Policy | None = None,
) -> Metrics:
    """`updates_per_batch` optimiser steps on one batch; however it is cut, the gradient is that of the whole.

    Args:
        policy: trained; moved unless nothing in the batch carries an advantage (or a divergence).
        groups: the batch.
        advantages: of its rollouts, in the same order.
        config: `loss`, `updates_per_batch`, `tokens_per_microbatch`, and the temperature sampled at.
        optimizer: over `policy.parameters()`.
        lr: the learning rate of this batch.
        reference: what the divergence is measured from, if `loss.kl_weight` is not 0.

    Returns:
        Measures of the last of the updates: `loss`, `grad_norm` (before clipping), and, as means over the steps that
        carried a gradient, `clip_share`, `entropy` (nats), `kl` (k3, with a reference); of the first, `sampler_gap`:
        |log p of the trainer - log p of the sampler|. Means over no step at all are NaN.

    Raises:
        PolicyError: the gradient is not finite; that step was not taken.
    """
    surrogate = ClippedSurrogate(
        config.loss.clip_low, config.loss.clip_high, config.loss.kl_weight, config.loss.dual_clip
    )
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    credit = [values for rows in advantages.values for values in rows]
    scored = [flag for row in advantages.scored for flag in row]
    lengths = [rollout.steps for rollout in rollouts]
    weight = step_weights(lengths, scored, config.loss.average, constant=config.sampling.max_tokens)
    # A rollout without advantage has no gradient but the divergence's: counted, it need not be computed.
    matters = [
        bool(w) and (bool(config.loss.kl_weight) or any(values)) for w, values in zip(weight, credit, strict=True)
    ]
    live = [(rollouts[i], weight[i], credit[i]) for i in range(len(rollouts)) if matters[i]]
    metrics: Metrics = {"lr": lr, "loss": 0.0, "grad_norm": 0.0, "clip_share": math.nan, "entropy": math.nan}
    if not live:
        return metrics
    parts = microbatches(live, _cost_by(policy), config.tokens_per_microbatch)
    share = sum(w * rollout.steps for rollout, w, _ in live)
    temperature = config.sampling.temperature
    old: list[torch.Tensor] = []
    for update in range(config.updates_per_batch):
        sums = dict.fromkeys(("loss", "clip_share", "entropy", "kl", "sampler_gap"), 0.0)
        for number, part in enumerate(parts):
            chosen = [rollout for rollout, _, _ in part]
            steps = policy.logprobs(chosen, temperature=temperature)
            if update == 0:
                old.append(steps.logprobs_N.detach())
            weights_N = _per_step([w for _, w, _ in part], steps.lengths, steps.logprobs_N)
            terms = surrogate(
                steps.logprobs_N,
                old[number],
                torch.tensor(
                    [value for _, _, values in part for value in values], dtype=torch.float32, device=weights_N.device
                ),
                weights_N,
                reference.logprobs(chosen, temperature=temperature, grad=False).logprobs_N if reference else None,
            )
            terms.loss.backward()  # type: ignore[no-untyped-call]
            sums["loss"] += float(terms.loss.detach())
            sums["clip_share"] += terms.clip_share / share
            sums["kl"] += terms.kl / share
            sums["entropy"] += float((weights_N * steps.entropy_N).sum()) / share
            if update == 0:
                sums["sampler_gap"] += float((weights_N * _gap(chosen, steps.logprobs_N)).sum()) / share
        metrics["grad_norm"] = _step(policy, optimizer, lr, config.optimizer.grad_clip)
        metrics |= {name: sums[name] for name in ("loss", "clip_share", "entropy")}
        if update == 0:
            metrics["sampler_gap"] = sums["sampler_gap"]
        if reference:
            metrics["kl"] = sums["kl"]
    return metrics


def _step(policy: Policy, optimizer: torch.optim.Optimizer, lr: float, limit: float | None) -> float:
    """Clip, step, and tell the policy; the gradient's norm before clipping."""
    for options in optimizer.param_groups:
        options["lr"] = lr
    norm = clip_gradients(policy.parameters(), limit)
    if not math.isfinite(norm):
        raise PolicyError(
            f"the gradient's norm is {norm}; the last checkpoint is intact, a smaller learning rate may help"
        )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    policy.updated()
    return norm


def _cost_by(policy: Policy) -> Callable[[Sequence[tuple[Any, ...]]], int]:
    return lambda items: policy.cost([item[0] for item in items])


def _per_step(weights: Sequence[float], lengths: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    return torch.repeat_interleave(
        torch.tensor(weights, dtype=torch.float32, device=like.device), torch.tensor(lengths, device=like.device)
    )


def _gap(rollouts: Sequence[Rollout], logprobs_N: torch.Tensor) -> torch.Tensor:
    """|log p of the trainer - log p of the sampler| per step; 0 where the sampler kept none."""
    sampled = [value for rollout in rollouts for value in (rollout.logprobs or [math.nan] * rollout.steps)]
    return (logprobs_N.detach() - torch.tensor(sampled, device=logprobs_N.device)).abs().nan_to_num(0.0)
