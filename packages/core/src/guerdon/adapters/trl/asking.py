"""The model that TRL trains, for rewards that ask how likely it finds a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from guerdon.errors import ConfigError
from guerdon.rewards import Reward

if TYPE_CHECKING:
    from guerdon.protocols import Policy

_INSTEAD = "Give it a scorer with a model of its own: 'local' or 'server'."


def trained_model(reward: Reward, log_metric: Any) -> Policy:
    """The trainer's model as what scorers ask of a policy: read only, in the mode it is in.

    Args:
        reward: which asks.
        log_metric: the trainer's bound method that TRL hands to reward functions: its owner has the model.

    Raises:
        ConfigError: no trainer stands behind the call, its weights are in pieces, or the reward has a gradient of its
            own, for which TRL's loss has no place.
    """
    trainer = getattr(log_metric, "__self__", None)
    if trainer is None or getattr(trainer, "model", None) is None:
        raise ConfigError(
            f"{reward.name} asks the model being trained how likely a text is, and no trainer stands behind this call "
            f"(the async trainer scores in a process of its own). {_INSTEAD}"
        )
    if reward.has_targets:
        raise ConfigError(
            f"{reward.name} has a gradient of its own, through the reference's probability, and TRL's loss has no "
            f"place for it. Set direct: false to train on its values alone, or train with guerdon."
        )
    if in_pieces := _in_pieces(trainer):
        raise ConfigError(f"{reward.name} asks the model being trained, whose weights {in_pieces} cuts up. {_INSTEAD}")
    from guerdon.policies.continuing import ReadModel

    tokenizer = trainer.processing_class
    model = trainer.accelerator.unwrap_model(trainer.model)
    return cast("Policy", ReadModel(model, getattr(tokenizer, "tokenizer", tokenizer)))


def _in_pieces(trainer: Any) -> str:
    """Who shards the parameters, so that no process alone can read with them; empty where nobody does."""
    if getattr(trainer, "is_fsdp_enabled", False):
        return "FSDP"
    state = getattr(getattr(trainer, "accelerator", None), "state", None)
    plugin = getattr(state, "deepspeed_plugin", None)
    return "DeepSpeed ZeRO-3" if plugin is not None and getattr(plugin, "zero_stage", 0) == 3 else ""
