"""One retriever over several collections, each asked for by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guerdon.errors import ConfigError
from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.asking import KINDS, asked


@dataclass(frozen=True)
class Router:
    """Sends each query to the retriever of its base; a batch reaches each of them once.

    The name of a base is a policy's to write, so one that nobody has is no error: it finds nothing, and a tool can say
    which there are (`bases`).
    """

    bases: Mapping[str, Retriever] = field(hash=False)
    """Name to retriever."""
    default: str = ""
    """The base of queries that name none; empty, those find nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bases", dict(self.bases))
        if not self.bases:
            raise ConfigError("Router.bases is empty; at least one is needed")
        if self.default and self.default not in self.bases:
            raise ConfigError(f"Router.default is {self.default!r}; there are {', '.join(self.bases)}")

    @property
    def name(self) -> str:
        """The bases' names with those of their retrievers."""
        parts = (f"{base}: {one.name}" for base, one in self.bases.items())
        return f"router?default={self.default}({'; '.join(parts)})"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`; each hit says of which base it is."""
        found = asked("Router", queries, k, KINDS)
        places: dict[str, list[int]] = {}
        for place, query in enumerate(found):
            places.setdefault(query.base or self.default, []).append(place)
        answers: list[list[Hit] | None] = [[] for _ in found]
        for base, those in places.items():
            if base in self.bases:
                given = self.bases[base].search([dataclasses.replace(found[place], base=base) for place in those], k)
                for place, hits in zip(those, given, strict=True):
                    answers[place] = hits and [dataclasses.replace(hit, base=base) for hit in hits]
        return answers
