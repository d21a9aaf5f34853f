"""What a verdict on a candidate earns: the four-part reward of resume screening, and its parts.

| name | value |
|---|---|
| `resume/screening-v1` | .4 status + .2 score + .2 skills + .2 experience, in [-1.4, 1.4] |
| `resume/status-v1` | right or wrong, by a table of soft (or harsh) penalties, in [-2, 2] |
| `resume/score-v1` | nearness of the score to the gold score, in [-1, 1] |
| `resume/skills-v1` | F1 of the job's skills that the answer finds, in [-1, 1] |
| `resume/experience-v1` | nearness of the years that the answer reads, in [-1, 1] |

`reading="released"` is the reward as published. Two of its parts train nothing, or the wrong thing: skills compare
gold with gold, so that every answer to a prompt earns the same, and experience depends on the answer through its score
alone, which on rows that say no years pays low scores. An unreadable answer counts as REJECTED with score 0, which on
a bad candidate earns. In the repaired reading, the default, every part grades something that the answer says, and an
answer that cannot be read earns the least of each.

An unreadable or wrong answer is the policy's fault: `fail`, and a number. What a row lacks (a gold score, the years,
the job's skills) makes that part abstain, and the sum goes on without it.

What they do not cover: whether the *gold* verdict is fair, or the reasons more than the two that are asked for. No part
reads a name, a gender, an age, a gap or a school; `guerdon_resume.fairness` tests that no verdict does either.

Source: A Mathematical Framework for Custom Reward Functions in Job Application Evaluation using Reinforcement Learning
(arXiv 2511.16073). The tables and bands are those of the released code; K and E repaired are ours.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.rewards import Reward, Sum
from guerdon.types import Rollout, Score
from guerdon_resume import parts
from guerdon_resume.answers import Layout, Verdict, read, read_released
from guerdon_resume.examples import CHOSEN, ResumeExample
from guerdon_resume.parts import MISSED, WEIGHTS, Penalties

Reading = Literal["repaired", "released"]
_HUGE = "a score too large for a number, at which the released code fails, and pays 0"


@dataclass(frozen=True)
class _OfVerdict(Reward):
    """What the parts have in common: reading the answer in one of two ways."""

    reading: Reading = field(default="repaired", kw_only=True)
    """`repaired` (ours), or `released`: the parser and the values of the authors' code."""
    layout: Layout = field(default="reasons", kw_only=True)
    """What the task's prompt asks for; the reading `released` takes any object."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.reading", self.reading, get_args(Reading))
        one_of(f"{self.name}.layout", self.layout, get_args(Layout))

    @property
    def least(self) -> float:
        """What an answer earns that cannot be read."""
        return self.bounds[0]

    @abstractmethod
    def grade(self, verdict: Verdict, example: ResumeExample) -> Score:
        """Of a verdict that could be read."""

    @abstractmethod
    def grade_released(self, verdict: Verdict, example: ResumeExample) -> float:
        """What the released code pays, for whatever it made of the answer."""

    def score(self, rollout: Rollout) -> Score:
        """Read the answer, and grade what it says."""
        example = rollout.example_as(ResumeExample)
        if self.reading == "released":
            return self._released(read_released(rollout.answer), example)
        verdict = read(rollout.answer, self.layout)
        return self._unread(verdict, example) if verdict.fault else self.grade(verdict, example)

    def _released(self, verdict: Verdict, example: ResumeExample) -> Score:
        try:
            float(verdict.score)
        except OverflowError:
            return Score(0.0, _HUGE, status="fail")
        why = f"read as REJECTED with score 0: {verdict.fault}" if verdict.fault else ""
        return Score(self.grade_released(verdict, example), why, status="fail" if why else "ok")

    def _unread(self, verdict: Verdict, example: ResumeExample) -> Score:
        return Score(self.least, verdict.fault, status="fail")


@dataclass(frozen=True)
class Status(_OfVerdict, name="resume/status-v1"):
    """Whether the verdict is right: 2, or 0 for a bad candidate rejected; 1 to 2 off for a wrong one (harsh: 2 to 5).

    With it alone a policy earns most when it selects whoever is good with a chance above 1/5 (harsh: 2/9).
    """

    penalties: Penalties = "gentle"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.penalties", self.penalties, get_args(Penalties))

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """From a good candidate rejected to one selected."""
        return MISSED[self.penalties], 2.0

    def grade(self, verdict: Verdict, example: ResumeExample) -> Score:
        """The table."""
        right = (verdict.status in CHOSEN) == example.selected
        why = "" if right else f"says {verdict.status}; {parts.gold_word(example.selected)} is right"
        value = parts.status_value(verdict.status, example.selected, self.penalties)
        return Score(value, why, status="ok" if right else "fail")

    def grade_released(self, verdict: Verdict, example: ResumeExample) -> float:
        """The table, with its row for other words."""
        return parts.status_value(verdict.status, example.selected, self.penalties)


@dataclass(frozen=True)
class ScoreNearness(_OfVerdict, name="resume/score-v1", bounds=(-1.0, 1.0)):
    """1 for the gold score, 0 for fifty points off, -1 for a hundred. Abstains where there is no gold score."""

    def grade(self, verdict: Verdict, example: ResumeExample) -> Score:
        """By distance."""
        if example.score is None:
            return _none("gold score", example)
        value = parts.score_value(verdict.score, example.score)
        return Score(value, f"says {verdict.score:g}; gold is {example.score:g}")

    def grade_released(self, verdict: Verdict, example: ResumeExample) -> float:
        """By distance; 0 without gold."""
        return 0.0 if example.score is None else parts.score_value(verdict.score, example.score)

    def _unread(self, verdict: Verdict, example: ResumeExample) -> Score:
        return _none("gold score", example) if example.score is None else super()._unread(verdict, example)


@dataclass(frozen=True)
class Skills(_OfVerdict, name="resume/skills-v1", bounds=(-1.0, 1.0)):
    """2 F1 - 1 of the skills of the job that the answer finds in the candidate. Abstains where the job names none.

    `released` compares the row with itself: 1, 0 or -1 for the share of the job's skills that are present.
    """

    def grade(self, verdict: Verdict, example: ResumeExample) -> Score:
        """Named against present."""
        if not example.job_skills:
            return _none("skill that the job asks for", example)
        if verdict.skills is None:
            return Score(-1.0, "names no list of skills", status="fail")
        value = parts.skills_value(verdict.skills, example.present_skills)
        why = "" if value == 1.0 else f"names {_listed(verdict.skills)}; there are {_listed(example.present_skills)}"
        return Score(value, why, status="ok" if value == 1.0 else "fail")

    def grade_released(self, verdict: Verdict, example: ResumeExample) -> float:
        """The same for every answer."""
        return parts.released_skills_value(example.job_skills, example.present_skills)

    def _unread(self, verdict: Verdict, example: ResumeExample) -> Score:
        asked = "skill that the job asks for"
        return super()._unread(verdict, example) if example.job_skills else _none(asked, example)


@dataclass(frozen=True)
class Experience(_OfVerdict, name="resume/experience-v1", bounds=(-1.0, 1.0)):
    """1 for the right years, 0 for five off, -1 for ten. Abstains where nothing says how many there are.

    `released` guesses the years from signs in the gold text ("1" is in 12), and grades the answer's score by them.
    """

    def grade(self, verdict: Verdict, example: ResumeExample) -> Score:
        """Named against true."""
        if example.years is None:
            return _none("number of years", example)
        if verdict.years is None:
            return Score(-1.0, "names no number of years", status="fail")
        value = parts.experience_value(verdict.years, example.years)
        return Score(value, f"says {verdict.years:g} years; there are {example.years:g}" if value < 1.0 else "")

    def grade_released(self, verdict: Verdict, example: ResumeExample) -> float:
        """By bands of the score."""
        return parts.released_experience_value(verdict.score, parts.released_years(example.experience))

    def _unread(self, verdict: Verdict, example: ResumeExample) -> Score:
        return _none("number of years", example) if example.years is None else super()._unread(verdict, example)


def screening(
    *,
    reading: Reading = "repaired",
    layout: Layout = "reasons",
    penalties: Penalties = "gentle",
    status_weight: float = WEIGHTS["status"],
    score_weight: float = WEIGHTS["score"],
    skills_weight: float = WEIGHTS["skills"],
    experience_weight: float = WEIGHTS["experience"],
) -> Reward:
    """The total, $R = .4 S + .2 A + .2 K + .2 E$: from -1.4 to 1.4. Weights are divided by their sum.

    Args:
        reading: `repaired`, or `released` for the authors' code.
        layout: what the task's prompt asks for. `short` answers name no skills and no years, so that in the repaired
            reading only S and A are left, weighed by their share.
        penalties: `gentle`, or `harsh` as in the authors' earlier runs.
        status_weight: of S.
        score_weight: of A.
        skills_weight: of K.
        experience_weight: of E.

    Raises:
        ConfigError: an option is none of those accepted, or the weights are no shares of anything.

    >>> screening().bounds
    (-1.4, 1.4)
    """
    found: list[tuple[str, float, Reward]] = [
        ("status", status_weight, Status(penalties, reading=reading, layout=layout)),
        ("score", score_weight, ScoreNearness(reading=reading, layout=layout)),
    ]
    if layout == "reasons" or reading == "released":
        found.append(("skills", skills_weight, Skills(reading=reading, layout=layout)))
        found.append(("experience", experience_weight, Experience(reading=reading, layout=layout)))
    for name, weight, _ in found:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not (number and math.isfinite(weight) and weight >= 0.0):
            raise ConfigError(f"{name}_weight is {weight!r}; a finite number of at least 0 is needed")
    whole = math.fsum(weight for _, weight, _ in found)
    if whole <= 0.0:
        raise ConfigError("every weight is 0; at least one part has to count")
    return Sum(tuple((weight / whole, part) for _, weight, part in found))


def _none(what: str, example: ResumeExample) -> Score:
    return Score.unscored(f"{example.id!r} has no {what}", status="abstain")


def _listed(skills: tuple[str, ...]) -> str:
    shown = ", ".join(each[:40] for each in skills[:12]) or "none"
    return f"{shown}, ..." if len(skills) > 12 else shown
