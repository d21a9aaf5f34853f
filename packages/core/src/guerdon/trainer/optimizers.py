"""AdamW over a policy's parameters, and the learning rate at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from guerdon.trainer.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, step: int, total: int) -> float:
    """The learning rate of 0-based `step` out of `total`: a linear warm-up, then the schedule.

    >>> from guerdon.trainer.config import OptimizerConfig
    >>> config = OptimizerConfig(lr=1.0, schedule="linear", warmup_steps=2)
    >>> [learning_rate(config, step, 6) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    done = (step - config.warmup_steps) / max(1, total - config.warmup_steps)
    remaining = 1.0 - done if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
    return config.lr * (config.final_lr_share + (1.0 - config.final_lr_share) * remaining)


def adamw(parameters: Iterable[torch.nn.Parameter], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW with one fused pass over the parameters."""
    import torch

    return torch.optim.AdamW(
        list(parameters),
        lr=config.lr,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


def clip_gradients(parameters: Iterable[torch.nn.Parameter], limit: float | None) -> float:
    """Scale the gradients to a global L2 norm of at most `limit`; return the norm they had."""
    import torch

    norm = torch.nn.utils.clip_grad_norm_(list(parameters), math.inf if limit is None else limit)
    return float(norm)
