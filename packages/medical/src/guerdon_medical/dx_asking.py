"""One patient of yours in a task's place: findings by their ids, and what is known to look them up in.

Without cases of your own, records are what Orphanet says of rare diseases, through the Human Phenotype Ontology
(extra `hpo`): one record per disease, with its most frequent findings. For research, not for clinical use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.errors import ConfigError
from guerdon.retrieval import Corpus
from guerdon_medical.cases import read_cases
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_tasks import Patients, World
from guerdon_medical.guidelines import guidelines_of_cases, rare_guidelines
from guerdon_medical.records import read_term_names, record, records_of

if TYPE_CHECKING:
    from guerdon_medical.phenotypes import Phenotypes

ASKED = "asked"
"""The id of a patient who is in no file."""
_APART = re.compile(r"[\s;|]+")
"""What stands between ids in place of commas."""
_PMID = re.compile(r"(?:PMID[\s:_]*)?(\d+)", re.IGNORECASE)
_HPO = re.compile(r"HP[:_]\d+", re.IGNORECASE)
NO_FINDINGS = "no findings were given; --hpo takes ids with commas, such as HP:0001250,HP:0001263"
NOT_THERE = "the records' findings have no such id"
MOST_FINDINGS = 30
"""Of a disease, in a record made of what is known of it."""


@dataclass(frozen=True)
class Asked(Patients):
    """No patients of its own: a place for tools, where a question comes from outside."""

    cases: str = ""
    """Records; empty takes Orphanet's diseases."""
    terms: str = ""
    """Names of findings by id; empty takes the ontology's."""

    name: ClassVar[str] = "medical/asked-v1"

    def load(self) -> World:
        """Every case is a record."""
        nobody: Mapping[str, Sequence[DiagnosisExample]] = {"train": (), "eval": ()}
        names = read_term_names(self.terms) if self.terms else None
        if not self.cases:
            knowledge = _needed(diseases=True)
            names = names or _findings(knowledge)
            return World(records_of_diseases(knowledge), rare_guidelines(knowledge), nobody, names)
        cases = read_cases(self.cases)
        if not cases:
            raise ConfigError(f"cases: nothing in {self.cases!r} has both a diagnosis and an observed finding")
        names = names or _findings(_needed(diseases=False))
        return World(records_of(cases, names), guidelines_of_cases(cases, names), nobody, names)


def _findings(knowledge: Phenotypes) -> dict[str, str]:
    return {id: term.name for id, term in knowledge.terms.items() if id in knowledge.findings}


def _needed(*, diseases: bool) -> Phenotypes:
    try:
        return ontology(diseases=diseases)
    except ConfigError as error:
        error.add_note("Without it, give both records and names of their findings: --cases and --terms.")
        raise


def ontology(*, diseases: bool = True) -> Phenotypes:
    """The Human Phenotype Ontology, with or without Orphanet's diseases.

    Raises:
        ConfigError: the extra `hpo` is not installed.
    """
    from guerdon_medical.phenotypes import Phenotypes

    return Phenotypes.load("ORPHA" if diseases else None)


def records_of_diseases(knowledge: Phenotypes, most: int = MOST_FINDINGS) -> Corpus:
    """One record per disease that has findings; its publication is its own id."""
    return Corpus(
        record(profile.disease.id, symptoms, [profile.disease], profile.disease.id)
        for profile in knowledge.profiles.values()
        if (symptoms := [term.name for term in knowledge.resolve(profile.findings[:most]).terms])
    )


def patient_of(ids: Sequence[str], names: Mapping[str, str], *, exclude: str = "") -> DiagnosisExample:
    """A patient with these findings.

    Args:
        ids: of findings, in capitals or not, each looked for in `names`; where one is not there, and the extra `hpo` is
            installed, what the ontology put in an old id's place is taken.
        names: of findings by id, as a world has them.
        exclude: a case's id or a publication that tools may not show: the patient's own; of a publication the number
            alone, or with "PMID" before it.

    Raises:
        ConfigError: no ids, or ids that nobody knows, each with its reason.
    """
    wanted = list(dict.fromkeys(_as_an_id(id.strip()) for id in ids if id.strip()))
    if not wanted:
        raise ConfigError(NO_FINDINGS)
    unknown = {id: _why_unknown(id, names) for id in wanted if id not in names}
    found = {id: names[id] for id in wanted if id in names}
    if unknown and (not names or any(id.startswith("HP:") for id in names)):  # a made world has no such findings
        try:
            known = ontology(diseases=False)
            resolved = {id: known.resolve([id]) for id in unknown}
        except ConfigError:  # not installed: what the records say has to do
            resolved = {}
        for id, one in resolved.items():
            if one.terms and one.terms[0].id not in known.findings:
                unknown[id] = f"{one.terms[0].name!r} is no finding"
            elif one.terms:
                found[id] = one.terms[0].name
                del unknown[id]
            elif unknown[id] == NOT_THERE:
                unknown[id] = one.unknown[id]
    if unknown:
        told = "; ".join(f"{id}: {why}" for id, why in unknown.items())
        like = "".join(f". Known are such as {id} ({name})" for id, name in list(names.items())[:1])
        raise ConfigError(f"{len(unknown)} of {len(wanted)} findings are not known: {told}{like}")
    listed = tuple(dict.fromkeys(found[id] for id in wanted))
    return DiagnosisExample(id=ASKED, findings=listed, publication=publication_of(exclude))


def publication_of(text: str) -> str:
    """A publication as records have it: PubMed's number alone; anything else as it is.

    >>> publication_of("PMID:15266616"), publication_of("15266616"), publication_of("case-1")
    ('15266616', '15266616', 'case-1')
    """
    found = _PMID.fullmatch(text.strip())
    return found[1] if found else text.strip()


def hides(records: Corpus, exclude: str) -> bool:
    """Whether a record has this id, or is of this publication."""
    wanted = publication_of(exclude)
    return any(wanted in (one.id, one.payload.get("publication")) for one in records.documents)


def _as_an_id(text: str) -> str:
    """`HP:0001250`, where it is written hp:0001250 or HP_0001250."""
    return text.upper().replace("_", ":") if _HPO.fullmatch(text) else text


def _why_unknown(text: str, names: Mapping[str, str]) -> str:
    """What to write in its place, where that can be told."""
    same = [id for id, name in names.items() if name.casefold() == text.casefold()]
    if same:
        return f"that is the name of {same[0]}"
    if f"HP:{text}" in names:
        return f"ids are written with their prefix, HP:{text}"
    parts = _APART.split(text)
    if len(parts) > 1 and all(_as_an_id(part) in names or f"HP:{part}" in names for part in parts):
        return "ids have commas between them, and each its prefix"
    return NOT_THERE
