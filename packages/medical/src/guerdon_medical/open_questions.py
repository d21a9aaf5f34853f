"""Open medical questions: what a row holds, how it is asked, made-up ones, and rows of a file.

Nothing here is medicine: the made-up questions follow rules of their own. For research and tests, not for clinical use.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, proper_share, whole_number
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.protocols import Split
from guerdon.types import Example, Image, Message, Prompt
from guerdon_medical.medix_answers import MODALITIES, solution_of

if TYPE_CHECKING:
    from guerdon.rewards import Reward

ASK = (
    "You are a medical assistant. Follow these four rules.\n"
    "1. First write the modality of the image as one tag: {tags}. Without an image it is <OTHER>.\n"
    "2. Then think between <thinking> and </thinking>.\n"
    "3. Then answer in a few words between <answer> and </answer>.\n"
    "4. Write nothing else.\n\n"
    "Question: {question}"
)
"""The authors' four demands, in other words."""


class OpenQuestion(Example):
    """A question with a free-text answer, perhaps about an image."""

    question: str
    solution: str
    """`<TAG>answer`, as in the authors' rows."""
    document: str = ""
    """What it was taken from; no two splits share one."""
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenQuestionTask(LoadedTask[OpenQuestion]):
    """Asks open questions; each split is loaded once."""

    def prompt(self, example: Example) -> Prompt:
        """The four demands and the question, after the images."""
        question = _own(example)
        tags = ", ".join(f"<{name}>" for name in MODALITIES)
        return Prompt((Message("user", ASK.format(tags=tags, question=question.question), question.images),))

    def reference(self, example: Example) -> str | None:
        """The tag, a thought and the answer, as asked; None where the row's solution has no tag."""
        solution = solution_of(_own(example).solution)
        if solution is None:
            return None
        return f"{solution.tag}<thinking>It is known.</thinking><answer>{solution.answer}</answer>"

    def metrics(self) -> Mapping[str, Reward]:
        """The whole reward and its parts, by the judge without a model: equal words alone."""
        from guerdon_medical.medix_rewards import MediX, only

        return {"medix-r1": MediX(), **{name: only(name) for name in ("judge", "format", "modality")}}


_FINDINGS: Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "X_RAY": (
        ("A chest film was taken.", "This is a radiograph of the chest."),
        (("a patchy opacity in the {side} lower zone", "{side} pneumonia"), ("a clear {side} rim of air without lung "
          "markings", "{side} pneumothorax"), ("a blunted {side} costophrenic angle", "{side} pleural effusion")),
    ),
    "CT_SCAN": (
        ("A CT of the abdomen was made.", "These are axial CT slices."),
        (("a stone in the {side} ureter", "{side} ureteric stone"), ("a fluid-filled cyst of the {side} kidney",
          "{side} renal cyst")),
    ),
    "MRI_SCAN": (
        ("An MRI of the knee was made.", "These are T2-weighted MR images."),
        (("a torn {side} medial meniscus", "{side} meniscal tear"), ("fluid around the {side} knee joint",
          "{side} knee effusion")),
    ),
    "ULTRASOUND": (
        ("An ultrasound was made.", "This is a sonogram."),
        (("a vein of the {side} leg that cannot be compressed", "{side} deep vein thrombosis"),),
    ),
    "FUNDUS_PHOTOGRAPHY": (
        ("The back of the eye was photographed.", "This is a fundus photograph."),
        (("swelling of the {side} optic disc", "{side} papilloedema"), ("microaneurysms of the {side} retina",
          "{side} diabetic retinopathy")),
    ),
    "OTHER": (
        ("No image was made.", "The patient tells by telephone."),
        (("pain that shoots down the {side} leg", "{side} sciatica"), ("a {side} wrist that tingles at night",
          "{side} carpal tunnel syndrome")),
    ),
}  # fmt: skip
"""Modality to how it is told, and findings with what they are called here."""


