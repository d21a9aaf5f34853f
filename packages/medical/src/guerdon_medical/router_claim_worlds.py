"""The worlds of the claim `r1_router`: chains of relations, each with a right base and a right query, in numpy.

Axes: N decisions, F features (which relation is next, or done, one-hot; whether it is the first hop; 1), A actions of a
head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

RELATIONS, BASES = 8, 3
DONE = RELATIONS
"""In place of the next relation; as a word of a query: none."""
STOP = BASES
"""In place of a base: none."""
ORIGIN, LAST, UNRELATED = range(3)
FEATURES = RELATIONS + 3


@dataclass(frozen=True)
class Questions:
    """Chains, side by side."""

    relations: Ints
    """(questions, longest + 1): the relation that each hop asks, `DONE` behind the last."""
    hops: Ints
    """(questions,)."""


@dataclass(frozen=True)
class World:
    """Eight relations, each with one right base; policies choose a base and the words of a query.

    `words`: the sheet's world. A query is an entity word (origin, last answer, unrelated) and a relation word; its
    similarity is the share of the two that are right (of a stop: 1 where the relation word is none). Chains of two or
    three hops, three look-ups, and a wrong one derails the chain for good.

    `templates`: the documented negative. A query is one of eight templates, random vectors of length 1, and only the
    relation's own is answered; its similarity is the cosine. Chains of one to three hops, six look-ups, and a wrong one
    costs nothing but itself.
    """

    bases: Ints
    """(8,): each relation's."""
    vectors: Floats | None = None
    """(8, dimensions), of templates; None in the world of words."""

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, templates: bool = False, dimensions: int = 8) -> World:
        """A world from a generator."""
        import numpy as np

        bases = rng.integers(0, BASES, RELATIONS)
        if not templates:
            return cls(bases)
        vectors = rng.normal(size=(RELATIONS, dimensions))
        return cls(bases, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    @property
    def heads(self) -> tuple[int, ...]:
        """Actions of each of the policy's heads."""
        return (BASES + 1, 3, RELATIONS + 1) if self.vectors is None else (BASES + 1, RELATIONS)

    @property
    def shortest(self) -> int:
        """Hops of a chain, at least; at most 3."""
        return 2 if self.vectors is None else 1

    @property
    def most(self) -> int:
        """Look-ups of a trajectory."""
        return 3 if self.vectors is None else 6

    def questions(self, count: int, rng: np.random.Generator) -> Questions:
        """Chains of relations that are drawn with repetition."""
        import numpy as np

        hops = rng.integers(self.shortest, 4, count)
        relations = rng.integers(0, RELATIONS, (count, 4))
        relations[np.arange(4)[None, :] >= hops[:, None]] = DONE
        return Questions(relations, hops)

    def features(self, relations: Ints, first: NDArray[np.bool_]) -> Floats:
        """(N, F): what a decision is taken from."""
        import numpy as np

        found = np.zeros((len(relations), FEATURES))
        found[np.arange(len(relations)), relations] = 1.0
        found[:, -2], found[:, -1] = first, 1.0
        return found

    def steps(self, asked: Questions) -> tuple[Ints, NDArray[np.bool_]]:
        """All steps of all questions on their reference histories: the relation that is next, and whether it is first.

        A chain that has used its last look-up has no step in which to stop.
        """
        import numpy as np

        places = np.arange(4)[None, :]
        there = (places <= asked.hops[:, None]) & (places < self.most)
        return asked.relations[there], np.broadcast_to(places == 0, there.shape)[there]

    def right(self, actions: list[Ints], relations: Ints, first: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a decision is the reference's; what a look-up has to be to be answered."""
        routed = self.routed(actions, relations)
        found: NDArray[np.bool_] = routed & (self.similarity(actions, relations, first) >= 1.0 - 1e-12)
        return found

    def routed(self, actions: list[Ints], relations: Ints) -> NDArray[np.bool_]:
        """Whether the base is right; none, where the chain is done."""
        import numpy as np

        found: NDArray[np.bool_] = actions[0] == np.append(self.bases, STOP)[relations]
        return found

    def similarity(self, actions: list[Ints], relations: Ints, first: NDArray[np.bool_]) -> Floats:
        """Of the query to the reference's, in [-1, 1]; a stop's is 1 to a stop and 0 to a query."""
        import numpy as np

        done = relations == DONE
        if self.vectors is None:
            entity, word = actions[1], actions[2]
            share = (entity == np.where(first, ORIGIN, LAST)) * 0.5 + (word == relations) * 0.5
            by_words: Floats = np.where(done, (word == DONE) * 1.0, share)
            return by_words
        stops = actions[0] == STOP
        cosines = self.vectors @ self.vectors.T
        np.fill_diagonal(cosines, 1.0)
        near = cosines[actions[1], np.where(done, 0, relations)]
        found: Floats = np.where(done | stops, (done & stops) * 1.0, near)
        return found

    def reward(self, actions: list[Ints], relations: Ints, first: NDArray[np.bool_]) -> Floats:
        """R1-Router's of a plan: half similarity, half routing."""
        value: Floats = 0.5 * self.similarity(actions, relations, first) + 0.5 * self.routed(actions, relations)
        return value


class Heads:
    """Linear softmax heads, one per part of a decision, moved by Adam."""

    def __init__(self, sizes: tuple[int, ...], rate: float) -> None:
        import numpy as np

        self.weights = [np.zeros((FEATURES, size)) for size in sizes]
        self.rate = rate
        self._moments = [(np.zeros_like(one), np.zeros_like(one)) for one in self.weights]
        self._updates = 0

    def probabilities(self, features_NF: Floats) -> list[Floats]:
        """(N, A) of each head."""
        import numpy as np

        found = []
        for weights_FA in self.weights:
            logits_NA = features_NF @ weights_FA
            raised_NA = np.exp(logits_NA - logits_NA.max(axis=1, keepdims=True))
            found.append(raised_NA / raised_NA.sum(axis=1, keepdims=True))
        return found

    def acts(self, features_NF: Floats, rng: np.random.Generator | None) -> list[Ints]:
        """A decision for each row: drawn, or the likeliest where there is no generator."""
        import numpy as np

        found: list[Ints] = []
        for probability_NA in self.probabilities(features_NF):
            if rng is None:
                found.append(probability_NA.argmax(axis=1))
            else:
                drawn = (rng.random((len(features_NF), 1)) > probability_NA.cumsum(axis=1)).sum(axis=1)
                found.append(np.minimum(drawn, probability_NA.shape[1] - 1))
        return found

    def learn(self, features_NF: Floats, actions: list[Ints], advantages_N: Floats, entropy: float) -> None:
        """One step up the mean of advantage times log-probability, plus the entropy's weight times the entropy."""
        import numpy as np

        self._updates += 1
        for head, probability_NA in enumerate(self.probabilities(features_NF)):
            taken_NA = np.eye(probability_NA.shape[1])[actions[head]]
            logs_NA = np.log(np.maximum(probability_NA, 1e-12))
            entropy_N1 = -(probability_NA * logs_NA).sum(axis=1, keepdims=True)
            pull_NA = advantages_N[:, None] * (taken_NA - probability_NA)
            pull_NA -= entropy * probability_NA * (logs_NA + entropy_N1)
            gradient_FA = features_NF.T @ pull_NA / len(features_NF)
            first, second = self._moments[head]
            first += 0.1 * (gradient_FA - first)
            second += 0.001 * (gradient_FA**2 - second)
            mean = first / (1.0 - 0.9**self._updates)
            spread = second / (1.0 - 0.999**self._updates)
            self.weights[head] += self.rate * mean / (np.sqrt(spread) + 1e-8)
