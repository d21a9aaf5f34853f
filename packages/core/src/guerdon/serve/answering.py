"""Bytes in, bytes out: what a lane does with one request. Runs in the lane's process; knows nothing of HTTP but codes.

A request for scores, and its answer (see `docs/serving.md`):

```
{"reward": "sql", "rows": [{"example": ID, "completion": TEXT}, ...], "step": 0, "total_steps": 0, "seed": 0,
 "learn": false}
{"reward": "sql", "count": 2, "unscored": 1, "learnt": false, "unread": [],
 "scores": [{"value": 1.0, ...}, {"value": null, "status": "infra", ...}]}
```

`learnt` says whether the rows were a training batch of a reward that learns; `unread` names fields of rows that nobody
reads.

Streamed, the answer is lines: `{"row": 0, "score": {...}}` for each row as it is scored, then `{"done": true, ...}`, or
`{"error": ..., "code": ...}` if it broke off. Scores are `guerdon.trainer.records.score_record`'s; NaN is null.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from guerdon.errors import ConfigError, GuerdonError, SandboxError
from guerdon.grading import Grader
from guerdon.rewards import Context
from guerdon.serve.learning import Learnt
from guerdon.serve.settings import Settings
from guerdon.trainer.records import part_weights, score_record
from guerdon.types import Score

Kind = Literal["score", "stream", "openrlhf"]
"""The route. The last is answered by `guerdon.serve.openrlhf`."""
_LONGEST_WHY = 10_000
"""Characters of a refusal's words: what is wrong may be as long as the request."""

_MOST_UNREAD = 20
"""Names of fields that an answer holds."""


@dataclass(frozen=True)
class Part:
    """A piece of an answer: all of it, or some lines of one that is streamed."""

    code: int
    """HTTP's. Of a stream the first part's is the answer's."""
    body: bytes
    last: bool = True
    reward: str = ""
    """The name that was asked for; empty where it is not known, or is none that there is."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How many rows came to which status."""


class RefusedError(Exception):
    """The request is not answered; why, and with which of HTTP's codes."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def answer(
    graders: Mapping[str, Grader],
    kind: Literal["score", "stream"],
    body: bytes,
    settings: Settings,
    learnt: Learnt | None = None,
) -> Iterator[Part]:
    """The answer to one request, in parts. Whatever goes wrong is a part with a code: nothing is raised.

    Args:
        graders: what can be asked for, by name.
        kind: the route.
        body: the request's, as it came.
        settings: limits.
        learnt: keeps what rewards learn, where any does.
    """
    known = ""
    begun = False
    try:
        request = parsed(body)
        chosen, grader = chosen_of(graders, request.get("reward"))
        known = chosen
        rows = _rows(request, grader, settings)
        context = _context(request)
        weights = part_weights(grader.reward)
        learns = _learns(request, kind, grader)
        unread = [name[:100] for name in grader.unread(rows)[:_MOST_UNREAD]]
        if kind == "score":
            if learns and learnt is not None:
                scores = learnt.grade(chosen, grader, rows, context, body)
            else:
                scores = grader.grade(rows, context)
            records = [score_record(score, weights) for score in scores]
            told = {**_summary(chosen, scores), "learnt": learns, "unread": unread, "scores": records}
            yield Part(200, dump(told), True, chosen, statuses(scores))
            return
        done: list[Score] = []
        for some in grader.grade_in_parts(rows, context, size=settings.chunk_rows):
            lines = [dump({"row": number, "score": score_record(score, weights)}) for number, score in some]
            done += (score for _, score in some)
            yield Part(200, b"".join(line + b"\n" for line in lines), False, chosen, statuses([s for _, s in some]))
            begun = True
        yield Part(200, dump({"done": True, **_summary(chosen, done), "unread": unread}) + b"\n", True, chosen)
    except Exception as error:  # noqa: BLE001 - the boundary: a reward's bug must not end the lane, and is told whole
        yield failed(error, known, line=begun)


def failed(error: Exception, name: str, *, line: bool = False) -> Part:
    """The end of an answer that went wrong: all there is, or the last line of a stream."""
    code, why = _explained(error)
    return failure(code, why, name, line=line)


def failure(code: int, why: str, name: str = "", *, line: bool = False) -> Part:
    """The same, in these words."""
    if len(why) > _LONGEST_WHY:
        why = f"{why[:_LONGEST_WHY]}... ({len(why):,} characters)"
    return Part(code, dump({"error": why, "code": code}) + b"\n" if line else dump({"error": why}), True, name)


def _explained(error: Exception) -> tuple[int, str]:
    """HTTP's code for what went wrong, and the words."""
    why = "\n".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, RefusedError):
        return error.code, why
    if isinstance(error, ConfigError):
        return 422, why
    if isinstance(error, MemoryError):
        return 413, "the request needs more memory than a scoring process may have. Send several requests"
    if isinstance(error, SandboxError):
        return 503, why
    if isinstance(error, GuerdonError):  # a reward's bug, a broken task
        return 500, why
    return 502, f"a bug of the server: {type(error).__name__}: {why}"


