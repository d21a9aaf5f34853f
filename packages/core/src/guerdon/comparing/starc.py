r"""STARC distances: how differently two rewards order policies, by what can change that order alone.

$d(R_1, R_2) = \lVert s(R_1) - s(R_2) \rVert,\quad s(R) = c(R) / \lVert c(R) \rVert$, c a canonicalisation.

0 where every policy pair is ordered alike; 2, with L2, where c(R_1) = -c(R_2); 1 between a reward under which all
policies are equal and one under which they are not; 0 between two of the former. Not halved [choice].

The distance bounds the worst regret of optimising the one reward in place of the other, from above and below (up to
constants of the process); it is not that regret, which may be 0 far from 0. It knows no scale: a reward too small to
learn from is at distance 0 from what it is a fraction of. Rewards of different processes cannot be compared.

Source: STARC (Skalse et al. 2023, arXiv 2309.15257). Norms and metric are one L_p, taken over S×A×S.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.canonical import CANONICAL, Canonical
from guerdon.comparing.mdp import FiniteMDP, Floats
from guerdon.errors import ConfigError

Norm = Literal["L1", "L2", "Linf"]
ORDERS: dict[str, float] = {"L1": 1.0, "L2": 2.0, "Linf": np.inf}
TRIVIAL = 1e-10
"""A canonical reward with a smaller norm, relative to the reward's own where that is above 1, counts as none [choice]:
what subtraction leaves of a large potential is rounding."""


def size(values: Floats, norm: Norm = "L2") -> Floats:
    """The L_p norm over the last three axes, as one vector, (...)."""
    flat = np.abs(values).reshape(*values.shape[:-3], -1)
    if norm not in ORDERS:
        raise ConfigError(f"norm is {norm!r}; accepted are {', '.join(map(repr, ORDERS))}")
    return np.asarray(np.linalg.norm(flat, ORDERS[norm], axis=-1))


def standardized(mdp: FiniteMDP, reward: ArrayLike, canonical: str | Canonical = "val", norm: Norm = "L2") -> Floats:
    """s(R), (..., S, A, S): of norm 1, or all 0 where no two policies differ under the reward.

    Args:
        mdp: the process both rewards are of.
        reward: (..., S, A, S) or (S, A).
        canonical: a name in `CANONICAL`, or a function like them.
        norm: what to divide by.

    Raises:
        ConfigError: an unknown name, or as `FiniteMDP.reward`.
    """
    if isinstance(canonical, str):
        if canonical not in CANONICAL:
            raise ConfigError(f"canonical is {canonical!r}; accepted are {', '.join(map(repr, CANONICAL))}")
        canonical = CANONICAL[canonical]
    table = mdp.reward(reward)
    values = canonical(mdp, table)
    own = size(values, norm)
    trivial = own < TRIVIAL * np.maximum(1.0, size(table, norm))
    scale = np.where(trivial, np.inf, own)
    return np.asarray(values / scale[..., None, None, None])


def distance(
    mdp: FiniteMDP, first: ArrayLike, second: ArrayLike, canonical: str | Canonical = "val", norm: Norm = "L2"
) -> Floats:
    """The STARC distance, (...), in [0, 2]; one per pair where rewards are stacks.

    Args and raises: as `standardized`.
    """
    one, other = (standardized(mdp, reward, canonical, norm) for reward in (first, second))
    return size(one - other, norm)
