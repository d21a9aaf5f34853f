"""Screeners that are no models: what an applicant-tracking system does with keywords, to measure others by.

A screener is a function of candidates that gives one answer each, as a policy writes it. `Keywords` finds the job's own
words in the resume's text; with `matching="synonyms"` other words for them too, and no skill that the text denies. Both
score by the generator's rubric without its noise: on made data the latter has nothing left to learn but the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.fields import one_of
from guerdon.types import Example
from guerdon_resume.answers import REJECTED, SELECTED, Layout, written
from guerdon_resume.examples import ResumeExample
from guerdon_resume.facts import facts_of, present
from guerdon_resume.generate import rubric
from guerdon_resume.skills import has_words, normal, single_spaced, spelled
from guerdon_resume.tasks import candidate
from guerdon_resume.years import years_of

if TYPE_CHECKING:
    from guerdon.policies.scripted import ScriptedPolicy

Screener = Callable[[Sequence[ResumeExample]], list[str]]
Matching = Literal["literal", "synonyms"]
ENOUGH = 60.0


@dataclass(frozen=True)
class Keywords:
    """Counts the job's skills in the text.

    >>> job = ResumeExample(id="1", status="REJECT", job_skills=("SQL", "Kubernetes"), resume="2 years of SQL and K8s")
    >>> Keywords()([job])[0], Keywords("synonyms")([job])[0]  # doctest: +NORMALIZE_WHITESPACE
    ('{"status": "REJECTED", "score": 59, "skills": ["SQL"], "years": 2}',
     '{"status": "SELECTED", "score": 84, "skills": ["SQL", "Kubernetes"], "years": 2}')
    """

    matching: Matching = "literal"
    layout: Layout = "reasons"
    now: int | None = None
    """The year that "2019 - present" ends in; None: such a span says nothing."""

    def __post_init__(self) -> None:
        one_of("matching", self.matching, get_args(Matching))
        one_of("layout", self.layout, get_args(Layout))

    def __call__(self, examples: Sequence[ResumeExample]) -> list[str]:
        """One answer each."""
        return [self._answer(example) for example in examples]

    def _answer(self, example: ResumeExample) -> str:
        text = example.resume or example.told
        if self.matching == "synonyms":
            has = present(example.job_skills, facts_of(text, example.job_skills).skills)
        else:
            shown = spelled(text)
            has = tuple(skill for skill in example.job_skills if has_words(shown, single_spaced(normal(skill))))
        years = years_of(text, now=self.now) or 0.0
        score = round(rubric(len(has) / len(example.job_skills), years)) if example.job_skills else 0
        return written(SELECTED if score >= ENOUGH else REJECTED, score, has, years, self.layout)


def policy_of(screener: Screener) -> ScriptedPolicy:
    """The screener as a policy: to evaluate it as one, or to compare another with it."""
    from guerdon.policies.scripted import ScriptedPolicy

    def said(example: Example) -> list[str]:
        return screener([candidate(example)])

    return ScriptedPolicy(said)
