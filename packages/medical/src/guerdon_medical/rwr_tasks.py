r"""Tasks of Med-RwR: questions that are answered with a retriever at hand, made up or from rows of your own.

A turn ends with `<query>…</query>` (let generation stop there: `train.sampling.stop: ["</query>"]`) and is answered
with `<retrieve> (1) …\n(2) …\n(3) … </retrieve>`, in the next user turn of the chat; at most three turns, so that a
query in the third is not answered and cuts the trace. Documents are escaped, so that none opens or closes a tag. Where
there are cases with pictures, a query of fixed words shows the one most like the question's (`image_tools`).
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

from guerdon.environments import Search, Tags, ToolUse
from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.protocols import Encoder, Environment, Retriever, Split
from guerdon.retrieval import Corpus, Dense, Document, HashedEncoder
from guerdon.rewards import Reward
from guerdon.types import Example, Image, Message, Prompt
from guerdon_medical import rwr_world
from guerdon_medical.image_tools import ASKED, SearchOrCase
from guerdon_medical.rwr_scores import LETTERS, gold_of
from guerdon_medical.sight import JointEncoder
from guerdon_medical.similar_cases import SeenCase, SimilarCases

SYSTEM = (
    "You answer medical questions. {look}Think within <think> and </think>. Whenever you need knowledge, end your turn "
    "with a query within <query> and </query>: what is found comes back within <retrieve> and </retrieve>, and you go "
    "on thinking. Give the final answer within <answer> and </answer>, {how}.\n"
    "Either <think>...</think><answer>...</answer>, or <think>...</think><query>...</query>, then "
    "<retrieve>...</retrieve> is given, then <think>...</think><answer>...</answer>; you may query several times."
)
"""Re-written; the released text says as much [code]."""
SIMILAR = f'A query of the words "{ASKED}" shows the case whose picture is most like this one. '
BRIEF = (
    "Write <think>why</think><query>findings</query>, read what is retrieved, then <think>why</think><answer>letter "
    "and text of the option</answer>."
)
"""Of small models, which pay for every token."""


class RwrQuestion(Example):
    """A question, perhaps about pictures, perhaps with options."""

    question: str
    answer: str
    """ "B. hip fracture" where there are options; else a text."""
    options: tuple[str, ...] = ()
    """Texts, without their letters."""
    images: tuple[str, ...] = ()
    """Files."""
    drawn: tuple[str, ...] = ()
    """Findings of a made-up picture, drawn when it is shown (`guerdon_medical.rwr_world.picture`)."""
    told: tuple[str, ...] = ()
    """Findings that a made-up question tells."""
    gold_documents: tuple[str, ...] = ()
    """Ids of documents that hold the answer, where they are known: whether one was retrieved is reported."""
    own_documents: tuple[str, ...] = ()
    """Ids that are never shown: the case's own record, its own publication."""


def pictures_of(example: RwrQuestion) -> tuple[Image, ...]:
    """What the question shows; a made-up picture is drawn from the example's id."""
    drawn = (rwr_world.picture(example.drawn, _number(example.id)),) if example.drawn else ()
    return (*(Image(path) for path in example.images), *drawn)


def _number(name: str) -> int:
    import zlib

    return zlib.crc32(name.encode())


@dataclass(frozen=True)
class QueryTags(Tags):
    """`<query>` and `<retrieve>` as released: quotes and blanks around a query do not count, and a blank one calls
    nothing.
    """

    call: str = "query"
    answer: str = "retrieve"

    def called(self, text: str) -> str | None:
        """See `guerdon.environments.Tags`.

        >>> QueryTags().called('Hm. <query> "hip   pain" </query>')
        'hip pain'
        """
        query = super().called(text)
        return None if query is None else (" ".join(query.split()).strip("\"' ") or None)

    def answered(self, text: str) -> str:
        """An answer as the policy is shown it."""
        return f"<{self.answer}> {text} </{self.answer}>"


