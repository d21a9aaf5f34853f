"""Low-rank adapters in place of full weights, through peft."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from guerdon.errors import ConfigError


@dataclass(frozen=True)
class LoraSpec:
    """Low-rank adapters in place of full weights (Hu et al. 2021, equation 3: W + alpha / r * B A)."""

    r: int = 16
    """Rank, at least 1."""
    alpha: float = 32.0
    dropout: float = 0.0
    """Share of adapter inputs dropped while training, in [0, 1)."""
    targets: tuple[str, ...] | str = "all-linear"
    """Names of the adapted modules, or `all-linear`: every linear layer but the head."""
    whole: tuple[str, ...] = ()
    """Names of modules that get no adapters and are trained whole beside them, with all that is in them: parts that
    hold no trained weights yet, as a fresh vision tower."""


def spec_of(saved: Mapping[str, Any]) -> LoraSpec:
    """The spec that a saved policy was made with."""
    targets = saved["targets"]
    lists = {"targets": targets if isinstance(targets, str) else tuple(targets), "whole": tuple(saved.get("whole", ()))}
    return LoraSpec(**{**saved, **lists})


def is_whole(name: str, spec: LoraSpec) -> bool:
    """Whether a parameter, by its full name, belongs to a module that is trained whole."""
    return not set(spec.whole).isdisjoint(name.split("."))


def with_adapters(model: Any, spec: LoraSpec, seed: int) -> Any:
    """The model inside a peft wrapper with fresh adapters, which depend on the seed alone.

    Raises:
        ConfigError: no module of the model has a target's name, or one that is to be trained whole.
    """
    from peft import LoraConfig, get_peft_model

    targets = spec.targets if isinstance(spec.targets, str) else list(spec.targets)
    held = {part for name, _ in model.named_modules() for part in name.split(".")}
    if missing := sorted(set(spec.whole) - held):
        raise ConfigError(f"lora.whole names {missing!r}, and the model has no such modules")
    apart = [name for name, _ in model.named_modules() if is_whole(name, spec)]
    config = LoraConfig(
        r=spec.r,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=targets,
        exclude_modules=apart or None,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(seed)
        # peft asks transformers by a name that is about to change: nothing a user could do about it.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise ConfigError(f"lora: {error}") from error
    for name, parameter in adapted.named_parameters():
        if is_whole(name, spec):
            parameter.requires_grad_(True)
    return adapted
