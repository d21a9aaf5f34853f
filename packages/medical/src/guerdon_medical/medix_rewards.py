r"""MediX-R1's reward: a judge's YES, an embedding's nearness, the layout and the named modality, weighed.

$$R = .5175\,j + .3375\,e + .10\,f + .045\,m$$

`released` is the authors' function. `repaired`, the default, differs where the sheet names a flaw: see
`guerdon_medical.medix_answers` for what is read, `guerdon_medical.medix_judging` for what the judge is shown, and: a
judge that fails is no wrong answer, the rollout has no score (`infra`); a reference without a tag, or without an
answer, is a broken task (`invalid`); a reference of one character, or of more than `max_chars`, can be given.

Bare answers keep .855, so that tags can be lost late in training: `format_gate` makes the layout a condition. The step
at .8 makes e blind to a side or a negation ("left", "no"): see `guerdon_medical.judge_calibration` before trusting an
encoder, and `similarity="graded"` for the cosine itself.

Source: MediX-R1 (arXiv 2602.23363), sheet's definition 7 [code].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from guerdon.errors import ConfigError, RetrievalError
from guerdon.fields import check_numbers, not_a_text, one_of
from guerdon.judges import Judge, Verdict
from guerdon.protocols import Encoder, JudgeBackend
from guerdon.retrieval.term_vectors import TermEncoder
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_medical.answer_cosines import answer_cosines
from guerdon_medical.medix_answers import (
    BANNED,
    MAX_CHARS,
    Reading,
    Solution,
    answer_of,
    has_layout,
    names_modality,
    same_answer,
    solution_of,
    squeezed,
    why_worthless,
)
from guerdon_medical.medix_judging import SynonymJudge, contains_yes, judge_messages, yes_or_no
from guerdon_medical.open_questions import OpenQuestion

Similarity = Literal["step", "graded"]
Pair = tuple[str, str]
"""Answer and reference."""
_EQUAL, _WORDS = SynonymJudge(), TermEncoder()


@dataclass(frozen=True)
class _Read:
    """What is known of a response before anybody is asked."""

    answer: str
    solution: Solution | None
    format: bool
    modality: bool
    worthless: str
    """Why the answer earns nothing; "" where it may."""
    same: bool

    @property
    def open(self) -> Pair | None:
        """What has to be asked; None where the content is known without."""
        if self.solution is None or self.worthless or self.same:
            return None
        return self.answer, self.solution.answer


@dataclass(frozen=True)
class MediX(Reward, name="medical/medix-r1-v1", bounds=(0.0, 1.0), sees="rollout"):
    """A free-text answer to a medical question, with its image's modality named and thinking before it.

    Parts: `judge`, `embedding`, `format`, `modality`, each in [0, 1]; one of weight 0 is not computed. All answers of a
    batch are put to the judge at once, each (answer, reference) once, and encoded at once.
    """

    judge: JudgeBackend = _EQUAL
    """Who says whether answers match; the default knows no synonyms. A model's `max_tokens` of 4 is enough for YES or
    NO alone; one that talks first is cut, and has no verdict."""
    encoder: Encoder = _WORDS
    """The authors': MedEmbed-large-v0.1, by `SentenceEncoder`."""
    judge_weight: float = 0.5175
    embedding_weight: float = 0.3375
    format_weight: float = 0.1
    modality_weight: float = 0.045
    reading: Reading = "repaired"
    threshold: float = 0.8
    """The cosine from which on e is 1, with `similarity="step"`."""
    similarity: Similarity = "step"
    """`graded`: e is the cosine itself, 0 below 0."""
    format_gate: bool = False
    """Whether a response without the layout earns nothing at all."""
    banned: tuple[str, ...] | None = None
    """What an answer may not hold; null: nothing as repaired, `__`, `:` and `?` as released."""
    max_chars: int | None = MAX_CHARS
    """The longest answer that earns anything as repaired, the reference itself apart; null for no limit. As released
    there is none."""
    seed: int = 0
    """Handed to the judge."""

    def __post_init__(self) -> None:
        check_numbers(self)
        not_a_text("medical/medix-r1.judge", self.judge, "a judge, such as SynonymJudge(...),")
        not_a_text("medical/medix-r1.encoder", self.encoder, "an encoder, such as guerdon.retrieval.TermEncoder(),")
        not_a_text("medical/medix-r1.banned", self.banned, "a list of texts")
        one_of("medical/medix-r1.reading", self.reading, get_args(Reading))
        one_of("medical/medix-r1.similarity", self.similarity, get_args(Similarity))
        if self.banned is not None:
            object.__setattr__(self, "banned", tuple(self.banned))
        if not -1.0 <= self.threshold <= 1.0:
            raise ConfigError(f"medical/medix-r1.threshold is {self.threshold!r}; a cosine in [-1, 1] is needed")
        if self.max_chars is not None and self.max_chars < 2:
            raise ConfigError(f"medical/medix-r1.max_chars is {self.max_chars!r}; at least 2, or none")
        weights = self.weights
        total = math.fsum(weights.values())
        if not all(weight >= 0.0 for weight in weights.values()) or not 0.0 < total <= 1.0 + 1e-9:
            raise ConfigError(
                f"medical/medix-r1: the weights are {weights}; numbers >= 0 with a sum in (0, 1] are needed"
            )

    @property
    def weights(self) -> Mapping[str, float]:
        """Of each part, by name."""
        return {
            "judge": self.judge_weight,
            "embedding": self.embedding_weight,
            "format": self.format_weight,
            "modality": self.modality_weight,
        }

    def score(self, rollout: Rollout) -> Score:
        """One rollout's; `score_batch` asks about all at once and gives the same."""
        return self._scores([rollout])[0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All questions and all texts in one go."""
        found = iter(self._scores([rollout for group in groups for rollout in group.rollouts]))
        return [[next(found) for _ in group.rollouts] for group in groups]

    @property
    def part_names(self) -> tuple[str, ...]:
        """Those that weigh something."""
        return tuple(name for name, weight in self.weights.items() if weight)

    def _scores(self, rollouts: Sequence[Rollout]) -> list[Score]:
        read = [self._read(rollout) for rollout in rollouts]
        asked = [one.open for one in read if one.open and (one.format or not self.format_gate)]
        pairs = list(dict.fromkeys(asked))
        verdicts = self._judged(pairs) if self.judge_weight else {}
        near = self._near(pairs) if self.embedding_weight else {}
        return [self._score(one, verdicts, near) for one in read]

    def _read(self, rollout: Rollout) -> _Read:
        released = self.reading == "released"
        text = squeezed(rollout.answer, self.reading)
        solution = solution_of(rollout.example_as(OpenQuestion).solution)
        if solution is not None and not solution.answer and not released:
            solution = None  # there is nothing to compare with, and nobody is asked
        answer = answer_of(text)
        banned = self.banned if self.banned is not None else BANNED if released else ()
        same = solution is not None and same_answer(answer, solution.answer, self.reading)
        # Repaired, how long an answer is says nothing against it where the reference is as short or as long.
        least, most = (1, None) if same and not released else (2, None if released else self.max_chars)
        return _Read(
            answer,
            solution,
            has_layout(text, self.reading),
            solution is not None and names_modality(text, solution.tag),
            why_worthless(answer, banned, most, least),
            same,
        )

    def _judged(self, pairs: Sequence[Pair]) -> dict[Pair, Verdict[bool]]:
        questions = [judge_messages(answer, gold, self.reading) for answer, gold in pairs]
        asked = _judge(self.judge, self.reading, self.seed)  # type: ignore[arg-type]  # settings of a reward are hashable
        return dict(zip(pairs, asked.ask(questions), strict=True))

    def _near(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        try:
            cosines = answer_cosines(self.encoder, pairs)
        except RetrievalError:
            if self.reading == "repaired":
                raise
            return dict.fromkeys(pairs, 0.0)  # as released: any error is an answer that is not near
        return {
            pair: max(cosine, 0.0) if self.similarity == "graded" else float(cosine >= self.threshold)
            for pair, cosine in zip(pairs, cosines, strict=True)
        }

    def _score(self, read: _Read, verdicts: Mapping[Pair, Verdict[bool]], near: Mapping[Pair, float]) -> Score:
        if read.solution is None and self.reading == "repaired":
            lacking = "the reference lacks its modality tag or its answer: <TAG>answer is needed"
            return Score.unscored(lacking, status="invalid")
        parts = {"format": Score(float(read.format)), "modality": Score(float(read.modality))}
        if self.format_gate and not read.format:
            return Score(0.0, "the layout is broken", self._weighed(parts), "fail")
        for name, found in (("judge", self._verdict(read, verdicts)), ("embedding", self._nearness(read, near))):
            parts[name] = found
            if not found.scored and self.weights[name]:
                return Score(math.nan, found.why, self._weighed(parts), found.status)
        weighed = self._weighed(parts)
        total = math.fsum(self.weights[name] * part.value for name, part in weighed.items())
        return Score(min(max(total, 0.0), 1.0), read.worthless, weighed)

    def _weighed(self, parts: Mapping[str, Score]) -> dict[str, Score]:
        """Those that weigh something, in the order of the weights."""
        return {name: parts[name] for name, weight in self.weights.items() if weight and name in parts}

    def _verdict(self, read: _Read, verdicts: Mapping[Pair, Verdict[bool]]) -> Score:
        if read.open is None or not self.judge_weight:
            return _known(read)
        verdict = verdicts[read.open]
        if verdict.value is None:
            if self.reading == "released":
                return Score(0.0, verdict.why[:200])
            return Score.unscored(verdict.why[:200], status="infra")
        return Score(float(verdict.value), verdict.why[:200])

    def _nearness(self, read: _Read, near: Mapping[Pair, float]) -> Score:
        return _known(read) if read.open is None or not self.embedding_weight else Score(near[read.open])


def _known(read: _Read) -> Score:
    """The content of a response that nobody is asked about."""
    return Score(1.0, "equal") if read.same and not read.worthless and read.solution else Score(0.0, read.worthless)


@functools.lru_cache(maxsize=8)
def _judge(backend: JudgeBackend, reading: Reading, seed: int) -> Judge[bool]:
    """One for all rewards with the same backend, so that each pair is judged once and failures are counted together."""
    return Judge(backend, contains_yes if reading == "released" else yes_or_no, seed)


def only(part: str, judge: JudgeBackend = _EQUAL, encoder: Encoder = _WORDS) -> MediX:
    """One part by itself, for metrics: `judge`, `embedding`, `format` or `modality`.

    Raises:
        ConfigError: there is no such part.
    """
    one_of("medical/medix-r1's part", part, ("judge", "embedding", "format", "modality"))
    return MediX(
        judge,
        encoder,
        judge_weight=float(part == "judge"),
        embedding_weight=float(part == "embedding"),
        format_weight=float(part == "format"),
        modality_weight=float(part == "modality"),
    )


def judge_counts(reward: MediX) -> Mapping[str, int]:
    """What the reward's judge was asked so far: `questions`, `asked` (of the backend), `failed`, `unparsed`."""
    return dict(_judge(reward.judge, reward.reading, reward.seed).stats)  # type: ignore[arg-type]  # as above
