r"""Ctrl-U's differentiable reward: a reward model's loss, weighed down where two looks at one input disagree.

A frozen perception model sees two outputs of the generator, made from the same noise at neighbouring noise levels $t_1$
and $t_2$ (`second_look`): the primary and the auxiliary look. Per pixel, $U$ is how far its two predictions are apart
and $l$ the loss of the primary one against the condition. Per image and over the batch:

$$R_b = \overline{l\,e^{-U/\tau}}, \qquad m_b = [t_{min} \le t_b \le t_{max}], \qquad
  R = \frac{\sum_b m_b R_b}{\sum_b m_b + 10^{-10}}, \qquad V = \frac{\sum_b m_b \overline{U}_b}{\sum_b m_b + 10^{-10}}$$

and the whole adds $g(\text{step})\,R + v\,V$ to the noise loss of both looks.

| task | U | loss | v |
|---|---|---|---|
| segmentation | u KL(auxiliary from primary) over classes: `segmentation_uncertainty` | cross-entropy | 1 |
| depth | the absolute difference: `depth_uncertainty` | squared error | u |
| edges | that of channel 0: `edge_uncertainty` | squared error, mean over channels | u |

As released, gradients flow through both looks and through the weight. Without V a generator may learn to make the looks
disagree; watch its mean. All is computed in float32 or wider. Two looks that are wrong alike keep their full weight.

Source: Ctrl-U (arXiv:2410.11236), after the authors' code, not the paper's equations; tau [choice]. For rewards without
a gradient see `guerdon.rewards.uncertainty`. Axes: B images, C classes or channels, P pixels (any shape).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = 255
"""A label that stands for no class."""
_TINY = 1e-10
"""Keeps a batch in which every time is masked at 0 rather than NaN."""


@dataclass(frozen=True, slots=True)
class UncertainReward:
    """The two terms of a batch, scalars."""

    reward: Tensor
    """R, the weighted reward loss."""
    uncertainty: Tensor
    """V, the mean uncertainty."""

    def total(self, step: int, *, scale: float = 1.0, penalty: float = 1.0, ramp_steps: int = 5000) -> Tensor:
        """g(step) R + v V, to be added to the noise loss.

        Args:
            step: the update, from 0: the reward is ramped up, the penalty is on from the start.
            scale: what R counts past the ramp: 0.1 for segmentation, 1 for depth and edges as released.
            penalty: v.
            ramp_steps: 0 for none (edges).
        """
        return ramp(step, scale, ramp_steps) * self.reward + penalty * self.uncertainty


def second_look(t: int, delta: int = 1, last: int = 999) -> int:
    """The auxiliary look's time; at the last one both looks coincide. For the training loop, where it draws the noise.

    >>> [second_look(t) for t in (0, 399, 998, 999)]
    [1, 400, 999, 999]
    """
    return min(t + delta, last)


def ramp(step: int, scale: float = 1.0, steps: int = 5000) -> float:
    """From 0 to `scale` over that many steps."""
    return scale * min(1.0, step / steps) if steps else scale


def weighted_reward(
    loss_BP: Tensor,
    uncertainty_BP: Tensor,
    times_B: Tensor,
    *,
    valid_BP: Tensor | None = None,
    t_min: int = 0,
    t_max: int = 400,
    tau: float = 1.0,
    detach: bool = False,
) -> UncertainReward:
    """R and V of a batch; see the module's head.

    Args:
        loss_BP: the primary look's loss per pixel.
        uncertainty_BP: U >= 0, of the same shape: of two looks, or of an ensemble.
        times_B: the primary look's time.
        valid_BP: bool; pixels that count in R. V counts all of them, as released.
        t_min: the first time whose one-step estimate is worth rewarding.
        t_max: the last.
        tau: the uncertainty at which a pixel weighs 1/e.
        detach: let no gradient through the weight (not as released). V keeps its own.

    Raises:
        ConfigError: tau is not above 0, or the shapes differ.
    """
    import torch

    if not tau > 0.0:
        raise ConfigError(f"weighted_reward: tau is {tau!r}; a number > 0 is needed")
    shapes = [tuple(one.shape) for one in (loss_BP, uncertainty_BP, valid_BP) if one is not None]
    if len(set(shapes)) > 1 or times_B.shape != loss_BP.shape[:1]:
        raise ConfigError(f"weighted_reward: shapes {shapes} for {tuple(times_B.shape)} times do not go together")
    kept_B = inside(times_B, t_min, t_max)
    # Filled before anything is computed with them, not after, and not times 0: what does not count may be NaN, and 0
    # times NaN is NaN, in the values and in the gradients.
    loss_BP, uncertainty_BP = (
        _wide(values_BP).flatten(1).masked_fill(~kept_B[:, None], 0.0) for values_BP in (loss_BP, uncertainty_BP)
    )
    doubt_BP = uncertainty_BP.detach() if detach else uncertainty_BP
    if valid_BP is None:
        reward_B = (torch.exp(-doubt_BP / tau) * loss_BP).mean(dim=1)
    else:
        valid_BP = valid_BP.flatten(1)
        loss_BP, doubt_BP = loss_BP.masked_fill(~valid_BP, 0.0), doubt_BP.masked_fill(~valid_BP, 0.0)
        reward_B = (torch.exp(-doubt_BP / tau) * loss_BP).sum(dim=1) / valid_BP.sum(dim=1).clamp(min=1)
    count = kept_B.sum() + _TINY
    return UncertainReward(reward_B.sum() / count, uncertainty_BP.mean(dim=1).sum() / count)


def inside(times_B: Tensor, t_min: int = 0, t_max: int = 400) -> Tensor:
    """Which images' one-step estimates are worth rewarding, bool.

    `weighted_reward` asks by itself. Ask before decoding all the same, and decode, perceive and weigh the rows inside
    alone (`latents[inside(t)]`): that is cheaper, and keeps a NaN of a blurred estimate out of the gradients of
    whatever made it, which no mask on its loss can: the chain rule multiplies the mask's 0 by it.
    """
    return (times_B >= t_min) & (times_B <= t_max)


def _wide(values: Tensor) -> Tensor:
    """In float32 or wider: in half precision 1e-10 is 0, and squares of depths overflow."""
    import torch

    return values.to(torch.promote_types(values.dtype, torch.float32))


def segmentation_uncertainty(primary_BCP: Tensor, auxiliary_BCP: Tensor, u: float = 1.0) -> Tensor:
    """KL(auxiliary || primary) over classes, times u, per pixel, from logits; in float32: half precision gave NaN."""
    first_BCP, second_BCP = primary_BCP.float().log_softmax(dim=1), auxiliary_BCP.float().log_softmax(dim=1)
    return u * (second_BCP.exp() * (second_BCP - first_BCP)).sum(dim=1)


def segmentation_loss(primary_BCP: Tensor, labels_BP: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy per pixel (0 where the label is 255), and which pixels have a label."""
    import torch.nn.functional as F  # noqa: N812 - as everybody writes it

    loss_BP = F.cross_entropy(primary_BCP.float(), labels_BP.long(), ignore_index=IGNORED, reduction="none")
    return loss_BP, labels_BP != IGNORED


