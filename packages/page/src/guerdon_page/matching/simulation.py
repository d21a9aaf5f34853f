"""Monte Carlo over many runs of one instance at once: more than a million arrivals a second on one core."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.rules import RULES, Rule

if TYPE_CHECKING:
    import numpy as np

Ties = Literal["index", "random"]
CHUNK = 4096
"""Runs held at once: their state fits a core's cache."""
LEAST = 1e-290
"""What a decayed key keeps; times any chance that is worth the name it is above 0."""


@dataclass(frozen=True)
class Simulated:
    """What a rule got."""

    value: float
    """Mean worth of what succeeded."""
    std_error: float
    """Over n - 1 runs; NaN of one."""
    runs: int
    attempts: float
    """Mean number of attempts."""


def simulate(
    instance: Instance,
    rule: Rule,
    *,
    runs: int = 4000,
    seed: int = 0,
    ties: Ties = "index",
    rate: float = 1.0,
) -> Simulated:
    """Play an instance many times.

    Args:
        instance: of any size.
        rule: see `rules`.
        runs: 1 or more.
        seed: the same, the same numbers.
        ties: to the smallest number, or at random, each run in an order of its own.
        rate: of the decay `exp(-rate * L)` of `balance`; 1 is the authors'.

    Raises:
        ConfigError: an option is wrong.
    """
    import numpy as np

    one_of("rule", rule, RULES)
    one_of("ties", ties, ("index", "random"))
    whole_number("runs", runs, 1)
    if not 0.0 <= rate < math.inf:
        raise ConfigError(f"rate is {rate!r}; a finite number >= 0 is needed")
    random = np.random.default_rng(seed)
    found, attempts = [], 0
    for start in range(0, runs, CHUNK):
        won, tried = _played(instance, rule, min(CHUNK, runs - start), random, ties, rate)
        found.append(won)
        attempts += tried
    worth = np.concatenate(found)
    error = float(worth.std(ddof=1)) / math.sqrt(runs) if runs > 1 else math.nan
    return Simulated(float(worth.mean()), error, runs, attempts / runs)


def _played(
    instance: Instance, rule: Rule, runs: int, random: np.random.Generator, ties: Ties, rate: float
) -> tuple[np.ndarray, int]:
    """Worth of what succeeded in each run (R,), and attempts in all.

    Each vertex has a key per run, above 0 while it is available and 0 after: the largest key, times the chance where
    the rule looks at chances, is attempted. A decay never brings a key to 0, which would count as a success.
    """
    import numpy as np

    columns = np.arange(runs)
    worth, key = np.array(instance.worth), np.ones((instance.offline, runs))
    if rule == "ranking":
        key = random.random(key.shape) + 0.5
    elif rule in ("greedy", "balance"):
        key *= worth[:, None]
        # Too little to turn what is no tie, and more than the rounding of loads that were added up in another order.
        if ties == "random":
            key *= 1.0 + 1e-9 * random.random(key.shape)
        else:
            key *= 1.0 - 1e-12 * np.arange(instance.offline)[:, None]
    attempts = 0
    edges = {
        arrival: (
            np.array([u for u, _ in arrival]),
            np.array([p for _, p in arrival])[:, None],
            np.exp(-rate * np.array([p for _, p in arrival])),
        )
        for arrival, _ in instance.types
        if arrival
    }
    for arrival in instance.arrivals:
        if not arrival:
            continue
        near, chance, shrink = edges[arrival]
        if len(near) == 1:
            best = np.zeros(runs, dtype=np.intp)
            u = np.broadcast_to(near, runs)
            available = key[near[0]] > 0.0
        else:
            score = key[near[0] : near[-1] + 1] if near[-1] - near[0] + 1 == len(near) else key[near]
            if rule == "random":
                score = (score > 0.0) * (random.random(score.shape, dtype=np.float32) + 0.5)
            elif rule != "ranking" and (chance != chance[0]).any():
                score = score * chance
            best = score.argmax(axis=0)
            u = near[best]
            available = score[best, columns] > 0.0
        p = chance[0, 0] if (chance == chance[0]).all() else chance[best, 0]
        success = random.random(runs) < p
        held = key[u, columns]
        after = np.where(held > 0.0, np.maximum(held * shrink[best], LEAST), 0.0) if rule == "balance" else held
        key[u, columns] = np.where(success, 0.0, after)
        attempts += int(available.sum())
    return worth @ (key == 0.0), attempts  # one of worth 0 may count as done from the start, and counts for nothing
