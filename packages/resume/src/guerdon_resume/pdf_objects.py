"""What objects of a PDF hold, references followed. A file may put a reference anywhere, and nonsense too."""

from __future__ import annotations

from typing import Any


def held(holder: Any, key: str, default: Any = None) -> Any:
    """A dictionary's value, or the default where there is no such dictionary or none in it."""
    if not isinstance(holder, dict) or key not in holder:
        return default
    found = _followed(holder[key])
    return default if found is None else found


def listed(holder: Any, key: str) -> list[Any]:
    """The items of a dictionary's list; of a value that is none, the value alone."""
    found = held(holder, key, [])
    return [_followed(each) for each in (found if isinstance(found, list) else [found])]


def _followed(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value
