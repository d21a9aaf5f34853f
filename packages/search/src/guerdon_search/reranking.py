"""Retro*'s reranker: every candidate scored K times by a judge, the mean decides, the first stage breaks ties.

Score integration costs K calls a document, so the paper's scripts cascade: the first hundred once, the best thirty of
those sixteen times. Answers are kept per (query, document, sample), so that the second stage asks only for what is new.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from guerdon.errors import JudgeError
from guerdon.fields import check_numbers, one_of, whole_number
from guerdon.judges import Judge, Unparsed
from guerdon.protocols import Hit, JudgeBackend
from guerdon_search.relevance_prompts import DEFAULT, relevance_messages
from guerdon_search.relevance_scores import Rating, Unreadable, integrated, sole_score_in

Pair = tuple[str, Hit]
"""A query and one of its candidates."""
_Scores = dict[tuple[str, str, str], tuple[float, int] | None]
"""The mean and how many samples had a score; None where some question got no answer."""


def _score(text: str) -> int:
    found = sole_score_in(text)
    if found is None:
        raise Unparsed(f"not one whole number from 0 to 100 in score tags: {text[-80:]!r}")
    return found


@dataclass(frozen=True)
class Ranked:
    """A document in its new place."""

    hit: Hit
    score: float
    """The integrated one, at the largest number of samples it was scored with; see `readable` before trusting a 0."""
    samples: int
    """K of that number: how many the judge was asked for."""
    readable: int
    """How many of them had a score. 0: nobody scored this document, and its score is 0 as released
    (`unreadable="zero"`) or NaN (`left_out`)."""


@dataclass(frozen=True)
class Reranker:
    """Scores (query, document) pairs by a judge and sorts by the mean.

    `samples` K needs a backend whose answers differ by seed: a server or model at a temperature above 0 (0.6 in the
    paper). A number above 100, or different numbers in one answer, are unreadable: what a judge quotes from a document
    must not rank it. (The released code takes the first number, whatever it is.)
    """

    backend: JudgeBackend
    """Who scores."""
    samples: int = 1
    """K of the first stage; 1 or 16 in the paper."""
    again: int = 0
    """Score so many of the best a second time, with `samples_again`; 0: a single stage. 30 in the paper's scripts."""
    samples_again: int = 16
    """K of the second stage."""
    unreadable: Unreadable = "zero"
    """A sample without a score counts as 0 in the mean, as released, or is left out; `Ranked.readable` counts those
    that have one."""
    definition: str = DEFAULT
    """When a document is relevant; `guerdon_search.relevance_prompts` has one for each kind of collection in BRIGHT."""
    query_type: str = "query"
    """What the queries are: "math problem"."""
    document_type: str = "document"
    """What the documents are: "passage"."""
    max_words: int = 4000
    """Query and document are cut behind so many words each; a model's context is counted in tokens, so leave room."""
    seed: int = 42
    """Of the first sample; each further one has the next."""
    _judges: list[Judge[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        for name, least in (("samples", 1), ("again", 0), ("samples_again", 1), ("max_words", 1)):
            whole_number(f"Reranker.{name}", getattr(self, name), least)
        one_of("Reranker.unreadable", self.unreadable, get_args(Unreadable))
        count = max(self.samples, self.samples_again if self.again else 0)
        judges = [Judge(self.backend, _score, self.seed + number) for number in range(count)]
        object.__setattr__(self, "_judges", judges)

    @property
    def asked(self) -> int:
        """Questions that the backend was put so far."""
        return sum(judge.stats["asked"] for judge in self._judges)

    @property
    def name(self) -> str:
        """Tells apart what may rank differently."""
        settings = (
            self.samples,
            (self.again, self.samples_again) if self.again else (),
            self.unreadable,
            (self.definition, self.query_type, self.document_type),
            self.max_words,
            self.seed,
        )
        return f"reranker?{hashlib.sha256(repr(settings).encode()).hexdigest()[:16]}({self.backend.name})"

    def rerank(self, candidates: Mapping[str, Sequence[Hit]]) -> dict[str, list[Ranked]]:
        """The candidates of each query, in their new order.

        Args:
            candidates: by query text, in the first stage's order; a document that stands twice counts once, where it
                stands first.

        Raises:
            JudgeError: the backend failed for good, or gave no answer to some question.
        """
        found: dict[str, list[Ranked]] = {}
        for query, ranked in zip(candidates, self.rankings(list(candidates.items())), strict=True):
            if ranked is None:
                raise JudgeError(
                    f"{self.backend.name} gave no answer about some document of {query!r:.80}; documents that nobody "
                    f"scored cannot be ranked. Ask again: what was answered is kept"
                )
            found[query] = ranked
        return found

    def rankings(self, candidates: Sequence[tuple[str, Sequence[Hit]]]) -> list[list[Ranked] | None]:
        """The same of a list, in which a query may stand more than once; None where some question got no answer.

        All questions of a stage go to the backend in one batch a sample.

        Raises:
            JudgeError: the backend failed for good.
        """
        candidates = [(query, _distinct(query, hits)) for query, hits in candidates]
        once = self._scores([(query, hit) for query, hits in candidates for hit in hits], self.samples)
        found = [_sorted(query, hits, once, self.samples) for query, hits in candidates]
        if not self.again:
            return found
        best = [[one.hit for one in ranked[: self.again]] if ranked else [] for ranked in found]
        chosen = [(query, hit) for (query, _), hits in zip(candidates, best, strict=True) for hit in hits]
        twice = self._scores(chosen, self.samples_again)
        for place, ((query, hits), ranked, chose) in enumerate(zip(candidates, found, best, strict=True)):
            if ranked:
                keys = {_key((query, hit)) for hit in chose}
                first = [hit for hit in hits if _key((query, hit)) in keys]  # in the first stage's order
                again = _sorted(query, first, twice, self.samples_again)
                found[place] = None if again is None else [*again, *ranked[self.again :]]
        return found

    def _scores(self, pairs: Sequence[Pair], samples: int) -> _Scores:
        """The mean score of each pair over so many samples; NaN where all are left out."""
        pairs = list({_key(pair): pair for pair in reversed(pairs)}.values())[::-1]
        questions = [
            relevance_messages(
                self._cut(query), self._cut(hit.text), hit.title, self.definition, self.query_type, self.document_type
            )
            for query, hit in pairs
        ]
        columns = [judge.ask(questions) for judge in self._judges[:samples]]
        return {
            _key(pair): _read([verdict.value for verdict in verdicts], self.unreadable)
            if all(verdict.answered for verdict in verdicts)
            else None
            for pair, verdicts in zip(pairs, zip(*columns, strict=True), strict=True)
        }

    def _cut(self, text: str) -> str:
        words = text.split()
        return text if len(words) <= self.max_words else " ".join(words[: self.max_words])


def _read(scores: Sequence[Rating], unreadable: Unreadable) -> tuple[float, int]:
    return integrated(scores, unreadable=unreadable), sum(score is not None for score in scores)


def _key(pair: Pair) -> tuple[str, str, str]:
    """A document is told by its collection and its id there."""
    query, hit = pair
    return query, hit.base, hit.id


def _distinct(query: str, hits: Sequence[Hit]) -> list[Hit]:
    first: dict[tuple[str, str, str], Hit] = {}
    for hit in hits:
        first.setdefault(_key((query, hit)), hit)
    return list(first.values())


def _sorted(query: str, hits: Sequence[Hit], scores: _Scores, samples: int) -> list[Ranked] | None:
    """By score, documents without one last; the sort is stable, so that ties keep the first stage's order."""
    found = [(hit, scores[_key((query, hit))]) for hit in hits]
    ranked = [Ranked(hit, said[0], samples, said[1]) for hit, said in found if said is not None]
    if len(ranked) < len(found):
        return None
    return sorted(ranked, key=lambda one: -one.score if not math.isnan(one.score) else math.inf)
