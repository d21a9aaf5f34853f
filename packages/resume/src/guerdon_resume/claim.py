"""The central claim of resume screening, shrunk to seconds: gentle RL undoes what a conservative history taught.

A logistic policy over two features, the share of skills x and a second, noisy match z, is fitted to labels of which a
quarter of the good candidates say "rejected" (the history), and then trained by GRPO with the product's status part
alone, held near its warm start by a KL term.

Beside it, reported and no part of the verdict: a penalty of 10 for false positives, with and without standardised
advantages. With them only the order of a prompt's two rewards counts, so that no penalty can be harsh.

Source: the trial in the fact sheet on arXiv 2511.16073. The spread of the noises, step sizes and the size of the fit
are ours; the sheet does not say them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_resume.parts import status_value

if TYPE_CHECKING:
    import numpy as np

NOISE = 0.05
"""Standard deviation of what decides beside x: gold = x + noise > 0.5, so that about 0.96 can be known."""
MATCH_NOISE = 0.2
"""Standard deviation of z - x."""
MISLABELLED = 0.25
"""Share of good candidates that the history rejected."""
HARSH_FALSE = -10.0
EPSILON = 1e-9
"""Beside the spread; small, so that the size of a penalty has no way in."""
FEATURES = 3
"""A constant, x and z."""


def status_table(false_positive: float | None = None) -> np.ndarray:
    """(2, 2): what rejecting (0) and selecting (1) earn for bad (0) and good (1) candidates, rows by candidate.

    Args:
        false_positive: in place of the gentle -1.
    """
    import numpy as np

    table = np.array([[status_value(word, good) for word in ("REJECTED", "SELECTED")] for good in (False, True)])
    if false_positive is not None:
        table[0, 1] = false_positive
    return table


@dataclass(frozen=True)
class Outcome:
    """What a policy's likeliest verdicts came to on held-out candidates; shares in [0, 1]."""

    accuracy: float
    precision: float
    """NaN where nobody is selected."""
    recall: float
    selected: float


