"""When a value that came out of a sandbox is the expected one. Here, and never inside.

What came out holds plain values alone (`guerdon.sandbox.wire`), so that `==` means what Python says and nothing an
answer could have written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError


@dataclass(frozen=True)
class Equality:
    """Which values count as equal. NaN equals NaN, and -0.0 equals 0.0, under every rule."""

    types: bool = True
    """Whether 1, 1.0 and True are three values (and a set is no frozenset). Off, Python's own `==` decides."""
    tuples_are_lists: bool = False
    """Whether a tuple and a list of equal items are equal: for expectations that were written down as JSON."""
    relative: float = 0.0
    """How far two floats may differ and be equal, in shares of the greater one."""
    absolute: float = 0.0
    """The same, as it is; either suffices."""

    def __post_init__(self) -> None:
        for name in ("relative", "absolute"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"Equality.{name} is {getattr(self, name)!r}; accepted is a finite number from 0")

    def __call__(self, got: Any, expected: Any) -> bool:
        """Whether they are equal.

        Sets, and the keys of dictionaries, are compared exactly; a tolerance reaches their values and all items.

        >>> exact, loose = Equality(), Equality(types=False, absolute=0.01)
        >>> exact(1, True), loose(1, True), loose([0.5], [0.505]), exact([0.5], [0.505])
        (False, True, True, False)
        """
        try:
            return self._same(got, expected)
        except RecursionError:
            return False

    def _same(self, got: Any, expected: Any) -> bool:
        if isinstance(got, list | tuple) and isinstance(expected, list | tuple):
            alike = self.tuples_are_lists or isinstance(got, list) == isinstance(expected, list)
            return alike and len(got) == len(expected) and all(map(self._same, got, expected))
        if isinstance(got, dict) and isinstance(expected, dict):
            mine = {self._key(key): value for key, value in got.items()}
            theirs = {self._key(key): value for key, value in expected.items()}
            return mine.keys() == theirs.keys() and all(self._same(mine[key], theirs[key]) for key in theirs)
        if isinstance(got, set | frozenset) and isinstance(expected, set | frozenset):
            alike = not self.types or type(got) is type(expected)
            return alike and {self._key(item) for item in got} == {self._key(item) for item in expected}
        if self.types and type(got) is not type(expected):
            return False
        if isinstance(got, float | int) and isinstance(expected, float | int):
            return self._close(got, expected)
        return bool(got == expected)

    def _close(self, got: float, expected: float) -> bool:
        if got == expected or (got != got and expected != expected):
            return True
        if not (self.relative or self.absolute) or (type(got) is int and type(expected) is int):
            return False
        try:
            return math.isclose(got, expected, rel_tol=self.relative, abs_tol=self.absolute)
        except OverflowError:  # an int beyond every float
            return False

    def _key(self, value: Any) -> Any:
        """What stands for a value among keys: with its types, where they count, and NaN as one value."""
        if isinstance(value, tuple):
            return tuple(self._key(item) for item in value)
        if isinstance(value, frozenset):
            return frozenset(self._key(item) for item in value)
        if isinstance(value, float) and value != value:
            return "NaN", float
        return (value, type(value)) if self.types else value
