"""Job ads and resumes, made up from a seed: skills in other words, noise of a known size, and a label with its reasons.

```
title ──▶ 4 to 8 skills asked for ──▶ present ones, 0 to 15 years ──▶ 30 + 50 ratio + 2 min(years, 10) + noise
                                  ──▶ a resume: present skills (often in other words), others, some denied, dated work
```

The verdict depends on skills and years alone: names, genders, ages, breaks and schools are drawn apart from them.
People are made of common given and family names; anyone of that name is meant by chance.

Source: the generator of the fact sheet on arXiv 2511.16073 (score, thresholds 60 / 75 / 88); the texts are ours.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

from guerdon_resume.examples import Person, ResumeExample
from guerdon_resume.facts import years_told
from guerdon_resume.skills import FIELDS, canonical

THRESHOLDS = ((88.0, "STRONGLY_CONSIDER"), (75.0, "APPROVE"), (60.0, "CONSIDER"), (0.0, "REJECT"))
MOST_YEARS = 15
FEWEST, MOST = 4, 8
"""Skills that a job asks for."""
END = 2024
"""The year in which every made resume's last job ends."""

_WOMEN = "Anna Mary Fatima Priya Mei Aisha Emily Lakisha Sofia Ingrid Carmen Yuki Olga Zainab Rosa"
_MEN = "John Peter Ahmed Raj Wei Jamal Greg Tyrone Luca Sven Carlos Hiro Ivan Kwame Diego"
_ANYONE = "Alex Robin Sam Kim Noor Sasha Jordan Taylor"
_FAMILIES = (
    "Smith Baker Murphy Khan Sharma Chen Okafor Washington Rossi Larsson Garcia Tanaka Petrova Diallo Nguyen Kowalski "
    "Cohen Silva Jensen Yilmaz"
)
GIVEN = {"she/her": _WOMEN.split(), "he/him": _MEN.split(), "they/them": _ANYONE.split()}
GENDERS = tuple(GIVEN)
FAMILY = _FAMILIES.split()
SCHOOLS = (
    "Northfield State University",
    "St Aldwyn College",
    "Harrowgate University",
    "Lakeside Community College",
    "Royal Institute of Weston",
    "Eastmere Technical School",
    "Marlow Evening College",
    "Kingsbridge University",
)
GAPS = ("parental leave", "caring for a relative", "illness", "travelling", "looking for work")
_FIRMS = ("Brightwell", "Corva", "Delmont", "Ferrum", "Halden", "Ionia", "Kestrel", "Lumen", "Novatek", "Orchard")
_DID = (
    "Worked with {} every day.",
    "Built up the team's use of {}.",
    "Was responsible for {}.",
    "Used {} in three large projects.",
    "Trained new colleagues in {}.",
)
_DENIALS = ("No experience with {} yet.", "Never used {}.", "Eager to learn {}.")


@dataclass(frozen=True)
class Making:
    """How examples are made; see `guerdon_resume.tasks.Screening` for the same fields as options."""

    seed: int = 0
    noise: float = 3.0
    synonyms: float = 0.5
    denied: float = 0.5
    selected_share: float = 0.5
    jobs: tuple[tuple[str, ...], ...] = ()
    """Skills of real ads to draw from, each at least `FEWEST`; empty: the listed titles and skills."""


def rubric(ratio: float, years: float) -> float:
    """The score without noise: 30 to 100.

    >>> rubric(0.5, 4), rubric(1.0, 15)
    (63.0, 100.0)
    """
    return 30.0 + 50.0 * ratio + 2.0 * min(years, 10.0)


def status_of(score: float) -> str:
    """The gold status of a score.

    >>> status_of(59), status_of(60), status_of(75), status_of(88)
    ('REJECT', 'CONSIDER', 'APPROVE', 'STRONGLY_CONSIDER')
    """
    return next(word for least, word in THRESHOLDS if score >= least)


def made(split: Literal["train", "eval"], size: int, making: Making) -> list[ResumeExample]:
    """Examples of a split. The same seed makes the same ones, whatever the size; no job is in both splits."""
    return [one(split, number, making) for number in range(size)]


