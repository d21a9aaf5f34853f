"""The central claim of Correlated Proxies, exact in a table: chi-squared of occupancies against KL of actions.

A ring of safe states and one trap. In the trap the proxy pays more than anywhere, and the true reward takes. The base
policy is seldom there, so that proxy and true reward correlate on what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress

if TYPE_CHECKING:
    import numpy as np

    from guerdon.comparing.mdp import FiniteMDP, Floats

SAFE = 8
"""States of the ring; the trap is the one after them."""
USEFUL, IDLE, ENTER = 0, 1, 2
"""Actions in a safe state: both of the first lead to the next state of the ring. In the trap, 0 leaves it."""


@dataclass(frozen=True)
class World:
    """One seed's process, rewards per state and action, and base policy."""

    mdp: FiniteMDP
    proxy_SA: Floats
    true_SA: Floats
    base_SA: Floats

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> World:
        """As the fact sheet says; it leaves open where the trap's exit leads (here: to any safe state alike), and that
        leaving pays the proxy nothing (here: as the true reward).
        """
        import numpy as np

        from guerdon.comparing.mdp import FiniteMDP

        transitions = np.zeros((SAFE + 1, 3, SAFE + 1))
        for state in range(SAFE):
            transitions[state, [USEFUL, IDLE], (state + 1) % SAFE] = 1.0
            transitions[state, ENTER, SAFE] = 1.0
        transitions[SAFE, 0, :SAFE] = 1.0 / SAFE
        transitions[SAFE, 1:, SAFE] = 1.0
        true = np.zeros((SAFE + 1, 3))
        true[:SAFE, USEFUL], true[SAFE, 1:] = draw.uniform(0.5, 1.5, SAFE), -1.0
        proxy = true.copy()
        proxy[:SAFE] += draw.normal(0.0, 0.2, (SAFE, 3))
        proxy[SAFE, 1:] = 2.5
        base = np.zeros((SAFE + 1, 3))
        base[:SAFE, USEFUL], base[:SAFE, ENTER] = draw.uniform(0.3, 0.6, SAFE), 0.01
        base[:SAFE, IDLE] = 1.0 - base[:SAFE, USEFUL] - base[:SAFE, ENTER]
        base[SAFE] = 0.8, 0.1, 0.1
        start = np.append(np.full(SAFE, 1.0 / SAFE), 0.0)
        return cls(FiniteMDP(transitions, start, 0.95), proxy, true, base)


@dataclass(frozen=True)
class Outcome:
    """Gains in the true reward, in its standard deviations under the base policy."""

    correlation: float
    free: float
    """The proxy optimised without a penalty."""
    chi2: float
    """The best over the coefficients, penalised by the root of chi-squared of occupancies."""
    action_kl: float
    """The same, by KL of actions."""
    at_weight: float
    """By chi-squared, with the one coefficient that the theory gives without the true reward's returns."""
    oracle: float
    """The true reward optimised."""
    slack: float
    """The least of true gain less its lower bound, over all these policies; below 0 the bound is broken."""


@dataclass(frozen=True)
class CorrelatedProxies(Claim):
    """Three ways to optimise one hackable proxy, over a grid of coefficients."""

    name: ClassVar[str] = "correlated_proxies"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = (
        "Correlated Proxies: A New Definition and Improved Mitigation for Reward Hacking (2403.03185)"
    )
    statement: ClassVar[str] = (
        "Staying near the base policy in chi-squared of occupancies keeps a hackable proxy useful; KL of actions does "
        "not."
    )

    steps: int = 1500
    """Of each natural-gradient path."""
    coefficients: int = 25
    """From 0.1 to 10 times the proxy's standard deviation, evenly on a logarithmic scale."""

    least_margin: ClassVar[float] = 0.3
    most_free: ClassVar[float] = -1.0
    rounding: ClassVar[float] = 1e-9

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """It holds when on each seed chi-squared's best exceeds KL's by the margin, the free optimum hacks, and no
        policy breaks the lower bound.
        """
        found = []
        for done, seed in enumerate(seeds):
            progress(done, len(seeds), f"seed {seed}")
            found.append(self.measure(seed))
        progress(len(seeds), len(seeds), "done")

        def measured(what: str, values: Sequence[float], needed: str = "", earlier: str = "") -> Measurement:
            return Measurement(what, tuple(values), "", needed, earlier)

        margin = measured(
            "margin of the two penalties", [each.chi2 - each.action_kl for each in found], f">= {self.least_margin}"
        )
        free = measured("true gain, no penalty", [each.free for each in found], f"< {self.most_free:g}", "-2.4 to -2.8")
        slack = measured("least slack of the bound", [each.slack for each in found], f">= -{self.rounding:g}")
        held = (
            all(value >= self.least_margin for value in margin.values)
            and all(value < self.most_free for value in free.values)
            and all(value >= -self.rounding for value in slack.values)
        )
        measurements = [
            measured("correlation under the base", [each.correlation for each in found], earlier="0.84 to 0.93"),
            free,
            measured("true gain, root of chi-squared", [each.chi2 for each in found], earlier="0.75 to 1.09"),
            measured("true gain, KL of actions", [each.action_kl for each in found], earlier="0.19 to 0.29"),
            measured("true gain, chi-squared at the theory's weight", [each.at_weight for each in found]),
            measured("true gain, oracle", [each.oracle for each in found], earlier="0.93 to 1.17"),
            margin,
            slack,
        ]
        notes = (
            "an exact table in place of PPO with a discriminator, in none of the paper's environments; gains in "
            "standard deviations of the true reward under the base policy; the best coefficient of each penalty is "
            "chosen by the true reward, as in the paper; the row at the theory's weight chooses without it"
        )
        return self.result(held, measurements, seeds, notes)

    def measure(self, seed: int) -> Outcome:
        """One seed's world, all ways to optimise in it."""
        import numpy as np

        from guerdon.comparing.proxies import assess
        from guerdon.comparing.regret import occupancy, optimal_policy
        from guerdon.comparing.regularized import stay_by_action_kl, stay_by_chi2

        world = World.drawn(np.random.default_rng(seed))
        mdp, base = world.mdp, occupancy(world.mdp, world.base_SA)

        def report(policy: Floats) -> tuple[float, float]:
            """The true gain, and by how much it exceeds its bound."""
            found = assess(base, occupancy(mdp, policy), world.proxy_SA, world.true_SA)
            return found.true_gain, found.true_gain - found.bound

        at_base = assess(base, base, world.proxy_SA, world.true_SA)
        grid = np.geomspace(0.1, 10.0, self.coefficients) * at_base.proxy_std
        paths = stay_by_chi2(mdp, world.proxy_SA, world.base_SA, [*grid, at_base.penalty_weight], steps=self.steps)
        chi2 = [report(policy) for policy in paths]
        action_kl = [report(policy) for policy in stay_by_action_kl(mdp, world.proxy_SA, world.base_SA, grid)]
        free, oracle = (report(optimal_policy(mdp, reward)) for reward in (world.proxy_SA, world.true_SA))
        return Outcome(
            correlation=at_base.correlation,
            free=free[0],
            chi2=max(gain for gain, _ in chi2[:-1]),
            action_kl=max(gain for gain, _ in action_kl),
            at_weight=chi2[-1][0],
            oracle=oracle[0],
            slack=min(slack for _, slack in [*chi2, *action_kl, free, oracle]),
        )
