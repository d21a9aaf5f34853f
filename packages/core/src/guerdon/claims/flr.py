"""The central claim of follow-up likelihood (FLR), shrunk to seconds, with the product's own pieces.

A world of questions with one right answer among many; users talk about answers they were given, and their remarks are
noisy. A scorer that only counts reads this talk; `FollowUpLikelihood` asks it, `preferences.mine` makes pairs of what a
table answers, and `losses.preference.dpo` trains the table on them.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.errors import ConfigError
from guerdon.preferences import mine
from guerdon.protocols import Continuation, Sampling, Split, Task
from guerdon.rewards import Context, Reward
from guerdon.rewards.followups import FollowUpLikelihood, FollowUps
from guerdon.types import Example, Group, Message, Prompt, Rollout

if TYPE_CHECKING:
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.protocols import Policy

Arm = Literal["base", "tuned", "shuffled"]
ARMS: tuple[Arm, ...] = ("base", "tuned", "shuffled")
SIGNS = ("positive", "negative", "neutral")
ORDER = 3
"""How many words a remark has."""
WEIGHT = 2.0
"""What the coarser estimate weighs, in counts, when a finer one is mixed with it [choice]."""


class Talk(NamedTuple):
    """One dialogue: a question, the answer it got, and what the user said next."""

    question: int
    answer: int
    remark: str


@dataclass(frozen=True)
class InterpolatedCounts:
    """A `Scorer` that has only counted: how often each word followed what, after that answer and in general.

    A word's probability mixes four estimates, each smoothed by the next coarser one (Witten-Bell's form with a constant
    weight): after this answer and the remark's words so far; after these words anywhere; anywhere; 1 / vocabulary.
    """

    talk: tuple[Talk, ...]
    vocabulary: int

    @property
    def name(self) -> str:
        """How much it heard."""
        return f"counts of {len(self.talk)} dialogues"

    def logprobs(
        self, continuations: Sequence[Continuation], *, policy: Policy | None = None
    ) -> list[tuple[float, ...] | None]:
        """See `guerdon.protocols.Scorer`; a word is a token."""
        counts = _counts(self.talk)
        found: list[tuple[float, ...] | None] = []
        for one in continuations:
            asked, answered = (turn.content for turn in one.messages[-2:])
            words = one.text.split()
            before = [(asked, answered, *words[:place]) for place in range(len(words))]
            found.append(
                tuple(math.log(self._probability(counts, each, w)) for each, w in zip(before, words, strict=True))
            )
        return found

    def _probability(self, counts: Counter[tuple[str, ...]], before: tuple[str, ...], word: str) -> float:
        estimate = 1.0 / self.vocabulary
        for known in ((), ("any", *before[2:]), before):
            total = counts[("total", *known)]
            estimate = (counts[(*known, word)] + WEIGHT * estimate) / (total + WEIGHT)
        return estimate


@functools.lru_cache(maxsize=8)
def _counts(talk: tuple[Talk, ...]) -> Counter[tuple[str, ...]]:
    counts: Counter[tuple[str, ...]] = Counter()
    for question, answer, remark in talk:
        words = remark.split()
        for place, word in enumerate(words):
            for known in ((), ("any", *words[:place]), (_asked(question), _said(answer), *words[:place])):
                counts[("total", *known)] += 1
                counts[(*known, word)] += 1
    return counts


def _asked(question: int) -> str:
    return f"question {question}"


def _said(answer: int) -> str:
    return f"answer {answer}"


class Question(Example):
    """One of the world's questions."""

    number: int
    right: str


