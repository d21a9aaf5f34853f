"""Drawing among choices that are all at hand: what policies without a vocabulary of tokens have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from guerdon.errors import PolicyError
from guerdon.protocols import Sampling


def refuse_cuts(sampling: Sampling, who: str) -> None:
    """Refuse top-p and top-k, which make no sense among few choices.

    Args:
        sampling: what is asked for.
        who: draws from what ("a table samples from its whole row").

    Raises:
        PolicyError: one of them is asked for.
    """
    if sampling.top_p != 1.0 or sampling.top_k:
        raise PolicyError(f"{who}: top_p=1.0 and top_k=0 are accepted, not {sampling}")


def drawn(logits: npt.NDArray[np.float64], temperature: float, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """(...): one of the last axis' choices for each row, by its chance softmax(logits), as Gumbel-max draws.

    Args:
        logits: (..., C), divided by the temperature already; -inf for what is no choice.
        temperature: 0 takes the likeliest, the first of equals, and draws nothing.
        random: of the draws.
    """
    noise = random.gumbel(size=logits.shape) if temperature else 0.0
    return np.asarray((logits + noise).argmax(axis=-1))
