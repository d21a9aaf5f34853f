"""A made world for R1-Router: invented diseases, germs, drugs, animals and plants, and what three bases know of them.

Ten relations, each told by one base alone: passages of text, rows of tables, captions of images. A question follows a
chain of two or three of them, so that its first look-ups give what the last one asks about. Everything is invented and
drawn from a seed; the two splits share no name.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.protocols import Retriever, Split
from guerdon.retrieval import Corpus, Dense, Document, HashedEncoder, Router
from guerdon_medical.router_steps import BASES, RouterQuestion

TEXT, IMAGE, TABLE = BASES


@dataclass(frozen=True)
class Relation:
    """Something that one base knows of things of one kind."""

    of: str
    gives: str
    """A kind of thing, or a quality: `number`, `colour`, `shape`."""
    base: str
    asks: str
    tells: str
    phrase: str = ""
    """How what it gives is called in a question; relations that end a chain have none."""


RELATIONS: Mapping[str, Relation] = {
    "germ": Relation("disease", "germ", TEXT, "Which germ causes {x}?", "{x} is caused by {y}.", "the germ behind {x}"),
    "drug": Relation("disease", "drug", TEXT, "Which drug treats {x}?", "{x} is treated with {y}.", "the drug for {x}"),
    "carrier": Relation(
        "germ", "animal", TEXT, "Which animal carries {x}?", "{x} is carried by the {y}.", "the animal that carries {x}"
    ),
    "source": Relation(
        "drug", "plant", TEXT, "Which plant is {x} made from?", "{x} is made from {y}.", "the plant that gives {x}"
    ),
    "dose": Relation("drug", "number", TABLE, "How many mg are a dose of {x}?", "drug {x} | dose in mg {y}"),
    "litter": Relation("animal", "number", TABLE, "How many young has {x} a year?", "animal {x} | young a year {y}"),
    "cases": Relation("germ", "number", TABLE, "How many cases of {x} were counted?", "germ {x} | cases counted {y}"),
    "stain": Relation("germ", "colour", IMAGE, "What colour is {x} in the slide?", "Slide of {x}, stained {y}."),
    "coat": Relation("animal", "colour", IMAGE, "What colour is the coat of {x}?", "Photograph of {x}: a {y} coat."),
    "leaf": Relation("plant", "shape", IMAGE, "What shape is the leaf of {x}?", "Drawing of {x}: a {y} leaf."),
}
CHAINS: tuple[tuple[str, ...], ...] = (
    ("germ", "carrier"),
    ("germ", "cases"),
    ("germ", "stain"),
    ("drug", "source"),
    ("drug", "dose"),
    ("germ", "carrier", "litter"),
    ("germ", "carrier", "coat"),
    ("drug", "source", "leaf"),
)
_ENDINGS = {"disease": "osis", "germ": "coccus", "drug": "mycin", "animal": " vole", "plant": "wort"}
_COLOURS = ("red", "blue", "green", "grey", "violet", "yellow", "brown", "white")
_SHAPES = ("round", "oval", "lobed", "needle-like", "heart-shaped", "toothed")
_ONSETS, _VOWELS, _CODAS = tuple("bdfgklmnprstvz"), tuple("aeiou"), tuple("lnrsx")


@dataclass(frozen=True)
class Hop:
    """One look-up of a chain."""

    query: str
    base: str
    answer: str


@dataclass(frozen=True)
class Chain:
    """A question and the look-ups that answer it."""

    question: RouterQuestion
    hops: tuple[Hop, ...]


@dataclass(frozen=True)
class World:
    """One split's: questions, and the bases that answer them."""

    split: Split
    size: int
    """Questions, >= 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("World.size", self.size, 1)

    @cached_property
    def facts(self) -> dict[tuple[str, str], str]:
        """What each relation gives of each thing."""
        random = Random(f"router {self.seed} {self.split}")
        count = max(4, -(-self.size // 4))
        stems = self._stems(random, count * len(_ENDINGS))
        things = {kind: [next(stems).capitalize() + ending for _ in range(count)] for kind, ending in _ENDINGS.items()}
        found: dict[tuple[str, str], str] = {}
        for name, relation in RELATIONS.items():
            given = list(things.get(relation.gives, ()))
            random.shuffle(given)
            for place, thing in enumerate(things[relation.of]):
                found[name, thing] = given[place] if given else _quality(relation.gives, random)
        return found

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """As many as asked for, each of another disease or another chain of relations."""
        random = Random(f"router questions {self.seed} {self.split}")
        diseases = [thing for name, thing in self.facts if name == "germ"]
        pairs = list(itertools.product(diseases, CHAINS))
        random.shuffle(pairs)
        return tuple(self._chain(number, *pair) for number, pair in enumerate(pairs[: self.size]))

    @cached_property
    def corpora(self) -> dict[str, Corpus]:
        """The documents of each base."""
        told: dict[str, list[Document]] = {base: [] for base in BASES}
        for (name, thing), given in self.facts.items():
            relation = RELATIONS[name]
            text = relation.tells.format(x=thing, y=given)
            told[relation.base].append(Document(f"{name}:{thing}", text))
        return {base: Corpus(documents) for base, documents in told.items()}

    @cached_property
    def retriever(self) -> Retriever:
        """All bases behind their names; by hashed words, so no model is needed."""
        encoder = HashedEncoder(512)
        return Router({base: Dense(corpus, encoder) for base, corpus in self.corpora.items()})

    def _chain(self, number: int, disease: str, names: Sequence[str]) -> Chain:
        hops: list[Hop] = []
        thing, told = disease, disease
        for name in names:
            relation = RELATIONS[name]
            hops.append(Hop(relation.asks.format(x=thing), relation.base, self.facts[name, thing]))
            last = relation.asks.format(x=told)
            thing, told = self.facts[name, thing], relation.phrase.format(x=told)
        question = RouterQuestion(id=f"router-{self.split}-{number}", question=last, answers=(thing,), needed=len(hops))
        return Chain(question, tuple(hops))

    def _stems(self, random: Random, count: int) -> itertools.chain[str]:
        """Distinct names of five letters and more; of those that could be drawn, each split has its own half."""
        syllables = ["".join(parts) for parts in itertools.product(_ONSETS, _VOWELS)]
        ends = ["".join(parts) for parts in itertools.product(_ONSETS, _VOWELS, _CODAS)]
        mine = [end for place, end in enumerate(ends) if (place % 2 == 0) == (self.split == "train")]
        if count > len(syllables) * len(mine):
            raise ConfigError(f"a world of {self.size} questions needs {count} names, and there are not so many")
        drawn = random.sample(range(len(syllables) * len(mine)), count)
        return itertools.chain(syllables[one // len(mine)] + mine[one % len(mine)] for one in drawn)


def _quality(kind: str, random: Random) -> str:
    if kind == "number":
        return str(random.randint(11, 998))
    return random.choice(_COLOURS if kind == "colour" else _SHAPES)
