"""Ranking resumes for one job: each with its verdict, what that rests on, and what a person should look at.

| status | |
|---|---|
| `SELECTED`, `REJECTED` | what the screener says, with a score: ranked |
| `REVIEW` | the resume speaks to the screener, hides text or holds no facts, or the answer cannot be read: no score |
| `UNREADABLE` | the file could not be read: no score |

Nothing that is not ranked is a rejection: a person looks at it. Nor is the ranking a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guerdon_resume.ads import Job
from guerdon_resume.answers import Layout, Verdict, read
from guerdon_resume.documents import Document
from guerdon_resume.examples import ResumeExample
from guerdon_resume.facts import facts_of, present, years_told
from guerdon_resume.injections import suspicions
from guerdon_resume.keywords import Screener
from guerdon_resume.skills import canonical, normal, single_spaced
from guerdon_resume.years import MOST_YEARS

RANKED = ("SELECTED", "REJECTED")
_NO_FACTS = "no known skill and no years are found in it: is its text garbled, or not in English?"


@dataclass(frozen=True)
class Placed:
    """One resume's place."""

    file: str
    status: str
    score: float | None
    skills: tuple[str, ...]
    """Of the job's, those that the screener finds."""
    lacking: tuple[str, ...]
    """The others."""
    years: float | None
    """Of experience, as the screener reads it."""
    notes: tuple[str, ...]
    """What a person should know: why there is no score, or what the screener says and the text does not."""


def placed(
    job: Job, documents: Sequence[Document], screener: Screener, *, layout: Layout = "reasons", now: int | None = None
) -> list[Placed]:
    """Every document's place: selected ones first, by score; then those without, in the order given.

    Args:
        job: what is asked for.
        documents: as `read_document` gives them.
        screener: is shown facts, or the text, as it likes; answers in `layout`.
        layout: of its answers.
        now: the year that "2019 - present" ends in.
    """
    found: dict[int, Placed] = {}
    asked: dict[int, ResumeExample] = {}
    for place, document in enumerate(documents):
        if document.fault:
            notes = (document.fault,)
            found[place] = Placed(document.path, "UNREADABLE", None, (), (), None, notes)
        elif why := suspicions(document.text, job.skills, document.hidden):
            found[place] = Placed(document.path, "REVIEW", None, (), (), None, why)
        elif not (example := _example(job, document, place, now)).candidate_skills and example.years is None:
            found[place] = Placed(document.path, "REVIEW", None, (), (), None, (_NO_FACTS,))
        else:
            asked[place] = example
    answers = screener(list(asked.values())) if asked else []
    if len(answers) != len(asked):
        raise ValueError(f"the screener gave {len(answers)} answers for {len(asked)} candidates")
    for (place, example), answer in zip(asked.items(), answers, strict=True):
        found[place] = _judged(documents[place].path, job, example, answer, layout)
    for place, note in _twins(documents).items():
        found[place] = replace(found[place], notes=(*found[place].notes, note))
    return sorted((found[place] for place in sorted(found)), key=_order)


def _twins(documents: Sequence[Document]) -> dict[int, str]:
    """By place, a note for each document of which others have the very text."""
    places: dict[str, list[int]] = {}
    for place, document in enumerate(documents):
        if text := single_spaced(normal(document.text)):
            places.setdefault(text, []).append(place)
    return {
        place: f"the same text as {', '.join(documents[other].path for other in same if other != place)}"
        for same in places.values()
        for place in same
        if len(same) > 1
    }


def _order(one: Placed) -> tuple[int, float]:
    rank = RANKED.index(one.status) if one.status in RANKED else 2
    return rank, -(one.score or 0.0)


def _example(job: Job, document: Document, place: int, now: int | None) -> ResumeExample:
    facts = facts_of(document.text, job.skills, now=now)
    return ResumeExample(
        id=f"resume-{place}",
        title=job.title,
        job_skills=job.skills,
        present_skills=present(job.skills, facts.skills),
        candidate_skills=facts.skills,
        experience=years_told(facts.years),
        years=facts.years,
        status="REJECT",  # nobody knows yet; no screener is shown it
        resume=document.text,
    )


def _judged(path: str, job: Job, example: ResumeExample, answer: str, layout: Layout) -> Placed:
    verdict = read(answer, layout)
    if verdict.fault:
        return Placed(path, "REVIEW", None, (), (), None, (f"the screener gave no verdict: {_told(verdict, answer)}",))
    if verdict.skills is None:
        skills, notes = example.present_skills, []
    else:
        skills = present(job.skills, verdict.skills)
        there = {canonical(skill) for skill in example.present_skills}
        unfounded = [skill for skill in skills if canonical(skill) not in there]
        notes = [f"the screener finds {skill}, which the text does not name or denies" for skill in unfounded]
    years = example.years if verdict.years is None else verdict.years
    if example.years is None:
        notes.append("the text does not say how many years")
    elif example.years >= MOST_YEARS:
        notes.append(f"the text says {MOST_YEARS:g} years or more; is that true?")
    elif years != example.years:
        notes.append(f"the screener reads {years:g} years, the text says {example.years:g}")
    lacking = tuple(skill for skill in job.skills if skill not in skills)
    return Placed(path, verdict.status, verdict.score, tuple(skills), lacking, years, tuple(notes))


def _told(verdict: Verdict, answer: str) -> str:
    """Why an answer is no verdict, in one line; with the answer's words, where it is words and no JSON."""
    words = single_spaced(answer)
    if "{" in words or not words:
        return verdict.fault
    return f"{verdict.fault} ({words if len(words) <= 80 else f'{words[:77]}...'!r})"
