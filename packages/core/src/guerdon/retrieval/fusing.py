"""Several rankings made into one, by rank: scores of different retrievers are not comparable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.asking import KINDS, asked


@dataclass(frozen=True)
class Fused:
    r"""Reciprocal rank fusion: a score is $\sum_i w_i / (c + rank_i)$ over the retrievers that found the document, with
    ranks from 1.

    Source: Cormack, Clarke and Büttcher 2009, with c = 60 and equal weights; weights are a choice of many since.
    """

    retrievers: tuple[Retriever, ...]
    """Over one and the same collection: a document is told by its base and id."""
    weights: tuple[float, ...] = ()
    """One per retriever; none means 1 each."""
    constant: float = 60.0
    """c: the larger, the less the first places stand out."""
    depth: int = 100
    """How many documents each is asked for, or k where that is more."""

    def __post_init__(self) -> None:
        check_numbers(self)
        object.__setattr__(self, "retrievers", tuple(self.retrievers))
        object.__setattr__(self, "weights", tuple(self.weights))
        if not self.retrievers:
            raise ConfigError("Fused.retrievers is empty; at least one retriever is needed")
        if self.weights and len(self.weights) != len(self.retrievers):
            raise ConfigError(f"Fused has {len(self.weights)} weights for {len(self.retrievers)} retrievers")
        if not all(0.0 < weight < math.inf for weight in self.weights):
            raise ConfigError(f"Fused.weights is {self.weights!r}; finite numbers > 0 are needed")
        if not 0.0 <= self.constant < math.inf or self.depth < 1:
            raise ConfigError("Fused: a finite constant >= 0 and a depth >= 1 are needed")

    @property
    def name(self) -> str:
        """The retrievers' names with their weights."""
        parts = (f"{weight:g} {one.name}" for weight, one in zip(self._weights, self.retrievers, strict=True))
        return f"fused?constant={self.constant:g}&depth={self.depth}({'; '.join(parts)})"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`. Equal scores stand in the order in which the documents were first met,
        retriever by retriever. None where one of them failed: a ranking without it would be another one.
        """
        found = asked("Fused", queries, k, KINDS)
        depth = max(k, self.depth)
        answers = [one.search(found, depth) for one in self.retrievers] if found else []
        return [self._one([answer[place] for answer in answers], k) for place in range(len(found))]

    @property
    def _weights(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.retrievers)

    def _one(self, rankings: Sequence[list[Hit] | None], k: int) -> list[Hit] | None:
        scores: dict[tuple[str, str], float] = {}
        first: dict[tuple[str, str], Hit] = {}
        for ranking, weight in zip(rankings, self._weights, strict=True):
            if ranking is None:
                return None
            for rank, hit in enumerate(ranking, 1):
                key = hit.base, hit.id
                first.setdefault(key, hit)
                scores[key] = scores.get(key, 0.0) + weight / (self.constant + rank)
        best = sorted(scores, key=lambda key: -scores[key])[:k]
        return [dataclasses.replace(first[key], score=scores[key]) for key in best]
