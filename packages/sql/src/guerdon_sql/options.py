"""Checks of options, told alike everywhere: the field, what was found, what is accepted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from guerdon.errors import ConfigError


def one_of(field: str, value: object, accepted: Collection[Any]) -> None:
    """Check an option against the words it may be.

    Raises:
        ConfigError: it is none of them.
    """
    if value not in accepted:
        raise ConfigError(f"{field} is {value!r}; accepted are {', '.join(map(repr, accepted))}")


def whole(field: str, value: object, low: int, high: int | None = None) -> None:
    """Check an option that is a whole number from `low` to `high`.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{field} is {value!r}; a whole number {span} is needed")