@dataclass(frozen=True)
class World(Task):
    """Questions with one right answer each, and what users say of answers."""

    name: ClassVar[str] = "flr/world-v1"

    seed: int
    questions: int = 40
    answers: int = 12
    words: int = 30
    """Vocabulary of the remarks."""
    remarks: tuple[int, int, int] = (6, 6, 4)
    """Different remarks that praise, complain and do neither."""

    def examples(self, split: Split) -> list[Question]:
        """All questions; there is nothing to generalise to."""
        draw = Random(f"answers {self.seed}")
        return [
            Question(id=f"{split}{number}", number=number, right=_said(draw.randrange(self.answers)))
            for number in range(self.questions)
        ]

    def prompt(self, example: Example) -> Prompt:
        """The question, as a user asks it; the table's row is its number."""
        assert isinstance(example, Question)
        return Prompt((Message("user", _asked(example.number)),), observation=example.number)

    def follow_ups(self) -> dict[str, tuple[str, ...]]:
        """The remarks by sign, three words each, all different."""
        draw = Random(f"remarks {self.seed}")
        made: dict[str, None] = {}
        while len(made) < sum(self.remarks):
            made[" ".join(f"w{draw.randrange(self.words)}" for _ in range(ORDER))] = None
        texts = iter(made)
        return {sign: tuple(next(texts) for _ in range(count)) for sign, count in zip(SIGNS, self.remarks, strict=True)}

    def talk(
        self, dialogues: int, *, flipped: float, neutral: float, seed: str, shuffled: bool = False
    ) -> tuple[Talk, ...]:
        """What users said: praise of right answers, complaints of wrong ones, save for the share `flipped` of these;
        the share `neutral` of all remarks says neither. `shuffled` deals the remarks out anew among the dialogues.
        """
        draw = Random(f"talk {self.seed} {seed}")
        remarks, right = self.follow_ups(), [example.right for example in self.examples("train")]
        heard = []
        for _ in range(dialogues):
            question, answer = draw.randrange(self.questions), draw.randrange(self.answers)
            good = (right[question] == _said(answer)) != (draw.random() < flipped)
            sign = "neutral" if draw.random() < neutral else "positive" if good else "negative"
            heard.append(Talk(question, answer, draw.choice(remarks[sign])))
        if shuffled:
            dealt = [one.remark for one in heard]
            draw.shuffle(dealt)
            heard = [one._replace(remark=remark) for one, remark in zip(heard, dealt, strict=True)]
        return tuple(heard)


@dataclass(frozen=True)
class Outcome:
    """What one arm came to on one seed."""

    accuracy: float
    """Share of (right, wrong) answer pairs that the reward puts in order; ties count half."""
    before: float
    """Mean probability the table gives the right answer, before."""
    after: float
    """The same after one round."""


