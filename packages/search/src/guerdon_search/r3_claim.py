"""The claim of R3, shrunk to seconds: made-up topics of words with vectors, and a table that chooses among answers.

24 topics, each with 8 query words and 40 fact words near its centre; every third query is closed and has 3 gold words.
The 36 candidates of a query are of six kinds, and each arm is the reward with other factors on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_search.topical import FACTORS, Factor, topical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOPICS, QUERY_WORDS, FACT_WORDS, GOLD, DIMENSIONS = 24, 8, 40, 3, 48
KINDS = ("copy", "short on topic", "long on topic", "long off topic", "repeated", "half and half")
EACH = 6
ARMS: dict[str, tuple[Factor, ...]] = {
    "R3": FACTORS,
    "relevance only": ("relevance",),
    "length only": ("length",),
    "relevance and length": ("relevance", "length"),
    "and repetition": ("relevance", "length", "repetition"),
}
EARLIER = {
    "R3": ".91",
    "relevance only": ".02 to .13",
    "length only": "0",
    "relevance and length": "0",
    "and repetition": ".62",
}
NOTES = (
    "Words are vectors and answers are bags of them; a table stands for a language model. Quality is coverage of the "
    "topic's facts less half the share of words that are off it where a query is open, and F1 to the gold words where "
    "it is closed. The figure with a fifth of the kinds told wrongly is shown, and nothing is asked of it."
)


@dataclass(frozen=True)
class World:
    """Queries with their candidates, and what each candidate is worth."""

    answers: tuple[tuple[str, ...], ...]
    """36 texts for each query."""
    to_query: NDArray[np.float64]
    """(Q, 36): dot products with the query."""
    to_reference: NDArray[np.float64]
    """(Q, 36): with the reference; NaN where the query is open."""
    closed: tuple[bool, ...]
    quality: NDArray[np.float64]
    """(Q, 36)."""
    off_topic: NDArray[np.float64]
    """(Q, 36): share of words of another topic."""
    top: float
    """The 95th percentile of the dot products of a reference and a text like it."""

    def rewards(self, factors: Sequence[Factor], flipped: Sequence[bool] = ()) -> NDArray[np.float64]:
        """(Q, 36), by the reward itself, released form; a flipped query is taken for the other kind."""
        import numpy as np

        rows = []
        for query, answers in enumerate(self.answers):
            closed = self.closed[query] != (bool(flipped) and flipped[query])
            by = self.to_reference if closed and "branching" in factors else self.to_query
            rows.append(
                [
                    topical(
                        answer, float(by[query, place]), closed, top=self.top, factors=factors, reading="released"
                    ).value
                    for place, answer in enumerate(answers)
                ]
            )
        return np.array(rows)


def make_world(seed: int) -> World:
    """Everything, from a seed."""
    import numpy as np

    rng = np.random.default_rng(seed)
    centres = rng.normal(0.0, 1.0, (TOPICS, DIMENSIONS))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors: dict[str, NDArray[np.float64]] = {}
    for topic, centre in enumerate(centres):
        names = [f"q{topic}x{n}" for n in range(QUERY_WORDS)] + [f"f{topic}x{n}" for n in range(FACT_WORDS)]
        for name in names:
            vectors[name] = 1.2 * centre + rng.normal(0.0, 0.12, DIMENSIONS)

    def mean(text: str) -> NDArray[np.float64]:
        value: NDArray[np.float64] = np.mean([vectors[word] for word in text.split()], axis=0)
        return value

    answers, to_query, to_reference, quality, off_topic, likes = [], [], [], [], [], []
    for topic in range(TOPICS):
        query = [f"q{topic}x{n}" for n in range(QUERY_WORDS)]
        gold = [f"f{topic}x{n}" for n in rng.choice(FACT_WORDS, GOLD, replace=False)]
        texts = [_candidate(kind, topic, query, gold, rng) for kind in KINDS for _ in range(EACH)]
        closed = topic % 3 == 2
        # An open query has a reference too, of facts: it is used where its kind is told wrongly.
        reference = " ".join(gold if closed else _facts(topic, 20, rng))
        likes.append(float(mean(reference) @ mean(_candidate("short on topic", topic, query, gold, rng))))
        rows = np.array([mean(text) for text in texts])
        answers.append(tuple(texts))
        to_query.append(rows @ mean(" ".join(query)))
        to_reference.append(rows @ mean(reference))
        quality.append([_quality(text, topic, gold if closed else ()) for text in texts])
        off_topic.append([_off(text, topic) for text in texts])
    return World(
        tuple(answers),
        np.array(to_query),
        np.array(to_reference),
        tuple(topic % 3 == 2 for topic in range(TOPICS)),
        np.array(quality),
        np.array(off_topic),
        float(np.quantile(likes, 0.95)),
    )


def _facts(topic: int, count: int, rng: np.random.Generator) -> list[str]:
    return [f"f{topic}x{n}" for n in rng.choice(FACT_WORDS, count, replace=False)]


def _candidate(kind: str, topic: int, query: list[str], gold: list[str], rng: np.random.Generator) -> str:
    other = int((topic + rng.integers(1, TOPICS)) % TOPICS)
    match kind:
        case "copy":
            words = list(rng.permutation(query))
        case "short on topic":
            words = [*gold, *_facts(topic, int(rng.integers(0, 3)), rng)]
        case "long on topic":
            words = _facts(topic, int(rng.integers(34, 41)), rng)
        case "long off topic":
            words = _facts(other, int(rng.integers(34, 41)), rng)
        case "repeated":
            words = list(rng.permutation(query)[:4]) * 15
        case _:
            words = [*_facts(topic, 20, rng), *_facts(other, 20, rng)]
    return " ".join(words)


def _off(text: str, topic: int) -> float:
    words = text.split()
    return sum(word[1:].split("x")[0] != str(topic) for word in words) / len(words)


def _quality(text: str, topic: int, gold: Sequence[str]) -> float:
    words = text.split()
    if gold:
        hits = len(set(words) & set(gold))
        return 2.0 * hits / (len(words) + len(gold))
    covered = {word for word in words if word.startswith(f"f{topic}x")}
    return len(covered) / FACT_WORDS - 0.5 * _off(text, topic)


@dataclass(frozen=True)
class R3Claim(Claim):
    """The whole reward against each of its ablations."""

    name: ClassVar[str] = "r3"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "R3: Preference-free Alignment Learning with Regularized Relevance Reward (arXiv 2402.03469)"
    statement: ClassVar[str] = (
        "Relevance with length, repetition and a reference for closed queries teaches good answers, where relevance, "
        "length or their product alone are hacked; and relevance tells on-topic from off-topic where length does not."
    )

    rounds: int = 400
    samples: int = 8
    learning_rate: float = 0.5
    triplets: int = 200

    over_relevance: ClassVar[float] = 0.4
    over_ablations: ClassVar[float] = 0.1
    most_off_topic: ClassVar[float] = 0.05

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed, and the triplets."""
        import numpy as np

        quality: dict[str, list[float]] = {arm: [] for arm in ARMS}
        uniform, flipped, off_topic, by_relevance, by_length = [], [], [], [], []
        for place, seed in enumerate(seeds):
            world = make_world(seed)
            uniform.append(float(world.quality.mean()))
            for offset, (arm, factors) in enumerate(ARMS.items()):
                progress(place * len(ARMS) + offset, len(seeds) * len(ARMS), f"seed {seed}, {arm}")
                policy = self.trained(world.rewards(factors), seed)
                quality[arm].append(float((policy * world.quality).sum(axis=1).mean()))
                if arm == "R3":
                    off_topic.append(float((policy * world.off_topic).sum(axis=1).mean()))
            wrong = np.random.default_rng([seed, 9]).permutation(TOPICS) < round(0.2 * TOPICS)
            policy = self.trained(world.rewards(FACTORS, wrong.tolist()), seed)
            flipped.append(float((policy * world.quality).sum(axis=1).mean()))
            told = preferred(world, self.triplets, seed)
            by_relevance.append(told[0])
            by_length.append(told[1])
        progress(len(seeds) * len(ARMS), len(seeds) * len(ARMS), "done")
        best = [max(values) for values in zip(*(quality[arm] for arm in ARMS if arm != "R3"), strict=True)]
        over = Measurement(
            "R3 above relevance only",
            _less(quality["R3"], quality["relevance only"]),
            needed=f">= {self.over_relevance}",
        )
        above = Measurement(
            "R3 above the best ablation", _less(quality["R3"], best), needed=f">= {self.over_ablations}"
        )
        off = Measurement("words off topic under R3", tuple(off_topic), needed=f"< {self.most_off_topic}")
        chosen = Measurement("relevance prefers the on-topic answer", tuple(by_relevance), needed="> .95")
        longer = Measurement("length prefers the on-topic answer", tuple(by_length), needed="< .05")
        measurements = [
            Measurement("quality, uniform", tuple(uniform), earlier=".12"),
            *(Measurement(f"quality, {arm}", tuple(quality[arm]), earlier=EARLIER[arm]) for arm in ARMS),
            Measurement("quality, R3 with a fifth of the kinds wrong", tuple(flipped)),
            over,
            above,
            off,
            chosen,
            longer,
        ]
        held = (
            over.mean >= self.over_relevance
            and above.mean >= self.over_ablations
            and max(off.values) < self.most_off_topic
            and min(chosen.values) > 0.95
            and max(longer.values) < 0.05
        )
        return self.result(held, measurements, seeds, NOTES)

    def trained(self, rewards: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        """The policy (Q, 36) after group-standardised policy gradient on samples of each query."""
        import numpy as np

        rng = np.random.default_rng([seed, 5])
        logits = np.zeros_like(rewards)
        rows = np.arange(len(rewards))[:, None]
        for _ in range(self.rounds):
            policy = _softmax(logits)
            drawn = (rng.random((len(rewards), self.samples, 1)) > policy.cumsum(axis=1)[:, None, :]).sum(axis=2)
            drawn = np.minimum(drawn, rewards.shape[1] - 1)
            earned = rewards[rows, drawn]
            spread = earned.std(axis=1, keepdims=True)
            advantages = np.where(
                spread > 1e-9, (earned - earned.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9), 0
            )
            gradient = np.zeros_like(logits)
            np.add.at(gradient, (rows, drawn), advantages / self.samples)
            logits += self.learning_rate * (gradient - policy * gradient.sum(axis=1, keepdims=True))
        return _softmax(logits)


def preferred(world: World, count: int, seed: int) -> tuple[float, float]:
    """Share of (query, on-topic short, off-topic long) for which relevance, and length, prefer the first."""
    import numpy as np

    rng = np.random.default_rng([seed, 7])
    relevance = length = 0
    for _ in range(count):
        query = int(rng.integers(0, len(world.answers)))
        short = KINDS.index("short on topic") * EACH + int(rng.integers(0, EACH))
        long = KINDS.index("long off topic") * EACH + int(rng.integers(0, EACH))
        relevance += bool(world.to_query[query, short] > world.to_query[query, long])
        length += len(world.answers[query][short].split()) > len(world.answers[query][long].split())
    return relevance / count, length / count


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return policy


def _less(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    return tuple(one - other for one, other in zip(ours, theirs, strict=True))
