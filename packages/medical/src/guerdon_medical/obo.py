"""OBO files: stanzas of `tag: value` lines, and what the readers of ontologies ask of one.

`guerdon_medical.ontologies` reads the terms of any ontology, `guerdon_medical.hpo_files` those of the Human Phenotype
Ontology and the ids that were replaced. Lines of stanzas other than terms are not checked.

Source: the OBO flat file format, as far as these files use it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from guerdon.errors import TaskError

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(\w*)')
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t"}
_SCOPES = ("BROAD", "EXACT", "NARROW", "RELATED")


class Value(NamedTuple):
    """What stands behind a tag, stripped, and where."""

    text: str
    file: str
    line: int

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def quoted(self) -> tuple[str, str]:
        """What stands in quotes, and the word behind it.

        Raises:
            TaskError: there is nothing in quotes.
        """
        found = _QUOTED.match(self.text)
        if found is None:
            raise TaskError(f"{self.place}: {self.text!r:.80} has no text in quotes")
        text = found[1]
        if "\\" in text:
            text = _ESCAPED.sub(lambda escape: _MEANT.get(escape[1], escape[1]), text)
        return text, found[2]

    @property
    def reference(self) -> str:
        """An id, without the qualifiers and the comment behind it."""
        return self.text.split(" ", 1)[0]


class Stanza(NamedTuple):
    """One stanza: its kind (`Term`, `Typedef`; "" of the file's head), where it begins, its values by tag."""

    kind: str
    place: str
    values: Mapping[str, list[Value]]

    def only(self, tag: str) -> str:
        """The text of a tag that stands once at most; "" where it does not.

        Raises:
            TaskError: it stands twice.
        """
        found = self.values.get(tag, ())
        if len(found) > 1:
            raise TaskError(f"{found[1].place}: a second {tag} of one term")
        return found[0].text if found else ""

    @property
    def id(self) -> str:
        """Without the comment behind it.

        Raises:
            TaskError: it has none.
        """
        id = self.only("id").partition(" ! ")[0]
        if not id:
            raise TaskError(f"{self.place}: a term without an id")
        return id

    @property
    def obsolete(self) -> bool:
        """Whether it is marked so."""
        return self.only("is_obsolete") == "true"

    @property
    def exact_synonyms(self) -> tuple[str, ...]:
        """Each once; broader, narrower and related ones are other concepts.

        Raises:
            TaskError: a synonym has no text, or a scope that OBO does not know.
        """
        found: list[str] = []
        for value in self.values.get("synonym", ()):
            text, scope = value.quoted()
            if scope not in _SCOPES:
                raise TaskError(f"{value.place}: the synonym's scope is {scope!r}; accepted are {', '.join(_SCOPES)}")
            if scope == "EXACT":
                found.append(text)
        return tuple(dict.fromkeys(found))

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of what it is a kind of."""
        return tuple(value.reference for value in self.values.get("is_a", ()))


def stanzas(text: str, file: str, tags: Collection[str]) -> Iterator[Stanza]:
    """The stanzas of a file in their order, its head first.

    Args:
        text: of the file.
        file: its name, for places.
        tags: the values that are kept; of the 195,000 lines of `hp.obo` about half are of no use.

    Raises:
        TaskError: a line within a term is no `tag: value`.
    """
    kind, place = "", f"{file}:1"
    values: dict[str, list[Value]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        tag, found, value = line.partition(":")
        if found and tag in tags:
            values.setdefault(tag, []).append(Value(value.strip(), file, number))
        elif line.startswith("["):
            yield Stanza(kind, place, values)
            kind, place, values = line.strip()[1:-1], f"{file}:{number}", {}
        elif not found and kind == "Term" and line.strip() and not line.startswith("!"):
            raise TaskError(f"{file}:{number}: {line!r:.80} is no `tag: value`")
    yield Stanza(kind, place, values)
