"""The central claim of "Transforming and Combining Rewards", shrunk to seconds: two rewards that pull apart.

Axes: P prompts, C candidate answers of each. The policy is the closed-form optimum of a regularised objective,
pi = pi_0 exp(u / gamma) / Z with pi_0 uniform; gamma is found by bisection for every method, so that all are compared
at one divergence from pi_0 and not at one gamma, which a transform's scale would make meaningless.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards import Context, Reward, Sum
from guerdon.rewards.conjunction import log_and
from guerdon.rewards.references import References
from guerdon.rewards.shapes import lsc
from guerdon.types import Example, Group, Rollout, Score, Segment

Floats = NDArray[np.float64]
METHODS = ("LSC sum", "raw sum", "z-scored sum", "least of the centred")
_TOLD = {
    "clean": dict(zip(METHODS, ("0.794", "0.597", "0.738", "0.832"), strict=True)),
    "outliers": dict(zip(METHODS, ("0.612", "0.377", "not told", "0.637"), strict=True)),
}
"""Both properties met, in the sheet's trial."""
WORLDS = tuple(_TOLD)
_TOLD_WORST = {"LSC sum": "about 0.573", "raw sum": "about 0.340"}
"""The same of the lowest decile of prompts; the sheet does not say in which world, and the numbers are the clean one's.
"""
_LEAST = {"clean": 0.12, "outliers": 0.15}


class Ask(Example):
    """One prompt: the observed scores of its candidates for either property, which are its references too."""

    first: tuple[float, ...]
    second: tuple[float, ...]


@dataclass(frozen=True)
class Property(Reward):
    """One reward model: the observed score of the candidate that was chosen."""

    of: str
    """`first` or `second`."""

    @property
    def label(self) -> str:
        """The property's own name."""
        return self.of

    def score(self, rollout: Rollout) -> Score:
        """The number that the prompt has for it."""
        return Score(getattr(rollout.example_as(Ask), self.of)[rollout.segments[0].action])


RAW = Sum.of(Property("first"), Property("second"))
LSC = log_and({of: Property(of).against(References(of), lsc()) for of in ("first", "second")})


@dataclass(frozen=True)
class Outcome:
    """What one method came to on one seed."""

    both: float
    """Probability that both true rewards lie above their prompt's median, mean over prompts."""
    worst: float
    """The same, of the prompt at the lowest decile."""


@dataclass(frozen=True)
class Lsc(Claim):
    """Four ways to add two rewards, at the same divergence from the initial policy."""

    name: ClassVar[str] = "lsc"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = "Transforming and Combining Rewards for Aligning Large Language Models (arXiv 2402.00742)"
    statement: ClassVar[str] = (
        "A sum of log-sigmoid-centred rewards meets all properties where a sum of rewards does not."
    )

    prompts: int = 200
    candidates: int = 200
    divergence: float = 2.0
    """Mean KL from the initial policy, in nats, at which all are compared."""
    correlation: float = -0.4
    """Of the two true rewards."""
    outliers: float = 0.01
    """Share of observed scores that are raised by U(4, 10), in the second world."""

    least_worst: ClassVar[float] = 0.1

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """Both worlds on every seed; it holds where every seed passes every margin of the fact sheet."""
        found: dict[tuple[str, str], list[Outcome]] = {(world, method): [] for world in WORLDS for method in METHODS}
        total, done = len(seeds) * len(WORLDS), 0
        for seed in seeds:
            for world in WORLDS:
                progress(done, total, f"seed {seed}, {world}")
                for method, outcome in self.measure(world, seed).items():
                    found[world, method].append(outcome)
                done += 1
        progress(total, total, "done")
        table, margins = [], []
        for world in WORLDS:
            both = {method: tuple(one.both for one in found[world, method]) for method in METHODS}
            worst = {method: tuple(one.worst for one in found[world, method]) for method in METHODS}
            for method in METHODS:
                earlier = _TOLD[world][method]
                earlier = f"about {earlier}" if earlier[0] == "0" else earlier
                table.append(Measurement(f"both met, {world}, {method}", both[method], earlier=earlier))
            for method in METHODS:
                earlier = _TOLD_WORST.get(method, "") if world == "clean" else ""
                table.append(Measurement(f"lowest decile, {world}, {method}", worst[method], earlier=earlier))
            margins += [
                _margin(f"both met, {world}", both, _LEAST[world]),
                _margin(f"lowest decile, {world}", worst, self.least_worst),
            ]
        held = all(min(one.values) >= least for one, least in margins)
        return self.result(held, [*table, *(one for one, _ in margins)], seeds, _notes(found))

    def measure(self, world: str, seed: int) -> dict[str, Outcome]:
        """Every method on one world; the worlds of one seed differ in the outliers alone."""
        rng = np.random.default_rng(seed)
        true_2PC = self._true(rng)
        raised_2PC = (rng.random(true_2PC.shape) < self.outliers) * rng.uniform(4.0, 10.0, true_2PC.shape)
        observed_2PC = true_2PC + raised_2PC if world == "outliers" else true_2PC
        met_PC = np.all(true_2PC > np.median(true_2PC, axis=2, keepdims=True), axis=0)
        values = {
            method: _met(value_PC, met_PC, self.divergence) for method, value_PC in combined(observed_2PC).items()
        }
        return {method: Outcome(float(each.mean()), float(np.quantile(each, 0.1))) for method, each in values.items()}

    def _true(self, rng: np.random.Generator) -> Floats:
        """Two correlated standard normals per candidate, moved by N(0, 2) and scaled by U(0.5, 2.5) per prompt and
        property: what a Bradley-Terry reward leaves open, and how much prompts differ.
        """
        first_PC, other_PC = rng.standard_normal((2, self.prompts, self.candidates))
        second_PC = self.correlation * first_PC + math.sqrt(1.0 - self.correlation**2) * other_PC
        place_2P1 = 2.0 * rng.standard_normal((2, self.prompts, 1))
        scale_2P1 = rng.uniform(0.5, 2.5, (2, self.prompts, 1))
        return cast(Floats, place_2P1 + scale_2P1 * np.stack([first_PC, second_PC]))


