"""Exact values on small instances: of the rules, by recursion over success and failure, and of the best policies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.rules import RULES, Decay, Rule, exponential

Choose = Callable[[int, tuple[bool, ...], Mapping[int, float]], int | None]
"""A policy: told how many arrivals come after this one, who is available and the chances on offer, what it tries."""
MOST_ARRIVALS = 16
MOST_STATES = 2_000_000


def rule_value(instance: Instance, rule: Rule, decay: Decay = exponential) -> float:
    """The expected worth of what succeeds under a rule; exact.

    Args:
        instance: of at most 16 arrivals, and for `ranking` at most 7 offline vertices.
        rule: ties go to the smallest number.
        decay: f of `balance`.

    Raises:
        ConfigError: no such rule, or the instance is too large; `simulation` takes any.

    >>> rule_value(Instance.of(1, [{0: 0.25}] * 4), "balance")
    0.68359375
    """
    one_of("rule", rule, RULES)
    _check_size(len(instance.arrivals), MOST_ARRIVALS, "arrivals")
    worth = instance.worth
    if rule == "ranking":
        _check_size(instance.offline, 7, "offline vertices under ranking")
        orders = list(itertools.permutations(range(instance.offline)))
        values = [_value(instance, _by_rank(order)) for order in orders]
        return math.fsum(values) / len(values)
    scores: dict[Rule, Callable[[int, float, float], float]] = {
        "greedy": lambda u, p, load: p * worth[u],
        "balance": lambda u, p, load: p * worth[u] * decay(load),
        "random": lambda u, p, load: 0.0,
    }
    return _value(instance, scores[rule], spread=rule == "random")


def _by_rank(rank: Sequence[int]) -> Callable[[int, float, float], float]:
    return lambda u, p, load: -float(rank[u])


def _value(instance: Instance, score: Callable[[int, float, float], float], *, spread: bool = False) -> float:
    worth = instance.worth

    @cache
    def after(step: int, dead: int, loads: tuple[float, ...]) -> float:
        if step == len(instance.arrivals):
            return 0.0
        open_edges = [(u, p) for u, p in instance.arrivals[step] if not dead >> u & 1]
        if not open_edges:
            return after(step + 1, dead, loads)
        if not spread:
            best = max(score(u, p, loads[u]) for u, p in open_edges)
            open_edges = [next(edge for edge in open_edges if score(*edge, loads[edge[0]]) >= best - 1e-12)]
        total = 0.0
        for u, p in open_edges:
            loaded = (*loads[:u], round(loads[u] + p, 12), *loads[u + 1 :])
            won = p * (worth[u] + after(step + 1, dead | 1 << u, loaded))
            total += (won + (1.0 - p) * after(step + 1, dead, loaded)) / len(open_edges)
        return total

    return after(0, 0, (0.0,) * instance.offline)


def policy_value(instance: Instance, choose: Choose) -> float:
    """The expected worth of what succeeds under any policy that looks at no loads; exact.

    Args:
        instance: any whose arrivals times sets of offline vertices are at most about two million.
        choose: the policy; what is not on offer skips.

    Raises:
        ConfigError: the instance is too large.

    >>> policy_value(Instance.of(1, [{0: 0.25}] * 4), lambda left, alive, edges: 0)
    0.68359375
    """
    _check_size(len(instance.arrivals) * 2**instance.offline, MOST_STATES, "states")
    worth, after = instance.worth, [0.0] * 2**instance.offline
    for left, arrival in enumerate(reversed(instance.arrivals)):
        now = []
        for dead in range(len(after)):
            alive = tuple(not dead >> u & 1 for u in range(instance.offline))
            edges = {u: p for u, p in arrival if alive[u]}
            tried = choose(left, alive, edges)
            if tried is None or tried not in edges:
                now.append(after[dead])
            else:
                p = edges[tried]
                now.append(p * (worth[tried] + after[dead | 1 << tried]) + (1.0 - p) * after[dead])
        after = now
    return after[0]


def best_online(instance: Instance) -> float:
    """The best policy that takes arrivals in their order, knowing the graph and not the coins.

    Raises:
        ConfigError: the instance has more than about two million states.
    """
    _check_size(len(instance.arrivals) * 2**instance.offline, MOST_STATES, "states")
    worth, after = instance.worth, [0.0] * 2**instance.offline
    for arrival in reversed(instance.arrivals):
        after = [
            max(
                [after[dead]]
                + [
                    p * (worth[u] + after[dead | 1 << u]) + (1.0 - p) * after[dead]
                    for u, p in arrival
                    if not dead >> u & 1
                ]
            )
            for dead in range(len(after))
        ]
    return after[0]


def s_opt(instance: Instance) -> float:
    """S-OPT: the best policy that knows the graph and not the coins, adaptive, taking arrivals in any order.

    By dynamic programming over how many arrivals of each type are left and who has succeeded.

    Raises:
        ConfigError: the instance has more than about two million states.

    >>> s_opt(Instance.of(2, [{0: 1.0, 1: 1.0}, {0: 1.0}]))
    2.0
    """
    kinds = [(arrival, count) for arrival, count in instance.types if arrival]
    _check_size(math.prod(count + 1 for _, count in kinds) * 2**instance.offline, MOST_STATES, "states")
    worth = instance.worth
    value: dict[tuple[int, ...], Sequence[float]] = {}
    for left in itertools.product(*(range(count + 1) for _, count in kinds)):
        row = [0.0] * 2**instance.offline
        for kind, (arrival, _) in enumerate(kinds):
            if not left[kind]:
                continue
            after = value[(*left[:kind], left[kind] - 1, *left[kind + 1 :])]
            for dead in range(len(row)):
                for u, p in arrival:
                    if not dead >> u & 1:
                        gained = p * (worth[u] + after[dead | 1 << u]) + (1.0 - p) * after[dead]
                        row[dead] = max(row[dead], gained)
        value[left] = row
    return value[tuple(count for _, count in kinds)][0]


def _check_size(found: int, most: int, what: str) -> None:
    if found > most:
        raise ConfigError(f"the instance has {found} {what}; exact values are computed for at most {most}")
