r"""A discriminator of a policy from its reference: how much likelier the policy makes what it was seen to do.

Axes: N samples of the policy, M of the reference, W features.

The logit d(x) is trained towards $\log \mu_\pi(x) / \mu_{ref}(x)$. An MLP with
LeakyReLU between its layers, and the loss

| kind | loss |
|---|---|
| `logistic` | mean softplus(-d) over the policy's samples + mean softplus(d) over the reference's |
| `tanh` | mean tanh(d) over the reference's - mean tanh(d) over the policy's + 0.01 mean d² (for total variation) |

Its state is a value: dicts, numbers and tensors that a checkpoint holds. `fitted` gives the next one and leaves the
last as it was. A draw depends on the seed and on how often it was fitted, so that a resumed run goes the same way.

Source: the released code of Correlated Proxies (arXiv 2403.03185), re-implemented; optimiser and its settings [choice].
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = NDArray[np.float64]
LossKind = Literal["logistic", "tanh"]
State = Mapping[str, Any]
HELD_OUT = 8
"""One in so many samples is not learned from, and tells how well the discriminator does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Size and training of a discriminator."""

    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 1e-3
    """Adam's [choice]."""
    steps: int = 50
    """Optimiser steps per fit [choice]."""
    batch_size: int = 256
    """Samples of each side per step; all of them where there are fewer."""
    loss: LossKind = "logistic"
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(isinstance(width, int) and width > 0 for width in self.hidden):
            raise ConfigError(f"hidden is {self.hidden!r}; whole numbers above 0 are needed")
        if not 0.0 < self.learning_rate < float("inf"):
            raise ConfigError(f"learning_rate is {self.learning_rate!r}; a finite number above 0 is needed")
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; a whole number above 0 is needed")


def discriminator_loss(policy_N: Tensor, reference_M: Tensor, kind: LossKind = "logistic") -> Tensor:
    """The loss of logits; see the module's head.

    >>> import torch
    >>> round(float(discriminator_loss(torch.zeros(2), torch.zeros(3))), 6)
    1.386294
    """
    import torch

    if kind == "tanh":
        both = torch.cat([policy_N, reference_M])
        return reference_M.tanh().mean() - policy_N.tanh().mean() + 0.01 * both.square().mean()
    softplus = torch.nn.functional.softplus
    return softplus(-policy_N).mean() + softplus(reference_M).mean()


def initial(reference_MW: Floats, settings: Settings) -> State:
    """An untrained one. Features are standardised by the reference's mean and spread, for good."""
    import torch

    mean, spread = reference_MW.mean(axis=0), reference_MW.std(axis=0)
    network = _network(reference_MW.shape[1], settings)
    return {
        "mean": torch.tensor(mean),
        "scale": torch.tensor(np.where(spread > 1e-8, spread, 1.0)),
        "weights": network.state_dict(),
        "optimizer": None,
        "fits": 0,
    }


def fitted(state: State, policy_NW: Floats, reference_MW: Floats, settings: Settings) -> tuple[State, float]:
    """The next state, and the held-out accuracy: the mean share of both sides that is told apart, 0.5 by chance.

    Every eighth sample of each side is held out where both have 16 or more; else the accuracy is NaN. With few
    reference samples a policy can go where the discriminator has learned nothing: watch it.
    """
    import torch

    generator = torch.Generator().manual_seed(hash((settings.seed, state["fits"])) % 2**62)
    sides = [_standardized(state, features) for features in (policy_NW, reference_MW)]
    holds = min(map(len, sides)) >= 2 * HELD_OUT
    held = [side[::HELD_OUT] for side in sides] if holds else []
    if holds:
        sides = [side[torch.arange(len(side)) % HELD_OUT != 0] for side in sides]
    network = _network(policy_NW.shape[1], settings)
    network.load_state_dict(state["weights"])
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    if state["optimizer"] is not None:
        optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # it would go on in the tensors it is given
    with torch.enable_grad():
        for _ in range(settings.steps):
            chosen = [
                side
                if len(side) <= settings.batch_size
                else side[torch.randint(len(side), (settings.batch_size,), generator=generator)]
                for side in sides
            ]
            loss = discriminator_loss(network(chosen[0])[:, 0], network(chosen[1])[:, 0], settings.loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    accuracy = float("nan")
    if holds:
        with torch.no_grad():
            right = [network(held[0])[:, 0] > 0.0, network(held[1])[:, 0] < 0.0]
        accuracy = float(sum(each.double().mean() for each in right) / 2)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    after = {"weights": weights, "optimizer": optimizer.state_dict(), "fits": state["fits"] + 1}
    return {**state, **after}, accuracy


def logits(state: State, features_NW: Floats, settings: Settings) -> Floats:
    """The logit of each sample, (N,)."""
    import torch

    network = _network(features_NW.shape[1], settings)
    network.load_state_dict(state["weights"])
    with torch.no_grad():
        return np.asarray(network(_standardized(state, features_NW))[:, 0].double().numpy())


def _standardized(state: State, features: Floats) -> Tensor:
    import torch

    mean, scale = (torch.as_tensor(state[name]) for name in ("mean", "scale"))
    return ((torch.as_tensor(np.asarray(features)) - mean) / scale).float()


def _network(width: int, settings: Settings) -> torch.nn.Sequential:
    """Untrained layers, the same for the same seed."""
    import torch

    layers: list[torch.nn.Module] = []
    with torch.random.fork_rng(devices=[]):  # new layers draw weights, and the caller's generator is not ours
        torch.manual_seed(settings.seed)
        for size in settings.hidden:
            layers += [torch.nn.Linear(width, size), torch.nn.LeakyReLU()]
            width = size
        return torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
