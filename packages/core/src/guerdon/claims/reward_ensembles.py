"""The claim of "Helping or Herding?", shrunk to seconds: ensembles of preference models over random features.

Part (a): members that differ in their features (the "pretraining seed") disagree more, and their ensemble is optimised
with less loss, than members that differ in their bootstrap alone (the "fine-tuning seed"). Part (b): what all members
get wrong, every aggregate gets wrong. Aggregates, picks and the exact best-of-n are the product's own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards.best_of_n import best_of, expected_best_of_n
from guerdon.rewards.ensembles import How, aggregate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MEMBERS, FEATURES = 5, 48
KINDS = ("finetune", "pretrain")
HERDED: tuple[How, ...] = ("mean", "worst", "mean_minus_std")
"""The aggregates of part (b)."""


@dataclass(frozen=True)
class World:
    """What is truly good: x . linear + x' quadratic x - 0.06 |x|^2, and a bonus on length that turns beyond 1."""

    linear: Floats
    quadratic: Floats
    slope: float = 0.0
    """Of length; 0 where there is none (part a). The last column of x is then no length but like any other."""

    def gold(self, x: Floats) -> Floats:
        """(N, d) to (N,)."""
        import numpy as np

        inner, length = (x[:, :-1], x[:, -1]) if self.slope else (x, x[:, -1])
        value = inner @ self.linear + ((inner @ self.quadratic) * inner).sum(axis=1) - 0.06 * (inner**2).sum(axis=1)
        bonus = self.slope * (np.minimum(length, 1.0) - np.maximum(length - 1.0, 0.0))
        found: Floats = value + bonus
        return found


@dataclass(frozen=True)
class Member:
    """A preference model: logistic regression over random features, centred on its preference data."""

    directions: Floats
    weights: Floats
    raw: bool
    """Whether it sees the last column (length) as it is, and not through its features."""
    centre: float = 0.0

    def score(self, x: Floats) -> Floats:
        """(N, d) to (N,)."""
        found: Floats = features(x, self.directions, self.raw) @ self.weights - self.centre
        return found


def features(x: Floats, directions: Floats, raw: bool) -> Floats:
    """(N, 48), or (N, 49) with the raw last column."""
    import numpy as np

    if not raw:
        return np.tanh(x @ directions)
    return np.concatenate([np.tanh(x[:, :-1] @ directions), x[:, -1:]], axis=1)


def fitted(chosen: Floats, rejected: Floats, directions: Floats, random: np.random.Generator, raw: bool) -> Member:
    """Bradley-Terry by Newton's method with ridge 1.0, on a bootstrap of the pairs."""
    import numpy as np

    drawn = random.integers(0, len(chosen), len(chosen))
    apart = features(chosen, directions, raw)[drawn] - features(rejected, directions, raw)[drawn]
    weights = np.zeros(apart.shape[1])
    for _ in range(12):
        likely = 1.0 / (1.0 + np.exp(-apart @ weights))
        slope = apart.T @ (1.0 - likely) - weights
        curve = (apart * (likely * (1.0 - likely))[:, None]).T @ apart + np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    uncentred = Member(directions, weights, raw)
    return Member(directions, weights, raw, float(uncentred.score(np.concatenate([chosen, rejected])).mean()))


@dataclass(frozen=True)
class Helped:
    """Part (a) on one seed."""

    accuracy: float
    """Of single members on fresh pairs, against the true labels' draws."""
    correlation: dict[str, float]
    """Between members, on what is picked from."""
    gold: dict[tuple[str, str, int], float]
    """By kind, aggregate ("single" too) and n."""


