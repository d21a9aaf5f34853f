"""The central claim of constrained RLHF, shrunk to seconds: two correlated proxies, a Gaussian policy, a known gold.

The policy draws actions a of two numbers from N(m, 0.3^2 I) and learns m; the base policy has m = 0. The components are
the two numbers themselves. Gold is $g(v) = v_1 + v_2 - (v_1^2 + v_2^2)/2 - 0.6 v_1 v_2$ of the mean: each component
alone peaks at 1, both together at 1/1.6, since correlation moves the proxy points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.controllers.proxy_points import Found, NelderMead, Vertex, start_simplex
from guerdon.rewards.lagrange import Kind, MultiplierSteps, mixed_advantage, reached

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMES = ("first", "second")
SPREAD = 0.3
"""Standard deviation of the policy and of its base."""
CORRELATION = 0.6
JOINT, INDEPENDENT = 1.0 / 1.6, 1.0
"""Proxy points: of both components together, and of each alone."""
LOW, HIGH = 0.1, 1.3
"""Between which the search draws its first simplex."""

NOTES = (
    "No language model, no PPO and no value heads: one policy-gradient step per batch, on the mean of a Gaussian; "
    "advantages are centred and not divided by their spread, as in the fact sheet's trial. Gold is known exactly, and "
    "the search may ask it at every vertex; without one, thresholds are guesses, a tenth beside them cost .006 here. "
    "The search stops by the spread of its simplex's scores, which is our reading of the paper's code. Not told apart: "
    "the factor of the KL objective, N - sum(s), from a plain 1, and the slope of s in the multipliers' step from 1; "
    "the claim holds with either (tried on one seed, 1500 steps), since both end where the thresholds are met."
)


def gold(values: Sequence[float]) -> float:
    """The gold evaluation of a mean.

    >>> round(gold([JOINT, JOINT]), 6), round(gold([1.8, 1.8]), 6)
    (0.625, -1.584)
    """
    first, second = values
    return float(first + second - 0.5 * (first**2 + second**2) - CORRELATION * first * second)


@dataclass
class Learner:
    """A policy, its multipliers, and what it went through."""

    seed: int
    batch: int = 128
    learning_rate: float = 0.02
    kl_weight: float = 0.05
    mean: NDArray[np.float64] = field(init=False)
    multipliers: dict[str, float] = field(default_factory=dict)
    velocity: dict[str, float] = field(default_factory=dict)
    peak: float = 0.0
    """The highest gold so far."""

    def __post_init__(self) -> None:
        import numpy as np

        self.random = np.random.default_rng(self.seed)
        self.mean = np.zeros(2)

    @property
    def gold(self) -> float:
        """Of the mean as it is."""
        return gold([float(value) for value in self.mean])

    def draw(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A batch of actions (n, 2), and the KL reward of each (n,)."""
        actions = self.mean + SPREAD * self.random.standard_normal((self.batch, 2))
        ahead = (actions**2).sum(axis=1) - ((actions - self.mean) ** 2).sum(axis=1)
        return actions, -self.kl_weight * ahead / (2.0 * SPREAD**2)

    def climb(self, actions: NDArray[np.float64], advantages: NDArray[np.float64]) -> None:
        """One step along the policy gradient."""
        slope = (actions - self.mean) / SPREAD**2
        self.mean = self.mean + self.learning_rate * (advantages[:, None] * slope).mean(axis=0)
        self.peak = max(self.peak, self.gold)

    def learn(self, rewards: NDArray[np.float64], actions: NDArray[np.float64], kl: NDArray[np.float64]) -> None:
        """One step on one reward beside the KL's: (n,) each, actions (n, 2)."""
        total = rewards + kl
        self.climb(actions, total - total.mean())

    def constrain(
        self,
        thresholds: Vertex,
        kind: Kind,
        *,
        standardize: bool = False,
        standardize_kl: bool = False,
    ) -> dict[str, float]:
        """One step on the mixed advantage, then one of the multipliers; the components' means in this batch."""
        steps = MultiplierSteps(kind)
        self.multipliers = self.multipliers or dict.fromkeys(NAMES, steps.start)
        actions, kl = self.draw()
        columns = {name: actions[:, place] for place, name in enumerate(NAMES)}
        centred = {name: column - column.mean() for name, column in columns.items()}
        advantages = mixed_advantage(
            kl - kl.mean(),
            centred,
            self.multipliers,
            kind,
            standardize=standardize,
            standardize_kl=standardize_kl,
        )
        self.climb(actions, advantages)
        values = {name: float(column.mean()) for name, column in columns.items()}
        self.multipliers, self.velocity = steps.step(self.multipliers, self.velocity, values, thresholds)
        return values


