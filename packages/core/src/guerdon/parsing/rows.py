"""Rows of a data file: JSON lines or one JSON array, gzipped or not, each knowing the place that an error has to name.

It covers reading alone, of files that whoever runs the task has chosen: a file is held in memory whole, and what the
fields of a row mean is the business of the loader that asked for it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from guerdon.errors import GuerdonError, TaskError, reason_of

if TYPE_CHECKING:
    from pydantic import ValidationError

_SHOWN = 80


class FileRow(NamedTuple):
    """One row of a file, with what an error has to say about it."""

    fields: Mapping[str, Any]
    place: str
    """`'/data/dev.jsonl', line 3`, or of an array `'/data/dev.json', row 3`; counted from 1."""

    def text(self, field: str, *, optional: bool = False) -> str:
        """The text in a field; "" where it is missing or null and `optional`.

        Raises:
            TaskError: it is no text, or a blank one that is not optional.
        """
        value = self.fields.get(field)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or not (value.strip() or optional):
            raise self.fault(field, "a text")
        return value

    def fault(self, field: str, needed: str) -> TaskError:
        """The error to raise for a field that is missing or of the wrong form.

        >>> print(FileRow({"id": 3}, "'dev.jsonl', line 1").fault("id", "a text"))
        'dev.jsonl', line 1: field 'id' is 3; a text is needed
        """
        if field in self.fields:
            found = f"is {_short(self.fields[field])}"
        else:
            found = f"is missing; the row has {', '.join(self.fields) or 'no fields'}"
        return TaskError(f"{self.place}: field {field!r} {found}; {needed} is needed")

    def refused(self, error: ValidationError) -> TaskError:
        """The error to raise where a model of the row refuses it: its first fault, in one line."""
        first = error.errors()[0]
        where, said = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        if (least := first.get("ctx", {}).get("min_length")) is not None and first["type"] == "too_short":
            said = f"{least} or more entries are needed, and it has {first['ctx']['actual_length']}"
        return TaskError(f"{self.place}: field {where!r}: {said}" if where else f"{self.place}: {said}")


def read_rows(path: Path, what: str, *, error: type[GuerdonError] = TaskError) -> Iterator[FileRow]:
    """The objects of a file in their order; a file that begins with `[` is one array, any other has one object a line.

    Blank lines are passed over. Lines are parsed as they are asked for, an array at once.

    Args:
        path: in UTF-8, perhaps with a mark; gzipped where the name ends in `.gz`.
        what: the word for such rows in an error, as "questions".
        error: the class of that error; files that a command line or an option names raise `ConfigError`.

    Raises:
        TaskError: (or `error`) no such file, not JSON, or not objects; once the rows are asked for.
    """
    try:
        yield from _rows(path, what)
    except TaskError as fault:
        if issubclass(TaskError, error):
            raise
        raise error(str(fault)) from fault.__cause__


def _rows(path: Path, what: str) -> Iterator[FileRow]:
    text, file = _text(path, what), repr(str(path))
    if text.lstrip().startswith("["):
        for number, value in enumerate(_parsed(text, file, 1), 1):
            yield _row(value, f"{file}, row {number}")
    else:
        # Not splitlines: a text within a row may hold U+2028 and its like.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield _row(_parsed(line, file, number), f"{file}, line {number}")


def _text(path: Path, what: str) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except FileNotFoundError:
        near = sorted(each.name for each in path.parent.glob("*.json*")) if path.parent.is_dir() else []
        there = f"that folder has {', '.join(near)}" if near else f"no .json or .jsonl file is in {str(path.parent)!r}"
        raise TaskError(f"no {what} at {str(path)!r}; {there}") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read {what} from {str(path)!r}: {reason_of(error)}") from error


def _parsed(text: str, file: str, first: int) -> Any:
    """The value of a text that begins on line `first` of the file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        raise TaskError(f"{file}, line {line} is not JSON: {error.msg} at column {error.colno}") from error
    except (RecursionError, ValueError) as error:  # nested too deep for Python, or a whole number of too many digits
        raise TaskError(f"{file}, line {first} begins what cannot be read as JSON: {error}") from error


def _row(value: Any, place: str) -> FileRow:
    if not isinstance(value, dict):
        raise TaskError(f"{place} is {type(value).__name__}; an object with named fields is needed")
    return FileRow(value, place)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
