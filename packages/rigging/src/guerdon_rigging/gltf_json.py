"""Values of a glTF document, each knowing its place in the file, so that what is wrong can be said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from guerdon_rigging.file_errors import RigFileError


@dataclass(frozen=True)
class Entry:
    """One value of the document, and how it is reached."""

    file: Path
    where: str
    """The path to it: `nodes[3].skin`; empty for the whole."""
    value: Any

    def fail(self, found: str, accepted: str = "") -> NoReturn:
        """Raise a `RigFileError` that names this place."""
        raise RigFileError(self.file, self.where, found, accepted)

    def get(self, key: str) -> Entry | None:
        """The member of that name, None where there is none.

        Raises:
            RigFileError: this is no object.
        """
        if not isinstance(self.value, dict):
            self.fail(f"is {_short(self.value)}", "an object is needed")
        if key not in self.value:
            return None
        return Entry(self.file, f"{self.where}.{key}" if self.where else key, self.value[key])

    def need(self, key: str) -> Entry:
        """The member of that name.

        Raises:
            RigFileError: there is none, or this is no object.
        """
        return self.get(key) or self.fail(f"has no {key!r}", "glTF 2.0 asks for it")

    def members(self, key: str) -> list[Entry]:
        """The entries of an array, empty where there is none of that name.

        Raises:
            RigFileError: it is no array.
        """
        where = f"{self.where}.{key}" if self.where else key
        return [Entry(self.file, f"{where}[{at}]", value) for at, value in enumerate(self._array(key))]

    def member(self, key: str, index: Entry, what: str) -> Entry:
        """The one entry of an array that an index names.

        Raises:
            RigFileError: the index is none of the array's, or it is no array.
        """
        array = self._array(key)
        at = index.integer(0, len(array), f"index of {what}")
        return Entry(self.file, f"{self.where}.{key}[{at}]" if self.where else f"{key}[{at}]", array[at])

    def _array(self, key: str) -> list[Any]:
        found = self.get(key)
        if found is None:
            return []
        if not isinstance(found.value, list):
            found.fail(f"is {_short(found.value)}", "an array is needed")
        return found.value

    def named(self) -> Iterator[tuple[str, Entry]]:
        """The members of this object, with their names.

        Raises:
            RigFileError: this is no object.
        """
        if not isinstance(self.value, dict):
            self.fail(f"is {_short(self.value)}", "an object is needed")
        for name, value in self.value.items():
            yield name, Entry(self.file, f"{self.where}.{name}", value)

    def integer(self, low: int = 0, high: int | None = None, what: str = "integer") -> int:
        """This value, an integer in [low, high).

        Raises:
            RigFileError: it is none.
        """
        value = self.value
        if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number: 3.0 is 3
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value >= high):
            limits = f"of {low} or more" if high is None else f"from {low} to {high - 1}" if high > low else "of none"
            self.fail(f"is {_short(self.value)}", f"an {what} {limits} is accepted")
        return value

    def optional(self, key: str, default: int, low: int = 0, high: int | None = None) -> int:
        """The integer of that name in [low, high), `default` where there is none."""
        found = self.get(key)
        return default if found is None else found.integer(low, high)

    def text(self, key: str, default: str = "") -> str:
        """The string of that name, such as UTF-8 can write it."""
        found = self.get(key)
        if found is None:
            return default
        if not isinstance(found.value, str):
            found.fail(f"is {_short(found.value)}", "a string is needed")
        return found.value.encode("utf-8", "replace").decode("utf-8")

    def numbers(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """The finite numbers of that name, as many as `default` has."""
        found = self.get(key)
        if found is None:
            return default
        values = found.value
        fits = isinstance(values, list) and len(values) == len(default)
        if not fits or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in values):
            found.fail(f"is {_short(values)}", f"{len(default)} numbers are needed")
        try:
            numbers = tuple(map(float, values))
        except OverflowError:
            numbers = (math.inf,)
        if not all(map(math.isfinite, numbers)):
            found.fail(f"is {_short(values)}", "finite numbers are needed")
        return numbers


def parsed(file: Path, data: bytes) -> Entry:
    """A document, from its bytes.

    Raises:
        RigFileError: it is no JSON, or JSON but no object.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise RigFileError(file, "JSON", f"does not parse: {error}", "glTF is JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise RigFileError(file, "JSON", f"is {_short(value)}", "a glTF document is an object")
    return Entry(file, "", value)


def _finite(text: str) -> float:
    """1e999 is JSON and no number of ours: what would be written of it is no JSON."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is beyond all that is read")
    return value


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
