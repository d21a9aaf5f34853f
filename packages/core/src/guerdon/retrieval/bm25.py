r"""BM25, by bm25s: sparse scores computed once, when the index is built, and added up per query.

With $tf$ a term's count in a document of $l$ terms, $\bar l$ the mean length, $df$ of $N$ documents holding the term,
$L = 1 - b + b\,l/\bar l$, a score is the sum over the query's terms, repeated ones repeatedly, of $idf \cdot tfc$:

| `formula` | idf | tfc |
|---|---|---|
| `lucene` | $\ln(1 + \frac{N - df + .5}{df + .5})$ | $\frac{tf}{tf + k_1 L}$ |
| `robertson` | $\ln\max(1, \frac{N - df + .5}{df + .5})$ | as `lucene` |
| `atire` | $\ln\frac{N}{df}$ | $\frac{(k_1 + 1) tf}{tf + k_1 L}$ |
| `okapi` | $\ln\frac{N - df + .5}{df + .5}$, a negative one replaced by $\epsilon$ times the mean idf | as `atire` |
| `bm25l` | $\ln\frac{N + 1}{df + .5}$ | $\frac{(k_1 + 1)(tf/L + \delta)}{k_1 + tf/L + \delta}$ |
| `bm25+` | $\ln\frac{N + 1}{df}$ | $\delta$ + that of `atire` |

Source: Kamphuis et al. 2020, "Which BM25 do you mean?", as bm25s writes them; `okapi` is rank-bm25's `BM25Okapi`, which
bm25s lacks: its scores are those of `atire`'s tfc with the idf exchanged. `bm25+` with `delta` 1 is rank-bm25's
`BM25Plus`; its `BM25L` multiplies by tf once more than the paper, and has no name here.

What bm25s leaves to its caller is mended: words that no document has find nothing (not documents of score 0), k may be
larger than the corpus, and equal scores stand in the order of the documents. `okapi` is kept as it is: a word in half
of the documents weighs 0, and in a corpus so small that the mean idf is negative a match may weigh less than nothing;
such documents are no hits here.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, one_of
from guerdon.protocols import Hit, Query
from guerdon.retrieval.asking import asked
from guerdon.retrieval.corpora import Corpus, check_corpus, corpus_of
from guerdon.retrieval.ranking import best
from guerdon.retrieval.terms import terms

FORMULAS = ("lucene", "robertson", "atire", "okapi", "bm25l", "bm25+")

_LOCK = threading.Lock()  # an index is built once, whoever asks first


@dataclass(frozen=True)
class BM25:
    """Ranks documents by the query's words in them. Needs the extra `retrieval`.

    >>> birds = BM25(Corpus.of(["a red bird", "a blue bird", "a red fish"]))
    >>> [hit.id for hit in birds.search(["red birds or a red fish"])[0]]
    ['2', '0', '1']
    """

    corpus: Path | str | Corpus
    """The documents, or the file to read them from (`Corpus.read`)."""
    formula: Literal["lucene", "robertson", "atire", "okapi", "bm25l", "bm25+"] = "lucene"
    """See the module's head. `lucene` gives every word a positive weight, however common."""
    k1: float = 1.5
    """How soon repeated words stop to count: 0 at once. (Lucene's own default is 1.2.)"""
    b: float = 0.75
    """How much long documents pay for their length: 0 not at all, 1 in full."""
    delta: float = 0.5
    """Of `bm25l` and `bm25+` alone."""
    epsilon: float = 0.25
    """Of `okapi` alone: the share of the mean idf that words in more than half of the documents get."""
    terms: Callable[[str], Sequence[str]] | None = None
    """Cuts documents and queries into terms: a function that can be pickled, of a module and not a lambda; null takes
    `guerdon.retrieval.terms.terms`."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        check_corpus("BM25.corpus", self.corpus)
        one_of("BM25.formula", self.formula, FORMULAS)
        for name, most in (("k1", math.inf), ("b", 1.0), ("delta", math.inf), ("epsilon", math.inf)):
            value = getattr(self, name)
            if not 0.0 <= value <= most or math.isinf(value):
                needed = "from 0 to 1" if most == 1.0 else ">= 0"
                raise ConfigError(f"BM25.{name} is {value!r}; a finite number {needed} is needed")

    @property
    def name(self) -> str:
        """The formula, its numbers, what cuts the terms, and the documents' digest."""
        read = f"{getattr(self._cut, '__module__', '')}.{getattr(self._cut, '__qualname__', repr(self._cut))}"
        numbers = f"k1={self.k1:g}&b={self.b:g}&delta={self.delta:g}&epsilon={self.epsilon:g}"
        return f"bm25?formula={self.formula}&{numbers}&terms={read}@{corpus_of(self.corpus).digest}"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit]]:
        """See `guerdon.protocols.Retriever`. Documents with none of the query's words, and scores of 0 or less, are no
        hits.

        Raises:
            ConfigError: as there; or bm25s is not installed, or the corpus cannot be read.
        """
        found = asked("BM25", queries, k)
        index = self._index
        return [index.search(self._cut(query.text), query, k) for query in found]

    @property
    def _cut(self) -> Callable[[str], Sequence[str]]:
        return self.terms or terms

    @property
    def _index(self) -> _Index:
        with _LOCK:
            if "index" not in self._held:
                self._held["index"] = _Index(self, corpus_of(self.corpus))
            index: _Index = self._held["index"]
        return index

    def __reduce__(self) -> tuple[Any, ...]:  # the index is built anew where it arrives
        return type(self), tuple(getattr(self, one.name) for one in dataclasses.fields(self) if one.init)