def parsed(body: bytes) -> dict[str, Any]:
    """A request's body.

    Raises:
        RefusedError: it is no JSON object.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise RefusedError(422, f"the body is a JSON {type(request).__name__}; an object is needed")
    return request


def chosen_of(graders: Mapping[str, Grader], name: Any) -> tuple[str, Grader]:
    """The grader of that name, or the only one there is.

    Raises:
        RefusedError: there is none.
    """
    if name is None and len(graders) == 1:
        name = next(iter(graders))
    there = ", ".join(sorted(graders))
    if name is None:
        raise RefusedError(422, f"the field 'reward' is missing; this server has: {there}")
    if not isinstance(name, str) or name not in graders:
        raise RefusedError(404, f"there is no reward {name!r:.80}; this server has: {there}")
    return name, graders[name]


_FIELDS = {"reward", "rows", "step", "total_steps", "seed", "learn"}


def _rows(request: Mapping[str, Any], grader: Grader, settings: Settings) -> list[Mapping[str, Any]]:
    if unknown := request.keys() - _FIELDS:
        raise RefusedError(422, f"the field {min(unknown)!r:.80} is unknown; there are: {', '.join(sorted(_FIELDS))}")
    rows = request.get("rows")
    if not isinstance(rows, list):
        raise RefusedError(422, "the field 'rows' must be a list of objects with 'example' and 'completion'")
    check_rows(rows, grader, settings)
    return rows


def check_rows(rows: Sequence[Any], grader: Grader, settings: Settings) -> None:
    """Hold rows to the server's own limits; the rest is the grader's to judge.

    Raises:
        RefusedError: there are too many, one is no object, or one brings an example's fields where only ids are taken.
    """
    if len(rows) > settings.max_rows:
        raise RefusedError(
            413, f"there are {len(rows):,} rows; at most {settings.max_rows:,} are taken. Send several requests"
        )
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise RefusedError(422, f"row {number} is {row!r:.80}; an object with 'example' and 'completion' is needed")
        if not isinstance(row.get("example"), str) and grader.task is not None and not settings.inline_examples:
            raise RefusedError(
                422,
                f"row {number}: the field 'example' must be the id of an example of {grader.task.name}; an example's "
                f"own fields are taken only by a server that was started with --inline-examples",
            )
        if not settings.inline_examples and _names_files(row):
            raise RefusedError(
                422,
                f"row {number}: a segment's images name files of the server's machine, which only a server that was "
                "started with --inline-examples opens; send 'data' in base64",
            )


def _names_files(row: Mapping[str, Any]) -> bool:
    """Whether a segment, or a turn within one, shows a picture by its path; what is no such thing is refused later."""
    shown: list[Any] = []
    for segment in row["segments"] if isinstance(row.get("segments"), list) else ():
        for holder in (segment, segment.get("turn")) if isinstance(segment, dict) else ():
            images = holder.get("images") if isinstance(holder, dict) else None
            shown += images if isinstance(images, list) else ()
    return any(isinstance(image, dict) and "path" in image for image in shown)


def _learns(request: Mapping[str, Any], kind: str, grader: Grader) -> bool:
    """Whether the rows are a training batch, and the reward one that learns from it; the others may be told so too."""
    learn = request.get("learn", False)
    if not isinstance(learn, bool):
        raise RefusedError(422, f"the field 'learn' is {learn!r:.80}; true or false is needed")
    if learn and kind == "stream":
        raise RefusedError(422, 'a reward learns from a whole batch: send "learn" to /v1/score')
    return learn and bool(grader.learning)


def _context(request: Mapping[str, Any]) -> Context:
    values = {name: request.get(name, 0) for name in ("step", "total_steps", "seed")}
    for name, value in values.items():
        least = -(2**63) if name == "seed" else 0
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**64:
            long = isinstance(value, int) and value.bit_length() > 64
            found = f"a number of {value.bit_length():,} bits" if long else f"{value!r:.80}"
            raise RefusedError(422, f"the field {name!r} is {found}; a whole number from {least} to 2^64 - 1 is needed")
    return Context(**values)


def _summary(name: str, scores: Sequence[Score]) -> dict[str, Any]:
    return {"reward": name, "count": len(scores), "unscored": sum(math.isnan(score.value) for score in scores)}


def statuses(scores: Sequence[Score]) -> dict[str, int]:
    """How many scores have which status."""
    return dict(Counter(score.status for score in scores))


def dump(value: Any) -> bytes:
    """JSON as others read it: ASCII (so that half of a surrogate pair passes too), and no NaN."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
