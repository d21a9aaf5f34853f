"""Tasks of nuggets: to label them (`search/nuggets`), from files too, and to write answers that cover them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt
from guerdon_search.facts import Fact, How, World
from guerdon_search.label_formats import FORMATS, SEPARATED, Format, written
from guerdon_search.labels import Label
from guerdon_search.nugget_rows import blocks_of, questions_of
from guerdon_search.nuggets import Nugget, NuggetBlock, NuggetQuestion
from guerdon_search.quoting import quoted
from guerdon_search.search_tasks import MadeUp, SearchTask, at_least, file_in, wanted
from guerdon_search.verifier_prompts import Length, verifier_messages
from guerdon_search.verifier_scores import Reasoning

_LABEL: Mapping[How, Label] = {
    "stated": "support",
    "hedged": "partial_support",
    "incomplete": "partial_support",
    "contradicted": "not_support",
    "absent": "not_support",
}
_HOWS: Mapping[Label, tuple[How, ...]] = {
    "support": ("stated",),
    "partial_support": ("hedged", "incomplete"),
    "not_support": ("contradicted", "absent"),
}
_SEEN: Mapping[Label, str] = {
    "support": "stated",
    "partial_support": "in part or in doubt",
    "not_support": "not stated",
}


@dataclass(frozen=True, kw_only=True)
class _Labelling(SearchTask[NuggetBlock]):
    """Prompt, reference and metrics of labelling."""

    shapes: tuple[Format, ...] = FORMATS
    """In which the prompt may ask for the labels; each block draws one, so that none is learnt by heart."""
    reasoning: Reasoning = "asked"
    length: Length = "full"
    """Of the instructions: `full`, or `brief` for small models."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", tuple(self.shapes))
        for place, shape in enumerate(self.shapes):
            one_of(f"shapes[{place}]", shape, FORMATS)
        if not self.shapes:
            raise ConfigError(f"shapes is empty; one or more of {', '.join(FORMATS)} are needed")
        one_of("reasoning", self.reasoning, get_args(Reasoning))
        one_of("length", self.length, get_args(Length))

    def shape(self, count: int, random: Random) -> Format:
        """The shape to ask `count` labels in: for one alone, none that is seen by its separator, unless it must."""
        fitting = [shape for shape in self.shapes if count > 1 or shape not in SEPARATED]
        return random.choice(fitting or self.shapes)

    def prompt(self, example: Example) -> Prompt:
        """Rule, query, block, and the nuggets by number."""
        block = wanted(example, NuggetBlock)
        if block.messages:
            return Prompt(tuple(Message(role, text) for role, text in block.messages))  # type: ignore[arg-type]
        messages = verifier_messages(block.query, block.block, block.nuggets, block.shape, self.reasoning, self.length)
        return Prompt(tuple(Message(one["role"], one["content"]) for one in messages))  # type: ignore[arg-type]

    def reference(self, example: Example) -> str:
        """The true labels in the shape asked for, behind a line of reasoning for each where that is asked for."""
        block = wanted(example, NuggetBlock)
        labels = written(block.labels, block.shape)
        if self.reasoning == "optional":
            return labels
        lines = (f"{number}: {_SEEN[label]}." for number, label in enumerate(block.labels, 1))
        return f"<reasoning>{' '.join(lines)}</reasoning>\n{labels}"

    def metrics(self) -> Mapping[str, Reward]:
        """The verifier's reward, and what one word everywhere cannot raise."""
        from guerdon_search.nugget_rewards import ClassRecall, Verifier

        return {"verifier": Verifier(reasoning=self.reasoning), "class-recall": ClassRecall()}


