"""What a resume's text says of skills and years: the facts that a screener is shown in place of the text.

A screener that sees these alone cannot be swayed by a name, a school, an age or an instruction in the text, since none
of them is a fact. It covers English, and the words of `guerdon_resume.skills` with those of the job. It does not find
out whether a resume is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guerdon_resume.skills import canonical, skills_in
from guerdon_resume.years import years_of


@dataclass(frozen=True)
class Facts:
    """What a text says."""

    skills: tuple[str, ...]
    """In the text's own words, normalised, each skill once, in order; none that the text denies."""
    years: float | None
    """Of experience; None where nothing says how many."""


def facts_of(text: str, job_skills: Iterable[str] = (), *, now: int | None = None) -> Facts:
    """Read skills and years.

    Args:
        text: a resume, of any length; time is linear in it.
        job_skills: looked for beside the listed skills.
        now: the year that "2019 - present" ends in, and past which no span counts; None: the former says nothing, and
            a span of future years cannot be told from another.

    >>> facts_of("2 years of experience with K8s. No experience with SQL.")
    Facts(skills=('k8s',), years=2.0)
    """
    found: dict[str, str] = {}
    for one in skills_in(text, job_skills):
        if not one.denied:
            found.setdefault(one.skill, one.words)
    return Facts(tuple(found.values()), years_of(text, now=now))


def present(job_skills: Sequence[str], candidate_skills: Iterable[str]) -> tuple[str, ...]:
    """Those of the job's skills that the candidate has under any name, in the job's words and order.

    >>> present(["Kubernetes", "SQL"], ["k8s", "excel"])
    ('Kubernetes',)
    """
    there = {canonical(skill) for skill in candidate_skills}
    return tuple(dict.fromkeys(skill for skill in job_skills if canonical(skill) in there))


def years_told(years: float | None) -> str:
    """The years in words, as prompts have them; "" where nothing says how many.

    >>> years_told(1), years_told(2.5), years_told(0), years_told(None)
    ('1 year of experience', '2.5 years of experience', 'no experience', '')
    """
    if years is None:
        return ""
    return f"{years:g} year{'' if years == 1 else 's'} of experience" if years else "no experience"
