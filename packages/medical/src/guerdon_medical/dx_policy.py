"""A small diagnostic policy of 29 numbers, for the claim: what it sends, how often, and what it answers.

In each of at most three rounds it draws how many findings it sends (2, 3, 5, 8 or all), and which, one after another
(Plackett-Luce) by their idf in the records, whether a record has them, the length of their names, and whether an
earlier round sent them; records like them come back. It then draws whether it asks again. The candidates are the ten
diseases with the most records; those it looks up. In the end it draws how many of them it answers (1 to 5), and which,
one after another, by their share of the records, the overlap of the guideline with the chart, and how early the first
of their records stood.

What is drawn and by which features is the sheet's; that a round knows what was sent before, and the scales of the
features, are choices [choice].
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guerdon.protocols import Retriever
from guerdon_medical.dx_scoring import MAX_NAMES, MAX_ROUNDS, Round, comma_list
from guerdon_medical.dx_world import Chart, World

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SENT: tuple[int | None, ...] = (2, 3, 5, 8, None)
"""None: all."""
ANSWERED = 5
MATCHED = 20
SIZES = {"count": MAX_ROUNDS * len(SENT), "send": 4, "again": MAX_ROUNDS - 1, "number": ANSWERED, "answer": 3}
"""How many numbers each part of the policy has."""


@dataclass
class Episode:
    """One diagnosis."""

    chart: Chart
    rounds: list[Round] = field(default_factory=list)
    looked_up: tuple[str, ...] = ()
    """At most ten names."""
    answered: tuple[str, ...] = ()
    """At most five names, the likeliest first."""
    gradient: dict[str, Floats] = field(default_factory=dict)
    """Of the log-probability of all that was drawn, by the policy's parameters."""


@dataclass(frozen=True)
class Policy:
    """The numbers; all zero, everything is drawn alike."""

    weights: dict[str, Floats]

    @classmethod
    def start(cls) -> Policy:
        """All zero."""
        import numpy as np

        return cls({part: np.zeros(size) for part, size in SIZES.items()})

    def play(self, charts: Sequence[Chart], records: Records, rng: np.random.Generator | None = None) -> list[Episode]:
        """An episode of each chart; every round of all of them is one batch for the retriever.

        Args:
            charts: any number, the same one as often as wanted.
            records: of the charts' world.
            rng: draws; None takes what is likeliest.
        """
        import numpy as np

        played = [Episode(chart, gradient={part: np.zeros(size) for part, size in SIZES.items()}) for chart in charts]
        tallies = [_Tally() for _ in charts]
        going = list(range(len(charts)))
        for number in range(MAX_ROUNDS):
            sent = [self._sent(played[place], number, records, rng) for place in going]
            found = records.matched([comma_list(terms) for terms in sent])
            for place, terms, diseases in zip(going, sent, found, strict=True):
                played[place].rounds.append(Round(tuple(terms), tuple(diseases)))
                tallies[place].add(diseases)
            if number + 1 < MAX_ROUNDS:
                going = [place for place in going if self._again(played[place], number, rng)]
        for one, tally in zip(played, tallies, strict=True):
            one.looked_up = tally.candidates
            one.answered = self._answered(one, tally, records, rng)
        return played

    def _sent(self, episode: Episode, number: int, records: Records, rng: np.random.Generator | None) -> list[str]:
        import numpy as np

        findings = episode.chart.findings
        own = slice(number * len(SENT), (number + 1) * len(SENT))
        chosen, slope = _category(self.weights["count"][own], rng)
        episode.gradient["count"][own] += slope
        wanted = SENT[chosen]
        if wanted is None or wanted >= len(findings):
            return list(findings)
        before = {term for one in episode.rounds for term in one.terms}
        features = np.array([(*records.features(name), float(name in before)) for name in findings])
        places, slope = _in_turn(features, self.weights["send"], wanted, rng)
        episode.gradient["send"] += slope
        return [findings[place] for place in places]

    def _again(self, episode: Episode, number: int, rng: np.random.Generator | None) -> bool:
        logit = float(self.weights["again"][number])
        share = 1.0 / (1.0 + math.exp(-logit))
        again = logit > 0.0 if rng is None else bool(rng.random() < share)
        episode.gradient["again"][number] += again - share
        return again

    def _answered(
        self, episode: Episode, tally: _Tally, records: Records, rng: np.random.Generator | None
    ) -> tuple[str, ...]:
        names = tally.candidates
        if not names:
            return ()
        features = candidate_features(names, tally, records, episode.chart)
        chosen, slope = _category(self.weights["number"], rng)
        episode.gradient["number"] += slope
        places, slope = _in_turn(features, self.weights["answer"], min(chosen + 1, len(names)), rng)
        episode.gradient["answer"] += slope
        return tuple(names[place] for place in places)


