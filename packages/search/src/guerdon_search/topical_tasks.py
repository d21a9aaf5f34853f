"""Tasks of staying on topic: made-up open and closed questions, and R3's training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from guerdon.fields import any_share
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.protocols import Split
from guerdon.types import Example, Message, Prompt
from guerdon_search.facts import World
from guerdon_search.search_tasks import MadeUp, each_once, file_in, row_id, wanted
from guerdon_search.topical_rewards import TopicalQuery


@dataclass(frozen=True, kw_only=True)
class _Asking(LoadedTask[TopicalQuery]):
    """Prompt and reference."""

    def prompt(self, example: Example) -> Prompt:
        """Earlier turns and the query."""
        query = wanted(example, TopicalQuery)
        return Prompt(tuple(Message("user", text) for text in (*query.history, query.query)))

    def reference(self, example: Example) -> str | None:
        """The right, or a good, answer; None where none is known."""
        return wanted(example, TopicalQuery).reference or None


@dataclass(frozen=True, kw_only=True)
class TopicalQuestions(MadeUp[TopicalQuery], _Asking):
    """Questions about made-up places, whose facts stand in the question: every third is closed and asks for a year."""

    name: ClassVar[str] = "search/topical-v1"

    flipped: float = 0.0
    """Share of the questions whose kind is told wrongly: what a wrong classifier does to training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        any_share("flipped", self.flipped)

    def load(self, split: Split) -> Sequence[TopicalQuery]:
        """Draw the questions of a split."""
        world = World(split, Random(f"topical {self.seed} {split}"))
        return tuple(self._query(world, split, number) for number in range(self.size(split)))

    def _query(self, world: World, split: Split, number: int) -> TopicalQuery:
        place = world.place()
        facts = world.facts(place, 4)
        told = " ".join(fact.sentence for fact in facts)
        closed = number % 3 == 2
        asked = f"In which year was the {place} {facts[0].deed}?" if closed else f"Tell me about the {place}."
        reference = f"The {place} was {facts[0].deed} in {facts[0].year}." if closed else told
        wrong = world.random.random() < self.flipped
        name = f"topical-{split}-{number}"
        return TopicalQuery(id=name, query=f"{told} {asked}", closed=closed != wrong, reference=reference)


@dataclass(frozen=True, kw_only=True)
class TopicalFile(_Asking):
    """R3's rows, `query, qtype, reference` and perhaps `id, response`: `train.jsonl` and `eval.jsonl` in a folder.

    Only the exact word CONSTRAINED makes a query closed; everything else is open, as released.
    """

    name: ClassVar[str] = "search/topical-file-v1"

    root: str = ""
    """The folder."""
    train: str = "train.jsonl"
    """The file of this split, in the folder; `eval` likewise."""
    eval: str = "eval.jsonl"
    """JSON lines or one JSON array, gzipped or not."""

    def __post_init__(self) -> None:
        file_in(self.root, self.train, self.name)

    def load(self, split: Split) -> Sequence[TopicalQuery]:
        """Read a split's file."""
        path = file_in(self.root, self.train if split == "train" else self.eval, self.name)
        rows = enumerate(read_rows(path, "queries"))
        return tuple(each_once((row, _query(row, f"{split}-{number}")) for number, row in rows))


def _query(row: FileRow, name: str) -> TopicalQuery:
    return TopicalQuery(
        id=row_id(row, name),
        query=row.text("query"),
        closed=row.fields.get("qtype") == "CONSTRAINED",
        reference=row.text("reference", optional=True),
    )
