"""Retro*'s reranker: every candidate scored K times by a judge, the mean decides, the first stage breaks ties.

Score integration costs K calls a document, so the paper's scripts cascade: the first hundred once, the best thirty of
those sixteen times. Answers are kept per (query, document, sample), so that the second stage asks only for what is new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from guerdon.errors import ConfigError, JudgeError
from guerdon.fields import check_numbers, one_of
from guerdon.judges import Judge, Unparsed
from guerdon.protocols import Hit, JudgeBackend
from guerdon_search.relevance_prompts import DEFAULT, relevance_messages
from guerdon_search.relevance_scores import Reading, Unreadable, integrated, score_in


def _score(text: str) -> int:
    found = score_in(text)
    if found is None:
        raise Unparsed(f"no whole number in score tags: {text[-80:]!r}")
    return found


@dataclass(frozen=True)
class Ranked:
    """A document in its new place."""

    hit: Hit
    score: float
    """The integrated one, at the largest number of samples it was scored with."""
    samples: int


@dataclass(frozen=True)
class Reranker:
    """Scores (query, document) pairs by a judge and sorts by the mean.

    `samples` K needs a backend whose answers differ by seed: a server or model at a temperature above 0 (0.6 in the
    paper). Scores above 100 are taken as they are, as released.
    """

    backend: JudgeBackend
    samples: int = 1
    """K of the first stage; 1 or 16 in the paper."""
    again: int = 0
    """Score so many of the best a second time, with `samples_again`; 0: a single stage. 30 in the paper's scripts."""
    samples_again: int = 16
    unreadable: Unreadable = "zero"
    """A sample without a score counts as 0 in the mean, as released, or is left out."""
    definition: str = DEFAULT
    query_type: str = "query"
    document_type: str = "document"
    max_words: int = 4000
    """Query and document are cut behind so many words each; a model's context is counted in tokens, so leave room."""
    seed: int = 42
    _judges: list[Judge[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        for name, least in (("samples", 1), ("again", 0), ("samples_again", 1), ("max_words", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"Reranker.{name} is {getattr(self, name)!r}; a whole number >= {least} is needed")
        one_of("Reranker.unreadable", self.unreadable, get_args(Unreadable))
        count = max(self.samples, self.samples_again if self.again else 0)
        judges = [Judge(self.backend, _score, self.seed + number) for number in range(count)]
        object.__setattr__(self, "_judges", judges)

    @property
    def asked(self) -> int:
        """Questions that the backend was put so far."""
        return sum(judge.stats["asked"] for judge in self._judges)

    def rerank(self, candidates: Mapping[str, Sequence[Hit]]) -> dict[str, list[Ranked]]:
        """The candidates of each query, in their new order.

        Args:
            candidates: by query text, in the first stage's order.

        Raises:
            JudgeError: the backend failed for good, or gave no answer to some question.
        """
        pairs = [(query, hit) for query, hits in candidates.items() for hit in hits]
        once = dict(zip(_keys(pairs), self.integrated(pairs, self.samples), strict=True))
        found = {query: _sorted(query, hits, once, self.samples) for query, hits in candidates.items()}
        if not self.again:
            return found
        best = [(query, one.hit) for query, ranked in found.items() for one in ranked[: self.again]]
        twice = dict(zip(_keys(best), self.integrated(best, self.samples_again), strict=True))
        for query, ranked in found.items():
            head = {one.hit.id for one in ranked[: self.again]}
            hits = [hit for hit in candidates[query] if hit.id in head]
            found[query] = [*_sorted(query, hits, twice, self.samples_again), *ranked[self.again :]]
        return found

    def integrated(self, pairs: Sequence[tuple[str, Hit]], samples: int) -> list[float]:
        """The mean score of each pair over so many samples; NaN where all are left out."""
        questions = [
            relevance_messages(
                self._cut(query), self._cut(hit.text), hit.title, self.definition, self.query_type, self.document_type
            )
            for query, hit in pairs
        ]
        columns = [self._column(judge, questions) for judge in self._judges[:samples]]
        return [integrated(scores, unreadable=self.unreadable) for scores in zip(*columns, strict=True)]

    def _cut(self, text: str) -> str:
        words = text.split()
        return text if len(words) <= self.max_words else " ".join(words[: self.max_words])

    @staticmethod
    def _column(judge: Judge[int], questions: Sequence[Sequence[Mapping[str, str]]]) -> list[Reading]:
        verdicts = judge.ask(questions)
        gone = sum(not verdict.answered for verdict in verdicts)
        if gone:
            raise JudgeError(
                f"{judge.backend.name} gave no answer to {gone} of {len(verdicts)} questions; a ranking with documents "
                f"that nobody scored would be none. Ask again: what was answered is kept"
            )
        return [verdict.value for verdict in verdicts]


def _keys(pairs: Sequence[tuple[str, Hit]]) -> list[tuple[str, str]]:
    return [(query, hit.id) for query, hit in pairs]


def _sorted(query: str, hits: Sequence[Hit], scores: Mapping[tuple[str, str], float], samples: int) -> list[Ranked]:
    """By score, what has none last; the sort is stable, so that ties keep the first stage's order."""
    ranked = [Ranked(hit, scores[query, hit.id], samples) for hit in hits]
    return sorted(ranked, key=lambda one: -one.score if not math.isnan(one.score) else math.inf)
