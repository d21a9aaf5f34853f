"""The updates: gradients of a whole batch, added up over micro-batches, and one optimiser step.

Tensor axes: N policy steps of a micro-batch laid end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from guerdon.advantages import Advantages
from guerdon.errors import PolicyError
from guerdon.losses.averaging import step_weights
from guerdon.losses.correction import importance_weights
from guerdon.losses.divergences import k3
from guerdon.losses.occupancy import SequencePenalty
from guerdon.losses.ratios import log_ratios
from guerdon.losses.surrogate import ClippedSurrogate, negative_log_likelihood
from guerdon.trainer.batches import microbatches
from guerdon.trainer.optimizers import clip_gradients
from guerdon.types import Group, Rollout

if TYPE_CHECKING:
    from guerdon.protocols import Policy
    from guerdon.rewards.base import Targets
    from guerdon.trainer.config import TrainConfig
    from guerdon.trainer.measures import Metrics

_SAMPLER = ("sampler_gap", "sampler_kl")
_CORRECTION = ("correction_mean", "corrected_share")


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
    targets: Targets | None = None,
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
        targets: what rewards want likelier of itself (`Reward.targets`), in the same order. A target's steps weigh as
            much as each step of the rollout it belongs to, so that both halves of that rollout's gradient, through its
            own steps and through its value, are averaged alike, whatever `loss.average` is. Coefficients stay those of
            the weights that sampled, on every pass over the batch.

    Returns:
        Measures of the last of the updates: `loss`, `grad_norm` (before clipping), and, as means over the steps that
        carried a gradient, `clip_share`, `entropy` (nats), `kl` (k3, with a reference) or, with a `loss.divergence` of
        whole responses, `divergence` (its estimate, before the weight). Of the first: `sampler_gap`,
        |log p of the trainer - log p of the sampler|; `sampler_kl`, the k3 estimate of KL(sampler || trainer); with
        `loss.engine_correction` also `correction_mean`, the mean weight, and `corrected_share`, the share of steps
        whose ratio was cut or masked. Means over no step at all are NaN; steps without the sampler's log-prob add
        nothing. With targets also `target_loss`, their share of `loss`.

    Raises:
        PolicyError: the gradient is not finite (that step was not taken); or a correction is asked for and the engine
            kept no log-probs.
    """
    loss_config = config.loss
    surrogate = ClippedSurrogate(
        loss_config.clip_low,
        loss_config.clip_high,
        loss_config.kl_weight,
        loss_config.dual_clip,
        loss_config.kind,
        loss_config.max_log_ratio,
        loss_config.max_kl,
    )
    penalty = None
    if config.loss.kl_weight and config.loss.divergence != "k3":
        surrogate = replace(surrogate, kl_weight=0.0)
        penalty = SequencePenalty(config.loss.divergence, config.loss.kl_weight)
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
    pulls = _pulls(targets or [], weight)
    if not live and not pulls:
        return metrics
    parts = microbatches(live, _cost_by(policy), config.tokens_per_microbatch)
    share = sum(w * rollout.steps for rollout, w, _ in live)
    temperature = config.sampling.temperature
    correction = config.loss.engine_correction
    old: list[torch.Tensor] = []
    pulled = [part for pull in pulls for part in microbatches(pull, _cost_by(policy), config.tokens_per_microbatch)]
    credits: list[torch.Tensor] = []
    """Per part: the advantage of each step, the engine's correction applied."""
    for update in range(config.updates_per_batch):
        sums = dict.fromkeys(("loss", "target_loss", "clip_share", "entropy", "kl", *_SAMPLER, *_CORRECTION), 0.0)
        divergence, apart_mean = 0.0, _apart_mean(policy, reference, live, parts, penalty, temperature)
        for number, part in enumerate(parts):
            chosen = [rollout for rollout, _, _ in part]
            steps = policy.logprobs(chosen, temperature=temperature)
            weights_N = _per_step([w for _, w, _ in part], steps.lengths, steps.logprobs_N)
            if update == 0:
                old_N = steps.logprobs_N.detach()
                engine_N = _sampled(chosen, old_N)
                credit_N = torch.tensor([value for _, _, values in part for value in values], device=old_N.device)
                apart = _apart(old_N, engine_N)
                if correction is not None:
                    _check_kept(engine_N)
                    ratio_N, outside_N = importance_weights(
                        old_N, engine_N, correction.kind, cap=correction.cap, floor=correction.floor
                    )
                    # For weights >= 0 the surrogate is linear in the advantage: min and both clips keep their sides.
                    credit_N = credit_N * ratio_N
                    apart |= {"correction_mean": ratio_N, "corrected_share": outside_N}
                for name, value_N in apart.items():
                    sums[name] += float((weights_N * value_N).sum()) / share
                old.append(old_N)
                credits.append(credit_N)
            reference_N = None
            if reference:
                reference_N = reference.logprobs(chosen, temperature=temperature, grad=False).logprobs_N
            terms = surrogate(
                steps.logprobs_N, old[number], credits[number], weights_N, reference_N, lengths=steps.lengths
            )
            loss = terms.loss
            if penalty and reference_N is not None:
                ratios_R = log_ratios(steps.logprobs_N, reference_N, steps.lengths)
                loss = loss + penalty.share(ratios_R, len(live), apart_mean)
                divergence += float(penalty.terms(ratios_R.detach()).sum()) / len(live)
            loss.backward()  # type: ignore[no-untyped-call]
            sums["loss"] += float(loss.detach())
            sums["clip_share"] += terms.clip_share / share
            sums["kl"] += terms.kl / share
            sums["entropy"] += float((weights_N * steps.entropy_N).sum()) / share
        for pull in pulled:
            sums["target_loss"] += _pull(policy, pull)
        sums["loss"] += sums["target_loss"]
        metrics["grad_norm"] = _step(policy, optimizer, lr, config.optimizer.grad_clip)
        metrics |= {"loss": sums["loss"], **({"target_loss": sums["target_loss"]} if pulls else {})}
        if not live:
            continue
        metrics |= {name: sums[name] for name in ("clip_share", "entropy")}
        if update == 0:
            metrics |= {name: sums[name] for name in (*_SAMPLER, *(_CORRECTION if correction else ()))}
        if penalty:
            metrics["divergence"] = penalty.value(divergence)
        elif reference:
            metrics["kl"] = sums["kl"]
    return metrics


