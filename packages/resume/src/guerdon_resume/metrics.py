r"""How good verdicts are: for reports, never trained on.

| | what |
|---|---|
| `measured` | accuracy, plain and balanced, precision, recall and F1 of SELECTED, MAE and RMSE, ECE and Brier |
| `Right` | 1 for the right verdict: the mean is accuracy, `among` good ones recall, among selected ones precision |
| `ScoreError` | points that the score is off, in [0, 100]; its mean is the MAE |
| `BrierScore` | the Brier score's term |
| `Readable` | whether there is a verdict at all |

Of `ScoreError` and `BrierScore` less is better: they have no registered name, so that no recipe trains with them.

An answer that cannot be read is wrong: it counts against accuracy and recall, and never as a rejection. A score is
taken for the stated chance, score / 100, that SELECTED is right: it was not asked for as one, so that calibration tells
how far scores can be read so. The confusion matrix is of good and bad by selected, rejected and unread.

Source: the evaluation of arXiv 2511.16073 (accuracy to RMSE), with the repaired parser; ECE (Naeini et al. 2015, ten
bins of equal width) and Brier's score (1950) are ours to add.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from guerdon.fields import one_of
from guerdon.rewards import Reward
from guerdon.types import Rollout, Score
from guerdon_resume.answers import REJECTED, SELECTED, Layout, Verdict, read
from guerdon_resume.examples import ResumeExample
from guerdon_resume.rewards import Status

Among = Literal["all", "good", "bad", "selected"]
BINS = 10


@dataclass(frozen=True)
class Measured:
    """What N verdicts came to; NaN where there was nothing to divide by."""

    count: int
    unread: int
    accuracy: float
    balanced_accuracy: float
    precision: float
    recall: float
    f1: float
    mae: float
    """In points, over verdicts that could be read and rows with a gold score."""
    rmse: float
    ece: float
    brier: float
    confusion: Mapping[str, int]
    """`good selected`, `good rejected`, `good unread`, `bad selected`, `bad rejected`, `bad unread`."""


def measured(verdicts: Sequence[Verdict], examples: Sequence[ResumeExample]) -> Measured:
    """All of it, for N verdicts and their N examples.

    Raises:
        ValueError: there are not as many of one as of the other.
    """
    pairs = list(zip(verdicts, examples, strict=True))
    confusion = {f"{kind} {what}": 0 for kind in ("good", "bad") for what in ("selected", "rejected", "unread")}
    for verdict, example in pairs:
        what = "unread" if verdict.fault else verdict.status.lower()
        confusion[f"{'good' if example.selected else 'bad'} {what}"] += 1
    good = sum(confusion[f"good {what}"] for what in ("selected", "rejected", "unread"))
    hit, refused, wrong = confusion["good selected"], confusion["bad rejected"], confusion["bad selected"]
    recall, precision = _share(hit, good), _share(hit, hit + wrong)
    specificity = _share(refused, len(pairs) - good)
    off = [abs(v.score - e.score) for v, e in pairs if not v.fault and e.score is not None]
    stated = [(v.score / 100.0, e.selected) for v, e in pairs if not v.fault]
    return Measured(
        len(pairs),
        confusion["good unread"] + confusion["bad unread"],
        _share(hit + refused, len(pairs)),
        (recall + specificity) / 2.0,
        precision,
        recall,
        _share(2 * hit, hit + wrong + good),
        _share(math.fsum(off), len(off)),
        math.sqrt(_share(math.fsum(each * each for each in off), len(off))),
        expected_calibration_error(stated),
        _share(math.fsum((chance - true) ** 2 for chance, true in stated), len(stated)),
        confusion,
    )


def expected_calibration_error(stated: Sequence[tuple[float, bool]], bins: int = BINS) -> float:
    r"""ECE: $\sum_b \frac{n_b}{N} |\text{mean stated}_b - \text{share true}_b|$ over bins of equal width.

    Args:
        stated: N pairs of a chance in [0, 1] and what was true.
        bins: how many; a chance of 1 is in the last.

    Returns:
        In [0, 1]; NaN for none.

    Raises:
        ValueError: a chance is none.

    >>> expected_calibration_error([(0.9, True), (0.9, False), (0.1, False), (0.1, False)])  # (|.9-.5| + |.1-0|) / 2
    0.25
    """
    binned: dict[int, list[tuple[float, bool]]] = {}
    for chance, true in stated:
        if not 0.0 <= chance <= 1.0:
            raise ValueError(f"a stated chance is {chance!r}; a number in [0, 1] is needed")
        binned.setdefault(min(int(chance * bins), bins - 1), []).append((chance, true))
    gaps = (abs(math.fsum(chance - true for chance, true in each)) for each in binned.values())
    return _share(math.fsum(gaps), len(stated))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


@dataclass(frozen=True)
class _OfAnswer(Reward):
    layout: Layout = "reasons"

    def __post_init__(self) -> None:
        one_of(f"{self.name}.layout", self.layout, get_args(Layout))


@dataclass(frozen=True)
class Right(_OfAnswer, name="resume/right-v1", bounds=(0.0, 1.0)):
    """1.0 for the right verdict, else 0.0; abstains outside of those it is asked about."""

    among: Among = "all"
    """`all`: accuracy; `good` or `bad` candidates: recall and specificity; whoever was `selected`: precision."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.among", self.among, get_args(Among))

    def score(self, rollout: Rollout) -> Score:
        """Compare with gold."""
        example, verdict = rollout.example_as(ResumeExample), read(rollout.answer, self.layout)
        selected = not verdict.fault and verdict.status == SELECTED
        asked = {"all": True, "good": example.selected, "bad": not example.selected, "selected": selected}
        if not asked[self.among]:
            return Score.unscored(f"not among {self.among}", status="abstain")
        right = not verdict.fault and selected == example.selected
        true = SELECTED if example.selected else REJECTED
        why = "" if right else verdict.fault or f"says {verdict.status}; {true} is right"
        return Score(float(right), why, status="ok" if right else "fail")