@dataclass(frozen=True)
class ConstrainedRlhf(Claim):
    """Multipliers at the joint proxy points, against the plain sum, satisficing, and wrong thresholds."""

    name: ClassVar[str] = "constrained_rlhf"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = "Confronting Reward Model Overoptimization with Constrained RLHF (arXiv 2310.04373)"
    statement: ClassVar[str] = (
        "Multipliers that hold correlated components at their joint proxy points end near the best gold evaluation, "
        "where the plain sum overshoots; and a search finds these points within one run."
    )

    steps: int = 3000
    joint: float = JOINT
    """The thresholds that the constrained arms hold to; elsewhere the claim should fail."""
    vertex_steps: int = 300
    """Updates per vertex of the search, at most."""
    iterations: int = 14
    """Of the search."""

    least_gold: ClassVar[float] = 0.62
    most_plain: ClassVar[float] = 0.0
    least_over_satisficing: ClassVar[float] = 0.01
    least_over_independent: ClassVar[float] = 0.15
    least_searched: ClassVar[float] = 0.60
    most_evaluations: ClassVar[int] = 40
    least_share_searched: ClassVar[float] = 0.8

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed; it holds when all of the fact sheet's five criteria do."""
        found: dict[str, list[float]] = {}
        for place, seed in enumerate(seeds):
            for name, values in self._arms(seed, progress, place, len(seeds)).items():
                found.setdefault(name, []).append(values)
        progress(len(seeds), len(seeds), "done")
        return self._judged(found, seeds)

    def _arms(self, seed: int, progress: Progress, place: int, total: int) -> dict[str, float]:
        progress(place, total, f"seed {seed}, plain sum and satisficing")
        plain = self.plain(seed)
        found = {"plain": plain.gold, "plain peak": plain.peak, "satisficing": self.satisficing(seed).gold}
        for arm, theta, kind in (
            ("xi", self.joint, "xi"),
            ("mu", self.joint, "mu"),
            ("independent", INDEPENDENT, "xi"),
            ("above", 1.1 * self.joint, "xi"),
            ("below", 0.9 * self.joint, "xi"),
        ):
            progress(place, total, f"seed {seed}, {arm}")
            found[arm] = self.constrained(seed, dict.fromkeys(NAMES, theta), kind).gold  # type: ignore[arg-type]
        progress(place, total, f"seed {seed}, search")
        search = self.search(seed)
        return {**found, "search": search.score, "evaluations": float(len(search.evaluations))}

    def _judged(self, found: Mapping[str, list[float]], seeds: Sequence[int]) -> ClaimResult:
        over = {other: [xi - value for xi, value in zip(found["xi"], found[other], strict=True)] for other in found}
        searched = [
            score >= self.least_searched and count <= self.most_evaluations
            for score, count in zip(found["search"], found["evaluations"], strict=True)
        ]
        held = (
            min(found["xi"] + found["mu"]) >= self.least_gold
            and max(found["plain"]) <= self.most_plain
            and min(over["satisficing"]) >= self.least_over_satisficing
            and min(over["independent"]) >= self.least_over_independent
            and sum(searched) >= self.least_share_searched * len(seeds)
        )
        told = (
            ("gold, xi (equality) at the joint points", found["xi"], ">= 0.62", ".625"),
            ("gold, mu (inequality) at the joint points", found["mu"], ">= 0.62", ".625"),
            ("gold, plain sum", found["plain"], "<= 0", "-1.58"),
            ("gold, plain sum at its peak", found["plain peak"], "", ".625"),
            ("gold, satisficing", found["satisficing"], "", ".596"),
            ("xi over satisficing", over["satisficing"], ">= 0.01", ""),
            ("gold, xi at the independent points", found["independent"], "", ".40"),
            ("xi over xi at the independent points", over["independent"], ">= 0.15", ""),
            ("gold, xi at 10 % above", found["above"], "", ".619"),
            ("gold, xi at 10 % below", found["below"], "", ".619"),
            ("gold, policy that the search returns", found["search"], ">= 0.60 on 4 of 5 seeds", ".615 to .625"),
            ("evaluations of the search", found["evaluations"], "<= 40", "10 to 29"),
        )
        measurements = [
            Measurement(name, tuple(values), needed=needed, earlier=earlier) for name, values, needed, earlier in told
        ]
        return self.result(held, measurements, seeds, NOTES)

    def plain(self, seed: int) -> Learner:
        """Trained on the components' sum."""
        learner = Learner(seed)
        for _ in range(self.steps):
            actions, kl = learner.draw()
            learner.learn(actions.sum(axis=1), actions, kl)
        return learner

    def satisficing(self, seed: int) -> Learner:
        """Trained on minus the squared distances to the joint points."""
        learner = Learner(seed)
        for _ in range(self.steps):
            actions, kl = learner.draw()
            learner.learn(-((actions - self.joint) ** 2).sum(axis=1), actions, kl)
        return learner

    def constrained(self, seed: int, thresholds: Vertex, kind: Kind, **options: Any) -> Learner:
        """Trained under multipliers; `options` as of `Learner.constrain`."""
        learner = Learner(seed)
        for _ in range(self.steps):
            learner.constrain(thresholds, kind, **options)
        return learner

    def search(self, seed: int) -> Found:
        """One policy trained on from vertex to vertex; its gold at the end of each is the vertex's score."""
        learner = Learner(seed)

        def evaluate(thresholds: Vertex) -> float:
            for _ in range(self.vertex_steps):
                if reached(learner.constrain(thresholds, "xi"), thresholds):
                    break
            return learner.gold

        simplex = start_simplex(dict.fromkeys(NAMES, LOW), dict.fromkeys(NAMES, HIGH), seed)
        return NelderMead(iterations=self.iterations, budget=self.most_evaluations).search(evaluate, simplex)
