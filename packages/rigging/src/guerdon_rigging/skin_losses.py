"""What a skin codec's reconstruction costs: BCE, squared error and Dice, of sparse columns.

Most entries of a skin are 0. Squared error is nearly content with all zeros; cross entropy pulls an active entry 15
times as hard as an inactive one, and Dice, which sees the overlap alone, 137 times (5 % active).

Axes: K bones, P points. Source: SkinTokens (arXiv 2602.04805), read through a third party; the weights 1, 0.1 and 1 are
a choice ("MSE small"; the values are not known).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_PROBABILITY = 1e-6
DICE_EPS = 1e-4


@dataclass(frozen=True)
class SkinLoss:
    """bce x BCE + mse x MSE + dice x Dice, each a mean; a weight of 0 leaves its term out."""

    bce: float = 1.0
    mse: float = 0.1
    dice: float = 1.0

    def __call__(self, predicted: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
        """Predictions in [0, 1] and targets, (..., P), a row a bone; `counted`, of 0 and 1, leaves some out."""
        total = predicted.new_zeros(())
        if self.bce:
            total = total + self.bce * bce(predicted, target, counted)
        if self.mse:
            total = total + self.mse * mse(predicted, target, counted)
        if self.dice:
            total = total + self.dice * dice(predicted, target, counted)
        return total


def bce(predicted: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """-mean(w log p + (1 - w) log(1 - p)), p held in [1e-6, 1 - 1e-6].

    Targets are soft, so a perfect prediction does not reach 0. The paper's form, as quoted, sums; this is the mean
    [choice].
    """
    held = predicted.float().clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return _mean(-(target * torch.log(held) + (1 - target) * torch.log1p(-held)), counted)


def mse(predicted: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """mean((p - w)^2)."""
    return _mean((predicted - target) ** 2, counted)


def dice(predicted: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """1 - (2 sum p w + e) / (sum p^2 + sum w^2 + e), e = 1e-4, of each bone; the mean over bones [choice].

    It is harsh on bones without support, (0.89 for a prediction of 0.01 on 8 points); leave those out of training.
    """
    if counted is not None:
        predicted, target = predicted * counted, target * counted
    overlap = (predicted * target).sum(-1)
    sizes = (predicted**2).sum(-1) + (target**2).sum(-1)
    return (1 - (2 * overlap + DICE_EPS) / (sizes + DICE_EPS)).mean()


def _mean(values: Tensor, counted: Tensor | None) -> Tensor:
    return values.mean() if counted is None else (values * counted).sum() / counted.sum().clamp(min=1)
