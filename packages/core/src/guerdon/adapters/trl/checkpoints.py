"""What a reward has learnt, in TRL's checkpoints: written beside the weights, read when training goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from guerdon.errors import RunError
from guerdon.runs.reading import kept_in

if TYPE_CHECKING:
    from guerdon.adapters.trl.rewards import RewardFunction

FILE = "guerdon_rewards.pt"


class RewardState(TrainerCallback):  # type: ignore[misc]  # transformers' wheel carries no types
    """A trainer's callback: `GRPOTrainer(..., callbacks=[RewardState(rewards)])`.

    Rewards that learn need it; for others it ends their worker processes when training does, and that is all.
    """

    def __init__(self, functions: Sequence[RewardFunction], *, resume_from: str | Path | None = None) -> None:
        """
        Args:
            functions: what `reward_funcs` gave.
            resume_from: the checkpoint's folder, where it is not `checkpoint-STEP` in the trainer's output folder.
        """
        self.keeps = tuple(functions)
        self.resume_from = resume_from

    @property
    def _learns(self) -> bool:
        return any(function.grader.learning for function in self.keeps)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Write the state into the checkpoint just made; on process 0, which is where rewards learn."""
        if self._learns and state.is_world_process_zero:
            kept = [function.grader.state_dict() for function in self.keeps]
            path = _folder(args, state) / FILE
            torch.save(kept, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Read it back where training goes on from a checkpoint; on process 0, whose machine has the file.

        Raises:
            RunError: the checkpoint holds no state, or another reward's.
        """
        if not self._learns or not state.global_step or not state.is_world_process_zero:
            return
        path = Path(self.resume_from or _folder(args, state)) / FILE
        try:
            with kept_in(path):
                kept = torch.load(path, weights_only=True)
        except RunError as error:
            raise RunError(
                f"training goes on from step {state.global_step}, but what the reward had learnt by then cannot be "
                f"had: {error}. If the checkpoint lies elsewhere, name it: RewardState(..., resume_from=FOLDER). "
                f"If the run was killed while it was being written, resume from the checkpoint before."
            ) from error
        if len(kept) != len(self.keeps):
            raise RunError(f"{path} holds the state of {len(kept)} reward functions; there are {len(self.keeps)}")
        for function, values in zip(self.keeps, kept, strict=True):
            with kept_in(path):
                function.grader.load_state_dict(values)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """End the worker processes; fresh ones start if anything is scored after that."""
        for function in self.keeps:
            function.grader.close()


def _folder(args: Any, state: Any) -> Path:
    """Where transformers puts the checkpoint of this step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"
