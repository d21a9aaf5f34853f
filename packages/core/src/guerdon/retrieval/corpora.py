"""Documents to search in, and how they are read from a file: each row knows the place that an error has to name."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError, reason_of
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.protocols import Hit

_IDS = ("_id", "id", "docid", "doc_id")
_TEXTS = ("text", "contents", "content", "body")
_KNOWN = {*_IDS, *_TEXTS, "title", "image"}


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found."""

    id: str
    """Its name in answers; no two documents of a corpus share one."""
    text: str
    """What is searched."""
    title: str = ""
    """Searched as well."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """A structured record, handed back with a hit and not searched. Of plain JSON values."""
    image: str = ""
    """A file; empty where it has no picture."""

    @property
    def searched(self) -> str:
        """What retrievers read: the title, a line break, the text; of the two what there is."""
        return "\n".join(part for part in (self.title, self.text) if part)

    def hit(self, score: float, base: str = "") -> Hit:
        """It, found."""
        return Hit(self.id, score, self.text, self.title, base, self.payload, self.image)


class Corpus:
    """Documents in an order, each id once. A value: two are equal where all that their documents say is equal; it is
    printed and hashed by its digest, however large it is.
    """

    documents: tuple[Document, ...]
    """In an order that stays: equal scores stand in it."""

    def __init__(self, documents: Iterable[Document]) -> None:
        """
        Args:
            documents: one or more, each with an id of its own.

        Raises:
            ConfigError: there are none, or two share an id.
        """
        self.documents = tuple(documents)
        if not self.documents:
            raise ConfigError("the corpus is empty; a document is needed")
        places: dict[str, int] = {}
        for place, document in enumerate(self.documents):
            if document.id in places:
                first = places[document.id]
                raise ConfigError(f"documents {first} and {place} of the corpus both have the id {document.id!r}")
            places[document.id] = place

    @classmethod
    def of(cls, texts: Iterable[str] | Mapping[str, str]) -> Corpus:
        """Of texts alone: a mapping of ids to texts, or texts whose ids are their places, "0", "1", ...

        >>> Corpus.of(["a red bird", "a blue bird"]).documents[1].id
        '1'

        Raises:
            ConfigError: there are none.
        """
        pairs = texts.items() if isinstance(texts, Mapping) else ((str(n), text) for n, text in enumerate(texts))
        return cls(tuple(Document(id, text) for id, text in pairs))

    @classmethod
    def read(cls, path: Path | str) -> Corpus:
        """Of a file, read once and kept while it does not change.

        JSON lines or one JSON array, gzipped or not (`guerdon.parsing.rows`), in BEIR's form or near it: an id (`_id`,
        `id`, `docid` or `doc_id`; a text or a whole number), a text (`text`, `contents`, `content` or `body`; it may be
        blank where there is a title), perhaps a `title` and an `image`; all other fields become the payload. Of a
        `.txt` file each line is a document, and its number, from 1, the id; blank lines are passed over.

        Raises:
            ConfigError: no such file, a broken row, an id that stands twice, or no document; it names file and line.
        """
        path = Path(path).expanduser()
        try:
            stat = path.stat()
        except OSError:
            stat = None
        return _read(path, stat and (stat.st_mtime_ns, stat.st_size))

    def __len__(self) -> int:
        return len(self.documents)

    def __repr__(self) -> str:
        return f"<Corpus of {len(self)} documents, {self.digest[:12]}>"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Corpus) and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each id stands, from 0."""
        return {document.id: place for place, document in enumerate(self.documents)}

    def excluded(self, ids: Iterable[str]) -> list[int]:
        """The places of those of the ids that are here, ascending."""
        return sorted(self.places[id] for id in ids if id in self.places)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that the documents say, in their order; the same in every process."""
        found = hashlib.sha256()
        for one in self.documents:
            said = [one.id, one.title, one.text, one.image, one.payload]
            found.update(json.dumps(said, sort_keys=True, default=repr).encode() + b"\n")
        return found.hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus, (self.documents,)


def check_corpus(field: str, given: object) -> None:
    """Refuse at once what is no corpus, and the path of a file that is not there.

    Raises:
        ConfigError: it is one of these; `field` names the option.
    """
    if isinstance(given, Corpus):
        return
    if not isinstance(given, str | Path):
        raise ConfigError(f"{field} is {given!r:.80}; a Corpus or a file's path is needed: Corpus.of(texts) makes one")
    if not Path(given).expanduser().is_file():
        raise ConfigError(f"{field} is {str(given)!r}, and there is no such file")


def corpus_of(given: Path | str | Corpus) -> Corpus:
    """The corpus that an option means: itself, or the file at that path.

    Raises:
        ConfigError: see `Corpus.read`.
    """
    return given if isinstance(given, Corpus) else Corpus.read(given)


@functools.lru_cache(maxsize=4)
def _read(path: Path, _state: object) -> Corpus:
    documents: list[Document] = []
    places: dict[str, str] = {}
    for document, place in _plain(path) if path.suffix == ".txt" else _rows(path):
        if document.id in places:
            raise ConfigError(f"{place}: the id {document.id!r} stands at {places[document.id]} already")
        places[document.id] = place
        documents.append(document)
    if not documents:
        raise ConfigError(f"the corpus {str(path)!r} is empty; a document is needed")
    return Corpus(tuple(documents))


def _plain(path: Path) -> Iterable[tuple[Document, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read documents from {str(path)!r}: {reason_of(error)}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Document(str(number), line.strip()), f"{str(path)!r}, line {number}"


def _rows(path: Path) -> Iterable[tuple[Document, str]]:
    for row in read_rows(path, "documents", error=ConfigError):
        title, image = (_text(row, name) for name in ("title", "image"))
        name = next((one for one in _TEXTS if one in row.fields), "text")
        text = _text(row, name, needed=not title)
        payload = {key: value for key, value in row.fields.items() if key not in _KNOWN}
        yield Document(_id(row), text, title, payload, image), row.place


def _id(row: FileRow) -> str:
    name = next((one for one in _IDS if one in row.fields), "_id")
    value = row.fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise ConfigError(str(row.fault(name, "a text or a whole number")))
    return value


def _text(row: FileRow, name: str, *, needed: bool = False) -> str:
    value = row.fields.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value.strip()):
        raise ConfigError(str(row.fault(name, "a text")))
    return value
