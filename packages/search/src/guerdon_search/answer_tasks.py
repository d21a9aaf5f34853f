"""Tasks of answers that are judged by the nuggets they cover: made-up questions, and questions of your own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from guerdon.fields import whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.quoting import quoted
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt
from guerdon_search.facts import Fact, World
from guerdon_search.nugget_rows import questions_of
from guerdon_search.nuggets import Nugget, NuggetQuestion
from guerdon_search.search_tasks import MadeUp, file_in, wanted


@dataclass(frozen=True, kw_only=True)
class _Answering(LoadedTask[NuggetQuestion]):
    """Prompt and reference of answers."""

    def prompt(self, example: Example) -> Prompt:
        """The passages, where there are any, and the question; never the nuggets."""
        question = wanted(example, NuggetQuestion)
        shown = "\n".join(quoted(passage, "passage") for passage in question.passages)
        source = " from the passages" if question.passages else ""
        system = f"Answer the question{source}, with everything that bears on it and nothing else."
        if question.answers:
            system = "Answer the question in a few words."
        return Prompt((Message("system", system), Message("user", f"{shown}\nQuestion: {question.query}".strip())))

    def reference(self, example: Example) -> str | None:
        """The answer that covers everything, or the first gold one; None where neither is known."""
        question = wanted(example, NuggetQuestion)
        return question.reference or next(iter(question.answers), None)

    def metrics(self) -> Mapping[str, Reward]:
        """Exact match, of questions that have gold answers; covering nuggets takes a verifier."""
        from guerdon_search.nugget_rewards import ExactMatch

        return {"exact-match": ExactMatch()}


@dataclass(frozen=True, kw_only=True)
class _MadeUpAnswers(MadeUp[NuggetQuestion], _Answering):
    """Questions about made-up places, with passages that hold the answer among others."""

    facts_max: int = 4
    """Facts of a place, from 2; at most 8."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("facts_max", self.facts_max, 2, 8)

    def load(self, split: Split) -> Sequence[NuggetQuestion]:
        """Draw the questions of a split."""
        world = World(split, Random(f"{self.name} {self.seed} {split}"))
        return tuple(self._drawn(world, f"answers-{split}-{number}") for number in range(self.size(split)))

    def _drawn(self, world: World, name: str) -> NuggetQuestion:
        place = world.place()
        facts = world.facts(place, world.random.randint(2, self.facts_max))
        others = [fact.sentence for fact in world.facts(world.place(), 2)]
        told = [world.told(fact, "stated") for fact in facts]
        passages = [" ".join(told[::2]), " ".join(told[1::2]), " ".join(others)]
        world.random.shuffle(passages)
        return self.question(name, facts, tuple(passages))

    @abstractmethod
    def question(self, name: str, facts: Sequence[Fact], passages: tuple[str, ...]) -> NuggetQuestion:
        """What is asked of these facts of one place."""


@dataclass(frozen=True, kw_only=True)
class NuggetAnswers(_MadeUpAnswers):
    """Everything known of a place is asked for; each fact is a nugget, the first two are vital."""

    name: ClassVar[str] = "search/nugget-answers-v1"

    def question(self, name: str, facts: Sequence[Fact], passages: tuple[str, ...]) -> NuggetQuestion:
        """All facts as nuggets, and their sentences as the reference."""
        nuggets = tuple(
            Nugget(text=fact.sentence, importance="vital" if number < 2 else "okay")
            for number, fact in enumerate(facts)
        )
        return NuggetQuestion(
            id=name,
            query=f"What is known of the {facts[0].place}?",
            nuggets=nuggets,
            passages=passages,
            reference=" ".join(fact.sentence for fact in facts),
        )


@dataclass(frozen=True, kw_only=True)
class ShortAnswers(_MadeUpAnswers):
    """One year is asked for, and given as a gold answer."""

    name: ClassVar[str] = "search/short-answers-v1"

    def question(self, name: str, facts: Sequence[Fact], passages: tuple[str, ...]) -> NuggetQuestion:
        """The year of the first fact."""
        asked = facts[0]
        query, answers = f"In which year was the {asked.place} {asked.deed}?", (str(asked.year), f"In {asked.year}")
        return NuggetQuestion(id=name, query=query, answers=answers, passages=passages)


@dataclass(frozen=True, kw_only=True)
class AnswerFile(_Answering):
    """Questions with nuggets of your own: `train.jsonl` and `eval.jsonl` in a folder. Rows have `query`, `nuggets
    [text, importance, weight]` or gold `answers`, and perhaps `id, passages, reference`.
    """

    name: ClassVar[str] = "search/answer-file-v1"

    root: str = ""
    """The folder."""
    train: str = "train.jsonl"
    """The file of this split, in the folder; `eval` likewise."""
    eval: str = "eval.jsonl"
    """JSON lines or one JSON array, gzipped or not."""

    def __post_init__(self) -> None:
        file_in(self.root, self.train, self.name)

    def load(self, split: Split) -> Sequence[NuggetQuestion]:
        """Read a split's file."""
        path = file_in(self.root, self.train if split == "train" else self.eval, self.name)
        return tuple(questions_of(read_rows(path, "questions"), split))
