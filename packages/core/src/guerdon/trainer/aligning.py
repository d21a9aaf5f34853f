"""What sees, taught before the warm start: the loop around a policy's `alignment`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from guerdon.errors import ConfigError, PolicyError
from guerdon.progress import progress
from guerdon.protocols import AlignsSight, Policy
from guerdon.trainer.batches import batch_at, step_seed
from guerdon.trainer.measures import Clock
from guerdon.trainer.optimizers import adamw, clip_gradients, learning_rate
from guerdon.types import Rollout

if TYPE_CHECKING:
    from guerdon.runs import RunFolder
    from guerdon.trainer.config import AlignmentConfig


def align(policy: Policy, references: Sequence[Rollout], config: AlignmentConfig, run: RunFolder, seed: int) -> None:
    """Move what sees by gradient steps on its own loss. Killed in between, it is done anew: it takes minutes.

    Raises:
        ConfigError: the policy does not see, or there is nothing to learn from.
        PolicyError: the gradient is not finite.
    """
    if not isinstance(policy, AlignsSight):
        raise ConfigError(f"train.sft.alignment is for policies that see; {type(policy).__name__} does not")
    alignment = policy.alignment(references)
    optimizer = adamw(alignment.parameters(), config.optimizer)
    count = len(alignment.rollouts)
    total = math.ceil(count / config.batch_size) * config.epochs
    with progress("align sight", total) as bar:
        for step in range(total):
            torch.manual_seed(step_seed(seed, "alignment", step))
            size = min(config.batch_size, count)
            batch = [alignment.rollouts[i] for i in batch_at(step, size, count, seed, "alignment")]
            with Clock() as clock:
                optimizer.zero_grad()
                loss = alignment.loss(batch)
                loss.backward()  # type: ignore[no-untyped-call]
                norm = clip_gradients(alignment.parameters(), config.optimizer.grad_clip)
                if not math.isfinite(norm):
                    raise PolicyError(
                        f"the gradient of alignment step {step} is not finite (norm {norm}); lower its lr"
                    )
                lr = learning_rate(config.optimizer, step, total)
                for group in optimizer.param_groups:
                    group["lr"] = lr
                optimizer.step()
                policy.updated()
            values = {"loss": float(loss.detach()), "lr": lr, "grad_norm": norm, "time/train_s": clock.seconds}
            run.log(step, "alignment", values)
            bar.describe(f"align sight · loss {values['loss']:.3f}")
            bar.advance(1)
