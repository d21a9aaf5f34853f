"""Float32 masters under half-precision compute.

Weights held in bfloat16 have eight bits of mantissa: an update of 1e-5 on a weight of 0.02 is rounded away. So the
optimiser sees float32 masters, the model computes with bfloat16 copies; gradients are handed up and freed as they
appear, weights handed down after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch


class Masters:
    """The trainable parameters of a module, in float32, under their own names.

    A parameter that computes in float32 is its own master.
    """

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        """Turns the module's parameters to `dtype` in place, frozen and trainable ones (adapters too: in float32 they
        would cast every activation); buffers stay as they are.
        """
        self.pairs: dict[str, tuple[torch.nn.Parameter, torch.nn.Parameter]] = {}
        """Name -> (master, compute parameter)."""
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(dtype)
                continue
            if dtype == torch.float32:
                parameter.data = parameter.data.float()
                self.pairs[name] = (parameter, parameter)
                continue
            master = torch.nn.Parameter(parameter.data.float().clone())
            parameter.data = parameter.data.to(dtype)
            parameter.register_post_accumulate_grad_hook(_hand_up(master))  # type: ignore[no-untyped-call]
            self.pairs[name] = (master, parameter)

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The masters, in the module's order, less those of parameters that want no gradient at present."""
        return (master for master, parameter in self.pairs.values() if parameter.requires_grad)

    def state(self) -> dict[str, torch.Tensor]:
        """Name -> float32 values, detached and not copied."""
        return {name: master.detach() for name, (master, _) in self.pairs.items()}

    @torch.no_grad()
    def hand_down(self) -> None:
        """Round the masters into the compute weights."""
        for master, parameter in self.pairs.values():
            if parameter is not master:
                parameter.copy_(master)

    @torch.no_grad()
    def take(self, model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        """Compute with these values, by name, whether trained or frozen: into `model`, these masters' own, and them.

        Raises:
            KeyError: the model has no such parameter.
        """
        parameters = dict(model.named_parameters())
        for name, values in weights.items():
            parameters[name].copy_(values)
            if name in self.pairs:
                self.pairs[name][0].copy_(values)

    @torch.no_grad()
    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take values by name, then hand them down. Every name must be there.

        Raises:
            KeyError: a parameter is missing from `state`.
        """
        for name, (master, _) in self.pairs.items():
            master.copy_(state[name])
        self.hand_down()


def _hand_up(master: torch.nn.Parameter) -> Callable[[torch.Tensor], None]:
    """A hook that adds a parameter's fresh gradient to its master's and frees it.

    The master's buffer is kept between steps: `zero_grad` may let go of it, and fresh memory of that size costs more
    than the sum.
    """
    buffer: torch.Tensor | None = None

    def hook(parameter: torch.Tensor) -> None:
        nonlocal buffer
        grad, parameter.grad = parameter.grad, None
        if grad is None:
            return
        if master.grad is not None:
            master.grad.add_(grad)
            return
        if buffer is None:
            buffer = torch.empty_like(master, requires_grad=False)
        master.grad = buffer.copy_(grad)

    return hook
