"""Guidelines by the name of a disease: the name itself, else the nearest by words, if it is near enough."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError
from guerdon.protocols import Hit, Query
from guerdon.retrieval import BM25, Corpus
from guerdon.retrieval.asking import asked
from guerdon.retrieval.corpora import check_corpus, corpus_of


@dataclass(frozen=True)
class ByName:
    """Finds documents whose text is a name (`guerdon_medical.guidelines`). Needs the extra `retrieval`.

    A name that is asked for to the letter, whatever its case, comes first, with an infinite score; behind it come those
    that Okapi BM25 (core's formula `okapi`) scores above a floor.

    Source: Deep-DxSearch, lookup [code], which takes the best alone (`k` 1).
    """

    corpus: Path | str | Corpus
    """The guidelines, or the file to read them from (`Corpus.read`)."""
    floor: float = 14.0
    """Scores up to this find nothing [code]. It means something for one corpus alone, since rare words weigh more in a
    large one: 14 is for some 16,000 names. Look at the scores of your own (`floor=0`) and set it."""
    k1: float = 1.5
    """How soon further occurrences of a word stop to matter; see `guerdon.retrieval.BM25`."""
    b: float = 0.75
    """How much a document's length counts, in [0, 1]."""
    epsilon: float = 0.25
    """The share of the mean idf that a word of more than half of the names gets."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_corpus("ByName.corpus", self.corpus)
        if not 0.0 <= self.floor < math.inf:
            raise ConfigError(f"ByName.floor is {self.floor!r}; a finite number >= 0 is needed")
        self._words()  # which checks the other numbers

    @property
    def name(self) -> str:
        """The floor, and the formula with its numbers and the documents' digest."""
        return f"by-name?floor={self.floor:g}&{self._words().name}"

    def search(self, queries: Sequence[str | Query], k: int = 1) -> list[list[Hit]]:
        """See `guerdon.protocols.Retriever`.

        Raises:
            ConfigError: as there; or bm25s is not installed, or the corpus cannot be read.
        """
        found = asked("ByName", queries, k)
        return [self._one(query, near, k) for query, near in zip(found, self._words().search(found, k), strict=True)]

    def _one(self, query: Query, near: Sequence[Hit], k: int) -> list[Hit]:
        documents = corpus_of(self.corpus).documents
        place = self._places().get(_key(query.text))
        first = [] if place is None or documents[place].id in query.exclude_ids else [documents[place]]
        exact = [document.hit(math.inf, query.base) for document in first]
        return (exact + [hit for hit in near if hit.score > self.floor and hit.id not in {one.id for one in first}])[:k]

    def _words(self) -> BM25:
        found = self._held.get("words")
        if found is None:
            found = BM25(self.corpus, formula="okapi", k1=self.k1, b=self.b, epsilon=self.epsilon)
            self._held["words"] = found
        words: BM25 = found
        return words

    def _places(self) -> dict[str, int]:
        if "places" not in self._held:
            places: dict[str, int] = {}
            for place, document in enumerate(corpus_of(self.corpus).documents):
                places.setdefault(_key(document.text), place)
            places.pop("", None)
            self._held["places"] = places
        found: dict[str, int] = self._held["places"]
        return found

    def __reduce__(self) -> tuple[Any, ...]:  # indexes are built anew where it arrives
        return type(self), tuple(getattr(self, one.name) for one in dataclasses.fields(self) if one.init)


def _key(name: str) -> str:
    return " ".join(name.casefold().split())
