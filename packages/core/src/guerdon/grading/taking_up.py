"""What the rewards of a run that learn had learnt by one of its checkpoints, given to those that are built anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon.rewards.learning import learning

if TYPE_CHECKING:
    from guerdon.rewards import Reward


def take_up(reward: Reward, source: str | Path | None, asked: Path | None) -> str:
    """Give the rewards of a run folder that learn what they had learnt by a checkpoint.

    Args:
        reward: the run's own, built from its recipe.
        source: the run folder; anything else, and nothing happens unless a checkpoint is `asked` for.
        asked: as `find_checkpoint`; by default the latest, if there is one.

    Returns:
        What was taken up, in words; empty where nothing learns, or there is no run.

    Raises:
        RunError: there is no such checkpoint, it cannot be read, or it is of another reward.
        ConfigError: torch, which reads checkpoints, is not installed.
    """
    from guerdon.runs import find_checkpoint

    run = Path(source) if source is not None and (Path(source) / "recipe.yaml").is_file() else None
    names = ", ".join(dict.fromkeys(node.label for node in learning(reward)))
    if asked is None and (run is None or not names):
        return ""
    if asked is None and run is not None and not any((run / "checkpoints").glob("step-*")):
        return f"{names} learns, and the run has no checkpoint yet: as it began"
    folder = find_checkpoint(run, asked)
    if not names or folder is None:
        return ""
    try:
        from guerdon.trainer.checkpoints import load_rewards
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"what {names} had learnt is in a checkpoint, and {error.name}, which reads it, is not installed: "
            f'pip install "guerdon[train]"'
        ) from error
    load_rewards(folder, reward)
    return f"{names} learns: as it had by {folder.name}"