def depth_uncertainty(primary_BP: Tensor, auxiliary_BP: Tensor) -> Tensor:
    """The absolute difference per pixel, not scaled by u."""
    return (_wide(primary_BP) - _wide(auxiliary_BP)).abs()


def depth_loss(primary_BP: Tensor, target_BP: Tensor) -> Tensor:
    """The squared error per pixel, of the maps as given; put both through `over_maximum` first, as released."""
    return (_wide(primary_BP) - _wide(target_BP)).square()


def over_maximum(depth_BP: Tensor) -> Tensor:
    """Each map divided by its own largest value, which is held at 1e-6 for a map of zeros [choice].

    For the training loop, on prediction and target, before `depth_loss`.
    """
    depth_BP = _wide(depth_BP)
    largest_B = depth_BP.flatten(1).amax(dim=1).clamp(min=1e-6)
    return depth_BP / largest_B.view(-1, *[1] * (depth_BP.dim() - 1))


def edge_uncertainty(primary_BCP: Tensor, auxiliary_BCP: Tensor) -> Tensor:
    """The absolute difference of channel 0 per pixel, not scaled by u."""
    return (_wide(primary_BCP[:, 0]) - _wide(auxiliary_BCP[:, 0])).abs()


def edge_loss(primary_BCP: Tensor, target_BCP: Tensor) -> Tensor:
    """The squared error per pixel, mean over channels."""
    return (_wide(primary_BCP) - _wide(target_BCP)).square().mean(dim=1)
