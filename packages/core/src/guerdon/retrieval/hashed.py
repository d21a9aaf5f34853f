"""An encoder without a model: for tests, dry runs, and as a floor that a trained one has to beat."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guerdon.fields import check_numbers, whole_number
from guerdon.retrieval.terms import terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class HashedEncoder:
    """Words and their three-letter pieces, hashed into a vector of length 1: near are texts that share spellings.

    Each feature adds +1 or -1 at one place, by its CRC-32: the same in every process. A text without words is the zero
    vector.
    """

    dimensions: int = 256
    """The more, the fewer features share a place."""

    def __post_init__(self) -> None:
        check_numbers(self)
        whole_number("HashedEncoder.dimensions", self.dimensions, 1)

    @property
    def name(self) -> str:
        """The word "hashed", and how many dimensions."""
        return f"hashed?dimensions={self.dimensions}"

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        """See `guerdon.protocols.Encoder`; queries and passages are alike."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for place in (feature for term in terms(text) for feature in _features(term)):
                vector[(place >> 1) % self.dimensions] += 1 - 2 * (place & 1)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors


@functools.lru_cache(maxsize=1 << 16)
def _features(term: str) -> tuple[int, ...]:
    """The hashes of a word and its pieces of three letters, its edges marked."""
    marked = f"^{term}$"
    pieces = {term, *(marked[start : start + 3] for start in range(len(marked) - 2))}
    return tuple(zlib.crc32(piece.encode("utf-8", "surrogatepass")) for piece in sorted(pieces))
