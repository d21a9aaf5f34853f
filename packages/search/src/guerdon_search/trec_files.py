"""Collections in TREC's form: marked-up documents and topics, and a file of judgments; Vaswani and Cranfield are such.

A document is `<doc>`, `<docno>`, and text, either in a `<text>` (with a `<title>` beside it) or bare; a topic is
`<top>`, `<num>` and `<title>`. Case of tags and what else is marked (authors, sources) do not count. It is no XML:
Vaswani's files have no root, and texts may hold a bare `&` or `<`.

`read_vaswani` takes `doc-text.trec` (perhaps in the folder `corpus`), `query-text.trec` and `qrels`; topics are in
capitals there, and are lowered. `read_cranfield` takes `cran.all.1400.xml`, `cran.qry.xml` and `cranqrel.trec.txt`; its
topics are numbered 1, 2, 4, 8, ..., 365 and judged as 1 to 225, so they are joined by place, and a stray gain of 3
counts as 1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from guerdon.errors import TaskError, reason_of
from guerdon.fields import one_of
from guerdon.retrieval import Corpus, Document
from guerdon_search.collection_files import Collection, read_judgments

Joined = Literal["number", "place"]
"""What judgments call a topic: its number, or its place among the topics, from 1."""

_DOCUMENT = re.compile(r"<doc>(.*?)</doc>", re.DOTALL | re.IGNORECASE)
_TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)


def read_trec(
    documents: Path | str, topics: Path | str, judgments: Path | str, *, joined: Joined = "number"
) -> Collection:
    """A collection of three files.

    Documents that say nothing are left out (Cranfield has two); blanks and line breaks within texts become single ones.
    Gains are the file's.

    Raises:
        TaskError: a file is missing or holds none of what it should, a document or topic has no number or the number of
            another, a topic has no title, or a judgment names a topic that is not there.
        ConfigError: no document says anything.
    """
    one_of("read_trec.joined", joined, ("number", "place"))
    found = _entries(Path(documents), _DOCUMENT, "docno", "<doc>")
    texts = {number: _field(entry, "text") or _bare(entry) for number, entry in found.items()}
    corpus = Corpus(Document(number, text, _field(found[number], "title")) for number, text in texts.items() if text)
    asked = _entries(Path(topics), _TOPIC, "num", "<top>")
    queries: dict[str, str] = {}
    for place, (number, entry) in enumerate(asked.items(), 1):
        title = _field(entry, "title")
        if not title:
            raise TaskError(f"{str(topics)!r}: topic {number!r} has no title, which is what is asked")
        queries[number if joined == "number" else str(place)] = title
    gains = read_judgments(judgments)
    if missing := [query for query in gains if query not in queries]:
        raise TaskError(f"{str(judgments)!r} judges topic {missing[0]!r}, and {str(topics)!r} has no {joined} like it")
    return Collection(corpus, {query: text for query, text in queries.items() if query in gains}, gains)


def read_vaswani(folder: Path | str) -> Collection:
    """Vaswani (NPL): 11,429 short abstracts, 93 topics, 2,083 binary judgments.

    Raises:
        TaskError, ConfigError: see `read_trec`.
    """
    folder = Path(folder).expanduser()
    documents = folder / "doc-text.trec"
    if not documents.is_file():
        documents = folder / "corpus" / "doc-text.trec"
    found = read_trec(documents, folder / "query-text.trec", folder / "qrels")
    return Collection(found.corpus, {query: text.lower() for query, text in found.queries.items()}, found.judgments)


def read_cranfield(folder: Path | str) -> Collection:
    """Cranfield in TREC's form: 1,400 abstracts, 225 topics, 1,837 judgments; a gain above 0 is relevant.

    Raises:
        TaskError, ConfigError: see `read_trec`.
    """
    folder = Path(folder).expanduser()
    found = read_trec(
        folder / "cran.all.1400.xml", folder / "cran.qry.xml", folder / "cranqrel.trec.txt", joined="place"
    )
    binary = {
        query: {document: float(gain > 0.0) for document, gain in gains.items()}
        for query, gains in found.judgments.items()
    }
    return Collection(found.corpus, found.queries, binary)


def _entries(path: Path, entry: re.Pattern[str], number: str, tag: str) -> dict[str, str]:
    """What stands in each entry, by its number."""
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read {str(path)!r}: {reason_of(error)}") from error
    found: dict[str, str] = {}
    for place, match in enumerate(entry.finditer(text), 1):
        name = _field(match[1], number)
        if not name or name in found:
            what = f"has the {number} {name!r} of another" if name else f"has no {number}"
            raise TaskError(f"{str(path)!r}: {tag} {place} {what}; each needs one of its own")
        found[name] = match[1]
    if not found:
        raise TaskError(f"{str(path)!r} has no {tag}; files in TREC's form are made of them")
    return found


def _field(entry: str, tag: str) -> str:
    """What stands between a tag and its end; "" where it does not stand there."""
    match = re.search(rf"<{tag}>(.*?)</{tag}>", entry, re.DOTALL | re.IGNORECASE)
    return " ".join(match[1].split()) if match else ""


def _bare(entry: str) -> str:
    """What stands outside any tag."""
    return " ".join(re.sub(r"<(\w+)>.*?</\1>", " ", entry, flags=re.DOTALL).split())
