"""Dense retrieval: documents by the inner product, or cosine, of their vectors with the query's. Exact."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.protocols import Encoder, Hit, Query
from guerdon.retrieval.asking import asked
from guerdon.retrieval.corpora import Corpus, check_corpus, corpus_of
from guerdon.retrieval.nearest import by_faiss, by_matrix, lengths, nearest
from guerdon.retrieval.vectors import given, of_corpus, of_queries

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LOCK = threading.Lock()  # an index is built once, whoever asks first


@dataclass(frozen=True)
class Dense:
    """Ranks all documents by their vectors; the best are found exactly, with equal scores in the documents' order.

    A text finds nothing where it is blank or its vector is zero (of unknown words alone); a zero vector that is asked
    for as such scores every document 0.
    """

    corpus: Path | str | Corpus
    """The documents, or the file to read them from (`Corpus.read`)."""
    encoder: Encoder | None = None
    """Who makes vectors of texts; without one only queries with vectors are taken."""
    vectors: Path | str | None = None
    """The documents' vectors as a file of numpy's, a row each, in place of the encoder's."""
    metric: Literal["cosine", "inner"] = "cosine"
    """Whether vectors count by direction alone, or also by length."""
    engine: Literal["numpy", "faiss"] = "numpy"
    """Who multiplies: `faiss` (extra `faiss`) is for hundreds of thousands of documents. The answers are equal."""
    folder: Path | str | None = None
    """Where documents' vectors are kept between runs, since a model takes long to make them; null keeps none."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_corpus("Dense.corpus", self.corpus)
        one_of("Dense.metric", self.metric, ("cosine", "inner"))
        one_of("Dense.engine", self.engine, ("numpy", "faiss"))
        if self.encoder is None and self.vectors is None:
            raise ConfigError("Dense has neither an encoder nor vectors; one of them is needed")
        if self.vectors is not None and not Path(self.vectors).expanduser().is_file():
            raise ConfigError(f"Dense.vectors is {str(self.vectors)!r}, and there is no such file")

    @property
    def name(self) -> str:
        """What the vectors are made by, how they are compared, and the documents' digest."""
        return f"dense?metric={self.metric}&vectors={self._maker}@{corpus_of(self.corpus).digest}"

    @property
    def _maker(self) -> str:
        by = "" if self.encoder is None else self.encoder.name
        if self.vectors is None:
            return by
        stat = Path(self.vectors).expanduser().stat()
        return f"{by}|{self.vectors}:{stat.st_size}:{stat.st_mtime_ns}"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit]]:
        """See `guerdon.protocols.Retriever`.

        Raises:
            ConfigError: as there; or a query's vector is not finite or has another number of dimensions.
            RetrievalError: the encoder fails, or gives what is no vector.
        """
        found = asked("Dense", queries, k, ("vector",) if self.encoder is None else ("text", "vector"))
        if not found:
            return []
        index = self._index
        vectors_QD = of_queries(found, self.encoder, index.rows_ND.shape[1], "Dense")
        if self.metric == "cosine":
            vectors_QD = directions(vectors_QD)
        asking = [place for place, query in enumerate(found) if query.vector or vectors_QD[place].any()]
        excluded = [index.corpus.excluded(found[place].exclude_ids) for place in asking]
        hits: list[list[Hit]] = [[] for _ in found]
        ranked = nearest(vectors_QD[asking], index.rows_ND, k, excluded, index.candidates, index.longest)
        for place, best in zip(asking, ranked, strict=True):
            hits[place] = [index.corpus.documents[at].hit(score, found[place].base) for at, score in best]
        return hits

    @property
    def _index(self) -> _Index:
        with _LOCK:
            if "index" not in self._held:
                self._held["index"] = _Index(self)
            index: _Index = self._held["index"]
        return index

    def __reduce__(self) -> tuple[Any, ...]:  # vectors are made, or read, anew where it arrives
        return type(self), tuple(getattr(self, one.name) for one in dataclasses.fields(self) if one.init)


class _Index:
    """What is computed of a corpus."""

    def __init__(self, settings: Dense) -> None:
        self.corpus = corpus_of(settings.corpus)
        if settings.vectors is not None:
            rows_ND = given(Path(settings.vectors), len(self.corpus))
        elif settings.encoder is not None:
            folder = None if settings.folder is None else Path(settings.folder)
            rows_ND = of_corpus(settings.encoder, self.corpus, folder)
        self.rows_ND = directions(rows_ND) if settings.metric == "cosine" else rows_ND
        self.longest = float(lengths(self.rows_ND).max())
        self.candidates = (by_faiss if settings.engine == "faiss" else by_matrix)(self.rows_ND)


def directions(vectors_ND: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Each vector at length 1; a zero vector stays zero."""
    import numpy as np

    long_N = lengths(vectors_ND)
    scale_N = np.divide(1.0, long_N, out=np.zeros(len(long_N)), where=long_N > 0)
    found: npt.NDArray[np.float32] = np.empty_like(vectors_ND)
    np.multiply(vectors_ND, scale_N[:, None], out=found, casting="same_kind")
    return found
