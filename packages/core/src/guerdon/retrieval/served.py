"""A retriever behind a server, in the two forms that search systems serve.

| `form` | request | answer |
|---|---|---|
| `retrieve` | `POST /retrieve {"queries": [...], "topk": k, "return_scores": true}` | `{"result": [[{"document": {"id", "title", "text" or "contents", ...}, "score": x}, ...], ...]}` |
| `queries` | `POST /queries {"queries": [...], "k": k}` | `{"queries": [...], "answers": [[text, ...], ...]}` |

The first is the form of Search-R1's servers and of Deep-DxSearch, the second that of Med-RwR. How a request is posted,
and tried again, is in `guerdon.posting`.

A document's `image` is a name that a server wrote, and what it names would be opened and shown on this machine. So it is
looked for in a folder that the client names, and nowhere else: neither `/etc/...`, nor `../..`, nor a link that leads
out of it. What the server's texts say is not checked.
"""  # noqa: E501 - a row of a table is a line

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from guerdon.confined_paths import path_within
from guerdon.errors import ConfigError, RetrievalError
from guerdon.fields import check_numbers, one_of
from guerdon.posting import Address, NoAnswer, Refused
from guerdon.protocols import Hit, Query
from guerdon.retrieval.asking import asked

log = logging.getLogger(__name__)

_THIS_QUERY_ONLY = {400, 413, 422}
_MAX_BYTES = 64 << 20
_OF_A_HIT = {"id", "_id", "docid", "text", "contents", "title", "image", "score"}


