"""PubMedQA: questions on abstracts, answered yes, no or maybe, in the layout of its own repository.

`ori_pqal.json` (labelled), `ori_pqaa.json` (artificial) and `ori_pqau.json` (without decisions): one object of PubMed
id to `QUESTION`, `CONTEXTS`, `LABELS`, `MESHES`, `YEAR`, `final_decision`, `LONG_ANSWER`. Source: pubmedqa/
pubmedqa (MIT). One abstract has one question, so that a split by abstract is one by question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import check_numbers, one_of, proper_share
from guerdon.protocols import Split
from guerdon_medical.open_questions import OpenQuestion, OpenQuestionTask, deal_documents

Decision = Literal["yes", "no", "maybe"]
Answers = Literal["decision", "long"]


@dataclass(frozen=True)
class Abstract:
    """One row."""

    id: str
    """The PubMed id."""
    question: str
    contexts: tuple[str, ...]
    """The abstract's paragraphs without its conclusion."""
    labels: tuple[str, ...]
    """Of each paragraph: BACKGROUND, RESULTS, ...; may be empty."""
    meshes: tuple[str, ...]
    year: str
    """Empty where it is not given."""
    decision: Decision | None
    """None in the file without answers."""
    long_answer: str
    """The conclusion."""


def read_pubmedqa(path: str | Path) -> list[Abstract]:
    """All rows of a file, in its order.

    Raises:
        TaskError: no such file, not JSON, or a field of another shape; it names the row.
    """
    source = Path(path).expanduser()
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TaskError(f"PubMedQA: cannot read {str(source)!r}: {error}") from error
    if not isinstance(found, dict):
        raise TaskError(f"PubMedQA: {source.name} holds {type(found).__name__}; an object of ids to rows is needed")
    return [_abstract(id, row, f"{source.name}, row {id}") for id, row in found.items()]


def _abstract(id: str, row: Any, place: str) -> Abstract:
    try:
        decision = row.get("final_decision")
        if decision is not None and decision not in get_args(Decision):
            raise ValueError(f"final_decision is {decision!r}; accepted are yes, no, maybe")
        return Abstract(
            id=id,
            question=_text(row["QUESTION"]),
            contexts=_texts(row["CONTEXTS"]),
            labels=_texts(row.get("LABELS") or ()),
            meshes=_texts(row.get("MESHES") or ()),
            year=str(row.get("YEAR") or ""),
            decision=decision,
            long_answer=_text(row.get("LONG_ANSWER") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TaskError(f"PubMedQA: {place} is no row: {error!r}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {value!r:.80}")
    return value.strip()


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"a list of texts is needed, not {value!r:.80}")
    return tuple(_text(one) for one in value)


_ASKED: Mapping[Answers, str] = {
    "decision": "Answer yes, no or maybe.",
    "long": "Answer in a sentence or two.",
}


@dataclass(frozen=True, kw_only=True)
class PubMedQA(OpenQuestionTask):
    """Answer a question from an abstract without its conclusion. Rows without the answer asked for are left out."""

    name: ClassVar[str] = "medical/pubmedqa-v1"

    path: str = ""
    """The file, as `ori_pqal.json`."""
    answers: Answers = "decision"
    """`long`: the conclusion, to be judged; give the reward `max_chars: null`, since many are longer than its limit."""
    contexts: bool = True
    """Whether the abstract is shown."""
    eval_share: float = 0.25
    seed: int = 0
    """Of the split."""

    def __post_init__(self) -> None:
        check_numbers(self)
        one_of(f"{self.name}.answers", self.answers, get_args(Answers))
        proper_share("eval_share", self.eval_share)
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of ori_pqal.json, or of its like, is needed")

    def load(self, split: Split) -> Sequence[OpenQuestion]:
        """Read the file and take a split's questions."""
        found = [self._question(one) for one in read_pubmedqa(self.path) if self._answer(one)]
        return deal_documents(found, self.eval_share, self.seed)[split]

    def _answer(self, one: Abstract) -> str:
        return one.long_answer if self.answers == "long" else one.decision or ""

    def _question(self, one: Abstract) -> OpenQuestion:
        told = "\n".join(one.contexts) + "\n\n" if self.contexts else ""
        asked = f"{told}{one.question} {_ASKED[self.answers]}"
        return OpenQuestion(id=one.id, question=asked, solution=f"<OTHER>{self._answer(one)}", document=one.id)