def one(split: Literal["train", "eval"], number: int, making: Making) -> ResumeExample:
    """One example, from a random stream of its own."""
    random = Random(f"resume {making.seed} {split} {number}")
    wanted = random.random() < making.selected_share
    while True:  # one of three draws or so is of the other kind
        title, job = _job(split, random, making.jobs)
        present = _present(job, random)
        years = random.randint(0, MOST_YEARS)
        score = round(min(100.0, max(0.0, rubric(len(present) / len(job), years) + random.gauss(0.0, making.noise))))
        if (score >= 60) == wanted:
            break
    person, work = _person_and_work(years, random)
    told = [_worded(skill, making.synonyms, random) for skill in present]
    asked = set(map(canonical, job))
    others = [skill for field in FIELDS.values() for skill in field if canonical(skill) not in asked]
    told += random.sample(others, random.randint(1, 3))
    random.shuffle(told)
    lacking = [skill for skill in job if skill not in present]
    denied = [random.choice(lacking)] if lacking and random.random() < making.denied else []
    return ResumeExample(
        id=f"{split}-{number}",
        title=title,
        job_skills=job,
        present_skills=present,
        candidate_skills=tuple(told),
        experience=years_told(years),
        years=years,
        status=status_of(score),
        score=score,
        reasons=_reasons(job, present, years, score),
        resume=_resume(title, person, work, told, denied, years, random),
        person=person,
    )


def held_out(skills: Sequence[str]) -> bool:
    """Whether a job with these skills is for evaluation: one in five is, whatever the seed."""
    return zlib.crc32("|".join(sorted(skills)).encode()) % 5 == 0


def _job(split: str, random: Random, jobs: Sequence[tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """A title and 4 to 8 skills that are this split's; real ads are parted whole, before their skills are drawn."""
    while True:
        if jobs:
            ad = random.choice(jobs)
            title, skills = "Position", tuple(random.sample(ad, random.randint(FEWEST, min(MOST, len(ad)))))
        else:
            title = random.choice(list(FIELDS))
            ad = skills = tuple(random.sample(list(FIELDS[title]), random.randint(FEWEST, MOST)))
        if held_out(ad) == (split == "eval"):
            return title, skills


def _present(job: Sequence[str], random: Random) -> tuple[str, ...]:
    chance = random.random()
    return tuple(skill for skill in job if random.random() < chance)


def _worded(skill: str, synonyms: float, random: Random) -> str:
    words = next((field[skill] for field in FIELDS.values() if skill in field), (skill,))
    return random.choice(words) if random.random() < synonyms else skill


def _person_and_work(years: int, random: Random) -> tuple[Person, list[str]]:
    """Who it is, and the lines of dated work, a break among them where there is one."""
    gender = random.choice(GENDERS)
    broke = years >= 2 and random.random() < 0.5
    away = random.randint(1, 3) if broke else 0
    begin = END - years - away
    graduated = begin - random.randint(0, 3)
    cuts = {begin + random.randint(1, years - 1) for _ in range(random.randint(1, 2))} if years >= 2 else set()
    ends = sorted({begin, *cuts, begin + years})
    place = random.randrange(1, len(ends) - 1) if broke else len(ends)  # the break comes before this job
    lines, gap = [], ""
    for number, (start, end) in enumerate(pairwise(ends)):
        if number == place:
            gap = f"Career break {start} - {start + away}: {random.choice(GAPS)}"
            lines.append(gap)
        late = away if number >= place else 0
        lines.append(f"{random.choice(_FIRMS)} Ltd, {start + late} - {end + late}")
    return Person(
        name=f"{random.choice(GIVEN[gender])} {random.choice(FAMILY)}",
        gender=gender,
        born=f"Born {graduated - random.randint(21, 30)}",
        graduated=f"Graduated {graduated}",
        gap=gap,
        school=random.choice(SCHOOLS),
    ), lines


def _resume(
    title: str,
    person: Person,
    work: Sequence[str],
    told: Sequence[str],
    denied: Sequence[str],
    years: int,
    random: Random,
) -> str:
    address = person.name.lower().replace(" ", ".")
    half = len(told) // 2
    did = [random.choice(_DID).format(skill) for skill in told[:half]]
    lines = [
        person.name,
        f"{address}@example.com | 555-01{random.randrange(100):02d}",
        f"{person.born} | {person.gender}",
        "",
        "Summary",
        f"{title}, {years_told(years)}.",
        *(random.choice(_DENIALS).format(skill) for skill in denied),
        "",
        "Experience",
        *work,
        *did,
        "",
        "Education",
        f"{person.graduated}, {person.school}",
        "",
        "Skills",
        ", ".join(told[half:]),
    ]
    return "\n".join(lines) + "\n"


def _reasons(job: Sequence[str], present: Sequence[str], years: int, score: float) -> tuple[str, ...]:
    lacking = [skill for skill in job if skill not in present]
    return (
        f"has {len(present)} of {len(job)} skills asked for: {', '.join(present) or 'none'}",
        *([f"lacks {', '.join(lacking)}"] if lacking else []),
        years_told(years),
        f"{score:g} points; 60 are enough",
    )
