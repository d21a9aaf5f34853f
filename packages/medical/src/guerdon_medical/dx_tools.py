"""Deep-DxSearch's tools over retrievers: patient records (`Match`) and guidelines (`Lookup`).

Passages are searched by core's `Search`.

What a tool found goes to rewards and reports as values (`Call.info`), never as text to be read again; what a policy is
shown is JSON, in which no text of a record opens or closes a tag.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from guerdon.environments import Call, Tags, alike, escaped
from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.protocols import Hit, Query, Retriever
from guerdon_medical.dx_scoring import MAX_NAMES, comma_parts
from guerdon_medical.guidelines import KEPT
from guerdon_medical.records import SymptomMatch


@dataclass(frozen=True)
class MatchedRecord:
    """A record that a policy was shown."""

    id: str
    """Of its case."""
    publication: str
    diseases: tuple[str, ...]
    """Names."""
    disease_ids: tuple[str, ...]
    symptoms: tuple[str, ...]
    score: float
    """Comparable within one retriever."""


@dataclass(frozen=True)
class FoundGuideline:
    """A guideline that a policy was shown."""

    asked: str
    """The name it asked for."""
    id: str
    name: str
    """The guideline's own."""
    symptoms: tuple[str, ...]
    source: str
    exact: bool
    """Whether it has the name that was asked for; else it is the nearest one."""
    score: float | None
    """Of the nearest; None where it is exact."""


