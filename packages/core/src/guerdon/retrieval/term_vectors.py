r"""TF-IDF: texts as weighted words. Near are texts that share words, and rare ones count for more.

A word's weight is its count (or 1, see `count`) times $\ln\frac{1 + N}{1 + df} + 1$, with $df$ of $N$ texts of a corpus
holding it (the smoothed form that scikit-learn uses); without a corpus every word weighs 1. Vectors have length 1.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from guerdon.fields import one_of, whole_number
from guerdon.retrieval.corpora import Corpus, check_corpus, corpus_of
from guerdon.retrieval.terms import terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Count = Literal["once", "each"]


@dataclass(frozen=True)
class TermEncoder:
    """Words (`guerdon.retrieval.terms`), each hashed to a place and a sign by its CRC-32: the same in every process.

    Words that the corpus lacks weigh as much as one of no text: what is added to a text moves its vector, also where
    nobody knows the word. A text without words is the zero vector.

    >>> vectors = TermEncoder().encode(["left lung", "left kidney", "Lung, left"])
    >>> (vectors[0] @ vectors.T).round(3).tolist()
    [1.0, 0.5, 1.0]
    """

    corpus: Corpus | Path | str | None = None
    """Where document frequencies come from; null weighs every word alike."""
    count: Count = "once"
    """`once`: a word that is repeated counts as one. `each`: every time."""
    dimensions: int = 4096
    """The more, the fewer words share a place."""

    def __post_init__(self) -> None:
        one_of("TermEncoder.count", self.count, get_args(Count))
        whole_number("TermEncoder.dimensions", self.dimensions, 1)
        if self.corpus is not None:
            check_corpus("TermEncoder.corpus", self.corpus)

    @property
    def name(self) -> str:
        """The options and the corpus' digest."""
        known = "" if self.corpus is None else f"@{corpus_of(self.corpus).digest}"
        return f"terms?count={self.count}&dimensions={self.dimensions}{known}"

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        """See `guerdon.protocols.Encoder`; queries and passages are alike."""
        import numpy as np

        weights, unknown = ({}, 1.0) if self.corpus is None else _weights(corpus_of(self.corpus))
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for term, times in Counter(terms(text)).items():
                place = zlib.crc32(term.encode("utf-8", "surrogatepass"))
                weight = weights.get(term, unknown) * (times if self.count == "each" else 1)
                vector[(place >> 1) % self.dimensions] += weight * (1 - 2 * (place & 1))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors


@functools.lru_cache(maxsize=4)
def _weights(corpus: Corpus) -> tuple[Mapping[str, float], float]:
    """Each known word's weight, and that of an unknown one."""
    held = Counter(term for document in corpus.documents for term in set(terms(document.searched)))
    total = len(corpus)
    return {term: math.log((1 + total) / (1 + df)) + 1 for term, df in held.items()}, math.log(1 + total) + 1
