"""Checks of options that are numbers, beside those of `guerdon.fields`."""

from __future__ import annotations

from guerdon.errors import ConfigError


def whole(field: str, value: object, low: int, high: int | None = None) -> None:
    """Check an option that is a whole number from `low` to `high`.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{field} is {value!r}; a whole number {span} is needed")