@dataclass(frozen=True)
class ResumeScreening(Claim):
    """A warm start by a conservative history, then RL in four ways, at the same number of samples."""

    name: ClassVar[str] = "resume_screening"
    paper: ClassVar[str] = (
        "A Mathematical Framework for Custom Reward Functions in Job Application Evaluation using Reinforcement "
        "Learning (arXiv 2511.16073)"
    )
    statement: ClassVar[str] = "After SFT, GRPO with gentle penalties gains recall and accuracy and keeps precision."

    rows: int = 2000
    """Of supervised data."""
    fit_steps: int = 1500
    """Full-batch gradient steps of the fit."""
    fit_rate: float = 4.0
    rounds: int = 400
    """Updates of RL."""
    prompts: int = 64
    group_size: int = 8
    rate: float = 2.0
    kl: float = 0.4
    """Weight of the divergence from the warm start."""
    held_out: int = 4000

    least_accuracy: ClassVar[float] = 0.05
    least_recall: ClassVar[float] = 0.15
    least_precision: ClassVar[float] = 0.9

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed; it holds when margins and precision reach in the mean what the sheet asks."""
        arms = ("SFT", "gentle", "harsh, standardised", "gentle, not standardised", "harsh, not standardised")
        found: dict[str, list[Outcome]] = {arm: [] for arm in arms}
        for number, seed in enumerate(seeds):
            progress(number, len(seeds), f"seed {seed}")
            for arm, outcome in zip(arms, self.measure(seed), strict=True):
                found[arm].append(outcome)
        progress(len(seeds), len(seeds), "done")
        earlier = {
            ("accuracy", "SFT"): ".84 to .87",
            ("recall", "SFT"): ".68 to .71",
            ("precision", "SFT"): "1.0",
            ("accuracy", "gentle"): ".95 to .96",
            ("recall", "gentle"): ".92 to .96",
            ("precision", "gentle"): ".95 to .98",
            ("recall", "harsh, not standardised"): ".83 to .91",
        }
        measurements = [
            Measurement(
                f"{metric}, {arm}",
                tuple(getattr(one, metric) for one in found[arm]),
                needed=f">= {self.least_precision:g}" if (metric, arm) == ("precision", "gentle") else "",
                earlier=earlier.get((metric, arm), ""),
            )
            for metric in ("accuracy", "recall", "precision", "selected")
            for arm in arms
            if (metric != "selected" or arm != "SFT") and not (metric == "precision" and arm not in arms[:2])
        ]
        margins = [
            Measurement(
                f"margin in {metric}, gentle and SFT",
                tuple(
                    getattr(one, metric) - getattr(other, metric)
                    for one, other in zip(found["gentle"], found["SFT"], strict=True)
                ),
                needed=f">= {least:g}",
            )
            for metric, least in (("accuracy", self.least_accuracy), ("recall", self.least_recall))
        ]
        precision = next(one for one in measurements if one.name == "precision, gentle")
        held = (
            margins[0].mean >= self.least_accuracy
            and margins[1].mean >= self.least_recall
            and precision.mean >= self.least_precision
        )
        same = sum(one == other for one, other in zip(found["gentle"], found["harsh, standardised"], strict=True))
        notes = (
            "three weights in place of a language model, and the status part alone; no part of the verdict: with "
            f"standardised advantages the harsh penalty came to the gentle one's numbers on {same} of {len(seeds)} "
            "seeds"
        )
        return self.result(held, [*measurements, *margins], seeds, notes)

    def measure(self, seed: int) -> tuple[Outcome, ...]:
        """SFT; gentle and harsh with standardised advantages; gentle and harsh without."""
        warm = self.fitted(seed)
        runs = ((None, True), (HARSH_FALSE, True), (None, False), (HARSH_FALSE, False))
        trained = [self.reinforced(warm, status_table(false), seed, standardised=std) for false, std in runs]
        return tuple(self.evaluated(weights, seed) for weights in (warm, *trained))

    def fitted(self, seed: int) -> np.ndarray:
        """Weights (3) by logistic regression on the history's labels."""
        import numpy as np

        random = np.random.default_rng([seed, 0])
        features, good = world(self.rows, random)
        labels = good & (random.random(self.rows) >= MISLABELLED)
        weights = np.zeros(FEATURES)
        for _ in range(self.fit_steps):
            weights += self.fit_rate * features.T @ (labels - _chance(features @ weights)) / self.rows
        return weights

    def reinforced(self, warm: np.ndarray, table: np.ndarray, seed: int, *, standardised: bool) -> np.ndarray:
        """Weights after RL from the warm start.

        The gradient is that of sum(advantage * log-prob) / (B G) - kl * mean KL(policy, warm start), both exact.
        """
        import numpy as np

        random, weights = np.random.default_rng([seed, 1]), warm.copy()
        for _ in range(self.rounds):
            features, good = world(self.prompts, random)
            logits = features @ weights
            chance = _chance(logits)
            chosen = random.random((self.prompts, self.group_size)) < chance[:, None]
            advantages = group_advantages(table[good.astype(int)[:, None], chosen.astype(int)], standardised)
            score = (advantages * (chosen - chance[:, None])).mean(-1)
            apart = chance * (1.0 - chance) * (logits - features @ warm)  # derivative of the KL by the logit
            weights = weights + self.rate * features.T @ (score - self.kl * apart) / self.prompts
        return weights

    def evaluated(self, weights: np.ndarray, seed: int) -> Outcome:
        """The likeliest verdict on each held-out candidate."""
        import numpy as np

        features, good = world(self.held_out, np.random.default_rng([seed, 2]))
        chosen = features @ weights > 0.0
        hit = float((chosen & good).sum())
        picked = float(chosen.sum())
        return Outcome(
            float((chosen == good).mean()),
            hit / picked if picked else float("nan"),
            hit / float(good.sum()),
            picked / self.held_out,
        )


def world(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` candidates: features (count, 3), and whether each is good."""
    import numpy as np

    share = random.random(count)
    match = share + random.normal(0.0, MATCH_NOISE, count)
    good = share + random.normal(0.0, NOISE, count) > 0.5
    return np.stack([np.ones(count), share, match], axis=1), good


def group_advantages(rewards_BG: np.ndarray, standardised: bool = True) -> np.ndarray:
    """(B, G): as `guerdon.advantages.group_relative` gives them with this `EPSILON`, all groups at once."""
    import numpy as np

    apart = rewards_BG - rewards_BG.mean(-1, keepdims=True)
    if not standardised:
        return np.asarray(apart)
    spread = rewards_BG.std(-1, ddof=1, keepdims=True)
    return np.where(np.ptp(rewards_BG, -1, keepdims=True) > 1e-12, apart / (spread + EPSILON), 0.0)


def _chance(logits: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0))))
