"""The case whose picture is nearest: the image retriever of CDIR, from pictures that an encoder sees.

Nearest neighbours by core's `Dense`, exactly, equal ones in the cases' order; a case is never its own neighbour, nor is
one of the same patient or publication. For research and tests, not for clinical use.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError
from guerdon.protocols import Query
from guerdon.retrieval import Corpus, Dense, Document
from guerdon.types import Image
from guerdon_medical.sight import JointEncoder, encoded_images

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class SeenCase:
    """One case: its picture, and what was said of it."""

    id: str
    image: Image
    text: str
    """The consultation: findings and diagnosis."""
    source: str = ""
    """The patient or publication; cases of one source are not shown for one another. Empty: a source by itself."""


@dataclass(frozen=True)
class SimilarCases:
    """Finds the most similar case to a picture."""

    cases: tuple[SeenCase, ...]
    encoder: JointEncoder

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", tuple(self.cases))
        if not self.cases:
            raise ConfigError("SimilarCases.cases is empty; a case is needed")
        ids = [case.id for case in self.cases]
        if len(set(ids)) < len(ids):
            twice = next(id for place, id in enumerate(ids) if id in ids[:place])
            raise ConfigError(f"SimilarCases.cases: two of them are {twice!r}")

    def nearest(
        self, images: Sequence[Image], excluded: Sequence[Collection[str]] | None = None
    ) -> list[SeenCase | None]:
        """For each picture the case of the nearest one; None where all are excluded.

        Args:
            images: any number.
            excluded: for each, ids of cases, or sources, that are not to be shown; none by default.

        Raises:
            RetrievalError: the encoder fails, or gives what is no vector.
            TaskError: a picture cannot be read.
        """
        if not images:
            return []
        out = excluded if excluded is not None else [()] * len(images)
        vectors = encoded_images(self.encoder, images)
        queries = [
            Query(vector=vector.tolist(), exclude_ids=self._ids(names))
            for vector, names in zip(vectors, out, strict=True)
        ]
        by_id = {case.id: case for case in self.cases}
        return [by_id[hits[0].id] if hits else None for hits in self._index.search(queries, 1)]

    def table(self) -> dict[str, str]:
        """For each case the id of its nearest other, as the released system has it pre-computed; a case without another
        is left out.
        """
        own = [{case.id, case.source} - {""} for case in self.cases]
        found = self.nearest([case.image for case in self.cases], own)
        return {case.id: other.id for case, other in zip(self.cases, found, strict=True) if other is not None}

    def _ids(self, names: Collection[str]) -> frozenset[str]:
        wanted = set(names)
        return frozenset(case.id for case in self.cases if case.id in wanted or (case.source and case.source in wanted))

    @cached_property
    def _index(self) -> Dense:
        pictures = _Pictures({case.id: case.image for case in self.cases}, self.encoder)
        return Dense(Corpus(tuple(Document(case.id, case.id) for case in self.cases)), pictures)


@dataclass(frozen=True, eq=False)
class _Pictures:
    """An encoder whose texts are the ids of cases: `Dense` then holds their pictures' vectors."""

    images: Mapping[str, Image]
    encoder: JointEncoder

    @property
    def name(self) -> str:
        return f"pictures by {self.encoder.name}"

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        return encoded_images(self.encoder, [self.images[text] for text in texts])
