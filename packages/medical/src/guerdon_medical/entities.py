"""Which medical entities a text names: a matcher of known phrases, and scispaCy where it is installed.

The released Med-RwR asks scispaCy and UMLS. Here the phrases are names and exact synonyms of ontologies that may be
passed on (`guerdon_medical.ontologies`); the extractor is a seam, and any other may stand in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from guerdon.errors import ConfigError
from guerdon_medical.ontologies import Term, read_ontology

_WORD = re.compile(r"[^\W_]+")
_ACRONYM_LETTERS = 5


@runtime_checkable
class Extractor(Protocol):
    """Finds entities. A frozen dataclass of settings; what it loads, it loads on first use."""

    @property
    def name(self) -> str:
        """Tells apart what may answer differently."""

    def extract(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """For each text its entities in lower case, each once, in the order of appearance; they do not overlap."""


def words_of(text: str) -> list[str]:
    """The words of a text, compared by: lower case, a plural's `s` dropped.

    >>> words_of("Hip fractures, seen twice.")
    ['hip', 'fracture', 'seen', 'twice']
    """
    return [_singular(word) for word in _WORD.findall(text.lower())]


def _singular(word: str) -> str:
    """Roughly: both sides of a comparison are cut alike, so that a word cut wrongly still finds itself."""
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui" else word


@dataclass(frozen=True)
class Phrases:
    """Finds known phrases, word by word, the longest first: with "groin pain" known, "pain" is not found within it.

    Single words of at most five capitals are left out: in lower case ALL, AS or HIT are other words.
    """

    phrases: tuple[str, ...]
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", tuple(dict.fromkeys(self.phrases)))
        if not any(map(_usable, self.phrases)):
            raise ConfigError(f"Phrases has {len(self.phrases)} phrases and none that can be found; words are needed")

    @classmethod
    def of(cls, terms: Iterable[Term]) -> Phrases:
        """The names and exact synonyms of terms."""
        return cls(tuple(name for term in terms for name in term.names))

    @classmethod
    def read(cls, *paths: str | Path) -> Phrases:
        """Of ontologies' files; see `guerdon_medical.ontologies.read_ontology`."""
        return _read(tuple(map(str, paths)))

    @property
    def name(self) -> str:
        """How many phrases there are, and their checksum."""
        import zlib

        return f"phrases?count={len(self.phrases)}&crc={zlib.crc32(chr(10).join(self.phrases).encode()):08x}"

    def extract(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """See `Extractor`; an entity is given as its words, which are those of `words_of`.

        >>> Phrases(("groin pain", "pain", "hip")).extract(["Hip and groin pains: pain."])
        [('hip', 'groin pain', 'pain')]
        """
        return [tuple(dict.fromkeys(self._found(words_of(text)))) for text in texts]

    def _found(self, words: Sequence[str]) -> Iterable[str]:
        start = 0
        while start < len(words):
            length = self._longest(words, start)
            if length:
                yield " ".join(words[start : start + length])
            start += length or 1

    def _longest(self, words: Sequence[str], start: int) -> int:
        """Words of the longest phrase that begins here; 0 where none does."""
        node: Mapping[str, Any] | None = self._trie
        longest = 0
        for place in range(start, len(words)):
            node = None if node is None else node.get(words[place])
            if node is None:
                break
            if "" in node:
                longest = place - start + 1
        return longest

    @property
    def _trie(self) -> Mapping[str, Any]:
        """By words; the empty word marks a phrase's end."""
        if "trie" not in self._held:
            root: dict[str, Any] = {}
            for phrase in filter(_usable, self.phrases):
                node = root
                for word in words_of(phrase):
                    node = node.setdefault(word, {})
                node[""] = None
            self._held["trie"] = root
        trie: Mapping[str, Any] = self._held["trie"]
        return trie

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.phrases,)


def _usable(phrase: str) -> bool:
    words = _WORD.findall(phrase)
    return bool(words) and not (len(words) == 1 and phrase.isupper() and len(words[0]) <= _ACRONYM_LETTERS)


@functools.lru_cache(maxsize=4)
def _read(paths: tuple[str, ...]) -> Phrases:
    return Phrases.of(term for path in paths for term in read_ontology(path).values())


@dataclass(frozen=True)
class SciSpacy:
    """The released extractor, without its UMLS linker: a scispaCy model that you have installed.

    Not tested here: neither the package nor a model of it is on the package index this was built with.
    """

    model: str = "en_core_sci_lg"

    @property
    def name(self) -> str:
        """The model's."""
        return f"scispacy@{self.model}"

    def extract(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """See `Extractor`.

        Raises:
            ConfigError: spaCy or the model is not installed.
        """
        pipeline = _pipeline(self.model)
        return [tuple(dict.fromkeys(found.text.lower() for found in read.ents)) for read in pipeline.pipe(texts)]


@functools.lru_cache(maxsize=1)
def _pipeline(model: str) -> Any:
    try:
        import spacy  # type: ignore[import-not-found, unused-ignore]

        return spacy.load(model)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"SciSpacy.model is {model!r}, which cannot be loaded ({error}); install scispacy and that model, or use "
            "Phrases.read with ontologies"
        ) from error
