"""Low-rank adapters while generating: fold them into the weights once, not into every token's forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def has_adapters(model: Any) -> bool:
    """Whether this is a peft model."""
    return hasattr(model, "peft_config")


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """Within it the adapted layers hold `weight + delta` and run as plain ones; then the very same tensors are back.

    Unlike peft's own merge, nothing is subtracted afterwards, so low-precision base weights do not drift.
    """
    if not has_adapters(model):
        yield
        return
    swapped: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    layers = [
        module for module in model.modules() if hasattr(module, "get_delta_weight") and hasattr(module, "base_layer")
    ]
    try:
        with torch.no_grad():
            for layer in layers:
                weight = layer.get_base_layer().weight
                total = weight.data.float()
                for adapter in layer.active_adapters:
                    if adapter in layer.lora_A:
                        total = total + layer.get_delta_weight(adapter).float()
                swapped.append((weight, weight.data))
                weight.data = total.to(weight.dtype)
        with model.disable_adapter():
            yield
    finally:
        for weight, before in swapped:
            weight.data = before