def _apart_mean(
    policy: Policy,
    reference: Policy | None,
    live: Sequence[tuple[Any, ...]],
    parts: Sequence[Sequence[tuple[Any, ...]]],
    penalty: SequencePenalty | None,
    temperature: float,
) -> float:
    """The mean of the divergence's terms over the whole batch, where the loss cannot be cut without it; else 0."""
    if not live or penalty is None or reference is None or penalty.kind != "sequence_sqrt_chi2":
        return 0.0
    total = 0.0
    for part in parts:
        chosen = [item[0] for item in part]
        steps, base = (one.logprobs(chosen, temperature=temperature, grad=False) for one in (policy, reference))
        total += float(penalty.terms(log_ratios(steps.logprobs_N, base.logprobs_N, steps.lengths)).sum())
    return total / len(live)


_Pull = tuple[Rollout, tuple[float, ...], float]
"""A target's rollout, the weight of each of its steps, the temperature."""


def _pulls(targets: Targets, weight: Sequence[float]) -> list[list[_Pull]]:
    """The targets of rollouts that count, each coefficient times its rollout's weight; by temperature, in order."""
    found: dict[float, list[_Pull]] = {}
    for w, each in zip(weight if targets else (), (each for row in targets for each in row), strict=True):
        for target in each if w else ():
            weights = tuple(w * value for value in target.coefficients)
            if any(weights):
                found.setdefault(target.temperature, []).append((target.rollout, weights, target.temperature))
    return list(found.values())


def _pull(policy: Policy, part: Sequence[_Pull]) -> float:
    """Add the gradient of -sum(weight * log-prob); that sum."""
    steps = policy.logprobs([rollout for rollout, _, _ in part], temperature=part[0][2])
    weights_N = torch.tensor([w for _, weights, _ in part for w in weights], device=steps.logprobs_N.device)
    piece = negative_log_likelihood(steps.logprobs_N, weights_N)
    piece.backward()  # type: ignore[no-untyped-call]
    return float(piece.detach())


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


def _sampled(rollouts: Sequence[Rollout], like_N: torch.Tensor) -> torch.Tensor:
    """The sampler's log-prob of each step; NaN where it kept none."""
    sampled = [value for rollout in rollouts for value in (rollout.logprobs or [math.nan] * rollout.steps)]
    return torch.tensor(sampled, dtype=torch.float32, device=like_N.device)


def _apart(old_N: torch.Tensor, engine_N: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far trainer and sampler are apart on each step; 0 where the sampler kept no log-prob."""
    gap_N = (old_N - engine_N).abs().nan_to_num(0.0)
    # In float64: of a gap of 1e-5, k3 is what is left of numbers near 1.
    return {"sampler_gap": gap_N, "sampler_kl": k3(engine_N.double(), old_N.double()).nan_to_num(0.0)}


def _check_kept(engine_N: torch.Tensor) -> None:
    if engine_N.isnan().any():
        raise PolicyError(
            "train.loss.engine_correction needs the engine's log-prob of every sampled token, and this engine kept "
            "none; set it to null, or sample with top_p 1 and top_k 0"
        )
