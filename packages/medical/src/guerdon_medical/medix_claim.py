"""The claim of MediX-R1, shrunk to seconds: a composite reward against weak single signals that can be hacked.

A question has eight candidate diagnoses: the right one, which has a family, up to three of its near names, and others;
each has noisy evidence for itself and for its family. The policy, a softmax of eighteen weights, chooses how many to
list (1 to 6), which, in which order, with the layout or bare, and which of three modality tags. The answers are texts,
scored by the package's own reward as released: a weak judge (YES where all words of the gold occur) and TF-IDF words as
embedder. Truth, which no reward sees, is 1 / number listed where the gold is listed, else 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.fields import one_of
from guerdon.protocols import Encoder
from guerdon.retrieval import Corpus, HashedEncoder, TermEncoder
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_medical.disease_names import families, made_names, real_names
from guerdon_medical.medix_judging import WordsJudge
from guerdon_medical.medix_rewards import MediX
from guerdon_medical.open_questions import OpenQuestion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANDIDATES, FAMILY, MOST, TAGS = 8, 3, 6, ("X_RAY", "CT_SCAN", "MRI_SCAN")
Arm = Literal["judge only", "embedding only", "0.6 judge + 0.4 embedding", "composite"]
Golds = Literal["families", "all"]
WEIGHTS: dict[Arm, tuple[float, float, float, float]] = {
    "judge only": (1.0, 0.0, 0.0, 0.0),
    "embedding only": (0.0, 1.0, 0.0, 0.0),
    "0.6 judge + 0.4 embedding": (0.6, 0.4, 0.0, 0.0),
    "composite": (0.5175, 0.3375, 0.1, 0.045),
}
"""Of judge, embedding, format and modality."""
EARLIER: Mapping[str, tuple[str, ...]] = {
    "judge only": (".99", ".17 to .18", "5.7 to 5.9", ".2 to .4", ".35"),
    "embedding only": (".62 to .66", ".45 to .62", "1.0 to 1.7", ".1 to .6", ".3"),
    "0.6 judge + 0.4 embedding": (".73 to .75", ".38 to .41", "2.0", ".1 to .35", ".3"),
    "composite": (".76 to .77", ".39", "2.0", ".99 to 1.0", ".98 to .99"),
}


NOTES = (
    "The reward as released; its parts' weights are what differs between arms. Embedding alone is reported and not "
    "asserted: it is not below the composite on truth. The composite is hacked too: it makes one answer of two near "
    "names, and with an embedder that counts repeated trigrams it lists three to six, never the gold alone (embedding "
    "alone then does so with made-up names, and not with published labels). All hangs on how strong the evidence is, "
    "which the sheet does not say. With 1.0 in place of 1.5 the claim did not hold: a list of six paid the composite "
    "as much as two names. Its truth above judge only's was then, on seeds 0 to 2, .02, .42, .05 (published labels, "
    "golds of all names) and .00, .16, .16 (made-up names)."
)


@dataclass(frozen=True)
class Question:
    """One question, as the policy sees it."""

    example: OpenQuestion
    names: tuple[str, ...]
    """Eight candidates."""
    gold: int
    evidence: NDArray[np.float64]
    """(8, 2): for the candidate itself, and for its family."""
    tag: int
    """The image's modality, which the policy sees as well."""


@dataclass(frozen=True)
class Drawn:
    """Answers to B questions, G each: what was chosen, and its gradient by the policy's weights."""

    listed: NDArray[np.int64]
    """(B, G, 6): candidates in the order listed."""
    count: NDArray[np.int64]
    """(B, G)."""
    layout: NDArray[np.bool_]
    tag: NDArray[np.int64]
    gradient: NDArray[np.float64]
    """(B, G, weights): of the log-probability."""


@dataclass(frozen=True)
class Outcome:
    """What one arm came to, on questions that it was not trained on."""

    reward: float
    truth: float
    listed: float
    layout: float
    modality: float
    exact: float
    """Share of answers that are the gold alone."""
    seconds: float


