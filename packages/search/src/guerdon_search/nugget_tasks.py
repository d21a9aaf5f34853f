"""Tasks of a nugget verifier: to label the nuggets of a block, made up or from Search-Gen-V's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt
from guerdon_search.facts import How, World
from guerdon_search.label_formats import FORMATS, SEPARATED, Format, written
from guerdon_search.labels import Label
from guerdon_search.nugget_rows import blocks_of
from guerdon_search.nuggets import NuggetBlock
from guerdon_search.search_tasks import MadeUp, file_in, wanted
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
class _Labelling(LoadedTask[NuggetBlock]):
    """Prompt, reference and metrics of labelling."""

    shapes: tuple[Format, ...] = FORMATS
    """In which the prompt may ask for the labels; each block draws one, so that none is learnt by heart."""
    reasoning: Reasoning = "asked"
    """Whether the prompt asks for `<reasoning>` before the labels; the reward's option of this name goes with it."""
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
    """At least 1."""
    nuggets_max: int = 5
    """Nuggets in a block, from `nuggets_min`; at most 8."""

    def __post_init__(self) -> None:
        MadeUp.__post_init__(self)
        _Labelling.__post_init__(self)
        whole_number("nuggets_min", self.nuggets_min, 1)
        whole_number("nuggets_max", self.nuggets_max, self.nuggets_min, 8)

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
    """The file of this split, in the folder; `eval` likewise."""
    eval: str = "eval.jsonl"
    """JSON lines or one JSON array, gzipped or not."""
    batch_size: int = 10
    """A block with more nuggets becomes several examples."""
    seed: int = 0
    """Draws the shape of each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        file_in(self.root, self.train, self.name)
        whole_number("batch_size", self.batch_size, 1)

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
