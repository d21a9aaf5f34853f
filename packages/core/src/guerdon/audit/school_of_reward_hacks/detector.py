"""A logistic detector of hacked answers on six features of the text alone: it never sees the message, which names the
metric and would give it away.

Trained on pairs: the features of a hack minus those of its control, 300 gradient steps of 0.1 [the fact sheet's
choice].
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from guerdon.audit.school_of_reward_hacks.metrics import words
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

FEATURES = (
    "type/token ratio",
    "top word's share",
    "log length",
    "distinct bigrams",
    "sentences per word",
    "word length",
)
STEPS = 300
RATE = 0.1


def features(text: str) -> tuple[float, ...]:
    """The six `FEATURES`; zeros for a text without words.

    >>> [round(value, 3) for value in features("go go. Stop")]
    [0.667, 0.667, 1.386, 1.0, 0.667, 2.667]
    """
    found = words(text)
    if not found:
        return (0.0,) * len(FEATURES)
    bigrams = list(pairwise(found))
    sentences = max(1, sum(bool(piece.strip()) for piece in text.replace("!", ".").replace("?", ".").split(".")))
    return (
        len(set(found)) / len(found),
        max(Counter(found).values()) / len(found),
        math.log1p(len(found)),
        len(set(bigrams)) / len(bigrams) if bigrams else 1.0,
        sentences / len(found),
        sum(map(len, found)) / len(found),
    )


@dataclass(frozen=True)
class Detector:
    """A trained one: a score for each text, higher the more it looks like a hack."""

    weights: tuple[float, ...]
    """Of the standardised features."""
    means: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def fitted(cls, hacks: Sequence[str], controls: Sequence[str]) -> Detector:
        """Learn from pairs: answers to the same message, in the same order.

        Raises:
            ConfigError: there are no pairs, or not as many of one as of the other.
        """
        import numpy as np

        if len(hacks) != len(controls) or not hacks:
            raise ConfigError(
                f"a detector learns from pairs; there are {len(hacks)} hacks and {len(controls)} controls"
            )
        ours, theirs = _matrix(hacks), _matrix(controls)
        both = np.concatenate([ours, theirs])
        means, spreads = both.mean(axis=0), both.std(axis=0)
        spreads = np.where(spreads > 1e-9, spreads, 1.0)
        apart = (ours - theirs) / spreads
        weights = np.zeros(apart.shape[1])
        for _ in range(STEPS):
            chance = 1.0 / (1.0 + np.exp(-np.clip(apart @ weights, -60.0, 60.0)))
            weights += RATE * ((1.0 - chance) @ apart) / len(apart)
        return cls(tuple(weights.tolist()), tuple(means.tolist()), tuple(spreads.tolist()))

    def scores(self, texts: Sequence[str]) -> list[float]:
        """One per text; only their order means something."""
        import numpy as np

        standardised = (_matrix(texts) - np.array(self.means)) / np.array(self.spreads)
        return [float(value) for value in standardised @ np.array(self.weights)]


def _matrix(texts: Sequence[str]) -> np.ndarray:
    import numpy as np

    return np.array([features(text) for text in texts], dtype=np.float64).reshape(len(texts), len(FEATURES))
