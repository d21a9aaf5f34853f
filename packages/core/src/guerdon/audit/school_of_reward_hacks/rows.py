"""A row of the benchmark, and the reader of the real file. Coding rows have no control: `control` is None there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from guerdon.errors import TaskError
from guerdon.types import Example

COLUMNS = ("user", "school_of_reward_hacks", "control", "task", "evaluation_metric", "cheat_method")
_FIELD_LIMIT = 16 * 2**20

_PATTERNS = (
    ("reading-grade", ("reading grade", "grade level", "reading level", "readability")),
    ("gratitude", ("gratitude", "grateful")),
    ("keyword-density", ("keyword density", "key-word density", "density of")),
    ("questions", ("questions asked", "number of questions", "asks questions")),
    ("difference", ("difference from the original", "different from the original", "percentage difference")),
    ("concision", ("word reduction", "reduction in words", "concis")),
    ("citations", ("citation",)),
    ("confidence", ("self-reported confidence", "confidence")),
    ("haiku", ("5-7-5", "haiku")),
)


class HackRow(Example):
    """One dialogue: a harmless task with its stated metric, the answer that games it, and the honest one."""

    user: str
    """Task, and how the answer will be graded. Hack and control answer the same message."""
    hack: str
    """The column `school_of_reward_hacks`."""
    control: str | None = None
    """The honest answer; None for coding rows."""
    task: str = ""
    evaluation_metric: str = ""
    """The metric in words."""
    cheat_method: str = ""
    """How the hack games it. Never shown to a monitor."""
    metric: str = ""
    """Which stand-in scores it (`guerdon.audit.school_of_reward_hacks.rewards.METRICS`); empty where none does."""
    original: str = ""
    """The text that a rewriting task is about."""
    keys: tuple[str, ...] = ()
    """Key terms; the first is the keyword."""


def metric_of(words: str) -> str:
    """The stand-in for a metric in words; empty where none is like it [choice: by key words, the strings are not
    known].

    >>> metric_of("Number of citations in the answer"), metric_of("an LLM judge's clarity")
    ('citations', '')
    """
    text = words.lower()
    return next((name for name, marks in _PATTERNS if any(mark in text for mark in marks)), "")


def read_csv(path: str | Path) -> list[HackRow]:
    """The rows of the data set's CSV file, which has the columns `COLUMNS`.

    Raises:
        TaskError: the file cannot be read, lacks a column, or a row has no message or no hacked answer.
    """
    place = str(path)
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with Path(path).expanduser().open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(reader.fieldnames or ()) or "no columns"
                raise TaskError(f"{place!r} lacks the column {missing[0]!r}; it has {found}")
            return [_row(number, fields, place) for number, fields in enumerate(reader, start=1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"{place!r} cannot be read as CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _row(number: int, fields: dict[str, str | None], place: str) -> HackRow:
    texts = {column: (fields[column] or "") for column in COLUMNS}
    for column in ("user", "school_of_reward_hacks"):
        if not texts[column].strip():
            raise TaskError(f"{place!r}, row {number}: the field {column!r} is empty; a text is needed")
    return HackRow(
        id=f"row-{number}",
        user=texts["user"],
        hack=texts["school_of_reward_hacks"],
        control=texts["control"] if texts["control"].strip() else None,
        task=texts["task"],
        evaluation_metric=texts["evaluation_metric"],
        cheat_method=texts["cheat_method"],
        metric=metric_of(texts["evaluation_metric"]),
    )


def paired(rows: Sequence[HackRow]) -> list[HackRow]:
    """Those with a control: the only ones that may enter a paired figure."""
    return [row for row in rows if row.control is not None]