@dataclass(frozen=True, kw_only=True)
class Nuggets(MadeUp[NuggetBlock], _Labelling):
    """Blocks of made-up facts: each nugget is stated, in part or in doubt, or absent or contradicted, a third each."""

    name: ClassVar[str] = "search/nuggets-v1"

    nuggets_min: int = 1
    nuggets_max: int = 5
    """Nuggets in a block, from `nuggets_min`; at most 8."""

    def __post_init__(self) -> None:
        MadeUp.__post_init__(self)
        _Labelling.__post_init__(self)
        at_least("nuggets_min", self.nuggets_min, 1)
        at_least("nuggets_max", self.nuggets_max, self.nuggets_min, 8)

    def load(self, split: Split) -> Sequence[NuggetBlock]:
        """Draw the blocks of a split."""
        world = World(split, Random(f"nuggets {self.seed} {split}"))
        return tuple(self._block(world, f"nuggets-{split}-{number}") for number in range(self.size(split)))

    def _block(self, world: World, name: str) -> NuggetBlock:
        random = world.random
        place = world.place()
        facts = world.facts(place, random.randint(self.nuggets_min, self.nuggets_max))
        hows = [random.choice(_HOWS[random.choice(tuple(_HOWS))]) for _ in facts]
        told = [sentence for fact, how in zip(facts, hows, strict=True) if (sentence := world.told(fact, how))]
        told.append(world.facts(world.place(), 1)[0].sentence)  # a fact that nobody asks about
        random.shuffle(told)
        return NuggetBlock(
            id=name,
            query=f"What is known of the {place}?",
            block=" ".join(told),
            nuggets=tuple(fact.sentence for fact in facts),
            labels=tuple(_LABEL[how] for how in hows),
            shape=self.shape(len(facts), random),
        )


@dataclass(frozen=True, kw_only=True)
class NuggetFile(_Labelling):
    """Search-Gen-V's rows, raw, for evaluation or for training: `train.jsonl` and `eval.jsonl` in a folder."""

    name: ClassVar[str] = "search/nugget-file-v1"

    root: str = ""
    """The folder."""
    train: str = "train.jsonl"
    eval: str = "eval.jsonl"
    batch_size: int = 10
    """A block with more nuggets becomes several examples."""
    seed: int = 0
    """Draws the shape of each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        file_in(self.root, self.train, self.name)
        at_least("batch_size", self.batch_size, 1)

    def load(self, split: Split) -> Sequence[NuggetBlock]:
        """Read a split's file, and cut its blocks into batches of nuggets."""
        path = file_in(self.root, self.train if split == "train" else self.eval, self.name)
        random = Random(f"nugget file {self.seed} {split}")
        found = []
        for block in blocks_of(read_rows(path, "nuggets"), split):
            if block.messages:
                found.append(block)
                continue
            for start in range(0, len(block.nuggets), self.batch_size):
                taken = slice(start, start + self.batch_size)
                labels = block.labels[taken]
                update = {
                    "id": block.id if len(block.nuggets) <= self.batch_size else f"{block.id}-from-{start}",
                    "nuggets": block.nuggets[taken],
                    "labels": labels,
                    "shape": self.shape(len(labels), random),
                }
                found.append(block.model_copy(update=update))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Answering(SearchTask[NuggetQuestion]):
    """Prompt and reference of answers."""

    def prompt(self, example: Example) -> Prompt:
        """The passages and the question; never the nuggets."""
        question = wanted(example, NuggetQuestion)
        shown = "\n".join(quoted(passage, "passage") for passage in question.passages)
        system = "Answer the question from the passages, with everything that bears on it and nothing else."
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
        at_least("facts_max", self.facts_max, 2, 8)

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
    """Questions with nuggets of your own: `train.jsonl` and `eval.jsonl` in a folder."""

    name: ClassVar[str] = "search/answer-file-v1"

    root: str = ""
    """The folder."""
    train: str = "train.jsonl"
    eval: str = "eval.jsonl"

    def __post_init__(self) -> None:
        file_in(self.root, self.train, self.name)

    def load(self, split: Split) -> Sequence[NuggetQuestion]:
        """Read a split's file."""
        path = file_in(self.root, self.train if split == "train" else self.eval, self.name)
        return tuple(questions_of(read_rows(path, "questions"), split))
