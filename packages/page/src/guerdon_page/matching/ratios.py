"""Competitive ratios: what a rule gets over a benchmark, held against what is proved of it.

Each guarantee names its benchmark, and is compared with nothing else: .611 holds against S-OPT, and the same rule sits
at .593 of the Matching LP on a hard instance. A ratio below its guarantee by more than the error is a bug in the code,
not a discovery: finite chances do *better* than the limit (1 - (1 - 1/m)^m lies above 1 - 1/e; at m = 20 by .005).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

from guerdon_page.matching.bounds import matching_lp
from guerdon_page.matching.exact import rule_value, s_opt
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.rules import Rule
from guerdon_page.matching.simulation import simulate

Benchmark = Literal["s_opt", "matching_lp"]
SMALL = 0.3
"""The largest chance that counts as vanishing here [choice]."""
ERRORS = 3.0
"""Standard errors that a ratio may lie below its guarantee."""


@dataclass(frozen=True)
class Guarantee:
    """A proved ratio; of instances without weights."""

    rule: Rule | Literal["any"]
    ratio: float
    against: Benchmark
    equal: bool
    """Proved where all chances are equal, alone."""
    vanishing: bool
    """Proved in the limit of chances to 0, alone."""
    origin: str


GUARANTEES: tuple[Guarantee, ...] = (
    Guarantee("any", 0.5, "matching_lp", True, False, "any rule that wastes nothing [notes]"),
    Guarantee("greedy", 0.5, "matching_lp", False, False, "[derived]"),
    Guarantee("balance", 0.567, "matching_lp", True, True, "Mehta and Panigrahi 2012 [notes]"),
    Guarantee("balance", 0.611, "s_opt", False, True, "Huang et al. 2023 [paper abstract]"),
    Guarantee("balance", 0.613, "s_opt", True, True, "Huang et al. 2023 [paper abstract]"),
    Guarantee("ranking", 0.534, "matching_lp", True, False, "[memory]"),
)
"""Those whose benchmark is computed here. Against the Configuration LP in the limit: .576 and .572 (Huang and Zhang
2020).

One half of the Matching LP by its dual: alpha_u the chance that u succeeds, beta_v the expected chance of what
v attempts; an edge is covered where what is attempted has at least its chance whenever u is available. That is so of
`greedy`, and where chances are equal of any rule that wastes nothing. The fact sheet claims it for any such rule and
any chances, which fails: of chances 1, .01 and .01 at one arrival, `ranking` gets .34 of 1.
"""


@dataclass(frozen=True)
class Ratio:
    """A rule over a benchmark, on one instance."""

    guarantee: Guarantee
    ratio: float
    """NaN where the benchmark is 0: there is nothing to get."""
    std_error: float
    """0 of an exact value."""

    @property
    def holds(self) -> bool:
        """Whether it lies no more than `ERRORS` standard errors below what is proved; nothing to get breaks nothing."""
        return not self.ratio < self.guarantee.ratio - ERRORS * self.std_error - 1e-9


def applies(guarantee: Guarantee, instance: Instance, rule: Rule) -> bool:
    """Whether a guarantee speaks of this rule on this instance."""
    chances = {p for arrival in instance.arrivals for _, p in arrival}
    return (
        guarantee.rule in (rule, "any")
        and (not guarantee.equal or len(chances) <= 1)
        and (not guarantee.vanishing or max(chances, default=0.0) <= SMALL)
        and not instance.weights
    )


def ratios(
    instance: Instance,
    rule: Rule,
    *,
    benchmarks: tuple[Benchmark, ...] = ("matching_lp", "s_opt"),
    runs: int = 0,
    seed: int = 0,
) -> list[Ratio]:
    """A rule against every guarantee that speaks of it here.

    Args:
        instance: small enough for exact values where `runs` is 0 or `s_opt` is asked for.
        rule: which.
        benchmarks: those that are computed.
        runs: of a simulation; 0 computes the exact value.
        seed: of the simulation.

    Raises:
        ConfigError: the instance is too large for what is asked.
    """
    told = [one for one in GUARANTEES if one.against in benchmarks and applies(one, instance, rule)]
    if not told:
        return []
    if runs:
        played = simulate(instance, rule, runs=runs, seed=seed)
        value, error = played.value, played.std_error
    else:
        value, error = rule_value(instance, rule), 0.0
    solved = {
        name: (matching_lp if name == "matching_lp" else s_opt)(instance) for name in {one.against for one in told}
    }
    return [
        Ratio(one, value / most, error / most) if (most := solved[one.against]) > 0.0 else Ratio(one, math.nan, 0.0)
        for one in told
    ]


def random_instance(seed: int, *, low: float = 0.02, high: float = 0.3, equal: bool = False) -> Instance:
    """A small graph at random: 2 to 4 offline vertices, 4 to 8 arrivals, each edge there with chance 0.6."""
    draw = random.Random(f"matching {seed}")
    offline, shared = draw.randint(2, 4), draw.uniform(low, high)
    rows = [
        {u: shared if equal else draw.uniform(low, high) for u in range(offline) if draw.random() < 0.6}
        for _ in range(draw.randint(4, 8))
    ]
    return Instance.of(offline, rows)