class _Index:
    """What is computed of a corpus."""

    def __init__(self, settings: BM25, corpus: Corpus) -> None:
        self.corpus = corpus
        cut = [settings._cut(document.searched) for document in corpus.documents]
        self.ids: dict[str, int] = {}
        for each in cut:
            for term in each:
                self.ids.setdefault(term, len(self.ids))
        self.scores = _scores(settings, [[self.ids[term] for term in each] for each in cut], self.ids)

    def search(self, cut: Sequence[str], query: Query, k: int) -> list[Hit]:
        known = [self.ids[term] for term in cut if term in self.ids]
        if not known:
            return []
        scores_N = self.scores.get_scores_from_ids(known)
        extra = self.scores.nonoccurrence_array  # what bm25l and bm25+ give a document that has none of the words
        nothing = 0.0 if extra is None else float(extra[known].sum())
        if query.exclude_ids:
            scores_N[self.corpus.excluded(query.exclude_ids)] = nothing
        places = best(scores_N, k, above=max(nothing, 0.0))
        documents = self.corpus.documents
        return [documents[place].hit(float(scores_N[place]), query.base) for place in places.tolist()]


def _scores(settings: BM25, ids: list[list[int]], vocabulary: dict[str, int]) -> Any:
    try:
        import bm25s
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'BM25 needs the package {error.name}, which is not installed: pip install "guerdon[retrieval]"'
        ) from error
    okapi = settings.formula == "okapi"
    scores = bm25s.BM25(
        k1=settings.k1,
        b=settings.b,
        delta=settings.delta,
        method="atire" if okapi else settings.formula,
        idf_method="lucene" if okapi else None,  # positive for every word, so it can be divided out
        dtype="float64",
    )
    if vocabulary:
        scores.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    if vocabulary and okapi:
        _exchange_idf(scores, len(ids), settings.epsilon)
    return scores


def _exchange_idf(scores: Any, count: int, epsilon: float) -> None:
    """Replace Lucene's idf by rank-bm25's, in place."""
    import numpy as np

    held = np.diff(scores.scores["indptr"])
    lucene = np.log1p((count - held + 0.5) / (held + 0.5))
    idf = np.log(count - held + 0.5) - np.log(held + 0.5)
    idf = np.where(idf < 0, epsilon * idf.mean(), idf)
    scores.scores["data"] *= np.repeat(idf / lucene, held)
