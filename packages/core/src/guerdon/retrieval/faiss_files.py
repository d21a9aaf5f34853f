"""An index that faiss wrote to a file, as search systems ship theirs: searched as it is, approximate where it is so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError
from guerdon.protocols import Encoder, Hit, Query
from guerdon.retrieval.asking import asked
from guerdon.retrieval.corpora import Corpus, check_corpus, corpus_of
from guerdon.retrieval.dense import directions
from guerdon.retrieval.nearest import imported
from guerdon.retrieval.vectors import of_queries

_LOCK = threading.Lock()  # an index is read once, whoever asks first


@dataclass(frozen=True)
class FaissFile:
    """A saved index of any kind, with the documents in its order. Needs the extra `faiss`.

    Scores are the index's own, distances with their sign turned. Equal ones stand in the documents' order, among what
    the index returns. A file is read by faiss's own parser: take none from somebody you do not trust.
    """

    corpus: Path | str | Corpus
    """The documents, or the file to read them from; the index's row i is document i."""
    path: Path | str
    """What `faiss.write_index` wrote."""
    encoder: Encoder | None = None
    """Who makes vectors of texts; without one only queries with vectors are taken."""
    normalise: bool = True
    """Whether queries' vectors get length 1, as for an index of such vectors."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_corpus("FaissFile.corpus", self.corpus)
        if not Path(self.path).expanduser().is_file():
            raise ConfigError(f"FaissFile.path is {str(self.path)!r}, and there is no such file")

    @property
    def name(self) -> str:
        """The file with its time and size, the encoder, and the documents' digest."""
        stat = Path(self.path).expanduser().stat()
        by = "" if self.encoder is None else self.encoder.name
        asks = f"normalise={self.normalise}&vectors={by}"
        return f"faiss?{asks}&file={self.path}:{stat.st_size}:{stat.st_mtime_ns}@{corpus_of(self.corpus).digest}"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit]]:
        """See `guerdon.protocols.Retriever`.

        Raises:
            ConfigError: as there; or faiss is not installed, cannot read the file, or it does not fit the corpus.
            RetrievalError: the encoder fails, or gives what is no vector.
        """
        import numpy as np

        found = asked("FaissFile", queries, k, ("vector",) if self.encoder is None else ("text", "vector"))
        if not found:
            return []
        index, corpus = self._index, corpus_of(self.corpus)
        vectors_QD = of_queries(found, self.encoder, index.d, "FaissFile")
        if self.normalise:
            vectors_QD = directions(vectors_QD)
        depth = min(len(corpus), k + max(len(query.exclude_ids) for query in found))
        scores_QK, places_QK = index.search(vectors_QD, depth)
        if index.metric_type != imported().METRIC_INNER_PRODUCT:
            scores_QK = -scores_QK
        hits: list[list[Hit]] = []
        for query, vector, scores, places in zip(found, vectors_QD, scores_QK, places_QK, strict=True):
            order = np.lexsort((places, -scores)) if query.vector or vector.any() else ()
            ranked = [
                corpus.documents[places[at]].hit(float(scores[at]), query.base) for at in order if places[at] >= 0
            ]
            hits.append([hit for hit in ranked if hit.id not in query.exclude_ids][:k])
        return hits

    @property
    def _index(self) -> Any:
        with _LOCK:
            if "index" not in self._held:
                self._held["index"] = self._read()
            return self._held["index"]

    def _read(self) -> Any:
        faiss, corpus = imported(), corpus_of(self.corpus)
        try:
            index = faiss.read_index(str(Path(self.path).expanduser()))
        except RuntimeError as error:
            raise ConfigError(f"faiss cannot read {str(self.path)!r}: {error}") from error
        if index.ntotal != len(corpus):
            raise ConfigError(
                f"the index {str(self.path)!r} has {index.ntotal} rows and the corpus {len(corpus)} documents; they "
                "must be of one and the same collection"
            )
        return index

    def __reduce__(self) -> tuple[Any, ...]:  # the file is read anew where it arrives
        return type(self), (self.corpus, self.path, self.encoder, self.normalise)
