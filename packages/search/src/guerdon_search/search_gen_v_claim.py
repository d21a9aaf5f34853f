"""The claim of Search-Gen-V, shrunk to seconds: a small verifier, taught by a noisy teacher and then by the reward.

Nuggets are three numbers (overlap with the passage, hedging, negation), each measured with noise, and a softmax over
three labels stands for the 4B model. SFT follows a teacher who is wrong on a quarter of the labels; RL samples whole
label sequences and earns `verifier_score`, in groups that are dropped where all earn the same.

(b) and (c) are about the verifier's use: short answers of which half are paraphrased, and batches of nuggets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.judges import StandIn
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_search.label_formats import written
from guerdon_search.labels import LABELS
from guerdon_search.nugget_rewards import ExactMatch, ShortForm
from guerdon_search.nuggets import NuggetQuestion
from guerdon_search.verifier import NuggetVerifier
from guerdon_search.verifier_scores import macro_f1, verifier_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEATURES = 7
"""Overlap, hedge, negation, two products, a square, and 1."""

NOTES = (
    "Made-up features and a softmax in place of a 4B model; the teacher's noise is 25 % of the labels. The reward is "
    "the one of `search/verifier-v1`, called on written completions. The gain is one of the mean: it is large where "
    "the 40 taught samples left a poor verifier and about 0 where they left a good one (seeds 3 to 5 by themselves "
    "gain .005), and with SFT on 400 samples there is none, as the sheet says. Hence twelve seeds, where an earlier "
    "trial had three. The verifier of the short answers is a table of paraphrases that errs on 5 %; it shows what "
    "union with exact match does, not how good a model is."
)


@dataclass(frozen=True)
class Sample:
    """A passage with its nuggets, as features."""

    features: NDArray[np.float64]
    """(n, 7)."""
    truth: NDArray[np.int64]
    """(n,), places in `LABELS`."""


def make_samples(count: int, rng: np.random.Generator) -> list[Sample]:
    """Passages of 1 to 4 nuggets; features overlap between the classes, so that nobody is right on all of them."""
    import numpy as np

    found = []
    for _ in range(count):
        truth = rng.integers(0, 3, size=int(rng.integers(1, 5)))
        overlap = np.choose(truth, [0.85, 0.6, 0.35]) + rng.normal(0.0, 0.16, truth.size)
        hedge = (rng.random(truth.size) < np.choose(truth, [0.1, 0.65, 0.15])).astype(float)
        negated = (rng.random(truth.size) < np.choose(truth, [0.04, 0.1, 0.5])).astype(float)
        one = np.ones(truth.size)
        found.append(
            Sample(
                np.stack([overlap, hedge, negated, overlap * hedge, overlap * negated, overlap**2, one], axis=1), truth
            )
        )
    return found


def _probabilities(weights: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    logits = features @ weights
    raised: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return chances


@dataclass(frozen=True)
class Quality:
    """How well a verifier does on samples held out."""

    f1: float
    """Macro-F1 over all nuggets."""
    exact: float
    """Share of samples with every label right."""


@dataclass(frozen=True)
class SearchGenV(Claim):
    """A small verifier after SFT, and after SFT and RL; exact match alone, and with the verifier; batches."""

    name: ClassVar[str] = "search_gen_v"
    seeds: ClassVar[int] = 12
    paper: ClassVar[str] = "Search-Gen-V (arXiv 2510.14660)"
    statement: ClassVar[str] = (
        "RL with the verifiable reward lifts a small verifier distilled from a noisy teacher; with exact match "
        "it judges short answers far better than exact match alone; and batches of nuggets take fewer calls for the "
        "same labels."
    )

    sft_samples: int = 40
    many_samples: int = 400
    """SFT samples of the run from which nothing is asked."""
    sft_steps: int = 40
    rl_samples: int = 300
    rl_steps: int = 250
    prompts_per_step: int = 8
    group_size: int = 16
    learning_rate: float = 0.15
    teacher_noise: float = 0.25
    held_out: int = 600

    least_f1: ClassVar[float] = 0.02
    least_exact: ClassVar[float] = 0.03
    least_union: ClassVar[float] = 0.2

    def run(self, seeds: Sequence[int] = tuple(range(12)), progress: Progress = no_progress) -> ClaimResult:
        """All three parts on every seed."""
        few: list[tuple[Quality, Quality]] = []
        many: list[tuple[Quality, Quality]] = []
        short: list[Mapping[str, float]] = []
        batches: list[tuple[int, int, bool]] = []
        for place, seed in enumerate(seeds):
            progress(place, len(seeds), f"seed {seed}")
            few.append(self.distilled(self.sft_samples, seed))
            many.append(self.distilled(self.many_samples, seed))
            short.append(short_answers(seed))
            batches.append(batched(seed))
        progress(len(seeds), len(seeds), "done")
        f1 = Measurement("gain of RL in macro-F1", _gain(few, "f1"), needed=f">= {self.least_f1}")
        exact = Measurement("gain of RL in exact samples", _gain(few, "exact"), needed=f">= {self.least_exact}")
        union = Measurement(
            "F1 of exact match or verifier, above exact match",
            tuple(one["union"] - one["exact match"] for one in short),
            needed=f">= {self.least_union}",
        )
        same = Measurement("batches of 10 and of 1 agree", tuple(float(one[2]) for one in batches), needed="1")
        calls = Measurement(
            "calls, batches of 1 by batches of 10", tuple(one[0] / one[1] for one in batches), needed="10"
        )
        measurements = [
            Measurement("macro-F1 after SFT", tuple(one.f1 for one, _ in few), earlier=".72 to .79"),
            Measurement("macro-F1 after RL", tuple(one.f1 for _, one in few), earlier=".79 to .80"),
            Measurement("exact samples after SFT", tuple(one.exact for one, _ in few), earlier=".47 to .53"),
            Measurement("exact samples after RL", tuple(one.exact for _, one in few), earlier=".56"),
            f1,
            exact,
            Measurement(f"gain in macro-F1 after SFT on {self.many_samples}", _gain(many, "f1"), earlier="about 0"),
            Measurement("recall of exact match", tuple(one["recall"] for one in short), earlier="about .5"),
            union,
            same,
            calls,
        ]
        held = (
            f1.mean >= self.least_f1
            and exact.mean >= self.least_exact
            and min(union.values) >= self.least_union
            and all(value == 1.0 for value in same.values)
            and all(value == 10.0 for value in calls.values)
        )
        return self.result(held, measurements, seeds, NOTES)

    def distilled(self, sft_samples: int, seed: int) -> tuple[Quality, Quality]:
        """Quality after SFT, and after SFT and RL."""
        import numpy as np

        rng = np.random.default_rng([seed, sft_samples])
        taught, practised, held_out = (
            make_samples(count, rng) for count in (sft_samples, self.rl_samples, self.held_out)
        )
        weights = self._sft(taught, rng)
        before = quality(weights, held_out)
        return before, quality(self._rl(weights, practised, rng), held_out)

    def _sft(self, samples: Sequence[Sample], rng: np.random.Generator) -> NDArray[np.float64]:
        """Cross-entropy on the teacher's labels, whole-batch gradient steps."""
        import numpy as np

        features = np.concatenate([sample.features for sample in samples])
        truth = np.concatenate([sample.truth for sample in samples])
        wrong = rng.random(truth.size) < self.teacher_noise
        told = np.where(wrong, (truth + rng.integers(1, 3, truth.size)) % 3, truth)
        weights = np.zeros((FEATURES, 3))
        for _ in range(self.sft_steps):
            error = np.eye(3)[told] - _probabilities(weights, features)
            weights += 2.0 * features.T @ error / truth.size
        return weights

    def _rl(
        self, weights: NDArray[np.float64], samples: Sequence[Sample], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Group-standardised policy gradient on the verifier's reward; groups without spread teach nothing."""
        import numpy as np

        weights, rewards_of = weights.copy(), _Rewards()
        for _ in range(self.rl_steps):
            gradient, taught = np.zeros_like(weights), 0
            for place in rng.integers(0, len(samples), self.prompts_per_step):
                sample = samples[place]
                chances = _probabilities(weights, sample.features)
                drawn = (rng.random((self.group_size, len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=2)
                drawn = np.minimum(drawn, 2)
                rewards = np.array([rewards_of(tuple(row), tuple(sample.truth)) for row in drawn])
                spread = rewards.std()
                if spread < 1e-9:
                    continue
                advantages = (rewards - rewards.mean()) / spread
                pull = (advantages[:, None, None] * (np.eye(3)[drawn] - chances)).mean(axis=0)
                gradient += sample.features.T @ pull
                taught += 1
            weights += self.learning_rate * gradient / max(taught, 1)
        return weights


class _Rewards:
    """`verifier_score` of a written completion, each pair of sequences once."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}

    def __call__(self, drawn: tuple[int, ...], truth: tuple[int, ...]) -> float:
        key = (drawn, truth)
        if key not in self._known:
            said = [LABELS[place] for place in drawn]
            text = f"<reasoning>as it stands</reasoning>{written(said, 'json')}"
            self._known[key] = verifier_score(text, [LABELS[place] for place in truth], "json").total
        return self._known[key]


def quality(weights: NDArray[np.float64], samples: Sequence[Sample]) -> Quality:
    """Of the likeliest labels."""
    import numpy as np

    said = [_probabilities(weights, sample.features).argmax(axis=1) for sample in samples]
    exact = float(np.mean([(one == sample.truth).all() for one, sample in zip(said, samples, strict=True)]))
    every = np.concatenate(said).tolist(), np.concatenate([sample.truth for sample in samples]).tolist()
    return Quality(macro_f1([LABELS[p] for p in every[0]], [LABELS[p] for p in every[1]]), exact)


def _gain(found: Sequence[tuple[Quality, Quality]], name: str) -> tuple[float, ...]:
    return tuple(float(getattr(after, name) - getattr(before, name)) for before, after in found)


def short_answers(seed: int, count: int = 300, errors: float = 0.05) -> dict[str, float]:
    """F1 of exact match and of its union with a verifier, on answers of which half are right and half of those
    paraphrased.
    """
    random = Random(f"short {seed}")
    examples, rights, verdict = [], [], {}
    for number in range(count):
        question = NuggetQuestion(id=str(number), query=f"What is number {number}?", answers=(f"thing {number}",))
        right = random.random() < 0.5
        other = f"thing {number + 1}"
        plain = f"thing {number}" if right else other
        answer = plain if random.random() < 0.5 else f"that would be {plain}, as it is called"
        verdict[f"{question.query} {answer}"] = right != (random.random() < errors)
        examples.append(Rollout.of(question, answer))
        rights.append(right)

    def judged(messages: Sequence[Mapping[str, str]]) -> str:
        shown = messages[-1]["content"].partition("[begin of passage]\n")[2].partition("\n[end of passage]")[0]
        return json.dumps(["support" if verdict[shown] else "not_support"])

    groups = [Group.of([one]) for one in examples]
    found: dict[str, float] = {}
    for name, reward in (("exact match", ExactMatch()), ("union", ShortForm(StandIn(function=judged)))):
        said = [row[0].value == 1.0 for row in Context().scores(reward, groups)]
        hits = sum(one and right for one, right in zip(said, rights, strict=True))
        found[name] = 2.0 * hits / (sum(said) + sum(rights))
        if name == "exact match":
            found["recall"] = hits / sum(rights)
    return found


def batched(seed: int, nuggets: int = 40) -> tuple[int, int, bool]:
    """Calls with one and with ten nuggets at a time, and whether the labels are the same."""
    random = Random(f"batched {seed}")
    points = [f"point {random.randrange(10**6)} of {number}" for number in range(nuggets)]
    passage = " ".join(point for point in points if random.random() < 0.5)

    def judged(messages: Sequence[Mapping[str, str]]) -> str:
        text = messages[-1]["content"]
        shown = text.partition("[begin of passage]\n")[2].partition("\n[end of passage]")[0]
        lines = text.partition("[begin of points]\n")[2].partition("\n[end of points]")[0].split("\n")
        return json.dumps(["support" if line.partition(". ")[2] in shown else "not_support" for line in lines])

    one, ten = (NuggetVerifier(StandIn(function=judged), batch_size=size) for size in (1, 10))
    items = [("q", passage, points)]
    same = one.label(items)[0].labels == ten.label(items)[0].labels
    return one.asked, ten.asked, same
