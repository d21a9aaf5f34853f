"""`R3`: the reward of an answer, its relevance by a frozen encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, one_of, whole_number
from guerdon.protocols import Encoder
from guerdon.retrieval.vectors import encoded
from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Example, Group, Rollout, Score
from guerdon_search.topical import DIVISOR, FACTORS, MAX_LENGTH, Factor, Reading, cleaned, query_text, topical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopicalQuery(Example):
    """A query, and for closed-ended ones the answer that is right."""

    query: str
    closed: bool = False
    """Closed-ended: there is one right answer, and length is no merit."""
    reference: str = ""
    history: tuple[str, ...] = ()
    """Earlier user turns."""


@dataclass(frozen=True)
class R3(Reward, name="search/r3-v1", sees="rollout"):
    """Relevance times length times distinctness where open, relevance to the reference times distinctness where closed.

    Examples are `TopicalQuery`. A closed query without a reference is `invalid`. All texts of a batch are encoded at
    once, each once; what is too long is cut by the encoder (the paper's keeps the end). The part `outside` is 1 where
    the relevance lay outside [0, top]: its mean is to be watched.
    """

    encoder: Encoder
    """Frozen; see `guerdon.protocols.Encoder`."""
    top: float
    """The upper end of the encoder's usual dot products: measured by `guerdon_search.topical.fitted_top`. Contriever's
    is 3.5; there is no default, since another encoder's is another."""
    max_length: int = MAX_LENGTH
    """Tokens of an answer from which length is paid no further (repaired), and the scale of the closed branch."""
    factors: tuple[Factor, ...] = FACTORS
    """Which count; one that is left out is 1."""
    reading: Reading = "repaired"
    """What `released` pays besides stands at the head of `guerdon_search.topical`."""
    encodes: Literal["whole", "cleaned"] | None = None
    """What of an answer the encoder reads: all of it, or what `guerdon_search.topical.cleaned` leaves and the other
    factors count. None: as the reading has it, `whole` where released and `cleaned` where repaired. Of the whole,
    relevance can be won behind a stop string, where nothing else is looked at."""

    def __post_init__(self) -> None:
        check_numbers(self)
        object.__setattr__(self, "factors", tuple(self.factors))
        for place, factor in enumerate(self.factors):
            one_of(f"search/r3.factors[{place}]", factor, FACTORS)
        one_of("search/r3.reading", self.reading, get_args(Reading))
        if self.encodes is not None:
            one_of("search/r3.encodes", self.encodes, ("whole", "cleaned"))
        if not 0.0 < self.top < math.inf:
            raise ConfigError(f"search/r3.top is {self.top!r}; a finite number above 0 is needed")
        whole_number("search/r3.max_length", self.max_length, 1)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Repaired: from 0 to the larger of both branches' ends. Released: none."""
        if self.reading == "released":
            return -math.inf, math.inf
        most = self.max_length / DIVISOR
        return 0.0, max(most, most * self.top, self.top, 1.0)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The factors, and whether the relevance was outside the encoder's range."""
        return "relevance", "length", "repetition", "outside"

    def score(self, rollout: Rollout) -> Score:
        """One rollout's; `score_batch` encodes many texts at once and gives the same."""
        return self._scores([(rollout.example_as(TopicalQuery), rollout.answer)])[0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All texts to the encoder at once."""
        pairs = [(rollout.example_as(TopicalQuery), rollout.answer) for group in groups for rollout in group.rollouts]
        found = iter(self._scores(pairs))
        return [[next(found) for _ in group.rollouts] for group in groups]

    def _scores(self, pairs: Sequence[tuple[TopicalQuery, str]]) -> list[Score]:
        sound = [place for place, (query, _) in enumerate(pairs) if query.reference or not self._is_closed(query)]
        open_, closed = ([p for p in sound if self._is_closed(pairs[p][0]) == kind] for kind in (False, True))
        queries = self._encoded([query_text(pairs[p][0].query, pairs[p][0].history) for p in open_], "query")
        references = self._encoded([pairs[p][0].reference for p in closed], "passage")
        beside = dict(zip([*open_, *closed], [*queries, *references], strict=True))
        answers = dict(zip(sound, self._encoded([self._read(pairs[p][1]) for p in sound], "passage"), strict=True))
        return [
            self._score(*pair, float(beside[place] @ answers[place]))
            if place in answers
            else Score.unscored("a closed query without a reference", status="invalid")
            for place, pair in enumerate(pairs)
        ]

    def _is_closed(self, query: TopicalQuery) -> bool:
        return query.closed and "branching" in self.factors

    def _read(self, answer: str) -> str:
        whole = self.reading == "released" if self.encodes is None else self.encodes == "whole"
        return answer if whole else cleaned(answer)

    def _encoded(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[NDArray[np.float64]]:
        """A vector for each text, equal ones encoded once."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return []
        rows = dict(zip(distinct, encoded(self.encoder, distinct, kind=kind).astype(float), strict=True))
        return [rows[text] for text in texts]

    def _score(self, query: TopicalQuery, answer: str, relevance: float) -> Score:
        found = topical(
            answer,
            relevance,
            query.closed,
            top=self.top,
            max_length=self.max_length,
            factors=self.factors,
            reading=self.reading,
        )
        parts = {
            "relevance": Score(found.relevance),
            "length": Score(found.length),
            "repetition": Score(found.repetition),
            "outside": Score(float(found.outside)),
        }
        return Score(found.value, "", parts)
