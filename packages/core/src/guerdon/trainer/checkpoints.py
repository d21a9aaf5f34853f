"""Checkpoints: the policy, the optimiser, the rewards' and controllers' state, and where the run stood.

Data order and random draws are functions of (seed, phase, step), so nothing of theirs needs saving.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guerdon.errors import ConfigError, RunError
from guerdon.rewards import Reward
from guerdon.rewards.learning import load_state, state_of

if TYPE_CHECKING:
    from guerdon.protocols import Policy
    from guerdon.runs import RunFolder
    from guerdon.trainer.controlling import Controls


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run has come."""

    evaluated_before: bool = False
    sft_steps: int = 0
    rl_steps: int = 0
    optimizer: Path | None = field(default=None, compare=False)
    """State of the optimiser of the phase that goes on, if it had begun."""

    @property
    def steps(self) -> int:
        """Optimiser steps of both phases: the checkpoint's number."""
        return self.sft_steps + self.rl_steps

    def load_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Restore the optimiser if its phase had begun."""
        if self.optimizer is not None:
            optimizer.load_state_dict(torch.load(self.optimizer, weights_only=True))


def save(
    run: RunFolder,
    at: Position,
    policy: Policy,
    reward: Reward,
    optimizer: torch.optim.Optimizer | None,
    controls: Controls,
) -> None:
    """Write a checkpoint whole, or leave the previous ones as they are."""
    with run.checkpoint(at.steps) as folder:
        policy.save(folder / "policy")
        if optimizer is not None:
            torch.save(optimizer.state_dict(), folder / "optimizer.pt")
        torch.save(state_of(reward), folder / "rewards.pt")
        if controls:
            torch.save(controls.state_dict(), folder / "controllers.pt")
        state: dict[str, Any] = {
            "evaluated_before": at.evaluated_before,
            "sft_steps": at.sft_steps,
            "rl_steps": at.rl_steps,
            "policy_version": policy.version,
            "metrics_lines": run.metrics_lines,
        }
        (folder / "position.json").write_text(json.dumps(state, indent=1))


def restore(run: RunFolder, policy: Policy, reward: Reward, controls: Controls) -> Position:
    """Load the latest checkpoint into policy, reward and controls, and cut the metrics back to where it was taken.

    A run killed before its first checkpoint starts over.

    Raises:
        RunError: a checkpoint is there but cannot be read, or belongs to another reward or to other controllers.
    """
    folder = run.latest_checkpoint()
    if folder is None:
        run.rewind(0)
        return Position()
    try:
        state = json.loads((folder / "position.json").read_text())
        policy.load(folder / "policy")
        policy.version = state["policy_version"]
        controlled = torch.load(folder / "controllers.pt", weights_only=True) if controls else None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"checkpoint {folder} cannot be read: {error}") from error
    load_rewards(folder, reward)
    if controlled is not None:
        controls.load_state_dict(controlled, str(folder))
    run.rewind(state["metrics_lines"])
    optimizer = folder / "optimizer.pt"
    return Position(
        state["evaluated_before"], state["sft_steps"], state["rl_steps"], optimizer if optimizer.exists() else None
    )


def load_rewards(folder: Path, reward: Reward) -> None:
    """What the rewards that learn had learnt when the checkpoint `folder` was taken.

    Raises:
        RunError: it cannot be read, or belongs to another reward.
    """
    try:
        kept = torch.load(folder / "rewards.pt", weights_only=True)
    except (OSError, ValueError) as error:
        raise RunError(f"checkpoint {folder} cannot be read: {error}") from error
    if not isinstance(kept, dict):
        raise RunError(
            f"checkpoint {folder} is of an earlier guerdon, which kept no names of rewards: begin a run anew"
        )
    try:
        load_state(reward, kept)
    except ConfigError as error:
        raise RunError(f"checkpoint {folder} is not of the same reward: {error}") from error
