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
from guerdon.runs.reading import kept_in

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
        """Restore the optimiser if its phase had begun.

        Raises:
            RunError: its file cannot be read.
        """
        if self.optimizer is not None:
            with kept_in(self.optimizer):
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
    optimizer = folder / "optimizer.pt"
    with kept_in(folder / "position.json"):
        state = json.loads((folder / "position.json").read_text())
        version, lines = int(state["policy_version"]), int(state["metrics_lines"])
        done = int(state["sft_steps"]), int(state["rl_steps"])
        at = Position(state["evaluated_before"], *done, optimizer if optimizer.exists() else None)
    load_policy(folder, policy)
    policy.version = version
    if controls:
        with kept_in(folder / "controllers.pt"):
            controls.load_state_dict(torch.load(folder / "controllers.pt", weights_only=True), str(folder))
    load_rewards(folder, reward)
    run.rewind(lines)
    return at


def load_policy(folder: Path, policy: Policy) -> None:
    """The weights as they were when the checkpoint `folder` was taken.

    Raises:
        RunError, PolicyError: they cannot be read, or belong to another policy.
    """
    with kept_in(folder / "policy"):
        policy.load(folder / "policy")


def load_rewards(folder: Path, reward: Reward) -> None:
    """What the rewards that learn had learnt when the checkpoint `folder` was taken.

    Raises:
        RunError: it cannot be read, or belongs to another reward.
    """
    path = folder / "rewards.pt"
    try:
        with kept_in(path):
            kept = torch.load(path, weights_only=True)
            if not isinstance(kept, dict):
                raise ConfigError("it is of an earlier guerdon, which kept no names of rewards: begin a run anew")
            load_state(reward, kept)
    except ConfigError as error:
        raise RunError(f"checkpoint {folder} is not of the same reward: {error}") from error