@dataclass(frozen=True)
class RewardEnsembles(Claim):
    """Both halves of the paper: ensembles help, and do not help against what all members share."""

    name: ClassVar[str] = "reward_ensembles"
    seeds: ClassVar[int] = 8
    paper: ClassVar[str] = "Helping or Herding? Reward Model Ensembles (arXiv 2312.09244)"
    statement: ClassVar[str] = (
        "Ensembles of reward models resist optimisation better, those with different pretraining most; errors that all "
        "members share survive every aggregate."
    )

    dimensions: int = 12
    pairs: int = 1200
    prompts: int = 80
    candidates: int = 256
    """The largest n; the other is 16."""
    spread: float = 1.6
    """Std of the candidates, beside 1 of the preference data: how far off the data optimisation may go."""

    least_gain: ClassVar[float] = 0.5
    least_seeds: ClassVar[float] = 0.75
    """Share of the seeds on which pretrain is at least finetune: 6 of 8."""
    least_herded: ClassVar[float] = 0.9

    def run(self, seeds: Sequence[int] = tuple(range(8)), progress: Progress = no_progress) -> ClaimResult:
        """Both parts on every seed; it holds when both do."""
        helped, herded = [], []
        for done, seed in enumerate(seeds):
            progress(done, len(seeds), f"seed {seed}")
            helped.append(self.helps(seed))
            herded.append(self.herds(seed))
        progress(len(seeds), len(seeds), "done")
        largest, told = self.candidates, _told(self.candidates)
        measurements = [Measurement("accuracy on pairs", tuple(one.accuracy for one in helped), earlier=".733")]
        correlation = {
            kind: Measurement(
                f"member correlation, {kind}", tuple(one.correlation[kind] for one in helped), earlier=earlier
            )
            for kind, earlier in zip(KINDS, (".90", ".64"), strict=True)
        }
        measurements += correlation.values()
        gold = {
            key: Measurement(
                f"gold of best of {key[2]}, {_named(*key[:2])}",
                tuple(one.gold[key] for one in helped),
                earlier=told.get(key, ""),
            )
            for key in helped[0].gold
        }
        measurements += gold.values()
        single, mean = gold["pretrain", "single", largest], gold["pretrain", "mean", largest]
        gain = Measurement(
            "pretrain mean - single", _apart(mean.values, single.values), needed=f">= {self.least_gain:g} in the mean"
        )
        ahead = Measurement(
            "pretrain mean - finetune mean",
            _apart(mean.values, gold["finetune", "mean", largest].values),
            needed=f">= 0 on {self.least_seeds:.0%} of the seeds",
        )
        shares = {
            how: Measurement(
                f"over-long picks, {how}",
                tuple(one[how] for one in herded),
                "share",
                f">= {self.least_herded:g}" if how in HERDED else "",
                earlier,
            )
            for how, earlier in {
                "single": ".993",
                "mean": "1.0",
                "worst": ".997",
                "mean_minus_std": ".997",
                "random": ".6",
            }.items()
        }
        held = (
            gain.mean >= self.least_gain
            and sum(value >= 0.0 for value in ahead.values) >= self.least_seeds * len(seeds)
            and correlation["pretrain"].mean < correlation["finetune"].mean
            and all(shares[how].mean >= self.least_herded for how in HERDED)
        )
        notes = (
            "Logistic regressions over random features in place of T5. The sheet gives no size of the gold's linear "
            "and quadratic terms (here |linear| = 2, quadratic entries of std 0.05) nor of the length's slope (2): "
            "levels differ from its trial, its bounds are kept. Single is the mean over the five members of the "
            "pretrain ensemble. Part (a) alone is half of the paper: in (b) all members agree, and all are wrong."
        )
        return self.result(held, [*measurements, gain, ahead, *shares.values()], seeds, notes)

    def helps(self, seed: int) -> Helped:
        """Part (a): pick by each ensemble among candidates further out than the preference data."""
        import numpy as np

        from guerdon.correlation import pearson

        random = np.random.default_rng([seed, 1])
        world, d = self._world(random), self.dimensions
        chosen, rejected = self._pairs(world, random, lambda count: random.standard_normal((count, d)))
        members = self._members(chosen, rejected, random, d, raw=False)
        pools = self.spread * random.standard_normal((self.prompts, self.candidates, d))
        flat = pools.reshape(-1, d)
        truth = world.gold(flat).reshape(self.prompts, self.candidates)
        fresh = self._pairs(world, random, lambda count: random.standard_normal((count, d)))
        accuracy = np.mean([(one.score(fresh[0]) > one.score(fresh[1])).mean() for one in members["pretrain"]])
        gold: dict[tuple[str, str, int], float] = {}
        correlation = {}
        for kind, ensemble in members.items():
            scores = np.stack([one.score(flat) for one in ensemble])
            one, other = np.triu_indices(MEMBERS, 1)
            correlation[kind] = float(np.mean(pearson(scores[one], scores[other])))
            if kind == "pretrain":
                for n in (16, self.candidates):
                    picks = [self._best(one.reshape(truth.shape), truth, n) for one in scores]
                    gold[kind, "single", n] = float(np.mean(picks))
            hows: Sequence[How] = get_args(How) if kind == "pretrain" else ("mean",)
            for how in hows:
                values = np.array([aggregate(column, how) for column in scores.T.tolist()]).reshape(truth.shape)
                for n in (16, self.candidates):
                    gold[kind, how, n] = self._best(values, truth, n)
        return Helped(float(accuracy), correlation, gold)

    def herds(self, seed: int) -> dict[str, float]:
        """Part (b): the share of picks that are longer than 1, by aggregate; preference data never are."""
        import numpy as np

        random = np.random.default_rng([seed, 2])
        world = self._world(random, slope=2.0)
        d = self.dimensions

        def answers(count: int, longest: float = 1.0) -> Floats:
            inner, length = random.standard_normal((count, d)), random.uniform(-1.0, longest, (count, 1))
            return np.concatenate([inner, length], axis=1)

        chosen, rejected = self._pairs(world, random, answers)
        members = self._members(chosen, rejected, random, d, raw=True)["pretrain"]
        picked: dict[str, list[float]] = {how: [] for how in ("single", *HERDED, "random")}
        for _ in range(self.prompts):
            pool = answers(self.candidates, 4.0)
            scores = [one.score(pool).tolist() for one in members]
            columns = list(zip(*scores, strict=True))
            picked["single"] += [float(pool[best_of(one), -1] > 1.0) for one in scores]
            for how in HERDED:
                picked[how].append(float(pool[best_of([aggregate(column, how) for column in columns]), -1] > 1.0))
            picked["random"].append(float((pool[:, -1] > 1.0).mean()))
        return {how: math.fsum(values) / len(values) for how, values in picked.items()}

    def _world(self, random: np.random.Generator, slope: float = 0.0) -> World:
        import numpy as np

        linear = random.standard_normal(self.dimensions)
        quadratic = 0.05 * random.standard_normal((self.dimensions, self.dimensions))
        return World(2.0 * linear / np.linalg.norm(linear), quadratic, slope)

    def _pairs(self, world: World, random: np.random.Generator, answers: _Answers) -> tuple[Floats, Floats]:
        """(chosen, rejected), labelled by Bradley and Terry's model of the gold value."""
        import numpy as np

        one, other = answers(self.pairs), answers(self.pairs)
        likely = 1.0 / (1.0 + np.exp(world.gold(other) - world.gold(one)))
        first = (random.random(self.pairs) < likely)[:, None]
        return np.where(first, one, other), np.where(first, other, one)

    def _members(
        self, chosen: Floats, rejected: Floats, random: np.random.Generator, d: int, raw: bool
    ) -> dict[str, list[Member]]:
        """Both kinds of ensemble; bootstraps differ in both, features in one alone."""
        size = 1.4 / math.sqrt(d)
        directions = [size * random.standard_normal((d, FEATURES)) for _ in range(MEMBERS)]
        made = {"finetune": itertools.repeat(directions[0], MEMBERS), "pretrain": directions}
        return {kind: [fitted(chosen, rejected, one, random, raw) for one in drawn] for kind, drawn in made.items()}

    def _best(self, proxy: Floats, truth: Floats, n: int) -> float:
        """Gold of the best of n by the proxy: expected exactly, mean over prompts."""
        found = [expected_best_of_n(row, gold, n) for row, gold in zip(proxy.tolist(), truth.tolist(), strict=True)]
        return math.fsum(found) / len(found)


def _told(largest: int) -> dict[tuple[str, str, int], str]:
    return {
        ("pretrain", "single", largest): "3.76 [sheet]",
        ("finetune", "mean", largest): "4.05 [sheet]",
        ("pretrain", "mean", largest): "5.39 [sheet]",
        ("pretrain", "single", 16): "1.92 [sheet]",
        ("finetune", "mean", 16): "2.15 [sheet]",
        ("pretrain", "mean", 16): "3.26 [sheet]",
    }


def _named(kind: str, how: str) -> str:
    return how if how == "single" else f"{kind} {how}"


def _apart(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))


if TYPE_CHECKING:
    from collections.abc import Callable

    _Answers = Callable[[int], Floats]
