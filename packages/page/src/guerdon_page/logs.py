"""Logged pages from JSON lines (or one JSON array, gzipped or not), and pairs for reward models that read text.

A row: `{"context_id": "q1", "query": "oak table", "items": [{"id": "a", "title": "...", "category": "..."}, ...],
"shown": ["b", "a"], "feedback": [{"position": 2, "event": "click"}, ...]}`. Positions count from 1, events are `click`,
`cart` and `purchase`, of one position the highest counts; `{"position": 2, "rating": 4}` is read as engagement, too.
Items may have `features` (as many numbers each), `price` and `same_as`; the row `user` in place of `query`, `length`
(the logged page's by default), and `propensities`, the chance that each place was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from guerdon.parsing.rows import FileRow, read_rows
from guerdon_page.contrasts import Contrasts, Level
from guerdon_page.engagement import GRADES, grade_of_rating
from guerdon_page.examples import PageExample
from guerdon_page.prompts import Layout, prompt_of, written

_FIELDS = ("context_id", "query", "user", "items", "shown", "feedback", "length", "propensities")


def read_logs(path: Path, limit: int | None = None) -> list[PageExample]:
    """The contexts of a file, each with its logged page.

    Raises:
        TaskError: the file cannot be read, or a row is none of this; the message names it.
    """
    found: list[PageExample] = []
    for row in read_rows(path, "logged pages"):
        if limit is not None and len(found) == limit:
            break
        found.append(_example(row))
    return found


def _example(row: FileRow) -> PageExample:
    if unknown := [name for name in row.fields if name not in _FIELDS]:
        raise row.fault(unknown[0], f"one of the fields {', '.join(_FIELDS)}")
    shown = row.fields.get("shown", [])
    if not isinstance(shown, list):
        raise row.fault("shown", "a list of ids")
    grades = [0] * len(shown)
    for place, grade in _feedback(row):
        if not 1 <= place <= len(shown):
            raise row.fault("feedback", f"a position from 1 to {len(shown)}, of the items shown,")
        grades[place - 1] = max(grades[place - 1], grade)
    propensities = row.fields.get("propensities", [])
    if not isinstance(propensities, list):
        raise row.fault("propensities", "a list of chances, one for each item shown,")
    try:
        return PageExample(
            id=row.text("context_id"),
            query=row.text("query", optional=True) or row.text("user", optional=True),
            items=row.fields.get("items", ()),
            length=row.fields.get("length", max(1, len(shown))),
            shown=tuple(shown),
            engagement=tuple(grades),
            propensities=tuple(propensities),
        )
    except ValidationError as error:
        raise row.refused(error) from None


def _feedback(row: FileRow) -> Iterator[tuple[int, int]]:
    given = row.fields.get("feedback", [])
    if not isinstance(given, list):
        raise row.fault("feedback", "a list")
    for one in given:
        place = one.get("position") if isinstance(one, dict) else None
        if not isinstance(place, int) or isinstance(place, bool):
            raise row.fault("feedback", "a list of objects with a whole number as 'position'")
        if "rating" in one:
            try:
                yield place, grade_of_rating(one["rating"])
            except (TypeError, ValueError):
                raise row.fault("feedback", "a rating from 1 to 5") from None
        elif isinstance(event := one.get("event"), str) and event in GRADES:
            yield place, GRADES[event]
        else:
            raise row.fault("feedback", f"an event of {', '.join(GRADES)}, or a rating,")


def preference_rows(made: Contrasts, level: Level, *, layout: Layout = "json") -> list[Mapping[str, Any]]:
    """Pairs as `guerdon reward-model` reads them: prompt, chosen and rejected as messages, weight and family.

    Args:
        made: of logged pages.
        level: whose pairs: the page model's, or the item model's swaps.
        layout: how a page is written; that of the task it will score.
    """
    pairs = made.for_page() if level == "page" else made.for_item()
    return [
        {
            "prompt": [
                {"role": message.role, "content": message.content}
                for message in prompt_of(pair.example, layout).messages
            ],
            "chosen": [{"role": "assistant", "content": written(pair.better, layout)}],
            "rejected": [{"role": "assistant", "content": written(pair.worse, layout)}],
            "weight": weight,
            "family": pair.family,
        }
        for pair, weight in pairs
    ]
