"""`MedRwR`: a trace with retrieval, rewarded for its answer, its layout, what it asked for and what that gained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, not_a_text, one_of
from guerdon.protocols import Continuation, Encoder, Hit, Scorer, Turn
from guerdon.rewards import Context, Scores, reward
from guerdon.rewards.scored import Scored, asked, no_answer
from guerdon.types import Group, Image, Rollout, Score, Status
from guerdon_medical import rwr_scores, rwr_world
from guerdon_medical.entities import Extractor, Phrases
from guerdon_medical.rwr_confidence import first_answer, last_answer
from guerdon_medical.rwr_scores import LETTERS, Gold, Ranked, gold_of, looked_for
from guerdon_medical.rwr_tasks import RwrQuestion, pictures_of
from guerdon_medical.rwr_traces import Reading, Trace, trace_of
from guerdon_medical.sight import JointEncoder, cosines

Part = Literal["accuracy", "format", "length", "text-semantics", "image-semantics", "confidence"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class MedRwR(Scored, name="medical/med-rwr-v1", sees="rollout"):
    """The sum of six parts, each of weight 1: see `guerdon_medical.rwr_scores` for their equations.

    Examples are `RwrQuestion`. A trace whose retriever failed is unscored (`infra`), as is one whose letters the scorer
    could not tell. Beside the parts stand `queries`, how many query blocks were written, and `gold-document`, whether a
    document that holds the answer was shown (where the example knows one): the format pays for any retrieval when the
    answer is right, and the entities can be stuffed with the options' names, so watch it.

    Of text rows the image part is 0 (the released trainer stops at one), as is the confidence of an answer that is no
    letter [choice].
    """

    scorer: Scorer | None = None
    """Tells how likely the letters are: `policy`, at temperature 1. None leaves `confidence` out: the part is not
    reported then."""
    sight: Encoder | None = None
    """A joint encoder of pictures and texts (`guerdon_medical.sight.JointEncoder`); needed where examples have
    pictures, unless `image-semantics` is not counted."""
    scale: float = 10.0
    """Of the cosine: the image part lies within ±.1 of it [choice]."""
    ontologies: tuple[str, ...] = ()
    """Files whose names and synonyms are the entities."""
    phrases: tuple[str, ...] = ()
    """Further entities, as they are."""
    extractor: Extractor | None = None
    """In place of both: who finds entities. With none of the three they are those of the made-up world."""
    counted: tuple[Part, ...] = PARTS
    """What the sum is made of; other parts are not reported."""
    reading: Reading = "repaired"

    def __post_init__(self) -> None:
        check_numbers(self)
        not_a_text("medical/med-rwr.scorer", self.scorer, "a scorer, such as guerdon.scorers.UnderPolicy(),")
        not_a_text("medical/med-rwr.sight", self.sight, "an encoder, such as guerdon_medical.rwr_world.MadeSight(),")
        for name in ("ontologies", "phrases", "counted"):
            not_a_text(f"medical/med-rwr.{name}", getattr(self, name), "a list of texts")
        for name in ("ontologies", "phrases", "counted"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for place, part in enumerate(self.counted):
            one_of(f"medical/med-rwr.counted[{place}]", part, PARTS)
        if not self.counted or len(set(self.counted)) < len(self.counted):
            raise ConfigError(f"medical/med-rwr.counted is {self.counted!r}; parts are needed, each once")
        if not self._parts:
            raise ConfigError("medical/med-rwr counts confidence alone, and has no scorer; name one: scorer: policy")
        one_of("medical/med-rwr.reading", self.reading, get_args(Reading))
        if not 0.0 < self.scale < math.inf:
            raise ConfigError(f"medical/med-rwr.scale is {self.scale!r}; a finite number above 0 is needed")
        if self.extractor is not None and (self.ontologies or self.phrases):
            raise ConfigError("medical/med-rwr has an extractor and ontologies or phrases; name one of them")
        if self.sight is not None and not isinstance(self.sight, JointEncoder):
            raise ConfigError(
                f"medical/med-rwr.sight is {self.sight.name!r}, which encodes texts alone; an encoder with "
                "`encode_images` is needed"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The sums of the counted parts' bounds."""
        image = 0.1 * self.scale
        gain = 0.1 * -rwr_scores.FLOOR
        each: dict[Part, tuple[float, float]] = {
            "accuracy": (0.0, 5.0),
            "format": (-2.0, 3.0),
            "length": (-1.0, 0.0),
            "text-semantics": (-1.0, 3.0),
            "image-semantics": (-image, image),
            "confidence": (-gain, gain),
        }
        low, high = zip(*(each[part] for part in self._parts), strict=True)
        return math.fsum(low), math.fsum(high)

    @property
    def _parts(self) -> tuple[Part, ...]:
        """Those that are computed."""
        if self.scorer is not None:
            return self.counted
        return tuple(part for part in self.counted if part != "confidence")

    @property
    def part_names(self) -> tuple[str, ...]:
        """The counted parts, and two that count nothing."""
        return (*self._parts, "queries", "gold-document")

    @property
    def entities(self) -> Extractor:
        """Who finds entities."""
        if self.extractor is not None:
            return self.extractor
        if not self.ontologies:
            return Phrases(self.phrases) if self.phrases else rwr_world.vocabulary()
        read = Phrases.read(*self.ontologies)
        return Phrases((*read.phrases, *self.phrases)) if self.phrases else read

    def score(self, rollout: Rollout) -> Score:
        """One rollout's; `score_batch` asks extractor, encoder and scorer once for many, and gives the same."""
        return self.score_batch([Group.of([rollout])], Context())[0][0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All texts to the extractor, all pictures to the encoder, and all letters to the scorer, at once.

        Raises:
            ConfigError: there are pictures and nobody sees, or the scorer needs a policy and there is none.
        """
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        examples = [rollout.example_as(RwrQuestion) for rollout in rollouts]
        traces = [trace_of(rollout, self.reading) for rollout in rollouts]
        golds = [gold_of(one.answer, one.options, self.reading) for one in examples]
        right = [rwr_scores.accuracy(t.prediction, g, self.reading) for t, g in zip(traces, golds, strict=True)]
        parts: dict[str, list[float | None]] = {
            "accuracy": [*right],
            "format": [rwr_scores.format_score(t, value == 5.0) for t, value in zip(traces, right, strict=True)],
            "length": [rwr_scores.length_score(trace.own) for trace in traces],
        }
        if "text-semantics" in self._parts:
            parts["text-semantics"] = self._text(traces, golds)
        if "image-semantics" in self._parts:
            parts["image-semantics"] = self._image(rollouts, examples, traces, context)
        if "confidence" in self._parts:
            parts["confidence"] = self._confidence(rollouts, golds, right, context)
        found = iter(
            self._scored(rollout, trace, {part: parts[part][place] for part in self._parts})
            for place, (rollout, trace) in enumerate(zip(rollouts, traces, strict=True))
        )
        return [[next(found) for _ in group.rollouts] for group in groups]

    def _text(self, traces: Sequence[Trace], golds: Sequence[Gold]) -> list[float | None]:
        texts = [gold.text for gold in golds] + [" ".join(trace.queries) for trace in traces]
        distinct = list(dict.fromkeys(texts))
        entities = dict(zip(distinct, self.entities.extract(distinct), strict=True))
        return [
            rwr_scores.text_semantics(
                trace.queries,
                trace.retrieved,
                entities[gold.text],
                entities[" ".join(trace.queries)],
                self.reading,
            )
            if any(trace.queries)
            else 0.0
            for trace, gold in zip(traces, golds, strict=True)
        ]

    def _image(
        self, rollouts: Sequence[Rollout], examples: Sequence[RwrQuestion], traces: Sequence[Trace], context: Context
    ) -> list[float | None]:
        shown = {one: pictures_of(one) for one in dict.fromkeys(examples)}
        images: list[Image] = list(dict.fromkeys(image for row in shown.values() for image in row))
        if not images:
            return [0.0] * len(rollouts)
        if not isinstance(self.sight, JointEncoder):
            raise ConfigError(
                "medical/med-rwr.sight is not given, and there are examples with pictures; name a joint encoder, or "
                "leave 'image-semantics' out of `counted`"
            )
        said = [looked_for(trace) if shown[one] else () for trace, one in zip(traces, examples, strict=True)]
        if self.reading == "released":
            said = [self._drawn(row, rollout, context) for row, rollout in zip(said, rollouts, strict=True)]
        texts = list(dict.fromkeys(text for row in said for text in row))
        if not texts:
            return [0.0] * len(rollouts)
        near = cosines(self.sight, images, texts)
        at_image = {image: place for place, image in enumerate(images)}
        at_text = {text: place for place, text in enumerate(texts)}
        return [
            rwr_scores.image_semantics(
                [float(near[at_image[image], at_text[text]]) for image in shown[one] for text in row], self.scale
            )
            for one, row in zip(examples, said, strict=True)
        ]

    @staticmethod
    def _drawn(said: tuple[str, ...], rollout: Rollout, context: Context) -> tuple[str, ...]:
        """One of the queries at random, as released; from the run's seed, step and place."""
        place = f"{context.seed} {context.step} {rollout.example.id} {rollout.index}"
        return (Random(place).choice(said),) if said else ()

    def _confidence(
        self, rollouts: Sequence[Rollout], golds: Sequence[Gold], right: Sequence[float], context: Context
    ) -> list[float | None]:
        assert self.scorer is not None
        # Of an answer "1. lung" nobody asks how likely it is; as released, no letter is ever found.
        known = set(LETTERS.lower())
        lettered = [bool(gold.letter) if self.reading == "released" else gold.letter in known for gold in golds]
        pairs = [
            (first_answer(rollout), last_answer(rollout)) if ranked else ((), ())
            for rollout, ranked in zip(rollouts, lettered, strict=True)
        ]
        questions: list[Continuation] = [one for pair in pairs for side in pair for one in side]
        answers = iter(asked(self.scorer, questions, context))
        found: list[float | None] = []
        for (begin, end), gold, ranks, value in zip(pairs, golds, lettered, right, strict=True):
            sides: list[Ranked | None] = []
            for side in (begin, end):
                told = [next(answers) for _ in side]
                ranked = [
                    (letter, math.fsum(one)) for letter, one in zip(LETTERS, told, strict=False) if one is not None
                ]
                sides.append(ranked if len(ranked) == len(told) else None)
            if sides[0] is None or sides[1] is None:
                found.append(None)
            elif not ranks:
                found.append(0.0)
            else:
                found.append(rwr_scores.confidence_gain(sides[0], sides[1], gold.letter, value > 0.0, self.reading))
        return found

    def _scored(self, rollout: Rollout, trace: Trace, parts: dict[Part, float | None]) -> Score:
        if _retriever_failed(rollout):
            return Score.unscored(_FAILED)
        values = {part: value for part, value in parts.items() if value is not None}
        if len(values) < len(parts):
            assert self.scorer is not None
            return no_answer(self.scorer)
        shown: dict[str, Score] = {part: Score(value) for part, value in values.items()}
        shown["queries"] = Score(float(len(trace.queries)))
        shown["gold-document"] = saw_gold(rollout)
        status: Status = "ok"
        why = ""
        if trace.forged:
            status, why = "fail", "a retrieve tag in the policy's own words"
        elif rollout.truncated:
            status, why = "truncated", "cut by a budget of tokens or turns"
        elif trace.prediction is None:
            status, why = "fail", "no answer block of one line"
        return Score(math.fsum(values.values()), why, shown, status)


def _turns(rollout: Rollout) -> list[Turn]:
    """What the environment answered."""
    return [segment.observation for segment in rollout.turns if isinstance(segment.observation, Turn)]


_FAILED = "the retriever failed"


def _retriever_failed(rollout: Rollout) -> bool:
    """Which is nobody's fault who is scored here."""
    return any(turn.info.get("failed") for turn in _turns(rollout))


@reward(name="medical/rwr-right-v1", bounds=(0.0, 1.0))
def right_answer(rollout: Rollout) -> Score:
    """1 where the answer is right: by its letter alone where the gold is an option."""
    example = rollout.example_as(RwrQuestion)
    if _retriever_failed(rollout):
        return Score.unscored(_FAILED)
    prediction = trace_of(rollout).prediction
    value = rwr_scores.accuracy(prediction, gold_of(example.answer, example.options))
    if prediction is None:
        return Score(0.0, "no answer block of one line", status="fail")
    return Score(float(value > 0.0))


@reward(
    name="medical/rwr-queried-v1",
    bounds=(0.0, 1.0),
    unaudited="it measures what was asked, whatever is answered; audit medical/med-rwr-v1",
)
def asked_something(rollout: Rollout) -> Score:
    """1 where a query was answered."""
    if _retriever_failed(rollout):
        return Score.unscored(_FAILED)
    return Score(float(bool(trace_of(rollout).retrieved)))


@reward(
    name="medical/rwr-gold-document-v1",
    bounds=(0.0, 1.0),
    unaudited="it measures what was shown, whatever is answered; audit medical/med-rwr-v1",
)
def saw_gold(rollout: Rollout) -> Score:
    """1 where one of the documents that hold the answer was shown; abstains where none is known."""
    gold = set(rollout.example_as(RwrQuestion).gold_documents)
    if not gold:
        return Score.unscored("the example names no gold document", status="abstain")
    if _retriever_failed(rollout):
        return Score.unscored(_FAILED)
    shown = {_id_of(hit) for turn in _turns(rollout) for hit in turn.info.get("hits", ())}
    return Score(float(not gold.isdisjoint(shown)))


def _id_of(hit: Hit | Mapping[str, Any]) -> str:
    """Of a document; a mapping where the rollout was read from a run's file."""
    return hit.id if isinstance(hit, Hit) else str(hit["id"])
