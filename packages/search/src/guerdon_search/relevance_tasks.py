"""Tasks of relevance: pairs of a query's good document and a bad one, made up or from a BEIR folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, proper_share, whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.protocols import Hit, Split
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt
from guerdon_search.documents import JudgedDocument
from guerdon_search.facts import World
from guerdon_search.relevance_prompts import DEFAULT, Length, relevance_messages
from guerdon_search.search_tasks import MadeUp, file_in, wanted


@dataclass(frozen=True, kw_only=True)
class _Judging(LoadedTask[JudgedDocument]):
    """Prompt, reference and metrics of scoring."""

    length: Length = "full"
    """Of the rubric: `full`, or `brief` for small models."""
    good: int = 95
    """What the reference scores a relevant document."""
    bad: int = 5
    """What it scores another; the middles of bands would do as well."""

    def __post_init__(self) -> None:
        one_of("length", self.length, get_args(Length))
        whole_number("bad", self.bad, 0, 100)
        whole_number("good", self.good, 0, 100)
        if self.bad >= self.good:
            raise ConfigError(f"bad is {self.bad} and good {self.good}; bad < good is needed")

    def unit(self, example: Example) -> str:
        """The pair: the reward compares its documents."""
        return wanted(example, JudgedDocument).pair

    def prompt(self, example: Example) -> Prompt:
        """The rubric, the query, the document."""
        one = wanted(example, JudgedDocument)
        messages = relevance_messages(
            one.query, one.text, one.title, one.definition, one.query_type, one.document_type, self.length
        )
        return Prompt(tuple(Message(each["role"], each["content"]) for each in messages))  # type: ignore[arg-type]

    def reference(self, example: Example) -> str:
        """A sentence and the score, for warm starts. (The paper's own traces are a teacher's.)"""
        one = wanted(example, JudgedDocument)
        score = f"<score>{self.good if one.relevant else self.bad}</score>"
        if self.length == "brief":
            return score
        said = "answers the query" if one.relevant else "does not answer the query"
        return f"The {one.document_type} {said}. {score}"

    def metrics(self) -> Mapping[str, Reward]:
        """How often the relevant one is above, and calibration, in all and by label."""
        from guerdon_search.relevance_rewards import PairOrder, RelevanceCalibration

        return {
            "pair-order": PairOrder(),
            "calibration": RelevanceCalibration(),
            "calibration-relevant": RelevanceCalibration("relevant"),
            "calibration-irrelevant": RelevanceCalibration("irrelevant"),
        }


@dataclass(frozen=True, kw_only=True)
class Relevance(MadeUp[JudgedDocument], _Judging):
    """Made-up pairs: a passage that answers, and one about the same place or the same deed that does not.

    Sizes count documents, two for each query, next to one another.
    """

    name: ClassVar[str] = "search/relevance-v1"

    def __post_init__(self) -> None:
        MadeUp.__post_init__(self)
        _Judging.__post_init__(self)
        for field in ("train_size", "eval_size"):
            if getattr(self, field) % 2:
                raise ConfigError(f"{field} is {getattr(self, field)}; an even number is needed, two for each query")

    def load(self, split: Split) -> Sequence[JudgedDocument]:
        """Draw the pairs of a split."""
        world = World(split, Random(f"relevance {self.seed} {split}"))
        pairs = (self._pair(world, f"relevance-{split}-{number}") for number in range(self.size(split) // 2))
        return tuple(one for pair in pairs for one in pair)

    @staticmethod
    def _pair(world: World, name: str) -> tuple[JudgedDocument, JudgedDocument]:
        random = world.random
        place = world.place()
        fact, *rest = world.facts(place, 3)
        distractor = world.facts(world.place(), 1)[0].sentence
        good = [world.told(fact, "stated"), distractor]
        if random.random() < 0.5:
            bad = [rest[0].sentence, rest[1].sentence]
        else:
            bad = [replace(fact, place=world.place(), who=world.name()).sentence, rest[0].sentence]
        random.shuffle(good)
        random.shuffle(bad)
        return (
            JudgedDocument(id=f"{name}-good", query=fact.question, text=" ".join(good), relevant=True, pair=name),
            JudgedDocument(id=f"{name}-bad", query=fact.question, text=" ".join(bad), relevant=False, pair=name),
        )


@dataclass(frozen=True, kw_only=True)
class BeirPairs(_Judging):
    """Pairs from a BEIR folder: a document judged relevant, and the best one of BM25 that is not. Needs bm25s.

    Queries are dealt out to the splits by a seed; the folder's own split names which judgments are read.
    """

    name: ClassVar[str] = "search/beir-pairs-v1"

    root: str = ""
    """The folder."""
    qrels: str = "test"
    """Which judgments: `qrels/test.tsv`."""
    least_gain: float = 1.0
    """From which a judgment makes a document relevant."""
    eval_share: float = 0.25
    """Of the queries."""
    skip: int = 0
    """Pass over so many of BM25's best: the nearest are often relevant and not judged."""
    max_words: int = 200
    """Documents are cut behind so many words."""
    definition: str = DEFAULT
    """When a document is relevant; `guerdon_search.relevance_prompts.DEFINITIONS` has those of BRIGHT's kinds."""
    seed: int = 0
    """Of the dealing out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        file_in(self.root, "corpus.jsonl", self.name)
        whole_number("skip", self.skip, 0)
        if not 0.0 < self.least_gain < math.inf:
            raise ConfigError(f"least_gain is {self.least_gain!r}; a finite number above 0 is needed")
        whole_number("max_words", self.max_words, 1)
        proper_share("eval_share", self.eval_share)

    def load(self, split: Split) -> Sequence[JudgedDocument]:
        """Both documents of each query of the split; queries without either are left out."""
        from guerdon.retrieval import BM25
        from guerdon_search.collection_files import read_beir

        found = read_beir(file_in(self.root, "", self.name), self.qrels)
        names = sorted(found.queries)
        Random(f"beir {self.seed}").shuffle(names)
        held_out = set(names[: max(1, round(self.eval_share * len(names)))])
        chosen = [name for name in names if (name in held_out) == (split == "eval")]
        ranked = BM25(found.corpus).search([found.queries[name] for name in chosen], 20 + self.skip)
        documents = {document.id: document for document in found.corpus.documents}
        pairs: list[JudgedDocument] = []
        for name, hits in zip(chosen, ranked, strict=True):
            gains: Mapping[str, float] = found.judgments[name]
            relevant = [one for one, gain in gains.items() if gain >= self.least_gain and one in documents]
            good = max(relevant, key=lambda one: gains[one], default=None)
            bad = next((hit for hit in hits[self.skip :] if gains.get(hit.id, 0.0) < self.least_gain), None)
            if good is not None and bad is not None:
                pairs += [
                    self._document(name, found.queries[name], documents[good].hit(0.0), True),
                    self._document(name, found.queries[name], bad, False),
                ]
        if not pairs:
            raise TaskError(f"no query of {self.root!r} has both a relevant document and another among BM25's best")
        return tuple(pairs)

    def _document(self, name: str, query: str, hit: Hit, relevant: bool) -> JudgedDocument:
        words = hit.text.split()
        return JudgedDocument(
            id=f"{name}-{hit.id}",
            query=query,
            title=hit.title,
            text=" ".join(words[: self.max_words]),
            relevant=relevant,
            pair=name,
            definition=self.definition,
        )
