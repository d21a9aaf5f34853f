"""Rewards of Search-Gen-V: what a verifier earns for its labels, and what an answer earns for the nuggets it covers.

`Verifier` needs no judge: the labels are known. `NuggetCoverage` and `ShortForm` ask one. Coverage charges nothing
for length, and an answer that lists everything covers much: add `length-penalty-v1`, by `every-v1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from guerdon.fields import check_numbers, one_of, whole_number
from guerdon.protocols import JudgeBackend
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_search.answers import NO_ANSWER, answer_in, exact_match, told
from guerdon_search.label_parsing import labels_in, taken_apart
from guerdon_search.labels import LABELS, WORTH, coverage
from guerdon_search.nuggets import NuggetBlock, NuggetQuestion
from guerdon_search.verifier import BATCH, Labelled, NuggetVerifier
from guerdon_search.verifier_scores import Reading, Reasoning, verifier_score


@dataclass(frozen=True)
class Verifier(Reward, name="search/verifier-v1", bounds=(0.0, 1.0)):
    """A verifier's completion by the labels it should have given: 0.35 F1 + 0.35 exact + 0.2 reasoning + 0.1 format.

    Examples are `NuggetBlock`. Rules and readings stand in `guerdon_search.verifier_scores`. The paper's cost of
    over-long completions is core's `soft-overlong-v1[max_length=4096,cache=2048]`, added to this.
    """

    reading: Reading = "repaired"
    """`repaired`: labels alone are read, and F1 is over the classes in the truth; `released`: other words beside them
    are dropped, and a class that neither has counts as right, which pays labels that are all wrong."""
    reasoning: Reasoning = "asked"
    """`asked`: a `<reasoning>` block before the labels that is not empty is worth 0.2, whatever it says; `optional`:
    labels without a block have the 0.2 too."""

    def __post_init__(self) -> None:
        one_of("search/verifier.reading", self.reading, get_args(Reading))
        one_of("search/verifier.reasoning", self.reasoning, get_args(Reasoning))

    @property
    def part_names(self) -> tuple[str, ...]:
        """The four parts."""
        return "f1", "exact", "reasoning", "format"

    def score(self, rollout: Rollout) -> Score:
        """From the completion and the true labels."""
        block = rollout.example_as(NuggetBlock)
        found = verifier_score(rollout.answer, block.labels, block.shape, self.reading, self.reasoning)
        parts = {name: Score(getattr(found, name)) for name in self.part_names}
        return Score(found.total, found.why, parts, "fail" if found.why else "ok")


@dataclass(frozen=True)
class ClassRecall(Reward, name="search/class-recall-v1", bounds=(0.0, 1.0)):
    """The mean over the classes in the truth of the share of their nuggets labelled so; for reporting.

    One word everywhere gets 1 / (number of classes), however skewed the set: what F1 hides. The parts are the classes.
    """

    def score(self, rollout: Rollout) -> Score:
        """From the labels alone, in any shape."""
        block = rollout.example_as(NuggetBlock)
        found = labels_in(taken_apart(rollout.answer).labels)
        if len(found) != len(block.labels):
            return Score(0.0, f"{len(found)} labels for {len(block.labels)} nuggets", status="fail")
        parts: dict[str, Score] = {}
        for label in LABELS:
            places = [place for place, true in enumerate(block.labels) if true == label]
            if places:
                parts[label] = Score(sum(found[place] == label for place in places) / len(places))
        return Score(sum(part.value for part in parts.values()) / len(parts), "", parts)


@dataclass(frozen=True)
class _Judged(Reward, sees="rollout"):
    """A reward of answers that a nugget verifier judges. It runs in the caller, where a batch's questions go out at
    once: a server's backend has threads of its own, and a model on this machine has none to share.
    """

    backend: JudgeBackend
    """Who answers: a server, a local model, `search/lexical` (word overlap), or a stand-in."""
    batch_size: int = BATCH
    """The most nuggets in one question."""
    block_words: int = 400
    """A longer answer is judged in blocks of about so many words, and a nugget keeps its best label."""
    reasoning: Reasoning = "optional"
    """`asked`: the judge reasons in `<reasoning>` before its labels, as a trained verifier does."""
    seed: int = 0
    """Handed to the backend."""
    _verifier: NuggetVerifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        verifier = NuggetVerifier(self.backend, self.batch_size, self.block_words, self.reasoning, self.seed)
        object.__setattr__(self, "_verifier", verifier)

    def grade(self, pairs: Sequence[tuple[NuggetQuestion, str]]) -> list[Score]:
        """One score for each question and answer."""
        raise NotImplementedError

    def score(self, rollout: Rollout) -> Score:
        """One rollout's; `score_batch` asks about all at once and gives the same."""
        return self.grade([(rollout.example_as(NuggetQuestion), answer_in(rollout.answer))])[0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All questions to the verifier in one batch."""
        graded = iter(
            self.grade(
                [
                    (rollout.example_as(NuggetQuestion), answer_in(rollout.answer))
                    for group in groups
                    for rollout in group.rollouts
                ]
            )
        )
        return [[next(graded) for _ in group.rollouts] for group in groups]


def _without(labelled: Labelled) -> Score:
    """The score where there are no labels: an answer that cannot be read abstains, none at all is our failure."""
    status: Literal["abstain", "infra"] = "abstain" if labelled.answered else "infra"
    return Score.unscored(labelled.why[:200], status=status)


def _weighs(question: NuggetQuestion) -> bool:
    return any(nugget.worth > 0.0 for nugget in question.nuggets)


@dataclass(frozen=True)
class NuggetCoverage(_Judged, name="search/nugget-coverage-v1", bounds=(0.0, 1.0)):
    """The weighted share of a question's nuggets that the answer supports; half for partial support.

    An empty answer covers nothing, and nobody is asked. A question without nuggets, or with none that weighs anything,
    abstains (the paper's form, a 0 for everybody, is `guerdon_search.labels.coverage`). A verdict that cannot be read
    abstains; none at all is `infra`.
    """

    @property
    def part_names(self) -> tuple[str, ...]:
        """How many nuggets are supported, in part, and not."""
        return LABELS

    def grade(self, pairs: Sequence[tuple[NuggetQuestion, str]]) -> list[Score]:
        """Ask about all answers at once."""
        asked = [place for place, (question, answer) in enumerate(pairs) if _weighs(question) and answer]
        items = [
            (question.query, answer, tuple(nugget.text for nugget in question.nuggets))
            for question, answer in (pairs[place] for place in asked)
        ]
        labelled = dict(zip(asked, self._verifier.label(items), strict=True))
        return [self._score(question, labelled.get(place)) for place, (question, _) in enumerate(pairs)]

    @staticmethod
    def _score(question: NuggetQuestion, found: Labelled | None) -> Score:
        if not _weighs(question):
            return Score.unscored("the question has no nugget that weighs anything", status="abstain")
        if found is None:
            return Score(0.0, NO_ANSWER, {label: Score(0.0) for label in LABELS}, "fail")
        if found.labels is None:
            return _without(found)
        counts: dict[str, Score] = {label: Score(float(found.labels.count(label))) for label in LABELS}
        value = coverage([nugget.worth for nugget in question.nuggets], found.labels)
        missed = [nugget.text for nugget, label in zip(question.nuggets, found.labels, strict=True) if not WORTH[label]]
        return Score(value, f"not supported: {'; '.join(missed)[:160]}" if missed else "", counts)


@dataclass(frozen=True)
class ExactMatch(Reward, name="search/exact-match-v1", bounds=(0.0, 1.0)):
    """1 where the answer is a gold answer, after SQuAD's normal form; a paraphrase is not. Abstains without gold."""

    def score(self, rollout: Rollout) -> Score:
        """From `guerdon_search.answers.answer_in`: the last `<answer>` block, or all that is not thought."""
        question = rollout.example_as(NuggetQuestion)
        if not told(question.answers):
            return _no_gold(question)
        return Score(float(exact_match(answer_in(rollout.answer), question.answers)))


@dataclass(frozen=True)
class ShortForm(_Judged, name="search/short-form-v1", bounds=(0.0, 1.0)):
    """1 where the answer is a gold answer to the letter, or the verifier finds a gold answer supported in it.

    The gold answers are rubrics of which one is enough; partial support is not [choice]. Nobody is asked where exact
    match holds or the answer is empty. The text to be judged is question and answer, since a short answer alone says
    nothing; an answer of more than `most_words` words is wrong, since a list of everything supports anything [choice].
    """

    most_words: int = 40
    """A longer answer is wrong."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "most_words")
        whole_number("search/short-form.most_words", self.most_words, 1)

    def grade(self, pairs: Sequence[tuple[NuggetQuestion, str]]) -> list[Score]:
        """Ask about the answers that do not match."""
        asked = [
            place
            for place, (question, answer) in enumerate(pairs)
            if told(question.answers) and self._may_be_right(answer) and not exact_match(answer, question.answers)
        ]
        items = [
            (
                question.query,
                f"{question.query} {answer}",
                tuple(f"{question.query} {gold}" for gold in told(question.answers)),
            )
            for question, answer in (pairs[place] for place in asked)
        ]
        labelled = dict(zip(asked, self._verifier.label(items), strict=True))
        return [self._score(*pair, labelled.get(place)) for place, pair in enumerate(pairs)]

    def _may_be_right(self, answer: str) -> bool:
        return 0 < len(answer.split()) <= self.most_words

    def _score(self, question: NuggetQuestion, answer: str, found: Labelled | None) -> Score:
        if not told(question.answers):
            return _no_gold(question)
        if found is None:
            if not answer:
                return Score(0.0, NO_ANSWER, status="fail")
            if not self._may_be_right(answer):
                return Score(0.0, f"{len(answer.split())} words; 1 to {self.most_words} are taken", status="fail")
            return Score(1.0, "the gold answer to the letter")
        if found.labels is None:
            return _without(found)
        return Score(float("support" in found.labels), f"the verifier says {', '.join(found.labels)}"[:200])


def _no_gold(question: NuggetQuestion) -> Score:
    if question.answers:
        return Score.unscored(f"no gold answer of {question.answers!r:.80} says anything", status="invalid")
    return Score.unscored("the question has no gold answer", status="abstain")
