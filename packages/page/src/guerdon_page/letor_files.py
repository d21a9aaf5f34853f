"""Judged documents with features, in the form of MSLR, Yahoo's and Istella's sets: SVMlight with query ids.

A line is `GRADE qid:QUERY 1:VALUE 7:VALUE ... # comment`; features that a line leaves out are 0. No such set comes with
a package, and their terms allow research alone: the reader takes the files that you have.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

from guerdon.errors import TaskError
from guerdon_page.examples import Item, PageExample

MOST_FEATURES = 10_000
"""More of one document are refused: a wrong index would fill the memory."""


def read_letor(path: Path, *, length: int = 10, top: int = 4, limit: int | None = None) -> list[PageExample]:
    r"""The queries of a file, in its order, each with its documents as candidates.

    A document's id is its place within its query, from 1. Its attraction is $(2^{grade} - 1) / 2^{top}$, as ERR has a
    reader stop at it, so that click models and `page/utility-v1` can take it; nothing was shown, so there is no
    engagement.

    Args:
        path: gzipped where its name ends in `.gz`.
        length: places of a page.
        top: the best grade there is; 4 in the three sets.
        limit: no more queries than that.

    Raises:
        TaskError: the file cannot be read, a line is of another form, a grade is not from 0 to `top`, a value is not
            finite, or a query's lines stand apart.
    """
    rows: dict[str, list[tuple[int, dict[int, float]]]] = {}
    newest = ""
    for place, line in _lines(path):
        grade, query, features = _read(line, place, top)
        if query != newest:
            if query in rows:
                raise TaskError(f"{place}: query {query!r} stood before another one; its lines have to stand together")
            if limit is not None and len(rows) == limit:
                break
            rows[query], newest = [], query
        rows[query].append((grade, features))
    width = max((index for documents in rows.values() for _, found in documents for index in found), default=0)
    return [
        PageExample(
            id=query,
            items=tuple(
                Item(id=str(number), features=tuple(found.get(index, 0.0) for index in range(1, width + 1)))
                for number, (_, found) in enumerate(documents, 1)
            ),
            length=length,
            attraction=tuple((2.0**grade - 1.0) / 2.0**top for grade, _ in documents),
        )
        for query, documents in rows.items()
    ]


def _read(line: str, place: str, top: int) -> tuple[int, str, dict[int, float]]:
    fields = line.partition("#")[0].split()
    if len(fields) < 2 or not fields[1].startswith("qid:") or not fields[1][4:]:
        raise TaskError(f"{place} is {line:.80}; `GRADE qid:QUERY 1:VALUE ...` is needed")
    if not fields[0].isascii() or not fields[0].isdigit() or int(fields[0]) > top:
        raise TaskError(f"{place}: the grade is {fields[0]!r}; a whole number from 0 to {top} is needed")
    features: dict[int, float] = {}
    for field in fields[2:]:
        index, _, value = field.partition(":")
        if not (index.isascii() and index.isdigit() and 1 <= int(index) <= MOST_FEATURES) or int(index) in features:
            raise TaskError(f"{place}: {field!r} has no index of its own from 1 to {MOST_FEATURES}")
        features[int(index)] = _number(value, place)
    return int(fields[0]), fields[1][4:], features


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TaskError(f"{place}: the value {text!r} is no finite number")
    return value


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.partition("#")[0].strip():
                    yield f"{str(path)!r}, line {number}", line.strip()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TaskError(f"no judged documents can be read from {str(path)!r}: {error}") from error