@dataclass(frozen=True, kw_only=True)
class OpenQuestions(OpenQuestionTask):
    """Made-up reports in words: a modality, a finding on one side, a name for it. Drawn from a seed, no download."""

    name: ClassVar[str] = "medical/open-questions-v1"

    seed: int = 0
    train_size: int = 400
    eval_size: int = 200

    def __post_init__(self) -> None:
        check_numbers(self)
        for field in ("train_size", "eval_size"):
            whole_number(f"{self.name}.{field}", getattr(self, field), 0)

    def load(self, split: Split) -> Sequence[OpenQuestion]:
        """Draw the questions of a split; each is a document by itself."""
        drawn = random.Random(f"open questions {self.seed} {split}")
        size = self.train_size if split == "train" else self.eval_size
        # Ages of one parity to each split: no question of one is word for word in the other.
        ages = range(18 if split == "train" else 19, 90, 2)
        return [self._question(drawn, f"{split}-{number}", ages) for number in range(size)]

    @staticmethod
    def _question(drawn: random.Random, id: str, ages: range) -> OpenQuestion:
        tag = drawn.choice(list(_FINDINGS))
        told, findings = _FINDINGS[tag]
        finding, named = drawn.choice(findings)
        side = drawn.choice(("left", "right"))
        age = drawn.choice(ages)
        seen = f"{drawn.choice(told)} The patient is {age} years old. There is {finding.format(side=side)}."
        return OpenQuestion(
            id=id,
            question=f"{seen} What is it called?",
            solution=f"<{tag}>{named.format(side=side)}",
            document=id,
        )


@dataclass(frozen=True, kw_only=True)
class OpenQuestionFile(OpenQuestionTask):
    """Rows of the authors' layout: `problem`, `solution` (`<TAG>answer`), perhaps `id`, `document`, `image` (paths)."""

    name: ClassVar[str] = "medical/open-question-file-v1"

    root: str = ""
    """The folder of both files; images are looked for in it."""
    train: str = "train.jsonl"
    eval: str = "eval.jsonl"

    def __post_init__(self) -> None:
        if not self.root:
            raise ConfigError(f"root of {self.name} is empty; the path of a folder is needed")

    def load(self, split: Split) -> Sequence[OpenQuestion]:
        """Read a split's file."""
        folder = Path(self.root).expanduser()
        path = folder / (self.train if split == "train" else self.eval)
        return [self._question(row, f"{split}-{number}", folder) for number, row in enumerate(read_rows(path, "rows"))]

    @staticmethod
    def _question(row: FileRow, default: str, folder: Path) -> OpenQuestion:
        images = row.fields.get("image") or []
        if not isinstance(images, list) or not all(isinstance(one, str) for one in images):
            raise row.fault("image", "a list of paths")
        solution = solution_of(row.text("solution").strip())
        if solution is None or not solution.answer:
            raise row.fault("solution", "<TAG>answer")
        return OpenQuestion(
            id=str(row.fields.get("id") or default),
            question=row.text("problem"),
            solution=row.text("solution").strip(),
            document=row.text("document", optional=True),
            images=tuple(Image(str(folder / one)) for one in images),
        )


def deal_documents(
    questions: Sequence[OpenQuestion], eval_share: float, seed: int
) -> dict[Split, tuple[OpenQuestion, ...]]:
    """Questions dealt out in whole documents, which are drawn in an order of `seed`: the first to evaluation, until it
    has its share of the questions.

    Args:
        questions: each with its document; one without is a document by itself.
        eval_share: in (0, 1).
        seed: of the order.

    Raises:
        ConfigError: the share is none.
    """
    proper_share("eval_share", eval_share)
    sizes = Counter(one.document or one.id for one in questions)
    order = sorted(sizes)
    random.Random(f"documents {seed}").shuffle(order)
    chosen: set[str] = set()
    wanted = eval_share * len(questions)
    dealt = 0
    for document in order:
        if dealt >= wanted:
            break
        chosen.add(document)
        dealt += sizes[document]
    held_out = [(one.document or one.id) in chosen for one in questions]
    return {
        "train": tuple(one for one, out in zip(questions, held_out, strict=True) if not out),
        "eval": tuple(one for one, out in zip(questions, held_out, strict=True) if out),
    }


def _own(example: Example) -> OpenQuestion:
    if not isinstance(example, OpenQuestion):
        raise TypeError(f"this task's examples are OpenQuestion, not {type(example).__name__} ({example.id!r})")
    return example
