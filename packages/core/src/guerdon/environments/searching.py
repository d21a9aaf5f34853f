"""A retriever as a tool: a text is looked for, and what is found is written down within limits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Self

from guerdon.environments.tools import Call, Tags, alike, escaped
from guerdon.fields import check_numbers, whole_number
from guerdon.protocols import Hit, Query, Retriever
from guerdon.types import Image


@dataclass(frozen=True)
class Search:
    """Looks for what a policy asks, and shows numbered passages: `(1) Title: text`.

    A failure of the retriever is written down as such and ends the rollout (`info["failed"]`, see
    `guerdon.protocols.Turn`), which nobody scores (`infra`): it is not the policy's fault, and not "nothing found".
    """

    retriever: Retriever
    k: int = 3
    """Passages shown."""
    tags: Tags = field(default_factory=Tags)
    max_chars: int = 1000
    """Of one passage; what is longer is cut, and ends in "..."."""
    max_total_chars: int = 4000
    """Of all passages together; the first is cut to fit, others that do not fit are not shown."""
    max_query_chars: int = 512
    """Of a query; what is longer is cut before it is looked for."""
    base: str = ""
    """Which collection is asked, where the retriever has several."""
    exclude_ids: Collection[str] = frozenset()
    """Documents that are never shown: the example's own."""
    pictures: int = 0
    """Pictures of the passages shown (`Hit.image`) that are shown before them, at most: those of the best."""
    nothing: str = "None"
    """Shown where nothing is found (Med-RwR's word)."""
    failed: str = "The search failed."
    """Shown where the retriever failed."""

    def __post_init__(self) -> None:
        check_numbers(self)
        object.__setattr__(self, "exclude_ids", frozenset(self.exclude_ids))
        for name, least in (("k", 1), ("max_chars", 4), ("max_total_chars", 4), ("max_query_chars", 1)):
            whole_number(f"Search.{name}", getattr(self, name), least)
        whole_number("Search.pictures", self.pictures, 0)

    def call(self, queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`; the whole batch goes to the retriever at once.

        `info` has `hits`, the documents shown, and `failed`.
        """
        return self.call_together([self] * len(queries), queries)

    @classmethod
    def call_together(cls, tools: Sequence[Self], queries: Sequence[str]) -> list[Call]:
        """See `guerdon.environments.Tool`: searches that differ in what they exclude are one batch."""
        calls: dict[int, Call] = {}
        for tool, places in alike(tools).items():
            asked = [tools[place]._query(queries[place]) for place in places]
            for place, hits in zip(places, tool.retriever.search(asked, tool.k), strict=True):
                calls[place] = tool.shown(hits)
        return [calls[place] for place in range(len(tools))]

    def _query(self, text: str) -> Query:
        return Query(text[: self.max_query_chars], base=self.base, exclude_ids=self.exclude_ids)

    def shown(self, hits: Sequence[Hit] | None) -> Call:
        """What a policy is shown of documents, within the limits; None: the retriever failed."""
        if hits is None:
            return Call(self.failed, {"hits": (), "failed": True})
        lines: list[str] = []
        left = self.max_total_chars
        for hit in hits:
            line = f"({len(lines) + 1}) {self._passage(hit)}"
            if len(line) > left:
                if lines:
                    break
                line = line[:left]  # something was found, and nothing shown would say the contrary
            lines.append(line)
            left -= len(line)
        shown = tuple(hits[: len(lines)])
        pictures = tuple(Image(hit.image) for hit in shown if hit.image)[: self.pictures]
        return Call("\n".join(lines) or self.nothing, {"hits": shown, "failed": False}, pictures)

    def _passage(self, hit: Hit) -> str:
        text = " ".join(f"{hit.title}: {hit.text}".split() if hit.title else hit.text.split())
        return escaped(text if len(text) <= self.max_chars else f"{text[: self.max_chars - 3]}...")