class _Tally:
    """What the rounds of an episode brought."""

    def __init__(self) -> None:
        self.votes: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self.count = 0

    def add(self, diseases: Sequence[str]) -> None:
        self.votes.update(diseases)
        self.count += len(diseases)
        for rank, name in enumerate(diseases, 1):
            self.first[name] = min(rank, self.first.get(name, rank))

    @property
    def candidates(self) -> tuple[str, ...]:
        order = sorted(self.votes, key=lambda name: (-self.votes[name], self.first[name]))
        return tuple(order[:MAX_NAMES])


class Records:
    """A world's records and guidelines as the policy meets them."""

    def __init__(self, world: World, retriever: Retriever) -> None:
        """
        Args:
            world: whose records `retriever` searches.
            retriever: finds records by lists of symptoms.
        """
        self.retriever = retriever
        self._holding = Counter(name for one in world.records.documents for name in set(one.payload["symptoms"]))
        self._count = len(world.records)
        self._known: dict[str, tuple[float, float, float]] = {}
        self.guidelines = {one.text: frozenset(one.payload["symptoms"]) for one in world.guidelines.documents}

    def matched(self, queries: Sequence[str]) -> list[list[str]]:
        """The diseases of the records that each query finds, best first; a record has one."""
        found = self.retriever.search(queries, MATCHED)
        return [[str(name) for hit in hits or () for name in hit.payload["diseases"]] for hits in found]

    def features(self, finding: str) -> tuple[float, float, float]:
        """Its idf, as a share of the largest; whether a record has it; and the length of its name, by 40 characters."""
        if finding not in self._known:
            holding = self._holding[finding]
            idf = math.log((self._count + 1) / (holding + 1)) / math.log(self._count + 1)
            self._known[finding] = (idf, float(holding > 0), len(finding) / 40.0)
        return self._known[finding]


def candidate_features(names: Sequence[str], tally: _Tally, records: Records, chart: Chart) -> Floats:
    """(names, 3): the share of the records found; the share of the guideline's symptoms that the chart has, 0 without a
    guideline; and 1 by the rank of the first record.
    """
    import numpy as np

    held = set(chart.findings)
    rows = []
    for name in names:
        known = records.guidelines.get(name, frozenset())
        overlap = len(known & held) / len(known) if known else 0.0
        rows.append((tally.votes[name] / tally.count, overlap, 1.0 / tally.first[name]))
    return np.array(rows)


FLOWS = {"votes": (1.0, 0.0, 0.0), "guideline": (0.0, 1.0, 0.0), "sum": (1.0, 1.0, 0.0)}
"""What the fixed work flows weigh of `candidate_features`; the rank of the first record settles what is equal."""


def fixed_flow(weights: Sequence[float], charts: Sequence[Chart], records: Records) -> list[Episode]:
    """One round with all findings, then the five candidates of the largest sum."""
    found = records.matched([comma_list(chart.findings) for chart in charts])
    played = []
    for chart, diseases in zip(charts, found, strict=True):
        tally = _Tally()
        tally.add(diseases)
        names = tally.candidates
        scores = (candidate_features(names, tally, records, chart) @ list(weights)).tolist() if names else []
        order = sorted(zip(names, scores, strict=True), key=lambda one: (-one[1], tally.first[one[0]]))
        answered = tuple(name for name, _ in order[:ANSWERED])
        played.append(Episode(chart, [Round(chart.findings, tuple(diseases))], names, answered))
    return played


def _category(logits: Floats, rng: np.random.Generator | None) -> tuple[int, Floats]:
    """One of them, and the gradient of its log-probability by the logits."""
    import numpy as np

    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    chosen = int(np.argmax(logits)) if rng is None else int(rng.choice(len(shares), p=shares))
    slope = -shares
    slope[chosen] += 1.0
    return chosen, slope


def _in_turn(
    features: Floats, weights: Floats, count: int, rng: np.random.Generator | None
) -> tuple[list[int], Floats]:
    """`count` rows without replacement, each with a share of exp(features . weights) among those that are left, and the
    gradient of the log-probability of that order by the weights.
    """
    import numpy as np

    scores = features @ weights
    drawn = scores if rng is None else scores + rng.gumbel(size=len(scores))
    order = np.argsort(-drawn, kind="stable")
    shares = np.exp(scores - scores.max())[order]
    left = np.cumsum(shares[::-1])[::-1]  # of the rows from each place of the order on
    mean = np.cumsum((shares[:, None] * features[order])[::-1], axis=0)[::-1] / left[:, None]
    slope: Floats = (features[order] - mean)[:count].sum(axis=0)
    return [int(place) for place in order[:count]], slope
