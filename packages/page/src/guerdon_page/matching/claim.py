"""The claims about online matching with stochastic rewards, shrunk to seconds.

(a) Hard instances: on the graph of twelve vertices balance, ranking and random all get .593 of the Matching LP; on the
thick Z balance leads ranking leads random. (b) What is proved of balance holds on small graphs at random and on hard
families, against S-OPT and against the Matching LP, each apart. (c) On the triangular family with labels against its
tie rule, greedy falls far behind. (d) A ratio below what is proved would be a bug in the code, not a discovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_page.matching.bounds import matching_lp
from guerdon_page.matching.hard_instances import Types, against_greedy, star, thick_z, triangular, twelve
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.ratios import ERRORS, Ratio, random_instance, ratios
from guerdon_page.matching.rules import Rule
from guerdon_page.matching.simulation import Ties, simulate

HARDEST = 0.592873
"""Per vertex of the twelve, in the limit (`vanishing.limit_value`)."""
S_OPT = 0.611
TYPED = 0.572
"""Of the Matching LP, for typed instances of 20 copies and more."""
FAMILIES: dict[str, tuple[int, Types]] = {
    "triangular": (3, triangular(3)),
    "thick Z": (4, thick_z(2)),
    "star": (4, star(4)),
}
"""Small enough for S-OPT."""


@dataclass(frozen=True)
class MatchingClaim(Claim):
    """Hard families by simulation, small graphs exactly."""

    name: ClassVar[str] = "online_matching"
    paper: ClassVar[str] = (
        "Online Matching with Stochastic Rewards: Advanced Analyses Using Configuration Linear Programs "
        "(arXiv 2309.10289)"
    )
    statement: ClassVar[str] = (
        "Stochastic Balance gets at least .611 of the best policy that does not know the coins; on the hardest graph "
        "no rule gets more than .593 of the Matching LP."
    )
    seeds: ClassVar[int] = 6

    copies: int = 100
    """Arrivals of each type of the graph of twelve vertices, and of the triangular one."""
    runs: int = 4000
    thick_copies: int = 20
    thick_runs: int = 20_000
    graphs: int = 36
    """Small ones at random, for each seed: 216 with six."""

    near: ClassVar[float] = 0.01
    """How far from .593 a rule may be on the graph of twelve vertices: finite chances lie above by .002 or so."""
    least_lead: ClassVar[float] = 0.08
    """Of balance over greedy on the reversed triangle."""

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4, 5), progress: Progress = no_progress) -> ClaimResult:
        """All parts on every seed."""
        found: dict[str, list[float]] = {}
        for number, seed in enumerate(seeds):
            progress(number, len(seeds), f"seed {seed}")
            for name, value in self.measure(seed).items():
                found.setdefault(name, []).append(value)
        progress(len(seeds), len(seeds), "done")
        held = (
            all(abs(_mean(found[f"twelve vertices, {rule}"]) - HARDEST) <= self.near for rule in _RULES)
            and min(found["thick Z, balance less ranking"]) > 0.0
            and min(found["thick Z, ranking less random"]) > 0.0
            and min(*found["lowest of S-OPT, at random"], *found["lowest of S-OPT, hard families"]) >= S_OPT
            and min(found["lowest of the Matching LP, typed"]) >= TYPED
            and max(found["guarantees broken"]) == 0.0
            and _mean(found["reversed triangle, balance less greedy"]) >= self.least_lead
        )
        needed = {
            **{f"twelve vertices, {rule}": f"{HARDEST:.3f} ± {self.near:g}" for rule in _RULES},
            "thick Z, balance less ranking": "> 0 on each seed",
            "thick Z, ranking less random": "> 0 on each seed",
            "lowest of S-OPT, at random": f">= {S_OPT:g} on each seed",
            "lowest of S-OPT, hard families": f">= {S_OPT:g} on each seed",
            "lowest of the Matching LP, typed": f">= {TYPED:g} on each seed",
            "guarantees broken": "0",
            "reversed triangle, balance less greedy": f">= {self.least_lead:g}",
        }
        earlier = {
            **{f"twelve vertices, {rule}": ".592 to .593" for rule in _RULES},
            "thick Z, balance": ".621",
            "thick Z, ranking": ".601",
            "thick Z, random": ".579",
            "lowest of S-OPT, at random": ".875",
            "reversed triangle, greedy": ".513",
            "reversed triangle, balance": ".626",
        }
        measurements = [
            Measurement(name, tuple(values), needed=needed.get(name, ""), earlier=earlier.get(name, ""))
            for name, values in found.items()
        ]
        notes = (
            "S-OPT and the Matching LP are two benchmarks, each compared with what is proved against it alone; the "
            "lowest of S-OPT is over small graphs, on which no rule does badly"
        )
        return self.result(held, measurements, seeds, notes)

    def measure(self, seed: int) -> dict[str, float]:
        """Every number of one seed."""
        found: dict[str, float] = {}
        hard = Instance.typed(12, twelve(), self.copies)
        for rule in _RULES:
            found[f"twelve vertices, {rule}"] = self._share(hard, rule, self.runs, seed, "random")
        thick = Instance.typed(10, thick_z(5), self.thick_copies)
        shares = {rule: self._share(thick, rule, self.thick_runs, seed, "random") for rule in _RULES}
        found |= {f"thick Z, {rule}": share for rule, share in shares.items()}
        found["thick Z, balance less ranking"] = shares["balance"] - shares["ranking"]
        found["thick Z, ranking less random"] = shares["ranking"] - shares["random"]
        found |= self._guarantees(seed)
        reverse = against_greedy(10, self.copies)
        rules: tuple[Rule, ...] = ("greedy", "balance")
        ends = {rule: self._share(reverse, rule, self.runs, seed, "index") for rule in rules}
        found |= {f"reversed triangle, {rule}": share for rule, share in ends.items()}
        found["reversed triangle, balance less greedy"] = ends["balance"] - ends["greedy"]
        return found

    def _guarantees(self, seed: int) -> dict[str, float]:
        small = [random_instance(1000 * seed + number, equal=number % 3 == 0) for number in range(self.graphs)]
        hard = [Instance.typed(offline, types, 4) for offline, types in FAMILIES.values()]
        at_random, exact = ([one for graph in graphs for one in ratios(graph, "balance")] for graphs in (small, hard))
        typed = [
            one
            for offline, types in (*FAMILIES.values(), (12, twelve()))
            for one in ratios(
                Instance.typed(offline, types, self.thick_copies),
                "balance",
                benchmarks=("matching_lp",),
                runs=self.runs,
                seed=seed,
            )
        ]
        return {
            "lowest of S-OPT, at random": _lowest(at_random),
            "lowest of S-OPT, hard families": _lowest(exact),
            "lowest of the Matching LP, typed": min(one.ratio + ERRORS * one.std_error for one in typed),
            "guarantees broken": float(sum(not one.holds for one in (*at_random, *exact, *typed))),
        }

    def _share(self, instance: Instance, rule: Rule, runs: int, seed: int, ties: Ties) -> float:
        """Of the Matching LP."""
        return simulate(instance, rule, runs=runs, seed=seed, ties=ties).value / matching_lp(instance)


_RULES: tuple[Rule, ...] = ("balance", "ranking", "random")


def _lowest(found: Sequence[Ratio]) -> float:
    """Of those against S-OPT where there is something to get."""
    return min(one.ratio for one in found if one.guarantee.against == "s_opt" and one.ratio == one.ratio)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
