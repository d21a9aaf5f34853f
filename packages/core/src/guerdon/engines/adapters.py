"""Low-rank adapters while generating: fold them into the weights once, not into every token's forward pass.

For an engine that shares the module they are folded in place (`merged`); for one that does not, the folded weights are
handed over one by one (`PlainWeights`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from guerdon.engines.attention import plain


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
    try:
        with torch.no_grad():
            for layer in filter(_adapted, model.modules()):
                weight = layer.get_base_layer().weight
                total = merged_weight(layer)
                swapped.append((weight, weight.data))
                weight.data = total
        with model.disable_adapter():
            yield
    finally:
        for weight, before in swapped:
            weight.data = before


def merged_weight(layer: Any) -> torch.Tensor:
    """`weight + delta` of an adapted layer, summed in float32, in the weight's own dtype; a fresh tensor."""
    weight: torch.Tensor = layer.get_base_layer().weight
    total: torch.Tensor = weight.data.float()
    for adapter in layer.active_adapters:
        if adapter in layer.lora_A:
            total = total + layer.get_delta_weight(adapter).float()
    return total.to(weight.dtype)


class PlainWeights(Mapping[str, torch.Tensor]):
    """A model's parameters by the names of a plain checkpoint, adapters merged in when a tensor is asked for.

    So no more than one merged tensor need exist at a time. Tied weights come once, under their first name.
    """

    def __init__(self, model: Any) -> None:
        """The model itself, or a peft wrapper of it; its weights at the time of asking are meant."""
        inner = plain(model)
        self._adapted = {f"{name}.weight": layer for name, layer in inner.named_modules() if _adapted(layer)}
        self._parameters: dict[str, torch.Tensor] = {
            name.replace(".base_layer.", "."): parameter
            for name, parameter in inner.named_parameters()
            if ".lora_" not in name
        }

    @torch.no_grad()
    def __getitem__(self, name: str) -> torch.Tensor:
        if name in self._adapted:
            return merged_weight(self._adapted[name])
        return self._parameters[name].detach()

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def _adapted(module: Any) -> bool:
    return hasattr(module, "get_delta_weight") and hasattr(module, "base_layer")
