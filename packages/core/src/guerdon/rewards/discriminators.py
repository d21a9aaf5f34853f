r"""A discriminator of a policy from its reference: how much likelier the policy makes what it was seen to do.

Axes: N samples of the policy, M of the reference, W features.

The logit d(x) is trained towards $\log \mu_\pi(x) / \mu_{ref}(x)$. An MLP with
LeakyReLU between its layers, and the loss

| kind | loss |
|---|---|
| `logistic` | mean softplus(-d) over the policy's samples + mean softplus(d) over the reference's |
| `tanh` | mean tanh(d) over the reference's - mean tanh(d) over the policy's + 0.01 mean d² (for total variation) |

A network knows a few hundred samples by heart in no time, and of those its logits say nothing. So no sample is judged
by a network that was trained on it (`cross_fitted`), and the logits are shrunk by what they are worth on such samples.
A draw depends on the seed and on which fit it is, so that a resumed run goes the same way.

Source: the released code of Correlated Proxies (arXiv 2403.03185), re-implemented: losses and layers. There one network
of 2 x 256 goes on learning and scores what it learned from. Cross-fitting, shrinking, the smaller network, and features
standardised over both sides are ours [choice], as are the optimiser and its settings.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
LossKind = Literal["logistic", "tanh"]
FOLDS = 4
"""Networks of a cross-fit."""
LEAST = 16
"""Samples of either side without which there is no cross-fit."""
DOUBT = 2.0
"""Standard errors by which the two sides' mean tanh(d) must differ before anything is charged; one more, and all is
[choice]. Of cross-fitted logits without any drift, z is wider than a normal's: about one in twenty exceeds 2."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Size and training of a discriminator."""

    hidden: tuple[int, ...] = (64,)
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


@dataclass(frozen=True, eq=False)
class Discriminator:
    """A trained network, and what its features are standardised by."""

    network: Any
    mean_W: Floats
    scale_W: Floats

    def logits(self, features_NW: Floats) -> Floats:
        """The logit of each sample, (N,)."""
        import torch

        with torch.no_grad():
            return np.asarray(self.network(self.standardized(features_NW))[:, 0].double().numpy())

    def standardized(self, features_NW: Floats) -> Tensor:
        """Less the mean, over the spread, float32."""
        import torch

        return torch.as_tensor((features_NW - self.mean_W) / self.scale_W).float()


