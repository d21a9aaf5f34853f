"""Patient records, and the retriever that finds those that are like a patient, symptom by symptom.

A record is a document: its id is the case's, its text the list of its symptoms, and its payload has `symptoms` and
`diseases` (names), `disease_ids` and `publication`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Encoder, Hit, Query
from guerdon.recent import Recent
from guerdon.retrieval import Corpus, Document, HashedEncoder
from guerdon.retrieval.asking import asked
from guerdon.retrieval.corpora import check_corpus, corpus_of
from guerdon.retrieval.dense import directions
from guerdon.retrieval.ranking import best
from guerdon.retrieval.vectors import encoded
from guerdon_medical.cases import Case, Disease
from guerdon_medical.dx_scoring import comma_parts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_LOCK = threading.Lock()


def read_term_names(path: str | Path) -> dict[str, str]:
    """Names of findings by id, from JSON lines with `id` and `label`, gzipped or not.

    Raises:
        TaskError: no such file, or a line of another shape, with its place.
    """
    return {row.text("id"): row.text("label") for row in read_rows(Path(path), "names of findings")}


def records_of(cases: Iterable[Case], names: Mapping[str, str]) -> Corpus:
    """Cases as records.

    Args:
        cases: those that may be found.
        names: of findings by id; a finding without a name stands as its id.

    Raises:
        ConfigError: there are none.
    """
    return Corpus(_record(case, names) for case in cases)


def _record(case: Case, names: Mapping[str, str]) -> Document:
    return record(case.id, [names.get(id, id) for id in case.observed], case.diagnoses, case.publication)


def record(id: str, symptoms: Sequence[str], diseases: Sequence[Disease], publication: str) -> Document:
    """One record, of a case or of what is known of a disease; `symptoms` are names."""
    payload = {
        "symptoms": list(symptoms),
        "diseases": [disease.name for disease in diseases],
        "disease_ids": [disease.id for disease in diseases],
        "publication": publication,
    }
    return Document(id, ", ".join(symptoms), payload=payload)


@dataclass(frozen=True)
class SymptomMatch:
    r"""Ranks records by how well each symptom that is asked for is found among theirs.

    $$\text{score} = \frac{1}{n} \sum_{i=1}^{n} \max_j u_i \cdot v_j$$

    over the directions $u$ of the n symptoms asked for and $v$ of the record's. A query's text is a list of symptoms
    with commas (`comma_parts`). A symptom is unknown, and adds 0 to every score, where its vector is zero or like that
    of no record's (`least`); a query of such symptoms alone finds nothing, and so does an empty one. A query's
    `exclude_ids` leave out the records of that id *and* those of that publication.

    A symptom's best match in every record is computed once and remembered; it does not depend on what else is asked.

    Source: Deep-DxSearch, match [code], whose encoder is BioLORD-2023-C; any `Encoder` is taken here.
    """

    corpus: Path | str | Corpus
    """The records, or the file to read them from (`Corpus.read`). A record without `symptoms` has those of its text."""
    encoder: Encoder = field(default_factory=HashedEncoder)
    """Who makes vectors of symptoms."""
    least: float = 0.4
    """A symptom that is less like every one of the records' is unknown [choice]. By `HashedEncoder`, over 731 records
    of published cases, misspelled findings come to .75 and more and most words that mean nothing to .2 to .35 ("zzz"
    .32); over all 8,191 "zzz" to .41, and pieces of many names ("of", "tion") pass anywhere. Another encoder needs its
    own; 0 knows all."""
    size: int = 2048
    """Symptoms remembered; each takes 4 bytes per record."""
    max_symptoms: int = 64
    """Of a query; those behind are not looked for."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        check_corpus("SymptomMatch.corpus", self.corpus)
        for name in ("size", "max_symptoms"):
            if getattr(self, name) < 1:
                raise ConfigError(f"SymptomMatch.{name} is {getattr(self, name)!r}; a number >= 1 is needed")
        if not 0.0 <= self.least <= 1.0:
            raise ConfigError(f"SymptomMatch.least is {self.least!r}; a cosine from 0 to 1 is needed")

    @property
    def name(self) -> str:
        """Who makes the vectors, and the records' digest."""
        settings = f"max={self.max_symptoms}&least={self.least}&vectors={self.encoder.name}"
        return f"symptoms?{settings}@{corpus_of(self.corpus).digest}"

    def search(self, queries: Sequence[str | Query], k: int = 20) -> list[list[Hit]]:
        """See `guerdon.protocols.Retriever`.

        Raises:
            ConfigError: as there; or a record has neither symptoms nor a text.
            RetrievalError: the encoder fails, or gives what is no vector.
        """
        found = asked("SymptomMatch", queries, k)
        wanted = [self._listed(query.text) for query in found]
        if not any(wanted):
            return [[] for _ in found]
        return self._index().search(found, wanted, k)

    def looked_for(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Of each query's text the symptoms that `search` looks for: the first ones, less those that are unknown.

        Raises:
            RetrievalError: as `search`.
        """
        wanted = [self._listed(text) for text in texts]
        return self._index().known(wanted) if any(wanted) else wanted

    def _listed(self, text: str) -> tuple[str, ...]:
        return comma_parts(text)[: self.max_symptoms]

    def _index(self) -> _Index:
        with _LOCK:
            if "index" not in self._held:
                self._held["index"] = _Index(self, corpus_of(self.corpus))
            index: _Index = self._held["index"]
        return index

    def __reduce__(self) -> tuple[Any, ...]:  # vectors are made anew where it arrives
        return type(self), tuple(getattr(self, one.name) for one in dataclasses.fields(self) if one.init)


class _Index:
    """What is computed of the records."""

    def __init__(self, settings: SymptomMatch, corpus: Corpus) -> None:
        import numpy as np

        self.corpus = corpus
        self.encoder = settings.encoder
        self.least = settings.least
        symptoms = [_symptoms(document) for document in corpus.documents]
        places: dict[str, int] = {}
        held = [[places.setdefault(one, len(places)) for one in each] for each in symptoms]
        self.vectors_VD = directions(encoded(self.encoder, list(places), kind="passage"))
        self.starts_N = np.cumsum([0, *map(len, held[:-1])])
        self.held = np.fromiter((place for each in held for place in each), dtype=np.intp)
        self.publications: dict[str, list[int]] = {}
        for place, document in enumerate(corpus.documents):
            self.publications.setdefault(str(document.payload.get("publication", document.id)), []).append(place)
        self._remembered: Recent[str, Floats | None] = Recent(settings.size)

    def search(self, queries: Sequence[Query], wanted: Sequence[Sequence[str]], k: int) -> list[list[Hit]]:
        row_of = self._rows_of(wanted)
        # Never more rows at once than one query's.
        return [
            self._ranked([row_of(one) for one in symptoms], query, k)
            for query, symptoms in zip(queries, wanted, strict=True)
        ]

    def known(self, wanted: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        """Without the symptoms that are unknown."""
        row_of = self._rows_of(wanted)
        return [tuple(one for one in symptoms if row_of(one) is not None) for symptoms in wanted]

    def _rows_of(self, wanted: Sequence[Sequence[str]]) -> Callable[[str], Floats | None]:
        """What `_row` says of each of these symptoms; those that are new are encoded at once, here."""
        symptoms = {symptom for each in wanted for symptom in each}
        known = self._remembered.known(symptoms)
        missing = sorted(symptoms - known.keys())
        made = directions(encoded(self.encoder, missing, kind="query")) if missing else ()
        vectors = dict(zip(missing, made, strict=True))
        return lambda one: known[one] if one in known else self._row(one, vectors[one])

    def _row(self, symptom: str, vector_D: Floats) -> Floats | None:
        """Its largest cosine with a symptom of each record, (records,); None of an unknown one."""
        # One product per symptom, not one for all: products of matrices round by how they are blocked, and a score
        # would depend on what else is asked.
        import numpy as np

        if symptom in (again := self._remembered.known([symptom])):  # an earlier query of this batch had it
            return again[symptom]
        row: Floats | None = None
        if vector_D.any():
            near_V = self.vectors_VD @ vector_D
            if near_V.max() >= self.least:
                row = np.maximum.reduceat(near_V[self.held], self.starts_N)
        self._remembered.keep({symptom: row})
        return row

    def _ranked(self, rows: Sequence[Floats | None], query: Query, k: int) -> list[Hit]:
        import numpy as np

        known = [row for row in rows if row is not None]
        if not known:
            return []
        scores_N: npt.NDArray[np.float64] = np.asarray(np.sum(known, axis=0, dtype=np.float64)) / len(rows)
        out = self.corpus.excluded(query.exclude_ids)
        out += [place for id in query.exclude_ids for place in self.publications.get(id, ())]
        scores_N[out] = -np.inf
        places = best(scores_N, k, above=-np.inf)
        return [self.corpus.documents[place].hit(float(scores_N[place]), query.base) for place in places.tolist()]


def _symptoms(document: Document) -> Sequence[str]:
    given = document.payload.get("symptoms")
    if given is None:
        given = comma_parts(document.searched)
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, str) for one in given):
        raise ConfigError(f"record {document.id!r} has the symptoms {given!r:.80}; a list of names is needed")
    return given