def combined(observed_2PC: Floats) -> dict[str, Floats]:
    """Each method's value of every candidate (P x C): the sums by the rewards themselves, the others for comparison."""
    asks = [
        Ask(id=str(number), first=tuple(first_C.tolist()), second=tuple(second_C.tolist()))
        for number, (first_C, second_C) in enumerate(zip(*observed_2PC, strict=True))
    ]
    groups = [
        Group.of([Rollout(ask, (Segment("policy", action=chosen),), index=chosen) for chosen in range(len(ask.first))])
        for ask in asks
    ]
    context = Context()  # remembers the properties' scores, which both sums ask for
    sums = {
        name: np.array([[score.value for score in row] for row in context.scores(reward, groups)])
        for name, reward in (("LSC sum", LSC), ("raw sum", RAW))
    }
    level_2P1 = np.array([[[lsc().level(getattr(ask, of))] for ask in asks] for of in ("first", "second")])
    spread_2PC = observed_2PC - observed_2PC.mean(axis=2, keepdims=True)
    zscored_2PC = spread_2PC / observed_2PC.std(axis=2, ddof=1, keepdims=True)
    return {
        **sums,
        "z-scored sum": zscored_2PC.sum(axis=0),
        "least of the centred": (observed_2PC - level_2P1).min(axis=0),
    }


def _met(value_PC: Floats, met_PC: NDArray[np.bool_], divergence: float) -> Floats:
    """The probability of what is met, of each prompt, under the policy tilted by a value to a mean divergence."""
    return cast(Floats, (tilted(value_PC, divergence) * met_PC).sum(axis=1))


def tilted(value_PC: Floats, divergence: float) -> Floats:
    """The policies proportional to exp(value / gamma), gamma being one number at which their mean KL from the uniform
    policy is `divergence` nats, to 1e-9.
    """
    low, high = math.log(1e-4), math.log(1e4)  # of gamma: the divergence falls as it grows
    uniform = math.log(value_PC.shape[1])
    for _ in range(100):
        middle = (low + high) / 2.0
        log_PC = _log_softmax(value_PC / math.exp(middle))
        found = float((np.exp(log_PC) * (log_PC + uniform)).sum(axis=1).mean())
        low, high = (middle, high) if found > divergence else (low, middle)
        if abs(found - divergence) < 1e-9:
            break
    return cast(Floats, np.exp(log_PC))


def _log_softmax(logits_PC: Floats) -> Floats:
    shifted_PC = logits_PC - logits_PC.max(axis=1, keepdims=True)
    return cast(Floats, shifted_PC - np.log(np.exp(shifted_PC).sum(axis=1, keepdims=True)))


def _margin(what: str, values: Mapping[str, Sequence[float]], least: float) -> tuple[Measurement, float]:
    apart = tuple(one - other for one, other in zip(values["LSC sum"], values["raw sum"], strict=True))
    return Measurement(f"{what}, LSC sum above raw sum", apart, needed=f">= {least:g} on every seed"), least


def _notes(found: Mapping[tuple[str, str], Sequence[Outcome]]) -> str:
    ahead = []
    for world in WORLDS:
        pairs = zip(found[world, "least of the centred"], found[world, "LSC sum"], strict=True)
        ahead.append(
            f"{sum(one.both > other.both for one, other in pairs)} of {len(found[world, 'LSC sum'])} ({world})"
        )
    return (
        "the closed-form optimum in place of RL, the observed scores in place of 64 samples per prompt; the least of "
        f"the centred rewards beats the LSC sum on {' and '.join(ahead)} seeds: this does not show that LSC is the "
        "best AND; z-scores are per prompt, which the sheet leaves open; so is in which world it measured the lowest "
        "decile of prompts (its numbers are the clean one's): here both must pass"
    )
