"""OpenRLHF's route, inside a lane: one sample per request, and all the requests that wait scored together.

Many clients ask for one sample each; scored one after the other, a judge that takes two seconds would take two seconds
for each of them. A request that cannot be answered takes none of its company with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.adapters.openrlhf import answer_of, apart, check_grader, graded, rows_of
from guerdon.adapters.together import Failed, answers_of
from guerdon.grading import Grader, Row
from guerdon.serve.answering import Part, RefusedError, check_rows, chosen_of, dump, failed, parsed, statuses
from guerdon.serve.settings import Settings
from guerdon.types import Score

NO_FILL = (
    "OpenRLHF has to be told a number for every sample, also where there is no score: start the server with "
    "--openrlhf-fill NUMBER"
)
_RETRIES = 1
"""Where a number is to stand for a failure of ours, it is worth a second try."""


def answers(graders: Mapping[str, Grader], name: str | None, bodies: Sequence[bytes], settings: Settings) -> list[Part]:
    """One answer per request, in order. Nothing is raised.

    Args:
        graders: what can be asked for, by name.
        name: the reward, from the address.
        bodies: the requests', as they came.
        settings: limits, and the number that stands for a sample without a score.
    """
    parts: dict[int, Part] = {}
    known = ""
    try:
        known, grader = chosen_of(graders, name)
        check_grader(grader)
        fill = settings.openrlhf_fill
        if fill is None:
            raise RefusedError(404, NO_FILL)
    except Exception as error:  # noqa: BLE001 - the boundary, as in `answering`
        return [failed(error, known) for _ in bodies]
    requests: list[tuple[int, list[Row]]] = []
    for place, body in enumerate(bodies):
        try:
            requests.append((place, _rows(parsed(body), grader, settings)))
        except Exception as error:  # noqa: BLE001 - the boundary
            parts[place] = failed(error, known)

    def grade(some: list[list[Row]]) -> list[list[Score]]:
        scores = iter(graded(apart(grader), [row for rows in some for row in rows], _RETRIES))
        return [[next(scores) for _ in rows] for rows in some]

    found = answers_of(grade, [rows for _, rows in requests])
    for (place, _), scores in zip(requests, found, strict=True):
        if isinstance(scores, Failed):
            parts[place] = failed(scores.error, known)
        else:
            parts[place] = Part(200, dump(answer_of(grader, scores, fill)), True, known, statuses(scores))
    return [parts[place] for place in range(len(bodies))]


def _rows(request: Mapping[str, Any], grader: Grader, settings: Settings) -> list[Row]:
    query, prompts, labels = (_texts(request, field) for field in ("query", "prompts", "labels"))
    rows = rows_of(query, prompts, labels)
    check_rows(rows, grader, settings)
    return list(rows)


def _texts(request: Mapping[str, Any], field: str) -> list[str]:
    found = request.get(field)
    if not isinstance(found, list):  # what is in it, `rows_of` looks at
        raise RefusedError(422, f"the field {field!r} must be a list of texts, as OpenRLHF sends it")
    return found
