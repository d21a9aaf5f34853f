"""The claim of Retro*, shrunk to seconds: a scorer of ten features in place of a language model.

A document's score is drawn as round(clip(100 sigmoid(w.x + b) + sigma noise)), with learnt weights and a learnt sigma;
four features of ten tell relevance. Queries bring a good and a bad document, each is scored N times, and the rewards
are those of `guerdon_search.relevance_scores`, standardised by group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_search.ranking_metrics import ndcg
from guerdon_search.relevance_scores import composite, inter, intra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DOCUMENTS, POSITIVES, FEATURES, TELLING = 20, 3, 10, 4
Arm = Literal["composite", "intra only", "inter only"]
ALPHA: dict[Arm, float] = {"composite": 0.75, "intra only": 1.0, "inter only": 0.0}

NOTES = (
    "A logistic scorer with Gaussian noise, no text. Its gradient is that of the score before it is clipped and "
    "rounded. The paper's gap between the composite and inter alone (36.6 against 30.8) does not show here: inter "
    "alone learns the order as well. How good intra alone ends hangs on the direction of the start, which the seed "
    "draws: it amplifies what order there is. Groups whose rewards are all equal "
    "teach nothing, and their share is shown."
)


@dataclass(frozen=True)
class Queries:
    """Q queries of 20 documents."""

    features: NDArray[np.float64]
    """(Q, 20, 10)."""
    relevant: NDArray[np.bool_]
    """(Q, 20), three of each query."""


def make_queries(count: int, rng: np.random.Generator) -> Queries:
    """Documents whose first four features are raised where they are relevant."""
    import numpy as np

    relevant = np.zeros((count, DOCUMENTS), dtype=bool)
    for row in relevant:
        row[rng.choice(DOCUMENTS, POSITIVES, replace=False)] = True
    features = rng.normal(0.0, 1.0, (count, DOCUMENTS, FEATURES))
    features[..., :TELLING] += 1.3 * relevant[..., None]
    return Queries(features, relevant)


@dataclass
class Scorer:
    """The policy: weights, bias and the logarithm of sigma."""

    weights: NDArray[np.float64]
    bias: float
    log_sigma: float

    @property
    def sigma(self) -> float:
        """Points on the scale of 0 to 100."""
        return math.exp(self.log_sigma)

    def mean(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 10) to (...), in (0, 100)."""
        import numpy as np

        value: NDArray[np.float64] = 100.0 / (1.0 + np.exp(-(features @ self.weights + self.bias)))
        return value

    def drawn(
        self, features: NDArray[np.float64], count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The noise (..., count) in units of sigma, and the whole numbers it makes."""
        import numpy as np

        mean = self.mean(features)[..., None]
        noise = rng.normal(0.0, 1.0, (*mean.shape[:-1], count))
        return noise, np.rint(np.clip(mean + self.sigma * noise, 0.0, 100.0)).astype(int)

    def ndcg(self, queries: Queries, samples: int, rng: np.random.Generator) -> float:
        """nDCG@10 of the mean over so many samples; documents of one score stand in a random order."""
        import numpy as np

        scores = self.drawn(queries.features, samples, rng)[1].mean(axis=-1)
        order = np.lexsort((rng.random(scores.shape), -scores), axis=-1)
        gains = [{str(place): float(good) for place, good in enumerate(row)} for row in queries.relevant]
        return float(np.mean([ndcg([str(one) for one in row], gain) for row, gain in zip(order, gains, strict=True)]))


@dataclass(frozen=True)
class Trained:
    """What one arm came to."""

    ndcg: float
    """At one sample."""
    sigma: float
    dead: float
    """Share of the groups whose rewards were all equal."""


@dataclass(frozen=True)
class RetroStarClaim(Claim):
    """The composite reward against either part alone, and many samples against one."""

    name: ClassVar[str] = "retro_star"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "Retro*: Optimizing LLMs for Reasoning-Intensive Document Retrieval (arXiv 2509.24869)"
    statement: ClassVar[str] = (
        "Averaging many scores ranks better than one; the composite reward beats self-consistency alone and is as good "
        "as order alone; and self-consistency narrows the spread of scores."
    )

    steps: int = 600
    pairs: int = 16
    """A step."""
    group_size: int = 8
    learning_rate: float = 0.02
    train_queries: int = 300
    test_queries: int = 200
    start_sigma: float = 22.0

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """The start at 1 and at 16 samples, then every arm, on every seed."""
        import numpy as np

        start: dict[int, list[float]] = {1: [], 16: []}
        found: dict[Arm, list[Trained]] = {arm: [] for arm in ALPHA}
        for place, seed in enumerate(seeds):
            train, test = self.world(seed)
            for samples, values in start.items():
                values.append(self.start(seed).ndcg(test, samples, np.random.default_rng([seed, samples])))
            for offset, arm in enumerate(ALPHA):
                progress(place * len(ALPHA) + offset, len(seeds) * len(ALPHA), f"seed {seed}, {arm}")
                found[arm].append(self.trained(arm, seed, train, test))
        progress(len(seeds) * len(ALPHA), len(seeds) * len(ALPHA), "done")
        gained = tuple(many - one for one, many in zip(start[1], start[16], strict=True))
        integration = Measurement("gain of 16 samples at the start", gained, needed=">= 0.08")
        over_intra = _margin("composite above intra only", found, "intra only", ">= 0.1")
        over_inter = _margin("composite above inter only", found, "inter only", ">= -0.02")
        narrowed = Measurement(
            "spread under intra only, by the start's",
            tuple(one.sigma / self.start_sigma for one in found["intra only"]),
            needed="< 1",
        )
        earlier = {"composite": ".95", "intra only": ".49 to .78", "inter only": ".94 to .95"}
        spreads = {"composite": "about 2", "intra only": "about 5", "inter only": ""}
        measurements = [
            Measurement("nDCG@10 at the start, 1 sample", tuple(start[1]), earlier=".43 to .54"),
            Measurement("nDCG@10 at the start, 16 samples", tuple(start[16]), earlier=".52 to .76"),
            integration,
            *(
                Measurement(f"nDCG@10, {arm}", tuple(one.ndcg for one in found[arm]), earlier=earlier[arm])
                for arm in ALPHA
            ),
            over_intra,
            over_inter,
            narrowed,
            *(
                Measurement(f"sigma, {arm}", tuple(one.sigma for one in found[arm]), "points", earlier=spreads[arm])
                for arm in ALPHA
            ),
            *(Measurement(f"dead groups, {arm}", tuple(one.dead for one in found[arm])) for arm in ALPHA),
        ]
        held = (
            integration.mean >= 0.08
            and over_intra.mean >= 0.1
            and over_inter.mean >= -0.02
            and max(narrowed.values) < 1.0
        )
        return self.result(held, measurements, seeds, NOTES)

    def world(self, seed: int) -> tuple[Queries, Queries]:
        """Queries to train on, and others to test on."""
        import numpy as np

        rng = np.random.default_rng([seed, 0])
        return make_queries(self.train_queries, rng), make_queries(self.test_queries, rng)

    def start(self, seed: int) -> Scorer:
        """Weights that hardly tell relevance from what does not matter, and wide scores."""
        import numpy as np

        rng = np.random.default_rng([seed, 1])
        weights = rng.normal(0.0, 0.16, FEATURES)
        weights[:TELLING] += 0.12
        return Scorer(weights, 0.0, math.log(self.start_sigma))

    def trained(self, arm: Arm, seed: int, train: Queries, test: Queries) -> Trained:
        """One arm, from the weak start to a ranking of the test queries."""
        import numpy as np

        scorer, dead = self.taught(self.start(seed), ALPHA[arm], seed, train)
        return Trained(
            scorer.ndcg(test, 1, np.random.default_rng([seed, 3])),
            scorer.sigma,
            dead / max(self.steps * self.pairs * 2, 1),
        )

    def taught(self, scorer: Scorer, alpha: float, seed: int, train: Queries) -> tuple[Scorer, int]:
        """REINFORCE on groups of N scores, rewards standardised by group: the same scorer, and how many groups were
        dead. Features may be of any number.
        """
        import numpy as np

        rng = np.random.default_rng([seed, 2])
        dead = 0
        for _ in range(self.steps):
            chosen = rng.integers(0, len(train.features), self.pairs)
            features = np.stack(
                [_pair(train, query, rng) for query in chosen]
            )  # (pairs, 2, features), the good one first
            noise, scores = scorer.drawn(features, self.group_size, rng)
            rewards = np.array([_rewards(pair, alpha) for pair in scores])  # (pairs, 2, N)
            spread = rewards.std(axis=-1, keepdims=True)
            alive = spread > 1e-9
            dead += int((~alive).sum())
            advantages = np.where(
                alive, (rewards - rewards.mean(axis=-1, keepdims=True)) / np.maximum(spread, 1e-9), 0.0
            )
            mean = scorer.mean(features)
            slope = mean * (100.0 - mean) / 100.0 / scorer.sigma  # d mean / d logit, in units of sigma
            pull = (advantages * noise).mean(axis=-1) * slope
            scorer.weights = scorer.weights + self.learning_rate * np.einsum("pd,pdf->f", pull, features) / self.pairs
            scorer.bias += self.learning_rate * float(pull.sum()) / self.pairs
            widening = float((advantages * (noise**2 - 1.0)).mean())
            scorer.log_sigma += self.learning_rate * widening
        return scorer, dead


def _pair(queries: Queries, query: int, rng: np.random.Generator) -> NDArray[np.float64]:
    import numpy as np

    relevant = queries.relevant[query]
    good, bad = rng.choice(np.flatnonzero(relevant)), rng.choice(np.flatnonzero(~relevant))
    both: NDArray[np.float64] = queries.features[query][[good, bad]]
    return both


def _rewards(scores: NDArray[np.int64], alpha: float) -> tuple[list[float], list[float]]:
    """Of the good document and of the bad one; scores are (2, N)."""
    good, bad = ([int(score) for score in row] for row in scores)
    return (
        composite(intra(good), inter(good, bad, positive=True), alpha),
        composite(intra(bad), inter(bad, good, positive=False), alpha),
    )


def _margin(name: str, found: dict[Arm, list[Trained]], arm: Arm, needed: str) -> Measurement:
    pairs = zip(found["composite"], found[arm], strict=True)
    return Measurement(name, tuple(ours.ndcg - other.ndcg for ours, other in pairs), needed=needed)