@dataclass(frozen=True, kw_only=True)
class _Asking(LoadedTask[RwrQuestion]):
    """Prompt, environment and metrics."""

    k: int = 3
    """Documents shown for a query."""
    turns: int = 3
    """The policy's; a query in the last is not answered. 1 leaves retrieval out."""

    def __post_init__(self) -> None:
        for name, value in (("k", self.k), ("turns", self.turns)):
            whole_number(name, value, 1)

    @property
    @abstractmethod
    def searched(self) -> Retriever:
        """Who is asked."""

    @property
    def similar(self) -> SimilarCases | None:
        """Cases with pictures, of which a query may be shown the nearest; None where there are none."""
        return None

    def prompt(self, example: Example) -> Prompt:
        """The instructions; the pictures, the question and its options."""
        one = _wanted(example)
        images = pictures_of(one)
        how = "the letter and the text of the option, as in <answer>B. the text</answer>" if one.options else "alone"
        look = "Look at the picture first. " if images else ""
        if images and self.turns > 1 and self.similar is not None:
            look += SIMILAR
        options = "".join(f"\n{letter}. {text}" for letter, text in zip(LETTERS, one.options, strict=False))
        return Prompt(
            (Message("system", SYSTEM.format(look=look, how=how)), Message("user", one.question + options, images))
        )

    def environment(self, example: Example) -> Environment | None:
        """Answers queries until a turn makes none; None where there is one turn."""
        if self.turns == 1:
            return None
        one = _wanted(example)
        search = Search(self.searched, self.k, QueryTags(), exclude_ids=frozenset(one.own_documents))
        cases = self.similar
        if cases is None or not (images := pictures_of(one)):
            return ToolUse((search,), self.turns - 1)
        hiding = replace(search, exclude_ids={one.id, *one.own_documents})
        return ToolUse((SearchOrCase(hiding, cases, images[0]),), self.turns - 1)

    def reference(self, example: Example) -> str | None:
        """An answer without retrieval, in the layout that is asked for and as long: for warm starts.

        It does not earn the top, which takes a query that the environment answers.
        """
        one = _wanted(example)
        gold = gold_of(one.answer, one.options)
        said = f"{gold.letter.upper()}. {gold.text}" if gold.letter else gold.answer
        return f"<think>{_THOUGHT.format(question=' '.join(one.question.split())[:400])}</think><answer>{said}</answer>"

    def metrics(self) -> Mapping[str, Reward]:
        """Share of right answers, of traces with a query, and of those that were shown a gold document."""
        from guerdon_medical.rwr_rewards import asked_something, right_answer, saw_gold

        return {"right": right_answer, "queried": asked_something, "gold-document": saw_gold}


_THOUGHT = (
    "The question is: {question} I go through what is told one by one, and hold each finding against every option. A "
    "finding that an option does not explain speaks against it, and one that only it explains speaks for it. Common "
    "causes come before rare ones, and a single cause for everything comes before several. Where two options remain, I "
    "ask which of them would be without any of the findings that are told. What is not told I do not assume. Having "
    "held all of the options against all of the findings, one option is left that explains every one of them, and I "
    "find nothing that speaks against it."
)


@dataclass(frozen=True, kw_only=True)
class RwrQuestions(_Asking):
    """Made-up multiple choice over the made-up diseases: which of four has these findings?

    The two splits share no disease, and the knowledge base has all: an answer to a held-out question has to be looked
    up.
    """

    name: ClassVar[str] = "medical/rwr-questions-v1"

    seed: int = 0
    """Of the diseases and of the questions."""
    train_size: int = 400
    eval_size: int = 100
    length: Literal["full", "brief"] = "full"
    """`brief` is for small models: few instructions, and references that query. They are far shorter than the reward's
    `length` part asks for: leave that out (`counted`)."""
    pictures: bool = False
    """Whether the findings are seen in a picture, and not told."""
    cases: int = 0
    """Seen cases of each of all 60 diseases, whose pictures can be looked for; 3 in the claim. They need `pictures`."""
    retriever: Retriever | None = None
    """Who is asked; by default the made-up passages by hashed words, which needs no package."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("train_size", "eval_size", "cases"):
            whole_number(name, getattr(self, name), 0)
        one_of("length", self.length, ("full", "brief"))
        if self.length == "brief" and (self.pictures or self.turns == 1):
            raise ConfigError(
                "length is 'brief', whose references query with the findings told: no pictures, turns > 1"
            )
        if self.cases and not self.pictures:
            raise ConfigError(f"cases is {self.cases} and pictures is false; a similar case is looked for by a picture")

    @cached_property
    def searched(self) -> Retriever:
        """Who is asked."""
        return self.retriever or Dense(rwr_world.knowledge(self.seed), HashedEncoder(1024))

    @cached_property
    def similar(self) -> SimilarCases | None:
        """The cases of all diseases, by `rwr_world.MadeSight`."""
        if not self.cases:
            return None
        return SimilarCases(rwr_world.seen_cases(self.seed, self.cases), rwr_world.MadeSight())

    def prompt(self, example: Example) -> Prompt:
        """As the base's; brief ones have few instructions."""
        found = super().prompt(example)
        return found if self.length == "full" else Prompt((Message("system", BRIEF), *found.messages[1:]))

    def reference(self, example: Example) -> str | None:
        """As the base's; a brief one queries with the findings, and earns the top."""
        if self.length == "full":
            return super().reference(example)
        one = _wanted(example)
        return (
            f"<think>I look it up.</think><query>{' '.join(one.told)}</query>"
            f"<think>A document has all of these.</think><answer>{one.answer}</answer>"
        )

    def load(self, split: Split) -> Sequence[RwrQuestion]:
        """Draw a split's questions."""
        random = Random(f"rwr questions {self.seed} {split}")
        known = rwr_world.of_split(self.seed, split)
        size = self.train_size if split == "train" else self.eval_size
        return tuple(self._drawn(random, known, f"rwr-{split}-{self.seed}-{number}") for number in range(size))

    def _drawn(self, random: Random, known: Sequence[rwr_world.MadeDisease], name: str) -> RwrQuestion:
        options = random.sample(known, 4)
        place = random.randrange(4)
        gold = options[place]
        findings = random.sample(gold.findings, 3)
        told = "shows the findings in the picture" if self.pictures else f"has {', '.join(findings)}"
        return RwrQuestion(
            id=name,
            question=f"A patient {told}. Which disease is it?",
            options=tuple(one.name for one in options),
            answer=f"{LETTERS[place]}. {gold.name}",
            drawn=tuple(findings) if self.pictures else (),
            told=() if self.pictures else tuple(findings),
            gold_documents=(gold.name, *(rwr_world.case_id(gold, number) for number in range(self.cases))),
        )