@dataclass(frozen=True)
class ServedRetriever:
    """Sends queries in batches. A query that the server keeps failing, or refuses alone, has no answer (None)."""

    base_url: str
    """What stands before `/retrieve` or `/queries`: "http://localhost:8000"."""
    form: Literal["retrieve", "queries"] = "retrieve"
    """See the module's head."""
    batch: int = 32
    """Queries per request."""
    api_key_env: str = "GUERDON_RETRIEVER_KEY"
    """The environment variable that holds the key; unset means that none is sent. The key is never kept or shown."""
    timeout_s: float = 60.0
    """Of one attempt."""
    attempts: int = 4
    """How often a request is tried in all."""
    backoff_s: float = 0.5
    """Pause after the first failed attempt; each further one is twice as long, at most a minute."""
    concurrency: int = 4
    """Requests in flight."""
    images: Path | str = ""
    """The folder of this machine that holds the documents' pictures; a hit has no picture where none is named."""
    stats: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    """Counts since the start: `queries`, `failed`; and `pictures_refused`, names that are no file within `images`."""

    def __post_init__(self) -> None:
        check_numbers(self)
        one_of("ServedRetriever.form", self.form, ("retrieve", "queries"))
        self._address.check("ServedRetriever")
        if self.batch < 1 or self.concurrency < 1:
            raise ConfigError("ServedRetriever: batch and concurrency must be at least 1")
        if self.images and not Path(self.images).expanduser().is_dir():
            raise ConfigError(f"ServedRetriever.images is {str(self.images)!r}, and there is no such folder")

    @property
    def name(self) -> str:
        """The server and the form. What it holds it does not tell: a cache of it outlives a change of its documents."""
        served = f"{self.form}@{self.base_url.rstrip('/')}"
        return f"{served} (pictures in {str(self.images)!r})" if self.images else f"{served} (no pictures)"

    def search(self, queries: Sequence[str | Query], k: int = 10) -> list[list[Hit] | None]:
        """See `guerdon.protocols.Retriever`. Blank queries are not sent.

        The server knows nothing of excluded ids: it is asked for as many more, and they are left out here.

        Raises:
            RetrievalError: the server refuses every query alike: a wrong key or address.
        """
        found = asked("ServedRetriever", queries, k)
        places = [place for place, query in enumerate(found) if query.text.strip()]
        parts = [places[start : start + self.batch] for start in range(0, len(places), self.batch)]
        answers: list[list[Hit] | None] = [[] for _ in found]
        if parts:
            with ThreadPoolExecutor(min(self.concurrency, len(parts)), "guerdon-retriever") as pool:
                pending = [pool.submit(self._part, [found[place] for place in part], k) for part in parts]
                try:
                    given = [future.result() for future in pending]
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            for part, hits in zip(parts, given, strict=True):
                for place, one in zip(part, hits, strict=True):
                    answers[place] = one
        self.stats["queries"] += len(found)
        self.stats["failed"] += sum(one is None for one in answers)
        return answers

    @property
    def _address(self) -> Address:
        return Address(self.base_url, self.api_key_env, self.timeout_s, self.attempts, self.backoff_s, _MAX_BYTES)

    def _part(self, queries: Sequence[Query], k: int) -> list[list[Hit] | None]:
        depth = k + max(len(query.exclude_ids) for query in queries)
        texts = [query.text for query in queries]
        body: dict[str, Any]
        if self.form == "retrieve":
            body = {"queries": texts, "topk": depth, "return_scores": True}
        else:
            body = {"queries": texts, "k": depth}
        try:
            given = self._address.post(f"/{self.form}", body, lambda answer: self._read(answer, len(queries)))
        except NoAnswer:
            return [None] * len(queries)
        except Refused as error:
            if error.status not in _THIS_QUERY_ONLY:
                raise RetrievalError(f"{self.name} {error}") from error
            if len(queries) == 1:
                return [None]
            return [hits for query in queries for hits in self._part([query], k)]  # one of them is at fault
        ranked = [_ranked(hits, query, k) for hits, query in zip(given, queries, strict=True)]
        return [[replace(hit, image=self._picture(hit)) if hit.image else hit for hit in hits] for hits in ranked]

    def _picture(self, hit: Hit) -> str:
        """The file that the server's name means; empty where it is none within the folder."""
        if self.images:
            found = path_within(Path(self.images).expanduser(), hit.image)
            if found is not None and os.path.isfile(found):  # false, too, of a name that is too long
                return str(found)
        if not self.stats["pictures_refused"]:
            where = (
                f"no file within {str(self.images)!r}"
                if self.images
                else "looked for nowhere: no folder is named (`images`)"
            )
            log.warning("%s: the picture %.200r of document %.80r is %s", self.name, hit.image, hit.id, where)
        self.stats["pictures_refused"] += 1
        return ""

    def _read(self, answer: Any, wanted: int) -> list[list[Hit]]:
        rankings = answer["result" if self.form == "retrieve" else "answers"]
        if len(rankings) != wanted:
            raise ValueError(f"{len(rankings)} answers came back, not {wanted}")
        return [[_hit(one, rank) for rank, one in enumerate(ranking, 1)] for ranking in rankings]


def _ranked(hits: Sequence[Hit], query: Query, k: int) -> list[Hit]:
    kept = [hit for hit in hits if hit.id not in query.exclude_ids]
    return sorted(kept, key=lambda hit: -hit.score)[:k]


def _hit(given: Any, rank: int) -> Hit:
    """A text alone, a document, or a document with a score. Without a score 1/rank stands for it [choice]."""
    if isinstance(given, str):
        given = {"text": given}
    fields: Any = given.get("document", given) if isinstance(given, dict) else given
    if isinstance(fields, str):
        fields = {"text": fields}
    if not isinstance(fields, dict):
        raise TypeError(f"a document is {fields!r:.80}")
    score = float(given.get("score", fields.get("score", 1.0 / rank)))
    if not math.isfinite(score):
        raise ValueError(f"a score is {score}")
    title, image = (str(fields.get(name) or "") for name in ("title", "image"))
    text = str(fields.get("text") or fields.get("contents") or "")
    id = next((str(fields[name]) for name in ("id", "_id", "docid") if name in fields), "")
    said = f"{title}\n{text}".encode("utf-8", "surrogatepass")
    payload = {name: value for name, value in fields.items() if name not in _OF_A_HIT}
    return Hit(id or hashlib.sha256(said).hexdigest()[:16], score, text, title, "", payload, image)