@dataclass(frozen=True)
class Flr(Claim):
    """A scorer that heard much honest feedback against one that heard little, and against shuffled feedback."""

    name: ClassVar[str] = "flr"
    seeds: ClassVar[int] = 12
    paper: ClassVar[str] = (
        "Aligning Language Models Using Follow-up Likelihood as Reward Signal, AAAI 2025 (arXiv 2409.13948)"
    )
    statement: ClassVar[str] = (
        "How likely praise is as the user's next remark tells good answers from bad ones once the scorer is tuned on "
        "feedback, and pairs mined by it improve the policy."
    )

    base_dialogues: int = 500
    tuned_dialogues: int = 12_000
    group_size: int = 8
    beta: float = 0.5
    updates: int = 100
    """Of DPO, each on all pairs of the one round."""
    learning_rate: float = 0.1
    """AdamW's."""

    least_lead: ClassVar[float] = 0.3
    """Of the tuned scorer's accuracy over the base one's."""
    least_gain: ClassVar[float] = 3.0
    """Of the tuned arm's policy, times its start."""
    chance: ClassVar[float] = 0.05
    """How far from 1/2 the control's accuracy may lie."""
    most_drift: ClassVar[float] = 0.05
    """By how much the control's policy may gain: the sheet says "no gain", and no number [choice]."""

    def run(self, seeds: Sequence[int] = tuple(range(12)), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed; it holds when the means over seeds are as the fact sheet expects.

        Raises:
            ConfigError: torch is not installed.
        """
        found: dict[Arm, list[Outcome]] = {arm: [] for arm in ARMS}
        total, done = len(seeds) * len(ARMS), 0
        for seed in seeds:
            for arm in ARMS:
                progress(done, total, f"seed {seed}, {arm}")
                found[arm].append(self.measure(arm, seed))
                done += 1
        progress(total, total, "done")
        told = {
            "base": ("about .542", "about .09", "about .22"),
            "tuned": ("about .997", "about .08", "about .48"),
            "shuffled": ("about .5", "", "no gain"),
        }
        measurements = [
            Measurement(f"{title}, {arm}", tuple(getattr(one, metric) for one in found[arm]), earlier=told[arm][place])
            for place, (metric, title) in enumerate(
                (
                    ("accuracy", "pair accuracy"),
                    ("before", "right answer's probability before"),
                    ("after", "right answer's probability after"),
                )
            )
            for arm in ARMS
        ]
        mean = {one.name: one.mean for one in measurements}
        lead = Measurement(
            "lead in pair accuracy, tuned over base",
            tuple(one.accuracy - other.accuracy for one, other in zip(found["tuned"], found["base"], strict=True)),
            needed=f">= {self.least_lead}",
        )
        gain = Measurement(
            "times the start, tuned policy",
            tuple(one.after / one.before for one in found["tuned"]),
            needed=f">= {self.least_gain:g}",
        )
        after = "right answer's probability after"
        drift = Measurement(
            "gain of the shuffled policy",
            tuple(one.after - one.before for one in found["shuffled"]),
            needed=f"<= {self.most_drift:g}",
        )
        held = (
            lead.mean >= self.least_lead
            and gain.mean >= self.least_gain
            and mean[f"{after}, tuned"] > mean[f"{after}, base"]
            and abs(mean["pair accuracy, shuffled"] - 0.5) <= self.chance
            and drift.mean <= self.most_drift
        )
        return self.result(held, [*measurements, lead, gain, drift], seeds, _notes(self))

    def measure(self, arm: Arm, seed: int) -> Outcome:
        """One arm: listen, score, sample once, pair, train."""
        world = World(seed)
        reward = self.reward(world, arm)
        questions = world.examples("train")
        try:
            from guerdon.policies.tabular import TabularPolicy
        except ModuleNotFoundError as error:
            raise ConfigError('this claim trains a table and needs torch: pip install "guerdon[train]"') from error
        policy = TabularPolicy.for_task(world, [_said(number) for number in range(world.answers)], ["train"])
        accuracy = pair_accuracy(world, questions, reward)
        before = _right(policy, questions)
        groups = policy.sample(world, questions, self.group_size, Sampling(max_tokens=1), seed=seed)
        pairs = mine(groups, Context(seed=seed, policy=policy).scores(reward, groups))
        self._train(policy, [pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
        return Outcome(accuracy, before, _right(policy, questions))

    def reward(self, world: World, arm: Arm) -> Reward:
        """The arm's follow-up likelihood."""
        if arm == "base":
            talk = world.talk(self.base_dialogues, flipped=0.45, neutral=0.0, seed="base")
        else:
            shuffled = arm == "shuffled"
            talk = world.talk(self.tuned_dialogues, flipped=0.25, neutral=0.3, seed="tuned", shuffled=shuffled)
        remarks = world.follow_ups()
        feedback = FollowUps("feedback", remarks["positive"], remarks["negative"])
        return FollowUpLikelihood(InterpolatedCounts(talk, world.words), follow_ups=(feedback,))

    def _train(self, policy: TabularPolicy, chosen: Sequence[Rollout], rejected: Sequence[Rollout]) -> None:
        from guerdon.losses.preference import dpo
        from guerdon.losses.ratios import log_ratios
        from guerdon.trainer.config import OptimizerConfig
        from guerdon.trainer.optimizers import adamw

        if not chosen:
            return
        rollouts = [*chosen, *rejected]
        reference_N = policy.logprobs(rollouts, grad=False).logprobs_N
        optimizer = adamw(policy.parameters(), OptimizerConfig(lr=self.learning_rate))
        for _ in range(self.updates):
            steps = policy.logprobs(rollouts)
            ratios_S = log_ratios(steps.logprobs_N, reference_N, steps.lengths)
            terms = dpo(ratios_S[: len(chosen)], ratios_S[len(chosen) :], beta=self.beta)
            terms.loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            policy.updated()


def pair_accuracy(world: World, questions: Sequence[Question], reward: Reward) -> float:
    """Share of all (right, wrong) answer pairs in the right order, each pair at one question; ties count half."""
    groups = [
        Group.of([Rollout.of(one, _said(n), prompt=world.prompt(one), index=n) for n in range(world.answers)])
        for one in questions
    ]
    points = []
    for question, row in zip(questions, Context().scores(reward, groups), strict=True):
        values = {_said(number): score.value for number, score in enumerate(row)}
        right = values.pop(question.right)
        points += [float(right > wrong) + 0.5 * (right == wrong) for wrong in values.values()]
    return math.fsum(points) / len(points)


def _right(policy: TabularPolicy, questions: Sequence[Question]) -> float:
    table = policy.action_probabilities([str(one.number) for one in questions]).detach()
    chosen = [policy.actions.index(one.right) for one in questions]
    return math.fsum(float(row[place]) for row, place in zip(table, chosen, strict=True)) / len(questions)


def _notes(claim: Flr) -> str:
    return (
        "counts in place of a language model, a uniform table in place of the policy; the sheet leaves open how talk "
        "is drawn (here questions and answers uniformly), how counts are mixed, and how long DPO runs (here "
        f"{claim.updates} AdamW steps at {claim.learning_rate:g}): the base policy stays below the sheet's .22, which "
        "is no part of the verdict; one blind round moves one answer of each question, so that the control's drift is "
        "noisy: on seeds 0 to 2 alone it is .0507, above the bar, hence twelve seeds in place of the sheet's three"
    )
