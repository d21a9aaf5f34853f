"""Test collections on disk: BEIR folders, TREC runs and judgments, and CodeSearchNet's annotations.

| reader | form |
|---|---|
| `read_beir` | `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv` with the header `query-id corpus-id score` |
| `read_run` | `query Q0 document rank score tag`, separated by white space |
| `read_judgments` | `query iteration document gain`, separated by white space |
| `read_annotations` | CSV of `Language, Query, GitHubUrl, Relevance, Notes`; notes may span lines |

A run's order is that of its scores, the larger first; equal scores stand by rank, then in the file's order.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guerdon.errors import TaskError, reason_of
from guerdon.parsing.rows import read_rows
from guerdon.retrieval import Corpus


@dataclass(frozen=True)
class Collection:
    """Documents, queries, and judgments of which belong together."""

    corpus: Corpus
    queries: dict[str, str]
    """Text by id, judged ones only, in the file's order."""
    judgments: dict[str, dict[str, float]]
    """Gain by document by query."""


def read_beir(folder: Path | str, split: str = "test") -> Collection:
    """A BEIR folder.

    Raises:
        TaskError: a file is missing or broken, two queries share an id, a pair is judged twice and differently, or a
            judgment names a query that is not there.
        ConfigError: so is the corpus.
    """
    folder = Path(folder).expanduser()
    path = folder / "qrels" / f"{split}.tsv"
    judgments: dict[str, dict[str, float]] = {}
    for place, fields in _split_lines(path, "\t", 3):
        query, document, gain = fields
        if (query, document) == ("query-id", "corpus-id"):
            continue
        _judge(judgments, query, document, _number(gain, place), place)
    texts: dict[str, str] = {}
    for row in read_rows(folder / "queries.jsonl", "queries"):
        name = row.text("_id")
        if name in texts:
            raise TaskError(f"{row.place}: the query {name!r} stands twice; each needs an id of its own")
        texts[name] = row.text("text")
    if missing := [query for query in judgments if query not in texts]:
        raise TaskError(f"{str(path)!r} judges query {missing[0]!r}, which queries.jsonl does not have")
    queries = {query: text for query, text in texts.items() if query in judgments}
    return Collection(Corpus.read(folder / "corpus.jsonl"), queries, judgments)


def read_run(path: Path | str) -> dict[str, list[tuple[str, float]]]:
    """Documents with their scores by query, best first.

    Raises:
        TaskError: no such file, or a line of another form.
    """
    found: dict[str, list[tuple[float, int, str]]] = {}
    for place, fields in _split_lines(Path(path), None, 6):
        query, _, document, rank, score, _ = fields
        found.setdefault(query, []).append((-_number(score, place), int(_number(rank, place)), document))
    return {
        query: [(document, -score) for score, _, document in sorted(rows, key=lambda row: row[:2])]
        for query, rows in found.items()
    }


def read_judgments(path: Path | str) -> dict[str, dict[str, float]]:
    """TREC judgments: gain by document by query.

    Raises:
        TaskError: no such file, a line of another form, or a pair that is judged twice and differently.
    """
    found: dict[str, dict[str, float]] = {}
    for place, fields in _split_lines(Path(path), None, 4):
        query, _, document, gain = fields
        _judge(found, query, document, _number(gain, place), place)
    return found


@dataclass(frozen=True)
class Annotation:
    """One person's opinion of one pair."""

    language: str
    query: str
    url: str
    relevance: int
    """0 to 3."""
    notes: str = ""


def read_annotations(path: Path | str) -> list[Annotation]:
    """CodeSearchNet's annotations; several of a pair may disagree.

    Raises:
        TaskError: no such file, a column is missing, or a relevance is not a number.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = {"Language", "Query", "GitHubUrl", "Relevance"} - set(reader.fieldnames or ())
            if lacking:
                raise TaskError(f"{str(path)!r} has no column {sorted(lacking)[0]!r}; it has {reader.fieldnames}")
            return [
                Annotation(
                    row["Language"],
                    row["Query"],
                    row["GitHubUrl"],
                    int(_number(row["Relevance"], f"{str(path)!r}, line {reader.line_num}")),
                    row.get("Notes") or "",
                )
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"cannot read annotations from {str(path)!r}: {reason_of(error)}") from error


def _judge(judgments: dict[str, dict[str, float]], query: str, document: str, gain: float, place: str) -> None:
    known = judgments.setdefault(query, {}).setdefault(document, gain)
    if known != gain:
        raise TaskError(f"{place}: {document!r} has the gain {gain:g} for query {query!r}, and had {known:g} before")


def _split_lines(path: Path, separator: str | None, count: int) -> Iterator[tuple[str, Sequence[str]]]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise TaskError(f"cannot read {str(path)!r}: {reason_of(error)}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            fields = line.strip().split(separator)
            if len(fields) != count:
                raise TaskError(f"{str(path)!r}, line {number} has {len(fields)} fields; {count} are needed")
            yield f"{str(path)!r}, line {number}", fields


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
        if math.isfinite(value):
            return value
    except ValueError:
        pass
    raise TaskError(f"{place}: {text!r} is not a finite number")
