"""A tool of Med-RwR's that looks for pictures as well: the case that is most like the question's own.

A query of the words "a similar imaging case" is answered with that case, its picture before its text; any other is
searched for among the passages. At test time CDIR (`guerdon_medical.cdir`) puts the same words into the mouth of a
policy that is unsure; here the policy may say them itself, and learn when to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from guerdon.environments import Call, Search, Tags
from guerdon.protocols import Hit
from guerdon.types import Image
from guerdon_medical.similar_cases import SeenCase, SimilarCases

ASKED = "a similar imaging case"
"""What is said to be shown one; letter case and blanks do not count."""


@dataclass(frozen=True)
class SearchOrCase:
    """Answers `ASKED` with the nearest case, and everything else by `search`.

    Cases whose id or source the search excludes are not shown either. A case is shown within the search's limits of
    characters, and its score is 1: there is no other to compare it with.
    """

    search: Search
    cases: SimilarCases
    picture: Image
    """The question's; of several the first, as by CDIR."""

    @property
    def tags(self) -> Tags:
        """The search's."""
        return self.search.tags

    def call(self, queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`."""
        return self.call_together([self] * len(queries), queries)

    @classmethod
    def call_together(cls, tools: Sequence[Self], queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`: one search, and one look at the pictures of each collection of cases.

        `info` has `hits`, the documents shown or the one case, and `failed`.
        """
        wants_case = [" ".join(query.lower().split()) == ASKED for query in queries]
        calls: dict[int, Call] = {}
        texts = [place for place, wanted in enumerate(wants_case) if not wanted]
        found = Search.call_together([tools[place].search for place in texts], [queries[place] for place in texts])
        calls.update(zip(texts, found, strict=True))
        looked: dict[SimilarCases, list[int]] = {}
        for place, wanted in enumerate(wants_case):
            if wanted:
                looked.setdefault(tools[place].cases, []).append(place)
        for cases, places in looked.items():
            nearest = cases.nearest(
                [tools[place].picture for place in places], [tools[place].search.exclude_ids for place in places]
            )
            calls.update((place, tools[place]._shown(case)) for place, case in zip(places, nearest, strict=True))
        return [calls[place] for place in range(len(tools))]

    def _shown(self, case: SeenCase | None) -> Call:
        if case is None:
            return self.search.shown(())
        return replace(self.search.shown([Hit(case.id, 1.0, case.text)]), images=(case.image,))