@dataclass(frozen=True)
class Match:
    """Records of patients like the one that a policy describes by a list of symptoms with commas.

    It is shown a JSON list of {phenotype, disease}, the most alike first. `info` has `terms`, the symptoms that were
    looked for (without those that the retriever does not know, where it can tell: `SymptomMatch.looked_for`);
    `records`, those that were shown (`MatchedRecord`); `ends`, how many characters were shown by the end of each, for
    an environment that cuts the answer; and `failed`, whether the retriever did, which is not the policy's fault.
    """

    retriever: Retriever
    """Of records, as `guerdon_medical.records.SymptomMatch` is."""
    k: int = 20
    """Records shown [code]."""
    tags: Tags = field(default_factory=lambda: Tags("match", "refer"))
    max_total_chars: int = 12000
    """Of all records together; those that do not fit are not shown, and the first one's symptoms are cut to fit."""
    max_query_chars: int = 4000
    """Of a query; what is longer is cut before it is looked for."""
    exclude_ids: Collection[str] = frozenset()
    """Records, and publications, that are never shown: the example's own (`DiagnosisExample.exclude_ids`)."""
    failed: str = "The search failed."
    """Shown where the retriever failed."""

    def __post_init__(self) -> None:
        check_numbers(self)
        object.__setattr__(self, "exclude_ids", frozenset(self.exclude_ids))
        for name, least in (("k", 1), ("max_total_chars", 200), ("max_query_chars", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"Match.{name} is {getattr(self, name)!r}; a number >= {least} is needed")

    def call(self, queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`."""
        return self.call_together([self] * len(queries), queries)

    @classmethod
    def call_together(cls, tools: Sequence[Self], queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`: matches that differ in what they exclude are one batch."""
        calls: dict[int, Call] = {}
        for tool, places in alike(tools).items():
            texts = [queries[place][: tool.max_query_chars] for place in places]
            asked = [
                Query(text, exclude_ids=tools[place].exclude_ids) for text, place in zip(texts, places, strict=True)
            ]
            found = tool.retriever.search(asked, tool.k)
            for place, terms, hits in zip(places, tool._looked_for(texts), found, strict=True):
                calls[place] = tool._shown(terms, hits)
        return [calls[place] for place in range(len(tools))]

    def _looked_for(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        if isinstance(self.retriever, SymptomMatch):
            return self.retriever.looked_for(texts)
        return [comma_parts(text) for text in texts]

    def _shown(self, terms: tuple[str, ...], hits: Sequence[Hit] | None) -> Call:
        if hits is None:
            return Call(f"\n{self.failed}\n", {"terms": terms, "records": (), "failed": True})
        records: list[MatchedRecord] = []
        texts: list[str] = []
        left = self.max_total_chars
        for hit in hits:
            record = _record(hit)
            text = _json_record(record.symptoms, record.diseases)
            if len(text) > left and not records:  # something was found, and nothing shown would say the contrary
                text = _json_record([", ".join(record.symptoms)[: left // 2]], record.diseases[:1])
            if len(text) > left:
                break
            records.append(record)
            texts.append(text)
            left -= len(text)
        shown = ",\n".join(texts)
        ends = tuple(itertools.accumulate(len(text) + len(",\n") for text in texts))  # "\n[" stands before the first
        info = {"terms": terms, "records": tuple(records), "ends": ends, "failed": False}
        return Call(f"\n[{shown}]\n", info)


@dataclass(frozen=True)
class Lookup:
    """Guidelines of diseases that a policy names, with commas between them.

    It is shown JSON: {name asked for: {guideline: symptoms}}, and "no reference" in place of the symptoms where no
    guideline has such a name. `info` has `names`, those that were asked for; `guidelines`, those that were shown
    (`FoundGuideline`); `unknown`, the names without; `refused`, the names behind the tenth; and `failed`.
    """

    retriever: Retriever
    """Of guidelines, as `guerdon_medical.dx_lookup.ByName` is."""
    max_names: int = MAX_NAMES
    """More are not looked up [code]."""
    kept: int = KEPT
    """Symptoms shown of each [code]."""
    tags: Tags = field(default_factory=lambda: Tags("lookup", "guide"))
    """The released code's are `Tags("search", "result")`."""
    max_query_chars: int = 2000
    """Of a query; what is longer is cut before it is looked for."""
    nothing: str = "no reference"
    failed: str = "The lookup failed."

    def __post_init__(self) -> None:
        check_numbers(self)
        for name in ("max_names", "kept", "max_query_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Lookup.{name} is {getattr(self, name)!r}; a number >= 1 is needed")

    def call(self, queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`; all names of all queries go to the retriever at once, each once."""
        asked = [comma_parts(text[: self.max_query_chars]) for text in queries]
        wanted = list(dict.fromkeys(name for names in asked for name in names[: self.max_names]))
        found = dict(zip(wanted, self.retriever.search(wanted, 1) if wanted else (), strict=True))
        return [self._shown(names, found) for names in asked]

    def _shown(self, names: tuple[str, ...], found: dict[str, list[Hit] | None]) -> Call:
        shown = tuple(dict.fromkeys(names[: self.max_names]))
        info: dict[str, Any] = {"names": names, "refused": names[self.max_names :], "guidelines": (), "unknown": ()}
        if any(found[name] is None for name in shown):
            return Call(f"\n{self.failed}\n", {**info, "failed": True})
        guidelines = tuple(self._guideline(name, hits[0]) for name in shown if (hits := found[name]))
        symptoms: dict[str, Any] = dict.fromkeys(shown, self.nothing)
        symptoms.update((one.asked, one.symptoms) for one in guidelines)
        text = json.dumps({name: {"guideline": each} for name, each in symptoms.items()}, ensure_ascii=False)
        unknown = tuple(name for name in shown if not found[name])
        return Call(f"\n{escaped(text)}\n", {**info, "guidelines": guidelines, "unknown": unknown, "failed": False})

    def _guideline(self, asked: str, hit: Hit) -> FoundGuideline:
        exact = hit.score == math.inf
        return FoundGuideline(
            asked=asked,
            id=hit.id,
            name=hit.text,
            symptoms=_names(hit, "symptoms")[: self.kept],
            source=str(hit.payload.get("source", "")),
            exact=exact,
            score=None if exact else hit.score,
        )


def _record(hit: Hit) -> MatchedRecord:
    return MatchedRecord(
        id=hit.id,
        publication=str(hit.payload.get("publication", hit.id)),
        diseases=_names(hit, "diseases"),
        disease_ids=_names(hit, "disease_ids"),
        symptoms=_names(hit, "symptoms") or comma_parts(hit.text),
        score=hit.score,
    )


def _names(hit: Hit, field: str) -> tuple[str, ...]:
    return tuple(str(one) for one in hit.payload.get(field, ()))


def _json_record(symptoms: Sequence[str], diseases: Sequence[str]) -> str:
    row = {"phenotype": ", ".join(symptoms), "disease": list(diseases)}
    return escaped(json.dumps(row, ensure_ascii=False))