@dataclass(frozen=True, kw_only=True)
class RwrFile(_Asking):
    """Questions of your own: rows with `question`, `answer` (of options one, by its letter or its text), and perhaps
    `id`, `options` (a list of texts), `images` (a list of files, beside the rows), `gold_documents` and `own_documents`
    (lists of ids).
    """

    name: ClassVar[str] = "medical/rwr-file-v1"

    train: str = ""
    """A file of JSON lines."""
    eval: str = ""
    """Another; split by publication or patient, never by row."""
    retriever: Retriever | None = None
    """Who is asked; or name `knowledge`."""
    knowledge: str = ""
    """A text file of one passage a line, as released, searched by hashed words: for dry runs."""
    cases: str = ""
    """A file of JSON lines with `id`, `image` (a file, beside the rows), `text`, and perhaps `source` (a patient, a
    publication): cases whose pictures can be looked for. A question's `own_documents` may name ids and sources."""
    sight: Encoder | None = None
    """Who compares pictures; needed where there are cases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.train or not self.eval:
            raise ConfigError(f"train is {self.train!r} and eval {self.eval!r}; two files of JSON lines are needed")
        if self.turns > 1 and (self.retriever is None) == (not self.knowledge):
            raise ConfigError("name one of retriever and knowledge: who is asked, or a text file of passages")
        if self.cases and not isinstance(self.sight, JointEncoder):
            raise ConfigError(f"cases is {self.cases!r} and sight is {self.sight!r}; an encoder that sees is needed")

    @cached_property
    def searched(self) -> Retriever:
        """Who is asked."""
        return self.retriever or Dense(passages_of(self.knowledge), HashedEncoder(1024))

    @cached_property
    def similar(self) -> SimilarCases | None:
        """The cases of the file."""
        if not self.cases:
            return None
        assert isinstance(self.sight, JointEncoder)
        path = Path(self.cases).expanduser()
        return SimilarCases(tuple(_case(row, path.parent) for row in read_rows(path, "cases")), self.sight)

    def load(self, split: Split) -> Sequence[RwrQuestion]:
        """Read a split's file."""
        path = Path(self.train if split == "train" else self.eval).expanduser()
        return tuple(
            _question(row, path.parent, f"{split}-{number}") for number, row in enumerate(read_rows(path, "questions"))
        )


def passages_of(path: str | Path) -> Corpus:
    """A knowledge base of one passage a line; digits at its start are stripped, as released. Ids are line numbers.

    Raises:
        ConfigError: no such file, or no passage in it.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"knowledge is {str(path)!r}, which cannot be read: {error}") from error
    stripped = ((number, re.sub(r"^\s*\d+", "", line).strip()) for number, line in enumerate(lines, 1))
    return Corpus(tuple(Document(str(number), text) for number, text in stripped if text))


def _case(row: FileRow, folder: Path) -> SeenCase:
    image = folder / row.text("image")
    if not image.is_file():
        raise row.fault("image", "a file beside the rows")
    source = row.text("source") if row.fields.get("source") is not None else ""
    return SeenCase(row.text("id"), Image(str(image)), row.text("text"), source)


def _question(row: FileRow, folder: Path, default: str) -> RwrQuestion:
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("options", "images", "gold_documents", "own_documents"):
        value = row.fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise row.fault(name, "a list of texts")
        lists[name] = tuple(value)
    if len(lists["options"]) > len(LETTERS):
        raise row.fault("options", f"at most {len(LETTERS)} texts")
    lists["images"] = tuple(str(folder / one) for one in lists["images"])
    answer = row.text("answer")
    letters = LETTERS[: len(lists["options"])].lower()
    if letters and gold_of(answer, lists["options"]).letter not in set(letters):
        raise row.fault("answer", "one of the options, by its letter or its text,")
    given = row.fields.get("id")
    name = default if given is None else str(given)
    return RwrQuestion(id=name, question=row.text("question"), answer=answer, **lists)


def _wanted(example: Example) -> RwrQuestion:
    if not isinstance(example, RwrQuestion):
        raise TypeError(f"this task's examples are RwrQuestion, not {type(example).__name__} ({example.id!r})")
    return example
