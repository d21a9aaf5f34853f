r"""The limit of vanishing chances for typed instances whose available vertices are alike whenever a type comes.

A type of mass 1 is an infinity of attempts whose successes form a Poisson process of rate 1 while a neighbour is
available. Where all available neighbours of a type have the same history, any of them is as likely as another to
succeed next; so with a of them, $\min(\mathrm{Poisson}(1), a)$ succeed, a random subset. Computed exactly, over all
$2^n$ sets.

It holds for Stochastic Balance, Ranking (before any type tells two vertices apart) and Random on `triangular`, `star`
and `twelve`. Source: [derived] for the fact sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from guerdon.errors import ConfigError

MOST_VERTICES = 18


def limit_value(offline: int, types: Sequence[Sequence[int]], mass: float = 1.0) -> float:
    """The expected number of successes in the limit.

    Args:
        offline: n <= 18 vertices.
        types: neighbours of each type, in order of arrival.
        mass: of each type.

    Raises:
        ConfigError: too many vertices, one that is not there, or a mass below 0.

    >>> round(limit_value(1, [[0]]), 6)
    0.632121
    """
    import numpy as np

    if not 0 <= offline <= MOST_VERTICES:
        raise ConfigError(f"offline is {offline!r}; 0 to {MOST_VERTICES} vertices are possible here")
    if not 0.0 <= mass < math.inf:
        raise ConfigError(f"mass is {mass!r}; a finite number >= 0 is needed")
    if wrong := [u for near in types for u in near if not 0 <= u < offline]:
        raise ConfigError(f"a type names the vertex {wrong[0]!r}; there are {offline}")
    sets = np.arange(2**offline)
    chance = np.zeros(2**offline)
    chance[-1] = 1.0  # all available
    for near in types:
        distinct = sorted(set(near))
        bits = [1 << u for u in distinct]
        available = np.zeros(len(sets), dtype=int)
        for bit in bits:
            available += (sets & bit) > 0
        left, mixed = 1.0, np.zeros_like(chance)
        for k in range(len(distinct)):
            share = math.exp(-mass) * mass**k / math.factorial(k)
            mixed += share * chance
            left -= share
            after = np.where(available == 0, chance, 0.0)
            for bit in bits:
                has = np.flatnonzero(sets & bit)
                after[has ^ bit] += chance[has] / available[has]
            chance = after
        chance = mixed + left * chance
    alive = sum(((sets >> u) & 1) for u in range(offline)) if offline else np.zeros(1)
    return float(offline - (chance * alive).sum())
