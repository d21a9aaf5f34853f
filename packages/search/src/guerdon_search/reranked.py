"""`Reranked`: a retriever that reads what another one found, and puts it into a better order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import JudgeError, RetrievalError
from guerdon.fields import check_numbers, not_a_text, whole_number
from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.asking import asked
from guerdon_search.reranking import Ranked, Reranker


@dataclass(frozen=True)
class Reranked:
    """The first `depth` documents of another retriever, by a `Reranker`'s score; all queries are judged in one batch.

    A hit's score is then the judge's mean, from 0 to 100. A document of which no sample could be read has none, and is
    left out (that is only so where the reranker leaves unreadable samples out). What is behind `depth` is not found.
    """

    retriever: Retriever
    """The first stage."""
    reranker: Reranker
    """The second stage."""
    depth: int = 100
    """How many documents of each query are judged, or k where that is more; 100 in Retro*."""

    def __post_init__(self) -> None:
        check_numbers(self)
        not_a_text("Reranked.retriever", self.retriever, "a retriever, such as guerdon.retrieval.BM25(...),")
        whole_number("Reranked.depth", self.depth, 1)

    @property
    def name(self) -> str:
        """Both stages'."""
        return f"reranked?depth={self.depth}({self.retriever.name}; {self.reranker.name})"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`; queries need a text. None where the first stage failed, where the judge
        gave no answer about some document, or where none of its answers about any document could be read.

        Raises:
            RetrievalError: the judge's backend failed for good.
        """
        found = asked("Reranked", queries, k)
        first = self.retriever.search(found, max(k, self.depth)) if found else []
        known = [(query.text, hits or []) for query, hits in zip(found, first, strict=True)]
        try:
            rankings = self.reranker.rankings(known)
        except JudgeError as error:
            raise RetrievalError(f"{self.name} cannot rank: {error}") from error
        return [None if hits is None else _hits(ranked, k) for hits, ranked in zip(first, rankings, strict=True)]


def _hits(ranked: Sequence[Ranked] | None, k: int) -> list[Hit] | None:
    """With the judge's scores; None where documents were found and not one has such a score."""
    if ranked is None:
        return None
    read = [dataclasses.replace(one.hit, score=one.score) for one in ranked if not math.isnan(one.score)]
    return read[:k] if read or not ranked else None
