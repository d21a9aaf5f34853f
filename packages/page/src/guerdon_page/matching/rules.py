r"""Rules that choose one of the available neighbours, those that have not succeeded yet; none available, skip.

| rule | attempts |
|---|---|
| `greedy` | the largest $p_{uv} w_u$ |
| `balance` | Stochastic Balance: the largest $p_{uv} w_u f(L_u)$, L the chances attempted so far, successful or not |
| `ranking` | the best rank of one random order drawn at the start; chances are ignored |
| `random` | any, with equal chance |
| `plan` | non-adaptive, made beforehand: the largest $(1 - z_u) p_{uv} w_u$, then $z_u \mathrel{+}= (1 - z_u) p_{uv}$ |

Ties go to the smallest number, which makes greedy look optimal on sorted graphs: relabel at random, or break ties at
random (`simulation`). $f(L) = e^{-L}$ is the authors' code's; other analyses use other decreasing functions.

Source: the fact sheet: [code] for balance and ranking, [notes] for non-adaptive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

from guerdon_page.matching.instances import Instance

Rule = Literal["greedy", "balance", "ranking", "random"]
RULES: tuple[Rule, ...] = get_args(Rule)
Decay = Callable[[float], float]


def exponential(load: float) -> float:
    """`exp(-L)`."""
    return math.exp(-load)


def budgeted(load: float) -> float:
    """`1 - exp(min(L, 1) - 1)`, AdWords' trade-off for loads that end at 1; a little above 0 beyond [memory]."""
    return max(1.0 - math.exp(min(load, 1.0) - 1.0), 1e-12)


def plan(instance: Instance) -> tuple[list[int | None], float]:
    """The non-adaptive rule: what it attempts at each arrival, and its value, the sum of `w_u z_u`.

    An attempt at a vertex that has succeeded already is wasted.

    >>> plan(Instance.of(1, [{0: 0.25}] * 4))
    ([0, 0, 0, 0], 0.68359375)
    """
    done, worth = [0.0] * instance.offline, instance.worth
    chosen: list[int | None] = []
    for arrival in instance.arrivals:
        if not arrival:
            chosen.append(None)
            continue
        u, chance = max(arrival, key=lambda edge: ((1.0 - done[edge[0]]) * edge[1] * worth[edge[0]], -edge[0]))
        done[u] += (1.0 - done[u]) * chance
        chosen.append(u)
    return chosen, math.fsum(w * z for w, z in zip(worth, done, strict=True))
