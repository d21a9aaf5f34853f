"""Checks of options that are numbers, beside those of `guerdon.fields`."""

from __future__ import annotations

import math

from guerdon.errors import ConfigError


def interval(title: str, low: object, high: object) -> None:
    """Check two options that are the ends of a range.

    Raises:
        ConfigError: one is not a finite number, or they are not in order.
    """
    for field, value in (("low", low), ("high", high)):
        if not _finite(value):
            raise ConfigError(f"{title}.{field} is {value!r}; a finite number is needed")
    if not low < high:  # type: ignore[operator]  # both are numbers by now
        raise ConfigError(f"{title}.low is {low!r} and high is {high!r}; low < high is needed")


def between(field: str, value: object, low: float, high: float) -> None:
    """Check an option that is a number strictly between two others.

    Raises:
        ConfigError: it is not.
    """
    if not (_finite(value) and low < value < high):  # type: ignore[operator]  # a number, once found finite
        raise ConfigError(f"{field} is {value!r}; a number above {low:g} and below {high:g} is needed")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