class Policy:
    """The weights: 6 for how many, 2 for which, 1 for the layout, 3 x 3 for the tag by the modality seen."""

    def __init__(self, layout: float, reads: float) -> None:
        import numpy as np

        self.weights = np.zeros(MOST + 2 + 1 + 9)
        self.weights[MOST : MOST + 2] = reads
        self.weights[MOST + 2] = np.log(layout / (1.0 - layout))

    def draw(self, questions: Sequence[Question], size: int, rng: np.random.Generator) -> Drawn:
        """`size` answers to each question."""
        import numpy as np

        batch = len(questions)
        evidence = np.stack([one.evidence for one in questions])  # (B, 8, 2)
        gradient = np.zeros((batch, size, len(self.weights)))
        many = _softmax(self.weights[:MOST])
        count = rng.choice(MOST, size=(batch, size), p=many)
        gradient[..., :MOST] = np.eye(MOST)[count] - many
        # Candidates one after another without putting back: the order of scores with Gumbel noise (Plackett and Luce).
        scores = evidence @ self.weights[MOST : MOST + 2]
        order = np.argsort(-(scores[:, None] + rng.gumbel(size=(batch, size, CANDIDATES))), axis=-1)
        left = np.ones((batch, size, CANDIDATES))
        for place in range(MOST):
            chances = np.exp(scores - scores.max(axis=1, keepdims=True))[:, None] * left
            chances = chances / chances.sum(axis=-1, keepdims=True)
            pick = order[..., place]
            step = np.take_along_axis(evidence[:, None], pick[:, :, None, None], axis=2)[:, :, 0]
            step = step - np.einsum("bgc,bcf->bgf", chances, evidence)
            gradient[..., MOST : MOST + 2] += step * (place <= count)[..., None]
            np.put_along_axis(left, pick[..., None], 0.0, axis=-1)
        chance = 1.0 / (1.0 + np.exp(-self.weights[MOST + 2]))
        layout = rng.random((batch, size)) < chance
        gradient[..., MOST + 2] = layout - chance
        table = self.weights[MOST + 3 :].reshape(3, 3)
        tag = np.zeros((batch, size), dtype=np.int64)
        for row, one in enumerate(questions):
            tags = _softmax(table[one.tag])
            tag[row] = rng.choice(3, size=size, p=tags)
            start = MOST + 3 + 3 * one.tag
            gradient[row, :, start : start + 3] = np.eye(3)[tag[row]] - tags
        return Drawn(order[..., :MOST], count + 1, layout, tag, gradient)


