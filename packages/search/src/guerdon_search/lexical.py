"""`Lexical`: a verifier without a model, by the words that a block and a nugget share. For dry runs, tests and demos.

It reads the prompts of `guerdon_search.verifier_prompts` as a judge's backend does, so that all of the way from reward
to verdict is the real one. It knows no meaning: a paraphrase is not supported, and a denial is known by its words
alone (`guerdon_search.denials`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon_search.denials import denies
from guerdon_search.labels import Label

_PASSAGE = re.compile(r"\[begin of passage\]\n(.*?)\n\[end of passage\]", re.DOTALL)
_POINTS = re.compile(r"\[begin of points\]\n(.*?)\n\[end of points\]", re.DOTALL)
_WORD = re.compile(r"\w+")
_END = re.compile(r"(?<=[.!?;])\s+|\n")
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to for by with and or is are was were be been it its that this as from which who what "
        "when where how did does do has have had",
    )
)
HEDGES = frozenset({"perhaps", "maybe", "possibly", "reportedly", "probably", "unconfirmed", "might", "uncertain"})


def content_words(text: str) -> list[str]:
    """Words in lower case without the commonest, in order.

    >>> content_words("The bridge was opened in 1921.")
    ['bridge', 'opened', '1921']
    """
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def sentences(text: str) -> list[str]:
    """A text's sentences: up to a mark that ends one or a semicolon, and within a line.

    >>> sentences("It opened; it closed. Why?")
    ['It opened;', 'it closed.', 'Why?']
    """
    return _END.split(text)


@dataclass(frozen=True)
class Lexical:
    """Labels a nugget by its best sentence: all content words and no hedge, `support`; `least` of them, in part.

    A sentence that denies says nothing for a nugget that does not, and the other way round.
    """

    least: float = 0.6
    """Share of a nugget's words, in (0, 1], from which its best sentence supports it in part."""
    name: str = "search/lexical"
    """By which its answers are kept apart from others'."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0.0 < self.least <= 1.0:
            raise ConfigError(f"search/lexical.least is {self.least!r}; a share in (0, 1] is needed")

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """See `guerdon.protocols.JudgeBackend`. What is no prompt of a verifier gets the empty answer."""
        return [self._one(question[-1]["content"]) for question in questions]

    def _one(self, text: str) -> str:
        passage, points = _PASSAGE.search(text), _POINTS.search(text)
        if passage is None or points is None:
            return ""
        said = [(set(_WORD.findall(one.lower())), denies(one)) for one in sentences(passage[1])]
        nuggets = [line.partition(". ")[2] for line in points[1].split("\n")]
        return json.dumps([self._label(nugget, said) for nugget in nuggets])

    def _label(self, nugget: str, said: Sequence[tuple[set[str], bool]]) -> Label:
        words = set(content_words(nugget))
        if not words:
            return "not_support"
        denied = denies(nugget)
        found = max(
            ((len(words & one) / len(words), not one & HEDGES) for one, other in said if other == denied),
            default=(0.0, False),
        )
        if found[0] == 1.0:
            return "support" if found[1] else "partial_support"
        return "partial_support" if found[0] >= self.least else "not_support"
