r"""The loss of a reward model that learns from pairs, centred so that models can be compared and combined.

$$-\log \sigma(r^+ - r^-) + \eta\,(r^+ + r^-)^2$$

Pairs tell differences alone: a constant added to both scores changes no probability, so models trained apart come out
with zeros apart, and their least or their median compares what cannot be compared. The second term pins the zero: a
pair's scores lie around it. Source: Eisenstein et al. (arXiv:2312.09244); eta 0.01 is what TRL recommends for its
`center_rewards_coefficient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def centred_bradley_terry(chosen_P: Tensor, rejected_P: Tensor, eta: float = 0.01) -> Tensor:
    """The loss of each of P pairs, from the two scores; eta 0 leaves the scores' zero free.

    >>> import torch
    >>> centred_bradley_terry(torch.tensor([1.0, 11.0]), torch.tensor([0.0, 10.0]))
    tensor([0.3233, 4.7233])
    """
    import torch.nn.functional as F  # noqa: N812 - as everybody writes it

    return -F.logsigmoid(chosen_P - rejected_P) + eta * (chosen_P + rejected_P).square()
