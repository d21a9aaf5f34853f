"""Rewards of a relevance score: Retro*'s composite over linked groups, and how near a score is to what is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import any_share, check_numbers, one_of
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_search.documents import JudgedDocument
from guerdon_search.relevance_scores import TOP, Rating, composite, inter, intra, score_in, sole_score_in, trained_on

_AUDIT_LINE = "guerdon audit search/relevance-calibration  # this one compares the groups of two prompts"
Reading = Literal["repaired", "released"]
"""What an answer with different numbers in score tags says: nothing, as for `Reranker`; or its first, as released."""
_UNREADABLE: dict[Reading, str] = {
    "repaired": "not one whole number from 0 to 100 in score tags",
    "released": "no whole number from 0 to 100 in score tags",
}


def _read(answer: str, reading: Reading) -> Rating:
    return sole_score_in(answer) if reading == "repaired" else trained_on(score_in(answer))


@dataclass(frozen=True)
class RetroStar(Reward, name="search/retro-star-v1", sees="batch"):
    """alpha times nearness to the group's own mean, and 1 - alpha times the share of the linked document's scores that
    are beaten. Equations, ties and unreadable scores: `guerdon_search.relevance_scores`.

    Groups whose examples have the same `pair` are linked: each positive document's with each negative one's. A group
    whose link is not in the batch is unscored (`infra`), unless alpha is 1, since a batch that parts what belongs
    together is our fault; the task says that a pair is one unit (`Task.unit`), which the trainer keeps.

    Alone (alpha 1) it is self-consistency and may lock in a wrong consensus; extreme scores 0 and 100 please inter and
    ruin calibration: report `search/relevance-calibration-v1` beside it. Its mean over groups ranks no policies, as
    a group that disagrees is paid for its majority: `search/pair-order-v1` and nDCG do.
    """

    audit_line = _AUDIT_LINE

    alpha: float = 0.75
    """Weight of the intra part, in [0, 1]; 0.75 was best in the paper."""
    tau: float = 20.0
    """Points on the scale; one band of the rubric."""
    reading: Reading = "repaired"
    """Different numbers in score tags: `repaired`: no score; `released`: the first."""

    def __post_init__(self) -> None:
        check_numbers(self)
        any_share("search/retro-star.alpha", self.alpha)
        one_of("search/retro-star.reading", self.reading, get_args(Reading))
        if not 0.0 <= self.tau < math.inf:
            raise ConfigError(f"search/retro-star.tau is {self.tau!r}; a finite number >= 0 is needed")

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """[-alpha, 1]."""
        return -self.alpha, 1.0

    @property
    def part_names(self) -> tuple[str, ...]:
        """The two parts, and the score that was read where it was."""
        return "intra", "inter"

    @property
    def relative(self) -> bool:
        """Intra rewards are places within the group."""
        return True

    @property
    def unaudited(self) -> str:
        """It compares groups of different prompts, and an audit asks about one prompt at a time."""
        return (
            "it compares the groups of two documents, and an audit attacks one prompt at a time; audit "
            "search/relevance-calibration in its place"
        )

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Each group against those it is linked to."""
        examples = [group.rollouts[0].example_as(JudgedDocument) for group in groups]
        read = [[_read(rollout.answer, self.reading) for rollout in group.rollouts] for group in groups]
        found: Scores = []
        for example, scores in zip(examples, read, strict=True):
            others = [
                rows
                for other, rows in zip(examples, read, strict=True)
                if other.pair == example.pair and other.relevant != example.relevant
            ]
            found.append(self._scored(example, scores, others))
        return found

    def _scored(
        self, example: JudgedDocument, scores: Sequence[Rating], linked: Sequence[Sequence[Rating]]
    ) -> list[Score]:
        if not linked and self.alpha < 1.0:
            other = "negative" if example.relevant else "positive"
            why = f"no {other} document of pair {example.pair!r} is in the batch, and inter compares with it"
            return [Score.unscored(why) for _ in scores]
        near = intra(scores, self.tau)
        beaten = inter(scores, [score for rows in linked for score in rows], example.relevant)
        return [
            Score(
                value,
                "" if score is not None else _UNREADABLE[self.reading],
                {"intra": Score(a), "inter": Score(b)},
                "ok" if score is not None else "fail",
            )
            for value, score, a, b in zip(composite(near, beaten, self.alpha), scores, near, beaten, strict=True)
        ]


@dataclass(frozen=True)
class RelevanceCalibration(Reward, name="search/relevance-calibration-v1", bounds=(0.0, 1.0)):
    """How near the score is to what is known: s / 100 where relevant, 1 - s / 100 where not, 0 without a score.

    Ours, for reporting and for auditing: one prompt is enough. Trained on alone it asks for 0 and 100 everywhere.
    """

    on: Literal["both", "relevant", "irrelevant"] = "both"
    """Of the other documents it abstains: the mean score by label is what extreme scores cannot hide."""
    reading: Reading = "repaired"
    """Different numbers in score tags: `repaired`: no score; `released`: the first."""

    def __post_init__(self) -> None:
        one_of("search/relevance-calibration.on", self.on, ("both", "relevant", "irrelevant"))
        one_of("search/relevance-calibration.reading", self.reading, get_args(Reading))

    def score(self, rollout: Rollout) -> Score:
        """From the score in tags."""
        example = rollout.example_as(JudgedDocument)
        if self.on not in ("both", "relevant" if example.relevant else "irrelevant"):
            return Score.unscored(f"only {self.on} documents are asked about", status="abstain")
        score = _read(rollout.answer, self.reading)
        if score is None:
            return Score(0.0, _UNREADABLE[self.reading], status="fail")
        return Score(score / TOP if example.relevant else (TOP - score) / TOP)


@dataclass(frozen=True)
class PairOrder(Reward, name="search/pair-order-v1", bounds=(0.0, 1.0), sees="batch"):
    """The inter part alone, for reporting: whether the relevant document of a pair scores above the other; ties 0."""

    audit_line = _AUDIT_LINE
    reading: Reading = "repaired"
    """Different numbers in score tags: `repaired`: no score; `released`: the first."""

    def __post_init__(self) -> None:
        one_of("search/pair-order.reading", self.reading, get_args(Reading))

    @property
    def unaudited(self) -> str:
        """As `RetroStar`."""
        return RetroStar().unaudited

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Each group against those it is linked to; one whose link is missing abstains (a cut-off evaluation)."""
        rows = RetroStar(alpha=0.0, reading=self.reading).score_batch(groups, context)
        return [
            [score if score.scored else Score.unscored(score.why, status="abstain") for score in row] for row in rows
        ]