def fitted(policy_NW: Floats, reference_MW: Floats, settings: Settings, fit: int = 0) -> Discriminator:
    """One trained from the start. Features are standardised over both sides, each counting alike: a word that the
    reference never wrote is no smaller for that.

    Args:
        policy_NW: samples of the policy.
        reference_MW: of the reference.
        settings: size and training.
        fit: which one it is, of those with one seed.
    """
    import torch

    sides = (policy_NW, reference_MW)
    mean = np.mean([side.mean(axis=0) for side in sides], axis=0)
    spread = np.sqrt(np.mean([((side - mean) ** 2).mean(axis=0) for side in sides], axis=0))
    network = _network(policy_NW.shape[1], settings)
    one = Discriminator(network, mean, np.where(spread > 1e-8, spread, 1.0))
    generator = torch.Generator().manual_seed(hash((settings.seed, fit)) % 2**62)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    tensors = [one.standardized(side) for side in sides]
    with torch.enable_grad():
        for _ in range(settings.steps):
            chosen = [
                side
                if len(side) <= settings.batch_size
                else side[torch.randint(len(side), (settings.batch_size,), generator=generator)]
                for side in tensors
            ]
            loss = discriminator_loss(network(chosen[0])[:, 0], network(chosen[1])[:, 0], settings.loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return one


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What networks that did not see a sample say of it."""

    logits_N: Floats
    """Of the policy's samples, shrunk."""
    accuracy: float
    """The mean share of both sides that is told apart, 0.5 by chance; on held-out samples, as all of them are."""
    trust: float
    """0 where the two sides cannot be told apart beyond doubt, 1 where they clearly can, in [0, 1]."""


def cross_fitted(
    policy_NW: Floats,
    reference_MW: Floats,
    owners: tuple[Sequence[Hashable], Sequence[Hashable]],
    settings: Settings,
    fit: int = 0,
) -> CrossFit:
    """Judge each sample by a network trained without it and without anything else of its owner.

    Args:
        policy_NW: samples of the policy, `LEAST` or more.
        reference_MW: of the reference, as many.
        owners: whose sample each is, per side: what is alike for other reasons than the policy (attempts at one prompt,
            turns of one rollout). Two or more of each side.
        settings: of each network; one, without shrinking, where the loss is `tanh`: its logits are no log-ratios.
        fit: as for `fitted`.
    """
    folds = folds_of(*owners)
    policy_N, reference_M = np.zeros(len(policy_NW)), np.zeros(len(reference_MW))
    for fold in range(int(folds[0].max()) + 1):
        apart = [each == fold for each in folds]
        one = fitted(policy_NW[~apart[0]], reference_MW[~apart[1]], settings, FOLDS * fit + fold)
        policy_N[apart[0]], reference_M[apart[1]] = one.logits(policy_NW[apart[0]]), one.logits(reference_MW[apart[1]])
    accuracy = 0.5 * float((policy_N > 0.0).mean() + (reference_M < 0.0).mean())
    told = np.tanh(policy_N), np.tanh(reference_M)
    error = math.hypot(*(_standard_error(side, whose) for side, whose in zip(told, owners, strict=True)))
    apart_by = float(told[0].mean() - told[1].mean())
    z = apart_by / error if error > 0.0 else math.copysign(math.inf, apart_by) if apart_by else 0.0
    scale = 1.0 if settings.loss == "tanh" else shrinkage(policy_N, reference_M)
    return CrossFit(scale * policy_N, accuracy, min(1.0, max(0.0, z - DOUBT)))


def folds_of(policy: Sequence[Hashable], reference: Sequence[Hashable]) -> tuple[Ints, Ints]:
    """The fold of each sample: those of one owner share one, on both sides; at most `FOLDS`, each on both sides.

    >>> [fold.tolist() for fold in folds_of("aabb", "bccd")]
    [[1, 1, 0, 0], [0, 1, 1, 0]]
    """
    sides = [list(dict.fromkeys(side)) for side in (policy, reference)]
    count = min(FOLDS, *map(len, sides))
    shared = [owner for owner in sides[0] if owner in set(sides[1])]
    place: dict[Hashable, int] = {}
    for side in sides:  # an owner that both have comes first, so that each side has all folds
        own = [*shared, *(owner for owner in side if owner not in set(shared))]
        place.update({owner: number % count for number, owner in enumerate(own)})
    return np.array([place[owner] for owner in policy]), np.array([place[owner] for owner in reference])


def shrinkage(policy_N: Floats, reference_M: Floats) -> float:
    """The factor in [0, 1] at which held-out logits have the smallest logistic loss: 0 where they only mislead.

    >>> shrinkage(np.array([1.0, -1.0]), np.array([1.0, -1.0]))
    0.0
    """

    def slope(scale: float) -> float:
        return float(
            (reference_M * _sigmoid(scale * reference_M)).mean() - (policy_N * _sigmoid(-scale * policy_N)).mean()
        )

    low, high = 0.0, 1.0
    if slope(low) >= 0.0:
        return low
    if slope(high) <= 0.0:
        return high
    for _ in range(40):  # convex: the slope rises
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
    return low


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def _standard_error(values: Floats, owners: Sequence[Hashable]) -> float:
    """Of the mean; an owner's samples go up and down together, if they do. The larger of that and of independence."""
    left = values - values.mean()
    sums: dict[Hashable, float] = {}
    for owner, value in zip(owners, left.tolist(), strict=True):
        sums[owner] = sums.get(owner, 0.0) + value
    together = math.fsum(value * value for value in sums.values())
    return math.sqrt(max(together, float((left**2).sum()))) / len(values)


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
