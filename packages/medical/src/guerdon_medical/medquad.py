"""MedQuAD: questions and answers of the NIH's sites, from the repository's XML folders or from rows made of them.

Some folders come without answers, for copyright; such pairs are left out. Split by document: the questions on one page
share its words. Source: abachaa/MedQuAD (CC BY 4.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import check_numbers, proper_share, whole_number
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon_medical.open_questions import OpenQuestion, OpenQuestionTask, deal_documents


@dataclass(frozen=True)
class QuestionAnswer:
    """One pair."""

    id: str
    source: str
    """The site: GARD, GHR, NINDS, ..."""
    document: str
    """The page; its source is part of the name."""
    url: str
    focus: str
    """What the page is about."""
    synonyms: tuple[str, ...]
    """Of the focus."""
    kind: str
    """Of question: information, symptoms, treatment, ..."""
    question: str
    answer: str
    """Empty where it is withheld."""


def read_medquad(path: str | Path) -> list[QuestionAnswer]:
    """All pairs with an answer, of a file of rows (JSON lines) or of a folder of XML files, of any depth.

    Raises:
        TaskError: no such path, broken XML or JSON, a field of another shape, or an id that stands twice.
    """
    source = Path(path).expanduser()
    if not source.exists():
        raise TaskError(f"MedQuAD: {str(source)!r} does not exist; a .jsonl file or a folder of XML files is needed")
    found: dict[str, QuestionAnswer] = {}
    for one in _of_folder(source) if source.is_dir() else _of_rows(source):
        if one.id in found:
            raise TaskError(f"MedQuAD: the id {one.id!r} stands twice in {str(source)!r}")
        found[one.id] = one
    return [one for one in found.values() if one.answer]


def _of_rows(path: Path) -> Iterator[QuestionAnswer]:
    for row in read_rows(path, "pairs of MedQuAD"):
        synonyms = row.fields.get("synonyms") or []
        if not isinstance(synonyms, list) or not all(isinstance(one, str) for one in synonyms):
            raise row.fault("synonyms", "a list of texts")
        yield QuestionAnswer(
            id=row.text("id"),
            source=row.text("source", optional=True),
            document=row.text("document"),
            url=row.text("url", optional=True),
            focus=row.text("focus", optional=True),
            synonyms=tuple(synonyms),
            kind=row.text("qtype", optional=True),
            question=row.text("question"),
            answer=row.text("answer", optional=True).strip(),
        )


def _of_folder(folder: Path) -> Iterator[QuestionAnswer]:
    for path in sorted(folder.rglob("*.xml")):
        place = str(path.relative_to(folder))
        try:
            document = ElementTree.fromstring(path.read_bytes())
        except ElementTree.ParseError as error:
            raise TaskError(f"MedQuAD: {place} is no XML: {error}") from error
        source, name = document.get("source") or path.parent.name, document.get("id") or path.stem
        focus = _text(document.find("Focus"))
        synonyms = tuple(filter(None, (_text(one) for one in document.iter("Synonym"))))
        for pair in document.iter("QAPair"):
            question, answer = pair.find("Question"), _text(pair.find("Answer"))
            if question is None or not _text(question):
                raise TaskError(f"MedQuAD: {place}: the pair {pair.get('pid')!r} has no question")
            asked = question.get("qid") or f"{name}-{pair.get('pid')}"
            yield QuestionAnswer(
                id=f"{source}-{asked}",
                source=source,
                document=f"{source}-{name}",
                url=document.get("url") or "",
                focus=focus,
                synonyms=synonyms,
                kind=question.get("qtype") or "",
                question=_text(question),
                answer=answer,
            )


def _text(element: ElementTree.Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


@dataclass(frozen=True, kw_only=True)
class MedQuAD(OpenQuestionTask):
    """Open questions on diseases. Answers are paragraphs: a judge compares them, and `max_chars` of the reward is null
    or large.
    """

    name: ClassVar[str] = "medical/medquad-v1"

    path: str = ""
    """A file of rows or a folder of XML files."""
    kinds: tuple[str, ...] = ()
    """Kinds of question; empty: all."""
    max_words: int | None = None
    """Pairs with longer answers are left out; null leaves out none."""
    eval_share: float = 0.25
    seed: int = 0
    """Of the split."""

    def __post_init__(self) -> None:
        check_numbers(self)
        object.__setattr__(self, "kinds", tuple(self.kinds))
        proper_share("eval_share", self.eval_share)
        if self.max_words is not None:
            whole_number(f"{self.name}.max_words", self.max_words, 1)
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; a .jsonl file or a folder of XML files is needed")

    def load(self, split: Split) -> Sequence[OpenQuestion]:
        """Read all pairs and take a split's, whole documents at a time."""
        found = [
            OpenQuestion(id=one.id, question=one.question, solution=f"<OTHER>{one.answer}", document=one.document)
            for one in read_medquad(self.path)
            if (not self.kinds or one.kind in self.kinds)
            and (self.max_words is None or len(one.answer.split()) <= self.max_words)
        ]
        return deal_documents(found, self.eval_share, self.seed)[split]
