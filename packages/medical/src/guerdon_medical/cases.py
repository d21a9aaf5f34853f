"""Published cases: what was found in a patient, what was looked for and absent, and which disease it was.

Two layouts are read. **Rows**: one JSON object a line (gzipped or not) with `id`, `pmid`, `observed`,
`excluded` (HPO ids), `diagnosis` ([[id, label], ...]), `sex`. **Phenopackets** as the public store keeps them: a folder
of GA4GH phenopacket JSON files, of any depth.

Cases of one publication share wording, so a split is by publication, never by case: on clean charts a split by case
raised top-1 accuracy from .59 to .79 (fact sheet Deep-DxSearch, measured).
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow, read_rows

_PUBLICATION = re.compile(r"PMID[_:](\d+)")


@dataclass(frozen=True)
class Disease:
    """A disease by its id in some vocabulary (`OMIM:147791`), and a name."""

    id: str
    name: str


@dataclass(frozen=True)
class Case:
    """One patient of one publication."""

    id: str
    publication: str
    """The PubMed id; the case's own id where none is known, so that it is a publication by itself."""
    observed: tuple[str, ...]
    """HPO ids of what was found, each once."""
    excluded: tuple[str, ...]
    """HPO ids of what was looked for and absent: never a symptom."""
    diagnoses: tuple[Disease, ...]
    """At least one."""
    sex: str = ""
    """`FEMALE`, `MALE`, or empty where it is not known."""


def read_cases(path: str | Path) -> list[Case]:
    """All cases of a file of rows or a folder of phenopackets, in the order of the file, or of paths.

    Cases without a diagnosis or without anything observed are left out: nothing can be asked about them.

    Raises:
        TaskError: no such path, broken JSON, a field of another shape, or an id that stands twice; with the place.
    """
    source = Path(path)
    if not source.exists():
        raise TaskError(
            f"cases: {str(source)!r} does not exist; needed are rows (.jsonl or .jsonl.gz) or a folder of phenopackets"
        )
    cases: dict[str, Case] = {}
    for place, case in _from_folder(source) if source.is_dir() else _from_rows(source):
        if case.id in cases:
            raise TaskError(f"{place}: the case {case.id!r} stands twice")
        cases[case.id] = case
    return [case for case in cases.values() if case.diagnoses and case.observed]


def split_by_publication(cases: Sequence[Case], shares: Mapping[str, float], seed: int) -> dict[str, list[Case]]:
    """Cases dealt out in whole publications, so that no two parts share one, and of each disease in every part.

    Publications are drawn in an order of `seed`; each goes to the part that is furthest below its share of the cases of
    the publication's diseases, and where parts are even in that, of all cases. So a disease of as many publications as
    there are parts is in each of them: what no record tells, nobody could find.

    Args:
        cases: what is dealt out.
        shares: the parts by name, with their shares, finite and > 0; they are relative to their sum.
        seed: of the order.

    Returns:
        The cases of each part, in the order of `cases`.

    Raises:
        TaskError: no parts, or a share that is not finite and > 0.
    """
    if not shares or not all(0.0 < share < math.inf for share in shares.values()):
        raise TaskError(f"split_by_publication: shares are {dict(shares)}; at least one is needed, finite and > 0")
    by_publication: dict[str, list[Case]] = {}
    for case in cases:
        by_publication.setdefault(case.publication, []).append(case)
    order = sorted(by_publication)
    random.Random(seed).shuffle(order)
    dealt: Counter[tuple[str, str]] = Counter()
    part_of: dict[str, str] = {}
    for publication in order:
        own = by_publication[publication]
        diseases = {disease.id for case in own for disease in case.diagnoses}

        def filled(name: str, diseases: set[str] = diseases) -> tuple[float, float]:
            of_diseases = sum(dealt[name, disease] for disease in diseases)
            return of_diseases / shares[name], dealt[name, ""] / shares[name]

        part = part_of[publication] = min(shares, key=filled)
        dealt.update((part, disease.id) for case in own for disease in case.diagnoses)
        dealt[part, ""] += len(own)
    return {name: [case for case in cases if part_of[case.publication] == name] for name in shares}


def _from_rows(path: Path) -> Iterator[tuple[str, Case]]:
    for row in read_rows(path, "cases"):
        fields = row.fields
        diagnoses = fields.get("diagnosis")
        if not isinstance(diagnoses, list) or not all(map(_is_disease, diagnoses)):
            raise row.fault("diagnosis", "a list of [id, name]")
        case = Case(
            id=row.text("id"),
            publication=str(fields.get("pmid") or fields["id"]),
            observed=_ids(row, "observed"),
            excluded=_ids(row, "excluded", optional=True),
            diagnoses=tuple(Disease(id, name) for id, name in diagnoses),
            sex=row.text("sex", optional=True),
        )
        yield row.place, case


def _ids(row: FileRow, field: str, *, optional: bool = False) -> tuple[str, ...]:
    value = row.fields.get(field)
    if value is None and optional:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise row.fault(field, "a list of HPO ids")
    return tuple(dict.fromkeys(value))


def _is_disease(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)


def _from_folder(folder: Path) -> Iterator[tuple[str, Case]]:
    for path in sorted(folder.rglob("*.json")):
        place = str(path.relative_to(folder))
        packet = _parsed(path, place)
        try:
            yield place, _from_packet(packet)
        except (KeyError, TypeError, AttributeError) as error:
            raise TaskError(f"{place}: not a phenopacket: {error!r}") from error


def _from_packet(packet: Mapping[str, Any]) -> Case:
    features = packet.get("phenotypicFeatures") or ()
    named = packet.get("interpretations") or ()
    diseases = [one["diagnosis"]["disease"] for one in named if "disease" in (one.get("diagnosis") or {})]
    if not diseases:  # the older layout
        diseases = [one["term"] for one in packet.get("diseases") or () if not one.get("excluded")]
    found = _PUBLICATION.search(packet["id"]) or _PUBLICATION.search(json.dumps(packet.get("metaData") or {}))
    return Case(
        id=packet["id"],
        publication=found[1] if found else packet["id"],
        observed=tuple(dict.fromkeys(one["type"]["id"] for one in features if not one.get("excluded"))),
        excluded=tuple(dict.fromkeys(one["type"]["id"] for one in features if one.get("excluded"))),
        diagnoses=tuple(dict.fromkeys(Disease(one["id"], one["label"]) for one in diseases)),
        sex=(packet.get("subject") or {}).get("sex") or "",
    )


def _parsed(path: Path, place: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TaskError(f"{place}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise TaskError(f"{place}: a JSON object is needed, not {type(value).__name__}")
    return value
