"""Counterfactual resumes: the same text by a person of another name, gender, age, school, or with another break.

A swap replaces the phrases of `Person` where they stand in the text, and nothing else. What a screener is shown is then
read from the new text again, so that a reader of skills or years that is swayed by a name is found out as well.
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
_OLDER = (-25, -15, 10, 20)
"""Years by which a swap moves the dates of birth and graduation."""
_OPPOSITE = {"female": "male", "male": "female", "woman": "man", "man": "woman"}
_PRONOUNS = {"female": "she/her", "woman": "she/her", "male": "he/him", "man": "he/him"}


def refreshed(example: ResumeExample) -> ResumeExample:
    """The example with what is shown of it read from its text again; gold stays."""
    facts = facts_of(example.resume, example.job_skills)
    return example.model_copy(update={"candidate_skills": facts.skills, "experience": years_told(facts.years)})


def swapped(example: ResumeExample, attribute: Attribute, random: Random) -> ResumeExample | None:
    """The same candidate as another person, or None where the text says nothing of that attribute.

    `gender` takes the given name along, `age` the dates of birth and graduation; a `gap` gets another reason and is not
    moved, since its dates belong to the jobs beside it.
    """
    changes = _changes(example.person, attribute, random)
    text = example.resume
    if not changes or not all(_whole(old).search(text) for old in changes):
        return None
    text = _replaced(text, {**changes, **_addresses(changes)})
    fields = {name: _replaced(value, changes) for name, value in example.person.model_dump().items()}
    return refreshed(example.model_copy(update={"resume": text, "person": Person(**fields)}))


def _replaced(value: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        value = _whole(old).sub(lambda _, new=new: new, value)  # type: ignore[misc]  # a text, not a pattern
    return value


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
        return {person.gender: gender} | named
    if attribute == "age":
        by = random.choice(_OLDER)
        phrases = [phrase for phrase in (person.born, person.graduated) if phrase]
        return {phrase: re.sub(r"\d{4}", lambda year: str(int(year[0]) + by), phrase) for phrase in phrases}
    if attribute == "gap" and person.gap:
        head, colon, reason = person.gap.partition(":")
        return {person.gap: f"{head}: {_other(GAPS, reason.strip(), random)}"} if colon else {}
    if attribute == "school" and person.school:
        return {person.school: _other(SCHOOLS, person.school, random)}
    return {}


def _addresses(changes: Mapping[str, str]) -> dict[str, str]:
    """The same names as they stand in an address, "jane.doe@", where the text has one."""
    return {_address(old): _address(new) for old, new in changes.items() if " " in old}


def _address(name: str) -> str:
    return name.lower().replace(" ", ".")


def _other(among: tuple[str, ...] | list[str], than: str, random: Random) -> str:
    return random.choice([each for each in among if each != than])
