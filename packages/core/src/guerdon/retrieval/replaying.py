"""Answers written down once, and given again: for tests, and for runs without the server that gave them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError, RetrievalError
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.asking import KINDS, asked
from guerdon.retrieval.keys import hit_of, key_of, normalised, row_of

_LOCK = threading.Lock()  # one writer of this process at a time


@dataclass(frozen=True)
class Recorded:
    """Answers from a file; with a retriever, it is asked what the file does not have, and that is added to it.

    A line is JSON: the query (`text`, `base`, `exclude_ids`, ... where they are not empty, and `k`) and its `hits`. Of
    two lines for one query the later one counts.
    """

    path: Path | str
    """The file."""
    retriever: Retriever | None = None
    """Who is recorded; null replays only, and a query that is not in the file is an error."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.retriever is None and not self._file.is_file():
            raise ConfigError(
                f"Recorded.path is {str(self.path)!r}, and there is no such file; give a retriever to record one"
            )

    @property
    def name(self) -> str:
        """The file's, or that of the retriever that is recorded."""
        return f"recorded@{self.path}" if self.retriever is None else self.retriever.name

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`. A failure (None) is not written down.

        Raises:
            RetrievalError: a query is not in the file, and nobody is there to be asked.
            ConfigError: a line of the file is broken; it names file and line.
        """
        found = [normalised(query) for query in asked("Recorded", queries, k, KINDS)]
        keys = [json.dumps(key_of(query, k), sort_keys=True) for query in found]
        known = self._known()
        missing = {key: query for key, query in zip(keys, found, strict=True) if key not in known}
        answers: dict[str, list[Hit] | None] = {}
        if missing:
            answers = self._asked(missing, k, len(known))
        return [hits if (hits := answers.get(key, known.get(key))) is None else list(hits) for key in keys]

    @property
    def _file(self) -> Path:
        return Path(self.path).expanduser()

    def _asked(self, missing: dict[str, Query], k: int, recorded: int) -> dict[str, list[Hit] | None]:
        if self.retriever is None:
            raise RetrievalError(
                f"{str(self.path)!r} has {recorded} answers and none to {next(iter(missing))}; record it: "
                f"Recorded({str(self.path)!r}, retriever)"
            )
        answers = dict(zip(missing, self.retriever.search(list(missing.values()), k), strict=True))
        lines = [
            json.dumps({**json.loads(key), "hits": [row_of(hit) for hit in hits]}) + "\n"
            for key, hits in answers.items()
            if hits is not None
        ]
        with _LOCK:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a", encoding="utf-8") as file:
                    file.writelines(lines)
            except OSError as error:
                raise RetrievalError(f"answers cannot be written to {str(self.path)!r}: {error}") from error
            self._held["known"] |= {key: hits for key, hits in answers.items() if hits is not None}
        return answers

    def _known(self) -> dict[str, list[Hit]]:
        with _LOCK:
            if "known" not in self._held:
                self._held["known"] = dict(self._rows()) if self._file.is_file() else {}
            known: dict[str, list[Hit]] = self._held["known"]
        return known

    def _rows(self) -> list[tuple[str, list[Hit]]]:
        found = []
        for row in read_rows(self._file, "recorded answers", error=ConfigError):
            try:
                hits = [hit_of(one) for one in row.fields["hits"]]
            except (LookupError, TypeError, ValueError) as error:
                raise ConfigError(str(row.fault("hits", "a list of hits"))) from error
            asked_of = {name: value for name, value in row.fields.items() if name != "hits"}
            found.append((json.dumps(asked_of, sort_keys=True), hits))
        return found

    def __reduce__(self) -> tuple[Any, ...]:  # the file is read anew where it arrives
        return type(self), (self.path, self.retriever)