@dataclass(frozen=True)
class Readable(_OfAnswer, name="resume/readable-v1", bounds=(0.0, 1.0)):
    """1.0 for an answer that is one verdict, with all the fields asked for; else 0.0."""

    def score(self, rollout: Rollout) -> Score:
        """Read it."""
        verdict = read(rollout.answer, self.layout)
        fault = verdict.fault
        if not fault and self.layout == "reasons":
            fault = "no list of skills" if verdict.skills is None else "no years" if verdict.years is None else ""
        return Score(0.0, fault, status="fail") if fault else Score(1.0)


@dataclass(frozen=True)
class ScoreError(_OfAnswer, name="resume/score-error-v1", bounds=(0.0, 100.0)):
    """Points between score and gold score; abstains where either is missing. Less is better: for reports alone."""

    def score(self, rollout: Rollout) -> Score:
        """The distance."""
        example, verdict = rollout.example_as(ResumeExample), read(rollout.answer, self.layout)
        if verdict.fault or example.score is None:
            return Score.unscored(verdict.fault or "no gold score", status="abstain")
        return Score(abs(verdict.score - example.score))


@dataclass(frozen=True)
class BrierScore(_OfAnswer, name="resume/brier-v1", bounds=(0.0, 1.0)):
    """(score / 100 - true)^2: the mean is Brier's score; abstains on what cannot be read. Less is better."""

    def score(self, rollout: Rollout) -> Score:
        """The squared distance from what is true."""
        example, verdict = rollout.example_as(ResumeExample), read(rollout.answer, self.layout)
        if verdict.fault:
            return Score.unscored(verdict.fault, status="abstain")
        return Score((verdict.score / 100.0 - example.selected) ** 2)


def screening_metrics(layout: Layout = "reasons") -> dict[str, Reward]:
    """What a screening task reports."""
    return {
        "accuracy": Right(layout),
        "status": Status(layout=layout),
        "recall": Right(layout, "good"),
        "precision": Right(layout, "selected"),
        "readable": Readable(layout),
        "MAE": ScoreError(layout),
        "Brier": BrierScore(layout),
    }
