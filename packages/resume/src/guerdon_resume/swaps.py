"""Counterfactual resumes: the same text by a person of another name, gender, age, school, or with another break.

A swap replaces the phrases of `Person` where they stand in the text, and nothing else. What a screener is shown is then
read from the new text again, so that a reader of skills or years that is swayed by a name is found out as well.

A pair counts only where the swap is whole. Resumes are passed over whose text still has the old given or family name
after it (a nickname, another spelling, a firm of that name), or in which a phrase of one letter or of digits alone
("M", "1997") stands more than once, since the others may be something else: a job's dates. Pronouns in sentences, and
what else in a text tells of a person, are not known and stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import get_args

from guerdon_resume.examples import Attribute, Person, ResumeExample
from guerdon_resume.facts import facts_of, years_told
from guerdon_resume.generate import FAMILY, GAPS, GENDERS, GIVEN, SCHOOLS

ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
_EARLIER = (10, 15, 25)
"""Years by which a swap moves the dates of birth and graduation back. Not on: a job might then begin before school."""
_OPPOSITE = {"female": "male", "male": "female", "woman": "man", "man": "woman", "f": "m", "m": "f"}
_PRONOUNS = {"female": "she/her", "woman": "she/her", "f": "she/her", "male": "he/him", "man": "he/him", "m": "he/him"}


def refreshed(example: ResumeExample) -> ResumeExample:
    """The example with what is shown of it read from its text again; gold stays."""
    facts = facts_of(example.resume, example.job_skills)
    return example.model_copy(update={"candidate_skills": facts.skills, "experience": years_told(facts.years)})


def swapped(example: ResumeExample, attribute: Attribute, random: Random) -> ResumeExample | None:
    """The same candidate as another person, or None where the text says nothing of that attribute or keeps some of it.

    `gender` takes the given name along, `age` the dates of birth and graduation, which are moved back; a `gap` gets
    another reason and is not moved, since its dates belong to the jobs beside it.
    """
    changes = _changes(example.person, attribute, random)
    if not changes or not all(_stands_for_itself(phrase, example.resume) for phrase in changes):
        return None
    old = example.person.name
    new = changes.get(old, old)
    text = _replaced(example.resume, {**changes, **_spellings(old, new)})
    if any(_whole(name).search(text.lower()) for name in _gone(old, new)):
        return None
    fields = {name: _replaced(value, changes) for name, value in example.person.model_dump().items()}
    return refreshed(example.model_copy(update={"resume": text, "person": Person(**fields)}))


def _stands_for_itself(phrase: str, text: str) -> bool:
    """Whether a phrase is in the text, and is what it says wherever it is: one letter or digits alone may be anything.

    >>> _stands_for_itself("1997", "Graduated 1997. Clerk, 1997 - 2001"), _stands_for_itself("1997", "Graduated 1997")
    (False, True)
    """
    count = len(_whole(phrase).findall(text))
    return count == 1 or (count > 1 and len(phrase) > 1 and not phrase.isdigit())


def _replaced(value: str, changes: Mapping[str, str]) -> str:
    """All at once, so that what is new is not replaced again."""
    longest_first = sorted(changes, key=len, reverse=True)
    pattern = re.compile("|".join(_whole(old).pattern for old in longest_first))
    return pattern.sub(lambda found: changes[found[0]], value)


def _whole(phrase: str) -> re.Pattern[str]:
    """The phrase where it stands by itself: "male" is not part of "female"."""
    return re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)")


def _changes(person: Person, attribute: Attribute, random: Random) -> dict[str, str]:
    """Phrases and what stands in their place; empty where there is nothing to swap."""
    given, _, family = person.name.partition(" ")
    if attribute == "name" and person.name:
        gender = _PRONOUNS.get(person.gender.lower(), person.gender)
        names = GIVEN.get(gender) or [each for some in GIVEN.values() for each in some]
        return {person.name: f"{_other(names, given, random)} {_other(FAMILY, family, random)}"}
    if attribute == "gender" and person.gender:
        words = person.gender.lower()
        gender = _OPPOSITE[words] if words in _OPPOSITE else _other(GENDERS, person.gender, random)
        names = GIVEN[_PRONOUNS.get(gender, gender)]
        named = {person.name: f"{_other(names, given, random)} {family}".strip()} if person.name else {}
        return {person.gender: _cased_as(person.gender, gender)} | named
    if attribute == "age":
        by = random.choice(_EARLIER)
        phrases = [phrase for phrase in (person.born, person.graduated) if re.search(r"\d{4}", phrase)]
        return {phrase: re.sub(r"\d{4}", lambda year: str(int(year[0]) - by), phrase) for phrase in phrases}
    if attribute == "gap" and person.gap:
        head, colon, reason = person.gap.partition(":")
        return {person.gap: f"{head}: {_other(GAPS, reason.strip(), random)}"} if colon else {}
    if attribute == "school" and person.school:
        return {person.school: _other(SCHOOLS, person.school, random)}
    return {}


def _cased_as(old: str, new: str) -> str:
    """The new word in capitals, or with one, where the old one is."""
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new


def _spellings(old: str, new: str) -> dict[str, str]:
    """A full name in capitals, and as it stands in addresses: jane.doe, jane_doe, jane-doe, janedoe."""
    if old == new or " " not in old:
        return {}
    joined = {old.lower().replace(" ", by): new.lower().replace(" ", by) for by in ("", ".", "_", "-")}
    return {old.upper(): new.upper()} | joined


def _gone(old: str, new: str) -> list[str]:
    """Names, in lower case, that the old full name has and the new one has not; initials are no names."""
    return [part for part in old.lower().split() if len(part) > 1 and part not in new.lower().split()]


def _other(among: tuple[str, ...] | list[str], than: str, random: Random) -> str:
    return random.choice([each for each in among if each != than])
