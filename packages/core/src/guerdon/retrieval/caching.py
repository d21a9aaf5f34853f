"""Answers remembered, in memory and on disk, so that no question is asked twice: not in the next epoch, not in the next
run.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.errors import RetrievalError
from guerdon.fields import check_numbers, whole_number
from guerdon.protocols import Hit, Query, Retriever
from guerdon.recent import Recent
from guerdon.retrieval.asking import KINDS, asked
from guerdon.retrieval.keys import hit_of, key_of, normalised, row_of

_FILE = "hits.sqlite3"
_AT_A_TIME = 500


@dataclass(frozen=True)
class Cached:
    """Asks another retriever, and remembers what it answered to that query, k, base and excluded ids.

    Blanks and double quotes around a text are taken off first. What is remembered belongs to the retriever's `name`,
    which the documents' digest is part of: another corpus, or another formula, never meets it. Of one batch equal
    queries are asked once. A failure (None) is not remembered.
    """

    retriever: Retriever
    """Who is asked."""
    folder: Path | str | None = None
    """Where answers are kept between runs, for any number of processes and retrievers; null keeps none."""
    size: int = 65536
    """Answers remembered in memory; the least recently used go first."""
    stats: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    """Counts since the start: `queries`, `asked` (of the retriever), `failed` (there)."""
    _held: Recent[str, list[Hit]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        whole_number("Cached.size", self.size, 1)
        object.__setattr__(self, "_held", Recent(self.size))

    @property
    def name(self) -> str:
        """The other's: a cache answers as it does."""
        return self.retriever.name

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`.

        Raises:
            RetrievalError: the file on disk cannot be written, or is damaged.
        """
        found = [normalised(query) for query in asked("Cached", queries, k, KINDS)]
        name = self.retriever.name if found else ""
        keys = [_digest(name, query, k) for query in found]
        unasked = dict(zip(keys, found, strict=True))
        answers = self._remembered(unasked)
        missing = [key for key in unasked if key not in answers]
        if missing:
            answers |= self._asked({key: unasked[key] for key in missing}, k)
        self.stats["queries"] += len(keys)
        return [None if answers[key] is None else list(answers[key] or ()) for key in keys]

    def _asked(self, queries: Mapping[str, Query], k: int) -> dict[str, list[Hit] | None]:
        given = self.retriever.search(list(queries.values()), k)
        answers = dict(zip(queries, given, strict=True))
        self.stats["asked"] += len(answers)
        good = {key: hits for key, hits in answers.items() if hits is not None}
        self.stats["failed"] += len(answers) - len(good)
        self._held.keep(good)
        if good and self.folder is not None:
            with self._disk() as disk:
                rows = [(key, json.dumps([row_of(hit) for hit in hits])) for key, hits in good.items()]
                disk.executemany("INSERT OR REPLACE INTO hits VALUES (?, ?)", rows)
        return answers

    def _remembered(self, keys: Collection[str]) -> dict[str, list[Hit] | None]:
        found: dict[str, list[Hit] | None] = {**self._held.known(keys)}
        missing = [key for key in keys if key not in found]
        if missing and self.folder is not None:
            kept = self._kept(missing)
            self._held.keep(kept)
            found |= kept
        return found

    def _kept(self, keys: Sequence[str]) -> dict[str, list[Hit]]:
        found: dict[str, list[Hit]] = {}
        with self._disk() as disk:
            for start in range(0, len(keys), _AT_A_TIME):
                part = keys[start : start + _AT_A_TIME]
                marks = ", ".join("?" * len(part))
                for key, text in disk.execute(f"SELECT key, hits FROM hits WHERE key IN ({marks})", part):
                    found[key] = [hit_of(row) for row in json.loads(text)]
        return found

    @contextmanager
    def _disk(self) -> Iterator[sqlite3.Connection]:
        """A transaction; of two processes that write at once, one waits."""
        path = Path(self.folder or "").expanduser() / _FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=60.0)) as disk, disk:
                disk.execute("CREATE TABLE IF NOT EXISTS hits (key TEXT PRIMARY KEY, hits TEXT NOT NULL) WITHOUT ROWID")
                yield disk
        except (OSError, sqlite3.Error, ValueError, LookupError, TypeError) as error:
            raise RetrievalError(
                f"the answers kept in {str(path)!r} cannot be used: {error}; delete the file to start anew"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:  # what is in memory stays behind
        return type(self), (self.retriever, self.folder, self.size)


def _digest(name: str, query: Query, k: int) -> str:
    return hashlib.sha256(json.dumps([name, key_of(query, k)], sort_keys=True).encode()).hexdigest()
