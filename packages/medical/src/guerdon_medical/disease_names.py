"""Disease names with families of near ones: labels of published cases, or made-up ones where none are here."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

from guerdon.retrieval.terms import terms
from guerdon_medical.cases import read_cases

NEAR = 0.5
"""Share of common words (of all words of both) from which two names are of one family [choice]."""
_CASES = "phenopackets.jsonl.gz"
_STARTS = (
    "Ar", "Bel", "Cor", "Dal", "Er", "Fan", "Gol", "Hes", "Ib", "Jor", "Kel", "Lam", "Mor", "Nev", "Or", "Pel", "Quin",
    "Ros", "Sal", "Tor", "Ul", "Var", "Wen", "Yar", "Zel",
)  # fmt: skip
_ENDS = ("bach", "berg", "dani", "ford", "garde", "hoff", "lund", "mann", "mura", "sson", "stein", "ville")
_KINDS = ("syndrome", "dysplasia", "cardiomyopathy", "myopathy", "ataxia", "retinopathy", "anemia", "deficiency")
_WAYS = ("", ", autosomal recessive", ", autosomal dominant", ", X-linked")


def real_names() -> tuple[str, ...]:
    """The diagnoses' labels of the cases that GUERDON_DATA has, sorted; empty where it has none.

    Raises:
        TaskError: the file is damaged.
    """
    root = os.environ.get("GUERDON_DATA")
    path = Path(root) / "medical" / _CASES if root else None
    if path is None or not path.is_file():
        return ()
    return tuple(sorted({disease.name for case in read_cases(path) for disease in case.diagnoses}))


def made_names(count: int, seed: int = 0) -> tuple[str, ...]:
    """Names that no disease has: families of one to twelve types, as published series are numbered.

    >>> made_names(3)[0] != made_names(3)[1]
    True
    """
    drawn = random.Random(f"made-up diseases {seed}")
    found: dict[str, None] = {}
    while len(found) < count:
        stem = f"{drawn.choice(_STARTS)}{drawn.choice(_ENDS)}-{drawn.choice(_STARTS)}{drawn.choice(_ENDS)}"
        stem = f"{stem} {drawn.choice(_KINDS)}{drawn.choice(_WAYS)}"
        size = drawn.choice((1, 1, 2, 4, 8, 12))
        numbers = drawn.sample(range(1, 100), size)
        found |= dict.fromkeys([stem] if size == 1 else [f"{stem}, type {number}" for number in numbers])
    return tuple(sorted(found)[:count])


def families(names: Sequence[str], most: int = 3) -> dict[str, tuple[str, ...]]:
    """For each name the `most` nearest others that share at least `NEAR` of their words, nearest first.

    >>> families(["Gout type 1", "Gout type 2", "Ataxia"])["Gout type 1"]
    ('Gout type 2',)
    """
    words = {name: frozenset(terms(name)) for name in names}
    holding: dict[str, list[str]] = {}
    for name, own in words.items():
        for word in own:
            holding.setdefault(word, []).append(name)
    found = {}
    for name, own in words.items():
        others = {other for word in own for other in holding[word]} - {name}
        near = {other: len(own & words[other]) / len(own | words[other]) for other in others}
        ranked = sorted((other for other in near if near[other] >= NEAR), key=lambda other: (-near[other], other))
        found[name] = tuple(ranked[:most])
    return found
