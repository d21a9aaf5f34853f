"""A made world of diseases, findings and records: `medical/made-diagnosis-v1`, which anyone can run at once.

Each disease has six findings among those of the world, and no two diseases share two of them. A record has the first
two and some of the others; so does a patient, whose chart may list findings that mean nothing. All names are invented.
A reference asks for all that the chart lists; patients for whom that shows no record of their disease are not among the
examples.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

from guerdon.errors import ConfigError
from guerdon.retrieval import Corpus
from guerdon_medical.cases import Case, Disease
from guerdon_medical.dx_examples import DiagnosisExample, example_of
from guerdon_medical.dx_tasks import Patients, World
from guerdon_medical.guidelines import guidelines_of_cases
from guerdon_medical.records import records_of

_HOW = ("aching", "swollen", "pale", "stiff", "itching", "numb", "trembling", "burning", "cold", "spotted")
_WHERE = ("knee", "skin", "hand", "neck", "tongue", "eyelid", "ankle", "scalp", "elbow", "thumb")
_FIRST = (
    "Bal",
    "Cor",
    "Dro",
    "Fen",
    "Gal",
    "Hob",
    "Jur",
    "Kel",
    "Lom",
    "Mar",
    "Nor",
    "Pel",
    "Quin",
    "Rad",
    "Sol",
    "Tam",
)
_LAST = ("wick", "ford", "moor", "den", "stead", "by", "ridge", "ton")
_KINDS = ("fever", "palsy", "syndrome", "wasting")
OWN = 6
"""Findings of a disease."""
MOST_DISEASES = 128


@dataclass(frozen=True)
class MadeDiagnosis(Patients):
    """Patients of invented diseases; by default short, for small models."""

    diseases: int = 24
    """At most 128."""
    records: int = 4
    """Of each disease, in publications of two."""
    train_size: int = 256
    eval_size: int = 128
    noise: int = 1
    """Findings on a chart that mean nothing."""

    name: ClassVar[str] = "medical/made-diagnosis-v1"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, least, most in (
            ("diseases", 2, MOST_DISEASES),
            ("records", 1, 64),
            ("train_size", 0, 10**6),
            ("eval_size", 0, 10**6),
            ("noise", 0, 20),
        ):
            value = getattr(self, field)
            if not least <= value <= most:
                raise ConfigError(f"{self.name}.{field} is {value!r}; a number from {least} to {most} is needed")

    def load(self) -> World:
        """Made from the seed."""
        names = {f"MADE:{place:04d}": f"{how} {where}" for place, (how, where) in enumerate(_findings(self.seed))}
        profiles = _profiles(sorted(names), self.diseases, self.seed)
        records = [
            _case(f"record-{n}-{m}", f"made-{n}-{m // 2}", disease, own, f"{self.seed} record {n} {m}")
            for n, (disease, own) in enumerate(profiles.items())
            for m in range(self.records)
        ]
        sizes = {"train": self.train_size, "eval": self.eval_size}
        corpus: Corpus = records_of(records, names)
        patients = {split: self._patients(split, size, profiles, names, corpus) for split, size in sizes.items()}
        return World(corpus, guidelines_of_cases(records, names), patients, names)

    def _patients(
        self,
        split: str,
        size: int,
        profiles: Mapping[Disease, tuple[str, ...]],
        names: Mapping[str, str],
        records: Corpus,
    ) -> list[DiagnosisExample]:
        found: list[DiagnosisExample] = []
        number = 0
        while len(found) < size:
            count = size - len(found) + number  # twice as many at most, where half of them are not found
            drawn = [self._patient(split, n, profiles, names) for n in range(number, count + 1)]
            number = count + 1
            found += self.found(drawn, records)
            if number > 8 * size + 64:
                raise ConfigError(
                    f"{self.name}: of {number} patients {len(found)} are found by what their charts list; fewer "
                    f"diseases, less noise or more records_shown are needed"
                )
        return found[:size]

    def _patient(
        self, split: str, number: int, profiles: Mapping[Disease, tuple[str, ...]], names: Mapping[str, str]
    ) -> DiagnosisExample:
        draw = random.Random(f"{self.seed} {split} {number}")
        disease, own = draw.choice(list(profiles.items()))
        case = _case(f"{split}-{number}", f"made-{split}-{number}", disease, own, f"{self.seed} {split} {number}")
        others = sorted(set(names) - set(own))
        added = tuple(draw.sample(others, min(self.noise, len(others))))
        listed = [names[id] for id in (*case.observed, *added)]
        draw.shuffle(listed)
        return example_of(case, names, listed=listed).model_copy(update={"telling": tuple(listed)})


def _findings(seed: int) -> list[tuple[str, str]]:
    found = [(how, where) for how in _HOW for where in _WHERE]
    random.Random(f"{seed} findings").shuffle(found)
    return found


def _profiles(findings: list[str], count: int, seed: int) -> dict[Disease, tuple[str, ...]]:
    """Each disease's findings; no two diseases share two findings."""
    draw = random.Random(f"{seed} diseases")
    titles = [f"{first}{last} {kind}" for first in _FIRST for last in _LAST for kind in _KINDS]
    taken: set[frozenset[str]] = set()
    profiles: dict[Disease, tuple[str, ...]] = {}
    for place, title in enumerate(draw.sample(titles, count)):
        while True:
            own = tuple(draw.sample(findings, OWN))
            pairs = {frozenset(pair) for pair in combinations(own, 2)}
            if taken.isdisjoint(pairs):
                break
        taken |= pairs
        profiles[Disease(f"MADE:D{place:03d}", title)] = own
    return profiles


def _case(id: str, publication: str, disease: Disease, own: tuple[str, ...], seed: str) -> Case:
    """The first two, and two to four of the others."""
    draw = random.Random(seed)
    others = draw.sample(own[2:], draw.randint(2, OWN - 2))
    return Case(id, publication, (*own[:2], *others), (), (disease,))
