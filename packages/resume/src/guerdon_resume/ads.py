"""What a job asks for: the title and skills of an ad, or of JSON.

Of an ad the skills are those after a heading such as "Requirements:", or in the bullet points below it; where there is
no such heading, every listed skill (`guerdon_resume.skills`) that it names. A requirement is taken apart at commas,
"and", "or", slashes and brackets. Years, and words of degree and of knowing ("strong knowledge of"), are no skill; of
what is still longer than a skill is, the listed skills count, and where it names none it stays as it is.

It does not cover languages other than English, nor "or": what follows it is asked for too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from guerdon.errors import ConfigError
from guerdon_resume.documents import read_document
from guerdon_resume.skills import canonical, listed_words, single_spaced, skills_in

MOST_WORDS = 3
"""Of a skill that no list has; what is longer is a sentence, in which listed skills are looked for."""
_BULLET = re.compile(r"^(?:[-*•·–▪‣]|\d{1,2}[.)])\s+")
_MARKUP = "#*_ \t"
_HEADS = frozenset(
    (
        "requirements",
        "job requirements",
        "required skills",
        "skills required",
        "skills",
        "key skills",
        "qualifications",
        "must have",
        "must haves",
        "what you bring",
        "you bring",
        "you have",
        "what you need",
        "your profile",
    )
)
_YEARS = (
    r"(?:at least|min(?:imum|\.)?(?: of)?|more than|over)? ?(?<![\w.])\d{1,2}(?:\.\d)? ?(?:\+|plus)?"
    r"(?: ?(?:-|–|to) ?\d{1,2} ?\+?)? ?(?:years?|yrs?)\b['’]?(?: of)?"
)
_DEGREE = (
    r"(?:a|an|the|very|good|strong|solid|sound|excellent|outstanding|proven|demonstrated|deep|in-depth|extensive|some|"
    r"first|basic|working|advanced|professional|practical|hands-on|relevant|prior|previous|work|fluent|fluency|and)"
)
_KNOWING = (
    r"(?:experience|experienced|knowledge|skills?|command|understanding|familiarity|familiar|proficiency|proficient|"
    r"expertise|confident|skilled|background)"
)
_BEFORE = re.compile(
    rf"^(?:{_YEARS}|{_DEGREE}\b(?!-)|{_KNOWING}\b|you (?:have|know|bring)\b|(?:with|in|of|on|using)\b|"
    r"(?:such as|like|including|for example|e\.g\.)|[\s:])+",
    re.IGNORECASE,
)
"""Before a skill: "At least 3 years of hands-on experience with"."""
_AFTER = re.compile(
    rf"[\s:]*\b(?:(?:is|are|would be) )?(?:(?:a |big )*plus|(?:strongly )?preferred|required|desired|optional|"
    rf"must[- ]have|nice[- ]to[- ]have|skills?|experience|knowledge|for {_YEARS}|{_YEARS}|etc|or similar)\W*$",
    re.IGNORECASE,
)
_SEPARATORS = r"[,;|()\[\]\n]|\s[–-]\s|/|\s&\s|\b(?:and|or)\b"


@dataclass(frozen=True)
class Job:
    """What is asked for."""

    title: str
    """"" where nothing says it."""
    skills: tuple[str, ...]


def job_of(path: Path, skills: Sequence[str] = ()) -> Job:
    """The job in a file: JSON with `title` and `skills`, or an ad as text, PDF or Word file.

    The title of an ad is its first line, unless its requirements begin there. A skill under two names is one.

    Args:
        path: the file.
        skills: in place of those in the file.

    Raises:
        ConfigError: it cannot be read, or names no skills; the message names the file.
    """
    if path.suffix.lower() == ".json" and path.is_file():
        return _job_of_json(path, skills)
    ad = read_document(path)
    if ad.fault:
        raise ConfigError(f"the job {str(path)!r}: {ad.fault}")
    lines = _lines(ad.text)
    found = _once(skills or _asked(lines) or _named(ad.text))
    if not found:
        raise ConfigError(
            f"the job {str(path)!r} names no skills: give it a line such as 'Requirements: SQL, Python', or name them "
            f"with --skills"
        )
    untitled = _requirements(lines[0]) is not None or _BULLET.match(lines[0])
    return Job("" if untitled else lines[0].strip(_MARKUP)[:80], found)


def _job_of_json(path: Path, skills: Sequence[str]) -> Job:
    needed = f'the job {str(path)!r}: an object such as {{"title": "Analyst", "skills": ["SQL"]}} is needed'
    try:
        said = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{needed}; {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("title", ""), str):
        raise ConfigError(needed)
    listed = said.get("skills", [])
    if not isinstance(listed, list) or not all(isinstance(each, str) and each.strip() for each in listed):
        raise ConfigError(f"{needed}; 'skills' is {listed!r:.80}")
    if not (found := _once(skills or [each.strip() for each in listed])):
        raise ConfigError(f"{needed}; it names no skills")
    return Job(said.get("title", ""), found)


def _lines(text: str) -> list[str]:
    """Lines that are not blank; an indented one goes on with the bullet point above it."""
    lines: list[str] = []
    for line in text.split("\n"):
        if not (bare := line.strip()):
            continue
        if line[0].isspace() and lines and _BULLET.match(lines[-1]) and not _BULLET.match(bare):
            lines[-1] += f" {bare}"
        else:
            lines.append(bare)
    return lines


def _requirements(line: str) -> str | None:
    """What stands behind a heading of requirements, or "" behind a bare one; None for other lines.

    >>> _requirements("**Requirements:** SQL"), _requirements("## Requirements"), _requirements("We offer: SQL")
    ('SQL', '', None)
    """
    head, _, rest = line.partition(":")
    return rest.strip(_MARKUP) if head.strip(_MARKUP).lower() in _HEADS else None


def _asked(lines: Sequence[str]) -> list[str]:
    for number, line in enumerate(lines):
        rest = _requirements(line)
        if rest is None:
            continue
        told = [rest] if rest else [_BULLET.sub("", each) for each in takewhile(_BULLET.match, lines[number + 1 :])]
        if found := [skill for one in told for skill in wanted(one)]:
            return found
    return []


def wanted(requirement: str) -> list[str]:
    """The skills of one requirement, in its own words; empty where it asks for years alone.

    >>> wanted("3+ years with Python and SQL"), wanted("CI/CD or TCP/IP"), wanted("At least 3 years of experience")
    (['Python', 'SQL'], ['CI/CD', 'TCP/IP'], [])
    >>> wanted("You build our pipelines in Airflow every day"), wanted("Excellent communication skills")
    (['airflow'], ['communication'])
    """
    found: list[str] = []
    for piece in _pieces(requirement):
        bare = _AFTER.sub("", _AFTER.sub("", _BEFORE.sub("", piece.strip(f"{_MARKUP}.!")))).strip(f"{_MARKUP}.!:")
        if not bare:
            continue
        known = [one.words for one in skills_in(bare)] if len(bare.split()) > MOST_WORDS else []
        found += known or [single_spaced(bare)]
    return found


def _pieces(text: str) -> Iterator[str]:
    """A text cut at its separators, those within listed skills ("CI/CD", "picking and packing") left alone."""
    start = 0
    for match in _cuts().finditer(text):
        if match["cut"]:
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]


@cache
def _cuts() -> re.Pattern[str]:
    kept = [word for word in listed_words() if re.search(_SEPARATORS, word)]
    longest_first = sorted(map(re.escape, kept), key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)|(?P<cut>{_SEPARATORS})", re.IGNORECASE)


def _named(text: str) -> list[str]:
    return [one.skill for one in skills_in(text) if not one.denied]


def _once(skills: Iterable[str]) -> tuple[str, ...]:
    """Each skill by the first of its names."""
    found: dict[str, str] = {}
    for skill in skills:
        found.setdefault(canonical(skill), skill)
    return tuple(found.values())