@dataclass(frozen=True)
class MediXClaim(Claim):
    """The composite against each signal alone, on the same questions."""

    name: ClassVar[str] = "medix_r1"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "MediX-R1: Open Ended Medical Reinforcement Learning (arXiv 2602.23363)"
    statement: ClassVar[str] = (
        "The composite of judge, embedding, layout and modality is harder to hack than a weak judge alone, and teaches "
        "layout and modality."
    )

    steps: int = 150
    questions: int = 16
    """A step."""
    group_size: int = 5
    learning_rate: float = 0.1
    """Of Adam [choice]."""
    made: int = 800
    """How many names are made up where no real ones are here."""
    test_questions: int = 400
    layout_at_start: float = 0.3
    """Share of answers with tags before training [choice]."""
    reads_at_start: float = 0.5
    """The start's weight of either evidence [choice]."""
    golds: Golds = "families"
    """Which names are asked about: those with a near name, as the trial's world is described, or all of them. With all,
    where most have no family, a list of six pays the composite as much as one name does."""
    gold_evidence: float = 1.5
    """In units of the noise. The sheet does not say; with 1.5 the best single name is the gold in .54 of questions of
    whole families and the best two hold it in .75, as its trial's figures imply (.45 to .62, and twice .39)."""
    family_evidence: float = 1.5
    """In units of the noise [choice]."""

    def __post_init__(self) -> None:
        one_of("medix_r1.golds", self.golds, get_args(Golds))

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed; then the composite and the embedding with an embedder that counts trigrams."""
        real = real_names()
        names = real or made_names(self.made)
        near = families(names, FAMILY)
        by_words = TermEncoder(Corpus.of(names))
        by_pieces = HashedEncoder(4096)
        plan: list[tuple[str, Arm, Encoder]] = [(arm, arm, by_words) for arm in WEIGHTS]
        plan += [(f"{arm}, by trigrams", arm, by_pieces) for arm in ("embedding only", "composite")]
        found: dict[str, list[Outcome]] = {title: [] for title, _, _ in plan}
        for place, seed in enumerate(seeds):
            for offset, (title, arm, encoder) in enumerate(plan):
                progress(place * len(plan) + offset, len(seeds) * len(plan), f"seed {seed}, {title}")
                found[title].append(self.trained(arm, encoder, seed, near))
        progress(len(seeds) * len(plan), len(seeds) * len(plan), "done")
        return self._result(found, seeds, f"{len(names)} {'labels of published cases' if real else 'made-up names'}")

    def _result(self, found: dict[str, list[Outcome]], seeds: Sequence[int], told: str) -> ClaimResult:
        composite, judge = found["composite"], found["judge only"]
        gained = tuple(ours.truth - other.truth for ours, other in zip(composite, judge, strict=True))
        gaps = tuple(
            (ours.reward - ours.truth) / (other.reward - other.truth)
            for ours, other in zip(composite, judge, strict=True)
        )
        layout, modality = (tuple(getattr(one, part) for one in composite) for part in ("layout", "modality"))
        unpaid = tuple(max(one.layout, one.modality) for one in judge)
        measurements = [
            Measurement("truth of the composite above judge only", gained, needed=">= 0.15"),
            Measurement("gap of reward and truth, composite by judge only", gaps, needed="<= 0.6", earlier=".46"),
            Measurement("layout, composite", layout, needed=">= 0.95", earlier=".99 to 1.0"),
            Measurement("modality, composite", modality, needed=">= 0.95", earlier=".98 to .99"),
            Measurement("larger of layout and modality, judge only", unpaid, needed="<= 0.6", earlier=".35 to .4"),
        ]
        for title, outcomes in found.items():
            earlier = EARLIER.get(title, ("", "", "about 4", "", ""))
            for part, said in zip(("reward", "truth", "listed", "layout", "modality"), earlier, strict=True):
                values = tuple(getattr(one, part) for one in outcomes)
                measurements.append(Measurement(f"{part}, {title}", values, earlier=said))
            measurements.append(Measurement(f"gold alone, {title}", tuple(one.exact for one in outcomes)))
            measurements.append(Measurement(f"time, {title}", tuple(one.seconds for one in outcomes), "s"))
        held = min(gained) >= 0.15 and max(gaps) <= 0.6 and min(*layout, *modality) >= 0.95 and max(unpaid) <= 0.6
        notes = f"Names: {told}. {NOTES}"
        return self.result(held, measurements, seeds, notes)

    def asked(self, count: int, near: dict[str, tuple[str, ...]], rng: np.random.Generator, id: str) -> list[Question]:
        """Questions about names drawn at random."""
        import numpy as np

        names = list(near)
        golds = names if self.golds == "all" else [name for name in names if near[name]]
        questions = []
        for number in range(count):
            gold = golds[int(rng.integers(len(golds)))]
            chosen = [gold, *near[gold]]
            while len(chosen) < CANDIDATES:
                other = names[int(rng.integers(len(names)))]
                if other not in chosen:
                    chosen.append(other)
            order = rng.permutation(CANDIDATES)
            is_gold, is_family = order == 0, order <= len(near[gold])
            evidence = rng.normal(0.0, 1.0, (CANDIDATES, 2))
            evidence += np.stack([self.gold_evidence * is_gold, self.family_evidence * is_family], axis=1)
            tag = int(rng.integers(3))
            example = OpenQuestion(id=f"{id}-{number}", question="Which is it?", solution=f"<{TAGS[tag]}>{gold}")
            shown = tuple(chosen[place] for place in order)
            questions.append(Question(example, shown, int(np.flatnonzero(is_gold)[0]), evidence, tag))
        return questions

    def trained(self, arm: Arm, encoder: Encoder, seed: int, near: dict[str, tuple[str, ...]]) -> Outcome:
        """GRPO, one update per batch: every ratio is 1, and nothing is clipped."""
        import numpy as np

        start = time.perf_counter()
        reward = self.reward(arm, encoder)
        policy = Policy(self.layout_at_start, self.reads_at_start)
        rng = np.random.default_rng([seed, 1])
        first, second = np.zeros_like(policy.weights), np.zeros_like(policy.weights)
        for step in range(1, self.steps + 1):
            batch = self.asked(self.questions, near, rng, f"train-{step}")
            drawn = policy.draw(batch, self.group_size, rng)
            values = self.scored(reward, batch, drawn)
            centred = values - values.mean(axis=1, keepdims=True)
            advantages = centred / (values.std(axis=1, ddof=1, keepdims=True) + 1e-6)
            gradient = (advantages[..., None] * drawn.gradient).mean(axis=(0, 1))
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            rate = self.learning_rate / (1.0 - 0.9**step)
            policy.weights = policy.weights + rate * first / (np.sqrt(second / (1.0 - 0.999**step)) + 1e-8)
        return self.measured(policy, reward, seed, near, start)

    @staticmethod
    def reward(arm: Arm, encoder: Encoder) -> MediX:
        """The package's own, as released, with the arm's weights."""
        judge, embedding, format, modality = WEIGHTS[arm]
        return MediX(
            WordsJudge(),
            encoder,
            judge_weight=judge,
            embedding_weight=embedding,
            format_weight=format,
            modality_weight=modality,
            reading="released",
        )

    @staticmethod
    def scored(reward: MediX, questions: Sequence[Question], drawn: Drawn) -> NDArray[np.float64]:
        """(B, G): the reward of each answer, as text."""
        import numpy as np

        groups = []
        for row, one in enumerate(questions):
            texts = []
            for number in range(drawn.count.shape[1]):
                chosen = drawn.listed[row, number, : drawn.count[row, number]]
                answer = ", ".join(one.names[place] for place in chosen)
                if drawn.layout[row, number]:
                    tag = TAGS[drawn.tag[row, number]]
                    answer = f"<{tag}><thinking>By the evidence.</thinking><answer>{answer}</answer>"
                texts.append(answer)
            groups.append(Group.of([Rollout.of(one.example, text) for text in texts]))
        return np.array([[score.value for score in scores] for scores in reward.score_batch(groups, Context())])

    def measured(
        self, policy: Policy, reward: MediX, seed: int, near: dict[str, tuple[str, ...]], start: float
    ) -> Outcome:
        """One answer to each of other questions, the same for every arm of a seed."""
        import numpy as np

        rng = np.random.default_rng([seed, 2])
        questions = self.asked(self.test_questions, near, rng, "test")
        drawn = policy.draw(questions, 1, rng)
        values = self.scored(reward, questions, drawn)
        gold = np.array([one.gold for one in questions])[:, None]
        shown = np.arange(MOST) < drawn.count[..., None]
        right = ((drawn.listed == gold[..., None]) & shown).any(axis=-1)
        tag = np.array([one.tag for one in questions])[:, None]
        return Outcome(
            float(values.mean()),
            float((right / drawn.count).mean()),
            float(drawn.count.mean()),
            float(drawn.layout.mean()),
            float((drawn.tag == tag).mean()),
            float((right & (drawn.count == 1)).mean()),
            time.perf_counter() - start,
        )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    chances = np.exp(logits - logits.max())
    shares: NDArray[np.float64] = chances / chances.sum()
    return shares
