"""A small world for diagnostic agents: charts to diagnose, records to match, guidelines that are incomplete.

Charts are cases as an agent meets them. In noisy ones stand findings that many patients have, whatever their disease;
and of a random half of the diseases there is no guideline. Records, training and test charts share no publication.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon.errors import TaskError
from guerdon.retrieval import Corpus
from guerdon_medical.cases import Case, Disease, split_by_publication
from guerdon_medical.guidelines import guidelines_of_cases, half_hidden
from guerdon_medical.records import records_of

SHARES = {"records": 0.5, "train": 0.25, "test": 0.25}
MOST = {"records": 20, "train": 10, "test": 10}
"""Cases of a disease in each part."""
FREQUENT = 80
"""Noise is drawn from so many of the most frequent findings."""
LEAST_FINDINGS, LEAST_CASES, LEAST_PUBLICATIONS = 3, 12, 3


@dataclass(frozen=True)
class Chart:
    """A patient as an agent sees them."""

    case: Case
    findings: tuple[str, ...]
    """Names, in no order that tells anything."""

    @property
    def gold(self) -> tuple[str, ...]:
        """Names of the right disease."""
        return tuple(disease.name for disease in self.case.diagnoses)


@dataclass(frozen=True)
class World:
    """What is searched, and who is diagnosed."""

    records: Corpus
    guidelines: Corpus
    train: tuple[Chart, ...]
    test: tuple[Chart, ...]

    @property
    def answerable(self) -> float:
        """The share of test charts whose disease some record has."""
        known = {name for document in self.records.documents for name in document.payload["diseases"]}
        return sum(not known.isdisjoint(chart.gold) for chart in self.test) / max(len(self.test), 1)


def make_world(
    cases: Sequence[Case],
    names: Mapping[str, str],
    seed: int,
    *,
    diseases: int = 60,
    noise: float = 1.5,
    complete: bool = False,
    least_cases: int = LEAST_CASES,
    least_publications: int = LEAST_PUBLICATIONS,
    split_by: Literal["publication", "case"] = "publication",
) -> World:
    """A world of published cases.

    Args:
        cases: of any number of diseases; those with three findings or more are used, of diseases with enough such cases
            from enough publications.
        names: of findings by id.
        seed: of which diseases, of the split, of the noise, and of what is hidden.
        diseases: how many are drawn; all, where there are fewer.
        noise: this many times as many frequent findings are added to each chart (`noisy`).
        complete: whether no guideline is hidden.
        least_cases: of a disease.
        least_publications: that report a disease.
        split_by: "case" leaks: cases of one publication share wording.

    Raises:
        TaskError: no disease has as many cases, or a part of the split is empty.
    """
    usable = [case for case in cases if len(case.observed) >= LEAST_FINDINGS]
    drawn = frozenset(_drawn(usable, diseases, seed, least_cases, least_publications))
    kept = [case for case in usable if case.diagnoses[0].id in drawn]
    if split_by == "case":
        alone = [_alone(case) for case in kept]
        parts = split_by_publication(alone, SHARES, seed)
    else:
        parts = split_by_publication(kept, SHARES, seed)
    rng = random.Random(f"charts {seed}")
    capped = {part: _capped(found, MOST[part], rng) for part, found in parts.items()}
    if not all(capped.values()):
        raise TaskError(
            f"of {len(kept)} cases a part of the split is empty: { {k: len(v) for k, v in capped.items()} }"
        )
    counts = Counter(finding for case in capped["records"] for finding in case.observed)
    frequent = [finding for finding, _ in counts.most_common(FREQUENT)]
    guidelines = guidelines_of_cases(capped["records"], names)

    def charts(part: str) -> tuple[Chart, ...]:
        return tuple(
            Chart(case, tuple(names.get(id, id) for id in noisy(case.observed, frequent, noise, rng)))
            for case in capped[part]
        )

    return World(
        records_of(capped["records"], names),
        guidelines if complete else half_hidden(guidelines, seed),
        charts("train"),
        charts("test"),
    )


def noisy(observed: Sequence[str], frequent: Sequence[str], noise: float, rng: random.Random) -> list[str]:
    """Findings with `noise` times as many others, drawn alike from the frequent ones that they lack, in a random order.

    Args:
        observed: of a case, as ids or names.
        frequent: where the others are drawn from; all that are left, where there are too few.
        noise: >= 0; the number of others is rounded to the nearest.
        rng: draws.
    """
    others = [finding for finding in frequent if finding not in observed]
    found = [*observed, *rng.sample(others, min(round(noise * len(observed)), len(others)))]
    rng.shuffle(found)
    return found


def made_cases(
    seed: int, *, diseases: int = 60, publications: int = 6, patients: int = 5
) -> tuple[list[Case], dict[str, str]]:
    """Cases that nobody had, and the names of their findings: for dry runs, and tests without real data.

    Each disease has 14 findings of its own choice among 400, of which a patient has each with .45; each publication
    writes 2 further ones about all of its patients.
    """
    rng = random.Random(f"made {seed}")
    ids = [f"HP:{9_000_000 + place}" for place in range(400)]
    names = {id: f"{_word(rng)} {_word(rng)}" for id in ids}
    weights = [1.0 / (1 + place % 97) for place in range(len(ids))]  # some findings are of many diseases
    cases: list[Case] = []
    for place in range(diseases):
        disease = Disease(f"made:{place}", f"{_word(rng)} {_word(rng)} disease")
        own = list(dict.fromkeys(rng.choices(ids, weights, k=20)))[:14]
        for publication in range(publications):
            shared = rng.sample(ids, 2)
            for patient in range(patients):
                observed = [id for id in own if rng.random() < 0.45] + shared
                written = f"{place}{publication:03d}"
                cases.append(Case(f"made_{written}_{patient}", written, tuple(dict.fromkeys(observed)), (), (disease,)))
    return cases, names


def _drawn(cases: Sequence[Case], diseases: int, seed: int, least: int, publications: int) -> list[str]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.diagnoses[0].id, []).append(case)
    fit = sorted(
        id for id, own in found.items() if len(own) >= least and len({case.publication for case in own}) >= publications
    )
    if not fit:
        raise TaskError(
            f"of {len(cases)} cases no disease has {least} or more from {publications} or more publications"
        )
    return random.Random(f"diseases {seed}").sample(fit, min(diseases, len(fit)))


def _alone(case: Case) -> Case:
    return Case(case.id, case.id, case.observed, case.excluded, case.diagnoses, case.sex)


def _capped(cases: Sequence[Case], most: int, rng: random.Random) -> list[Case]:
    """At most so many of each disease, in a random order."""
    order = list(cases)
    rng.shuffle(order)
    counts: Counter[str] = Counter()
    kept = []
    for case in order:
        counts[case.diagnoses[0].id] += 1
        if counts[case.diagnoses[0].id] <= most:
            kept.append(case)
    return kept


def _word(rng: random.Random) -> str:
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
