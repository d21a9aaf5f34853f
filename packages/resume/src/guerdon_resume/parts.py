"""The reward's four parts as pure functions, in both readings.

| part | released | repaired |
|---|---|---|
| status S | a table; an unreadable answer is REJECTED, an unknown word -1 | the table; what cannot be read: its least |
| score A | 1 - abs(m - g) / 50, at least -1; 0 where g is missing | the same; abstains where g is missing |
| skills K | gold skills against gold skills: the same for every answer | F1 of the skills that are named, -1 to 1 |
| experience E | bands of m by years read from the gold text | how far off the years named are, -1 to 1 |

Source: arXiv 2511.16073, the released reward class. The weights are .4, .2, .2, .2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from guerdon_resume.answers import REJECTED, SELECTED
from guerdon_resume.examples import CHOSEN
from guerdon_resume.skills import canonical

Penalties = Literal["gentle", "harsh"]
WEIGHTS: Mapping[str, float] = {"status": 0.4, "score": 0.2, "skills": 0.2, "experience": 0.2}
SPREAD = 50.0
"""Points by which a score may be off for the part to fall from 1 to 0."""
YEARS_OFF = 5.0
"""The same for years, in the repaired reading [choice]."""
MISSED: Mapping[Penalties, float] = {"gentle": -2.0, "harsh": -5.0}
"""A good candidate rejected."""
FALSE: Mapping[Penalties, float] = {"gentle": -1.0, "harsh": -2.0}
"""A bad candidate selected."""


def status_value(word: str, selected: bool, penalties: Penalties = "gentle") -> float:
    """S: what a status word earns.

    Args:
        word: in capitals; one of `CHOSEN` counts as SELECTED.
        selected: whether SELECTED is right.
        penalties: `gentle` is the published reward, `harsh` what earlier runs had (from comments in the code).

    >>> [status_value(word, True) for word in ("SELECTED", "REJECTED", "MAYBE")]
    [2.0, -2.0, -1.0]
    """
    if word in CHOSEN:
        return 2.0 if selected else FALSE[penalties]
    if word == REJECTED:
        return MISSED[penalties] if selected else 0.0
    return -1.0


def score_value(score: float, gold: float) -> float:
    """A, in [-1, 1].

    >>> score_value(40, 81)
    0.18000000000000005
    """
    return max(-1.0, 1.0 - abs(score - gold) / SPREAD)


def released_skills_value(job_skills: Sequence[str], present_skills: Sequence[str]) -> float:
    """K as released: it reads no answer. -1 where either list is empty.

    The share is that of *distinct* job skills that are present, of all job skills: one that is asked for twice counts
    once above and twice below.

    >>> released_skills_value(["SQL", "Spark", "sql "], ["sql", "Spark"])  # 2 / 3
    0.0
    """
    job = [skill.strip().lower() for skill in ",".join(job_skills).split(",") if skill.strip()]
    present = {skill.strip().lower() for skill in present_skills if skill.strip()}
    if not job or not present:
        return -1.0
    share = len(set(job) & present) / len(job)
    return 1.0 if share >= 0.75 else 0.0 if share >= 0.4 else -1.0


def skills_value(named: Iterable[str], present_skills: Iterable[str]) -> float:
    """K, repaired: 2 F1 - 1 of the skills that the answer names and those that are there, in [-1, 1].

    Other words for a skill are that skill (`skills.canonical`), and naming one twice is naming it once.

    >>> skills_value(["Postgres"], ["PostgreSQL"]), skills_value([], []), skills_value(["SQL"], [])
    (1.0, 1.0, -1.0)
    """
    said, true = {canonical(skill) for skill in named}, {canonical(skill) for skill in present_skills}
    if not said and not true:
        return 1.0
    return 4.0 * len(said & true) / (len(said) + len(true)) - 1.0


def released_years(text: str) -> int:
    """Years as the released code guesses them, the first rule that fires: a 10 or "senior" anywhere, and so on.

    >>> released_years("15 years"), released_years("12 years"), released_years("no experience")
    (5, 1, 0)
    """
    lowered = text.lower()
    for signs, years in ((("10", "senior"), 10), (("5", "mid"), 5), (("3",), 3), (("1", "junior"), 1)):
        if any(sign in lowered for sign in signs):
            return years
    return 0


def released_experience_value(score: float, years: float) -> float:
    """E as released: whether the score fits the years, by bands.

    >>> [released_experience_value(*pair) for pair in ((80, 10), (60, 5), (40, 0), (88, 0), (39, 5), (81, 0))]
    [1.0, 1.0, 1.0, -1.0, -1.0, 0.0]
    """
    if (years >= 7 and score >= 75) or (3 <= years <= 6 and 50 <= score < 80) or (years <= 2 and score < 50):
        return 1.0
    return -1.0 if (score > 85 and years <= 2) or (score < 40 and years >= 5) else 0.0


def experience_value(named: float, years: float) -> float:
    """E, repaired: 1 for the right number of years, 0 for five off, -1 for ten and more.

    >>> experience_value(4, 6.5)
    0.5
    """
    return max(-1.0, 1.0 - abs(named - years) / YEARS_OFF)


def gold_word(selected: bool) -> str:
    """SELECTED or REJECTED."""
    return SELECTED if selected else REJECTED
