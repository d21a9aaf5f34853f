"""Rows of a data file, JSON lines or one array, each knowing the place that an error has to name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from guerdon.errors import TaskError
from guerdon_code.tool_calls import Malformed, read_json


class Row(NamedTuple):
    """One row of a file, with what an error has to say about it."""

    fields: Mapping[str, Any]
    place: str
    """`'/data/dev.jsonl', line 3`, counted from 1."""

    def fault(self, field: str, needed: str) -> TaskError:
        """The error for a field that is missing or of the wrong form."""
        found = f"is {_short(self.fields[field])}" if field in self.fields else f"is missing ({self._there()})"
        return TaskError(f"{self.place}: field {field!r} {found}; {needed} is needed")

    def text(self, field: str, *, optional: bool = False) -> str:
        """The text in a field; "" where it is not there and `optional`.

        Raises:
            TaskError: it is no text, or an empty one that is not optional.
        """
        value = self.fields.get(field)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or not (value.strip() or optional):
            raise self.fault(field, "a text")
        return value

    def _there(self) -> str:
        return f"the row has {', '.join(self.fields) or 'no fields'}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_rows(path: Path) -> list[Row]:
    """The objects of JSON lines, or of one JSON array, whichever the file holds.

    Raises:
        TaskError: no such file, not JSON, or not objects.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = sorted(each.name for each in path.parent.glob("*.json*")) if path.parent.is_dir() else []
        there = f"that folder has {', '.join(near)}" if near else f"no .json or .jsonl file is in {str(path.parent)!r}"
        raise TaskError(f"no examples at {str(path)!r}; {there}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read {str(path)!r}: {error}") from error
    if text.lstrip().startswith("["):
        whole = _parsed(text, repr(str(path)))
        found = [(value, f"{str(path)!r}, row {number}") for number, value in enumerate(whole, 1)]
    else:
        lines = [(line, f"{str(path)!r}, line {number}") for number, line in enumerate(text.split("\n"), 1)]
        found = [(_parsed(line, place), place) for line, place in lines if line.strip()]
    for value, place in found:
        if not isinstance(value, dict):
            raise TaskError(f"{place} is {type(value).__name__}; an object with named fields is needed")
    return [Row(*each) for each in found]


def _parsed(text: str, place: str) -> Any:
    try:
        return read_json(text)
    except Malformed as error:
        raise TaskError(f"{place} {error}") from None
