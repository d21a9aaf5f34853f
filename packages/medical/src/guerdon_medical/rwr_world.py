"""A made-up branch of medicine: 60 diseases of three findings each, passages about them, and pictures of findings.

Names are syllables, so that no model knows them: what is not looked up can only be guessed, or learnt by heart. The two
splits share no disease. Nothing here is of use to a patient.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from guerdon.parsing.images import opened
from guerdon.protocols import Split
from guerdon.retrieval import Corpus, Document
from guerdon.types import Image
from guerdon_medical.entities import Phrases, words_of
from guerdon_medical.similar_cases import SeenCase

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FINDINGS = (
    *("fever", "cough", "rash", "headache", "nausea", "vertigo", "jaundice", "fatigue"),
    *("tremor", "wheeze", "pallor", "dizziness", "edema", "cramp", "hiccup", "insomnia"),
    *("numbness", "anemia", "blister", "chills", "thirst", "stiffness", "swelling", "weakness"),
)
"""24, of one word each; the picture's cells are in this order."""
_FIRST = ("Ar", "Bel", "Cor", "Dal", "Fen", "Gor", "Hal", "Kel", "Lor", "Mar", "Nor", "Os")
_SECOND = ("lovik", "dunter", "mira", "naric", "stad")
NAMES = tuple(f"{first}{second} syndrome" for second in _SECOND for first in _FIRST)
"""60; every third one is of the `eval` split."""
_COLUMNS, _CELL, _GREY, _BRIGHT = 6, 8, 96, 150


@dataclass(frozen=True, slots=True)
class MadeDisease:
    """One disease."""

    name: str
    findings: tuple[str, str, str]

    @property
    def passage(self) -> str:
        """What the knowledge base says of it."""
        first, second, third = self.findings
        return f"Patients with {self.name} have {first}, {second} and {third}. It is treated at rest."


@functools.lru_cache(maxsize=8)
def diseases(seed: int) -> tuple[MadeDisease, ...]:
    """All 60, in the order of `NAMES`; no two have the same findings."""
    random = Random(f"made diseases {seed}")
    taken: set[frozenset[str]] = set()
    found: list[MadeDisease] = []
    while len(found) < len(NAMES):
        first, second, third = random.sample(FINDINGS, 3)
        if frozenset((first, second, third)) not in taken:
            taken.add(frozenset((first, second, third)))
            found.append(MadeDisease(NAMES[len(found)], (first, second, third)))
    return tuple(found)


def of_split(seed: int, split: Split) -> tuple[MadeDisease, ...]:
    """Those that a split asks about: 40 to learn from, 20 held out."""
    return tuple(one for place, one in enumerate(diseases(seed)) if (place % 3 == 2) == (split == "eval"))


@functools.lru_cache(maxsize=8)
def knowledge(seed: int) -> Corpus:
    """A passage for each of all 60; a document's id is the disease's name."""
    return Corpus(tuple(Document(one.name, one.passage) for one in diseases(seed)))


def case_id(disease: MadeDisease, number: int) -> str:
    """Of one of its seen cases."""
    return f"{disease.name}, case {number + 1}"


@functools.lru_cache(maxsize=8)
def seen_cases(seed: int, count: int) -> tuple[SeenCase, ...]:
    """So many of each of all 60, each a source by itself: a picture of the disease's findings, and what was said."""
    return tuple(
        SeenCase(
            name := case_id(one, number),
            picture(one.findings, zlib.crc32(f"{seed} {name}".encode())),
            f"A case of {one.name}: {', '.join(one.findings)}.",
        )
        for one in diseases(seed)
        for number in range(count)
    )


@functools.lru_cache(maxsize=1)
def vocabulary() -> Phrases:
    """The findings and the names of diseases: what is an entity here, whatever the seed."""
    return Phrases((*FINDINGS, *NAMES))


def picture(findings: Sequence[str], seed: int) -> Image:
    """A grey PNG of 48 x 32 pixels: a cell of 8 x 8 for each finding, bright where it is one of these, and noise."""
    random = Random(f"picture {seed} {' '.join(sorted(findings))}")
    shown = {FINDINGS.index(one) for one in findings}
    rows = len(FINDINGS) // _COLUMNS
    lines = bytearray()
    for y in range(rows * _CELL):
        lines.append(0)  # no filter
        for x in range(_COLUMNS * _CELL):
            cell = (y // _CELL) * _COLUMNS + x // _CELL
            lines.append(max(0, min(255, round(random.gauss(_GREY + (_BRIGHT - _GREY) * (cell in shown), 25)))))
    header = struct.pack(">IIBBBBB", _COLUMNS * _CELL, rows * _CELL, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return Image(data=b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@dataclass(frozen=True)
class MadeSight:
    """A `guerdon_medical.sight.JointEncoder` of these pictures: one dimension a finding, from the cells' brightness, or
    from the words of a text. It stands for a biomedical CLIP in tests and dry runs.
    """

    @property
    def name(self) -> str:
        """Its name."""
        return "made-sight"

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        """See `guerdon.protocols.Encoder`: how often each finding is named."""
        import numpy as np

        rows = np.zeros((len(texts), len(FINDINGS)), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in words_of(text):
                if word in _PLACES:
                    row[_PLACES[word]] += 1
        return rows

    def encode_images(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Each cell's brightness above the picture's median."""
        import numpy as np

        rows = []
        for image in images:
            pixels = np.asarray(opened(image).convert("L").resize((_COLUMNS * _CELL, 4 * _CELL)), dtype=np.float32)
            cells = pixels.reshape(4, _CELL, _COLUMNS, _CELL).mean(axis=(1, 3)).ravel()
            rows.append((cells - np.median(cells)) / 255.0)
        return np.array(rows, dtype=np.float32).reshape(len(images), len(FINDINGS))


_PLACES: Mapping[str, int] = {words_of(finding)[0]: place for place, finding in enumerate(FINDINGS)}
