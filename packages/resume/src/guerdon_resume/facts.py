"""What a resume's text says of skills and years: the facts that a screener is shown in place of the text.

A screener that sees these alone cannot be swayed by a name, a school, an age or an instruction in the text, since none
of them is a fact. It covers English, and the words of `guerdon_resume.skills` with those of the job. It does not find
out whether a resume is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon_resume.skills import canonical, normal, skills_in

_SPELLED = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = {word: number for number, word in enumerate(_SPELLED.split(), 1)}
_STATED = re.compile(
    rf"(?<![\w.,-])(\d{{1,2}}(?:\.\d)?|{'|'.join(_WORDS)})\s*(?:\+|plus)?\s*(?:(?:-|–|to)\s*\d{{1,2}}\s*)?"
    r"(?:years?|yrs?)\b"
)
_OTHER_BEFORE = re.compile(r"\b(?:aged?|break|gap|leave|sabbatical|studied|degree|ago|last)\b[^.;\n]{0,24}$")
_OTHER_AFTER = re.compile(
    r"^[\s-]*(?:old|of age|ago|break|gap|career break|degree|course|warranty|of (?:study|parental))"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?,? "
)
_RANGE = re.compile(
    rf"(?<![\d/.-])(?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d) ?(?:[-–—‐]|to|until) ?"
    rf"(?:(?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d)|present|current|now|today|ongoing)(?![\d/-])"
)
"""A span of years, with or without months, which are not counted: "Jan 2018 - 03/2021"."""
_NO_WORK = re.compile(r"\b(?:break|gap|leave|sabbatical|travel(?:ling)?|unemployed)\b")
_STUDY = re.compile(r"\b(?:bsc|msc|ba|ma|phd|bachelor|master|degree|university|college|school|graduated|diploma)\b")
_STUDY_HEAD = re.compile(
    r"^\W*(?:education(?: and training)?|studies|academic background|certificat(?:e|ion)s?|languages)\W*$"
)
_WORK_HEAD = re.compile(
    r"^\W*(?:(?:relevant|work|professional|employment|career) )?(?:experience|employment|career|history)\W*$"
)
_OTHER_HEAD = re.compile(r"^\W*(?:(?:key|technical|core) )?(?:skills|summary|profile|projects|interests)\W*$")
_NONE = re.compile(r"\bno (?:paid |professional |work |prior |previous )*experience\b(?! (?:with|in|of)\b)")
MOST_YEARS = 60.0


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


def years_of(text: str, *, now: int | None = None) -> float | None:
    r"""Years of experience: those that dated work covers, each counted once; where nothing is dated, the most stated.

    Studies, breaks, ages ("35 years old") and what was years ago do not count. "No experience" is 0. Below a heading
    such as "Work experience" every span but a break is work, so that a teacher's school is not taken for studies.

    >>> years_of("12+ years"), years_of("35 years old"), years_of("no experience"), years_of("")
    (12.0, None, 0.0, None)
    >>> years_of("Clerk, 2010 - 2014\nCareer break 2014 - 2016\nBSc, 2006 - 2010\nClerk, 2013 - 2014, 2016 - 2017")
    5.0
    """
    plain = _lines_single_spaced(normal(text))
    spans = _spans(plain, now)
    if spans:
        return min(_covered(spans), MOST_YEARS)
    stated = [_number(match[1]) for match in _STATED.finditer(plain) if _of_experience(plain, match)]
    if stated:
        return min(max(stated), MOST_YEARS)
    return 0.0 if _NONE.search(plain) else None


def _lines_single_spaced(text: str) -> str:
    """The text with one blank or new line for each run of white space, so that patterns with two runs stay linear."""
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text))


def _spans(plain: str, now: int | None) -> list[tuple[int, int]]:
    """Dated spans of work, by year; lines about studies and about breaks are passed over."""
    spans: list[tuple[int, int]] = []
    below: Literal["nothing", "studies", "work"] = "nothing"
    for line in plain.split("\n"):
        if _STUDY_HEAD.match(line):
            below = "studies"
        elif _WORK_HEAD.match(line):
            below = "work"
        elif _OTHER_HEAD.match(line):
            below = "nothing"
        if below == "studies" or _NO_WORK.search(line) or (below == "nothing" and _STUDY.search(line)):
            continue
        for match in _RANGE.finditer(line):
            end = int(match[2]) if match[2] else now
            if end is not None and now is not None:
                end = min(end, now)  # what is still to come is no experience; a span that begins after it is none
            if end is not None and 0 <= end - int(match[1]) <= MOST_YEARS:
                spans.append((int(match[1]), end))
    return spans


def _covered(spans: Iterable[tuple[int, int]]) -> float:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return float(total)


def _of_experience(plain: str, match: re.Match[str]) -> bool:
    before, after = plain[max(0, match.start() - 60) : match.start()], plain[match.end() : match.end() + 30]
    return _OTHER_BEFORE.search(before) is None and _OTHER_AFTER.match(after) is None


def _number(word: str) -> float:
    return float(_WORDS[word]) if word in _WORDS else float(word)
