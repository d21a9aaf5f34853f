"""What the claim of Med-RwR asks about: made-up diseases of findings, images that sum them up, and their documents.

60 diseases have 3 of 24 findings each. An image is the sum of its findings' vectors and noise; a question is an image
and 4 options; a text base has all 60.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from guerdon_medical.entities import Phrases
from guerdon_medical.rwr_world import FINDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

IDLE = ("what", "which", "shown", "here", "please", "tell", "about", "this", "picture", "could", "seen", "now")
WORDS = (*FINDINGS, *IDLE)
DISEASES, TRAINED, DIMENSIONS, OPTIONS, SHOWN, CASES = 60, 40, 32, 4, 3, 3
NOISE = 1.6
VOCABULARY = Phrases(FINDINGS)


@dataclass(frozen=True, eq=False)
class MadeWorld:
    """What a seed makes."""

    vectors: Floats
    """(36, 32): of each word, findings first; what an image is a sum of, and a query is compared by."""
    findings: Ints
    """(60, 3)."""
    case_images: Floats
    """(180, 32): three of each disease, in order."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A disease is called by its findings, as "hip fracture" is."""
        return tuple(
            f"{' '.join(FINDINGS[place] for place in row)} type {number}" for number, row in enumerate(self.findings)
        )

    @cached_property
    def entities(self) -> tuple[tuple[str, ...], ...]:
        """Of each name."""
        return tuple(VOCABULARY.extract(self.names))

    @cached_property
    def has(self) -> Floats:
        """(60, 36): 1 where the disease's document has the word."""
        import numpy as np

        rows = np.zeros((DISEASES, len(WORDS)))
        np.put_along_axis(rows, self.findings, 1.0, axis=1)
        return rows

    def images(self, diseases: Ints, rng: np.random.Generator) -> Floats:
        """One of each."""
        import numpy as np

        clean = self.vectors[self.findings[diseases]].sum(axis=1)
        drawn: Floats = clean + rng.normal(0.0, NOISE / np.sqrt(DIMENSIONS), (len(diseases), DIMENSIONS))
        return drawn

    def questions(self, pool: Sequence[int], count: int, rng: np.random.Generator) -> Questions:
        """Of diseases in the pool alone, their options too."""
        import numpy as np

        options = np.array([rng.choice(pool, OPTIONS, replace=False) for _ in range(count)])
        gold = rng.integers(0, OPTIONS, count)
        return Questions(self.images(options[np.arange(count), gold], rng), options, gold)

    def found(self, asked: Ints) -> Floats:
        """(N, 60): 1 for the three documents with the most words of a query; equal ones in their order, and none
        without such a word.

        Args:
            asked: (N, 3) places in `WORDS`; -1 where there is no word.
        """
        import numpy as np

        picked = np.zeros((len(asked), len(WORDS) + 1))
        np.put_along_axis(picked, asked, 1.0, axis=1)  # -1 is the last column, which is cut
        shared = picked[:, :-1] @ self.has.T
        order = np.argsort(-shared, axis=1, kind="stable")[:, :SHOWN]
        flags = np.zeros_like(shared)
        np.put_along_axis(flags, order, 1.0, axis=1)
        return np.where(shared > 0, flags, 0.0)


@dataclass(frozen=True, eq=False)
class Questions:
    """N questions."""

    images: Floats
    """(N, 32)."""
    options: Ints
    """(N, 4), diseases."""
    gold: Ints
    """(N,), places among the options."""


def make_world(seed: int) -> MadeWorld:
    """Everything, from a seed."""
    import numpy as np

    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.0, 1.0, (len(WORDS), DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sets: dict[tuple[int, ...], None] = {}
    while len(sets) < DISEASES:
        sets[tuple(sorted(rng.choice(len(FINDINGS), 3, replace=False).tolist()))] = None
    world = MadeWorld(vectors, np.array(list(sets)), np.zeros((0, DIMENSIONS)))
    return MadeWorld(vectors, world.findings, world.images(np.repeat(np.arange(DISEASES), CASES), rng))
