"""How near two answers are by an encoder's vectors: what the reward pays for and what the calibration measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from guerdon.protocols import Encoder
from guerdon.retrieval.vectors import encoded


def answer_cosines(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The cosine of each pair, in [-1, 1]; 0 where a text has no direction. Each text is encoded once.

    Raises:
        RetrievalError: the encoder gave something else than vectors, or numbers that are not finite.

    >>> from guerdon.retrieval import TermEncoder
    >>> answer_cosines(TermEncoder(), [("gout", "Gout"), ("gout", "flu"), ("--", "flu")])
    [1.0, 0.0, 0.0]
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    if not texts:
        return []
    rows = dict(zip(texts, encoded(encoder, texts, kind="passage").astype(float), strict=True))
    found = []
    for pair in pairs:
        left, right = (rows[text] for text in pair)
        lengths = math.sqrt(float(left @ left) * float(right @ right))
        found.append(max(-1.0, min(float(left @ right) / lengths, 1.0)) if lengths else 0.0)
    return found
